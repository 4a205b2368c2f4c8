"""History from git alone: bounded `git log` calls over the places that a change touches.

`GitHistory` is asked about one live change; `history_walk` computes the same facts for many merged ones.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from greenlane.adapters.git.process import Git, GitFailedError
from greenlane.adapters.git.walk import FileSize, read_sizes
from greenlane.analyzers.summary import is_production
from greenlane.domain.diff import Diff
from greenlane.domain.errors import FinalError
from greenlane.domain.history import HistoryFacts

MAX_COMMITS = 2000
"""Of the touched files, newest first: older ones say little of what is likely now."""
MAX_PATHS = 300
DAY_S = 86_400.0
RECENT_S = 180 * DAY_S
SPLIT_S = 7 * DAY_S
"""Who cuts one change into several has them merged within days."""
MAX_PARTS = 50
_REVERT = re.compile(r"^Revert\b|This reverts commit", re.MULTILINE)
_FIX = re.compile(r"\b(fix(es|ed)?|bug|regression|hotfix|crash(es|ed)?)\b", re.IGNORECASE)
_FIELDS = "%x00%H%x00%at%x00%ae%x00%B"
"""Separated by zero bytes, which no message can hold."""


class PastCommit(msgspec.Struct, frozen=True):
    """One commit of the history: when it was written (Unix seconds), by which address, and what it says."""

    sha: str
    at: int
    author: str
    revert: bool
    fix: bool


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """The change whose past is looked at: its files with their lines, its author's address, and its first line."""

    files: tuple[FileSize, ...]
    author: str
    subject: str
    now: int
    shallow: bool = False


class GitHistory:
    """Implements `ports.history.History` over one local repository."""

    def __init__(self, repo: Path) -> None:
        self._git = Git(repo)

    async def facts(self, *, merge_base_sha: str, head_sha: str, author: str, diff: Diff) -> HistoryFacts:
        return await asyncio.to_thread(self._facts, merge_base_sha, head_sha, author, diff)

    def _facts(self, merge_base_sha: str, head_sha: str, author: str, diff: Diff) -> HistoryFacts:
        address = address_of(author)
        sizes = tuple(FileSize(f.path, f.old_path or f.path, len(f.added), len(f.removed)) for f in diff.files)
        paths = known_paths(sizes)
        try:
            present = Present(
                files=sizes,
                author=address,
                subject=self._git.text("show", "-s", "--format=%s", head_sha),
                now=int(self._git.text("show", "-s", "--format=%at", merge_base_sha)),
                shallow=self._git.text("rev-parse", "--is-shallow-repository") == "true",
            )
            commits = self._commits(merge_base_sha, paths)
            own = self._git.text(
                "rev-list", f"--max-count={MAX_COMMITS}", "--no-merges", "--timestamp", "--fixed-strings",
                f"--author=<{address}>", merge_base_sha,
            )  # fmt: skip
            parts = recent_parts(commits, address, present.now)
            lines = lines_on(paths, read_sizes(self._git, [(sha,) for sha in parts]))
        except (GitFailedError, ValueError) as error:
            message = f"git can't tell the history of the change: {error}"
            raise FinalError(message, hint="`git fsck` looks for damage") from error
        times = [int(line.split()[0]) for line in own.splitlines() if line[:1].isdigit()]
        return measure_history(present, commits, times, author_recent_lines=lines)

    def _commits(self, base: str, paths: tuple[str, ...]) -> list[PastCommit]:
        """The commits on these files that the merge base reaches, newest first; those of merged branches too."""
        if not paths:
            return []
        log = self._git.run(
            "log", f"--max-count={MAX_COMMITS}", "--full-history", "--no-merges", f"--format={_FIELDS}", base, "--",
            *paths,
        )  # fmt: skip
        fields = iter(log.split(b"\0")[1:])
        return [
            past_commit(sha.decode(), int(at), author.decode("utf-8", "replace"), message.decode("utf-8", "replace"))
            for sha, at, author, message in zip(fields, fields, fields, fields, strict=True)
        ]


def past_commit(sha: str, at: int, author: str, message: str) -> PastCommit:
    subject = message.partition("\n")[0]
    return PastCommit(sha, at, author.strip().casefold(), bool(_REVERT.search(message)), bool(_FIX.search(subject)))


def measure_history(
    present: Present, commits: Sequence[PastCommit], own: Iterable[int], *, author_recent_lines: int = 0
) -> HistoryFacts:
    """The facts. `commits` are those on the files of the change; `own` the times of all commits of its author."""
    now, counted = present.now, [f for f in present.files if is_production(f.path)]
    ages = [max(0.0, (now - at) / DAY_S) for at in own]
    recent = [c for c in commits if now - c.at <= RECENT_S]
    return HistoryFacts(
        subsystems=len({PurePosixPath(f.path).parts[0] for f in present.files}),
        folders=len({str(PurePosixPath(f.path).parent) for f in present.files}),
        files=len(present.files),
        lines_added=sum(f.added for f in present.files),
        lines_removed=sum(f.removed for f in present.files),
        entropy=entropy_of(f.added + f.removed for f in counted),
        authors=len({c.author for c in commits}),
        age_days=max(0.0, (now - max(c.at for c in commits)) / DAY_S) if commits else 0.0,
        commits=len(commits),
        author_commits=len(ages),
        # Each commit of theirs weighs by how recent it is, in years (Kamei's REXP).
        author_recent_commits=round(sum(1 / (1 + age / 365) for age in ages), 3),
        author_file_commits=sum(c.author == present.author for c in commits),
        reverts=sum(c.revert for c in commits),
        fixes=sum(c.fix for c in commits),
        is_fix=bool(_FIX.search(present.subject)),
        shallow=present.shallow,
        recent_commits=len(recent),
        recent_fixes=sum(c.fix or c.revert for c in recent),
        author_recent_lines=author_recent_lines,
    )


def known_paths(files: Iterable[FileSize]) -> tuple[str, ...]:
    """The files whose past counts, under the names that they had before: those that production runs. Everybody edits
    the changelog, so its past says nothing of a change."""
    return tuple(dict.fromkeys(f.old_path for f in files if is_production(f.path)))[:MAX_PATHS]


def recent_parts(commits: Iterable[PastCommit], author: str, now: int) -> tuple[str, ...]:
    """The commits of this author on the same files in the days before."""
    return tuple(c.sha for c in commits if c.author == author and now - c.at <= SPLIT_S)[:MAX_PARTS]


def lines_on(paths: Iterable[str], sizes: dict[str, tuple[FileSize, ...]]) -> int:
    """How many lines of these files the commits of `sizes` changed."""
    wanted = set(paths)
    return sum(f.added + f.removed for files in sizes.values() for f in files if f.path in wanted)


def entropy_of(sizes: Iterable[int]) -> float:
    """Normalised Shannon entropy, 0 to 1: how evenly the changed lines are spread over the files."""
    parts = [size for size in sizes if size > 0]
    total = sum(parts)
    if len(parts) < 2:
        return 0.0
    return round(-sum(p / total * math.log2(p / total) for p in parts) / math.log2(len(parts)), 4)


def address_of(author: str) -> str:
    """The address of `Name <address>`, folded; the whole text if it has none."""
    match = re.search(r"<([^<>]*)>\s*$", author)
    return (match[1] if match else author).strip().casefold()
