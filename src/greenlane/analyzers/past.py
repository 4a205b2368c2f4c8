"""What a change added and took out again: lines of its commits that its head no longer has.

Whoever can read the branch can read them still, so `secrets` looks there too. Called where a change is read.
"""

from __future__ import annotations

import msgspec

from greenlane.analyzers.base import PastLine
from greenlane.domain.diff import Diff
from greenlane.domain.events import SkippedFile
from greenlane.ports.code_host import SourceControl

NAME = "past"
MAX_COMMITS = 60
"""Commits of one change that are read one by one; of a change of more, a person has to look."""
MAX_LINES = 100_000
"""Lines that are kept of them, and so the memory that this takes."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    lines: tuple[PastLine, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()


async def read_past(source: SourceControl, base_sha: str, head_sha: str, diff: Diff) -> Past:
    """The lines that the commits between both added beyond those of `diff`, which is the difference of both.

    What could not be read of them, a file or all beyond the bounds, is skipped with the reason.
    """
    steps = await source.commits(base_sha, head_sha, limit=MAX_COMMITS + 1)
    if len(steps) <= 1:
        return Past()
    skipped: list[SkippedFile] = []
    if len(steps) > MAX_COMMITS:
        skipped.append(_gap("*", f"the change has more than {MAX_COMMITS} commits"))
    seen = {(file.path, line.text) for file in diff.files for line in file.added}
    unread = {file.path for file in diff.files if file.skipped}
    lines: list[PastLine] = []
    for step in steps[-MAX_COMMITS:]:
        for file in (await source.diff(step.parent, step.commit)).files:
            if file.skipped not in (None, "binary") and file.status != "deleted" and file.path not in unread:
                unread.add(file.path)
                skipped.append(_gap(file.path, f"in commit {step.commit[:10]}: {file.skipped}"))
            for line in file.added:
                if line.text.strip() and (file.path, line.text) not in seen:
                    seen.add((file.path, line.text))
                    lines.append(PastLine(step.commit, file.path, line.number, line.text))
    if len(lines) > MAX_LINES:
        skipped.append(_gap("*", f"its commits add more than {MAX_LINES} lines that are gone at its head"))
    return Past(lines=tuple(lines[:MAX_LINES]), skipped=tuple(skipped))


def _gap(path: str, reason: str) -> SkippedFile:
    return SkippedFile(path=path, analyzer=NAME, reason=reason)
