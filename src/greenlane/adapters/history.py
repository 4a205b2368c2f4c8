"""History from git alone: three bounded `git log` calls over the places that a change touches."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from greenlane.adapters.git.process import Git, GitFailedError
from greenlane.domain.diff import Diff
from greenlane.domain.errors import FinalError
from greenlane.domain.history import HistoryFacts

_MAX_COMMITS = 2000
"""Of the touched files, newest first: older ones say little of what is likely now."""
_MAX_PATHS = 300
_DAY_S = 86_400.0
_REVERT = re.compile(r"^Revert\b|This reverts commit", re.MULTILINE)
_FIX = re.compile(r"\b(fix(es|ed)?|bug|regression|hotfix|crash(es|ed)?)\b", re.IGNORECASE)
_FIELDS = "%x1e%H%x1f%at%x1f%ae%x1f%B%x1f"


class GitHistory:
    """Implements `ports.history.History` over one local repository."""

    def __init__(self, repo: Path) -> None:
        self._git = Git(repo)

    async def facts(self, *, merge_base_sha: str, head_sha: str, author: str, diff: Diff) -> HistoryFacts:
        return await asyncio.to_thread(self._facts, merge_base_sha, head_sha, author, diff)

    def _facts(self, merge_base_sha: str, head_sha: str, author: str, diff: Diff) -> HistoryFacts:
        address = _address(author)
        paths = tuple(dict.fromkeys(f.old_path or f.path for f in diff.files if f.status != "added"))[:_MAX_PATHS]
        try:
            now = int(self._git.text("show", "-s", "--format=%at", merge_base_sha))
            commits = self._commits(merge_base_sha, paths)
            own = self._git.text(
                "rev-list", f"--max-count={_MAX_COMMITS}", "--no-merges", "--timestamp", "--fixed-strings",
                f"--author=<{address}>", merge_base_sha,
            )  # fmt: skip
            subject = self._git.text("show", "-s", "--format=%B", head_sha)
            shallow = self._git.text("rev-parse", "--is-shallow-repository") == "true"
        except (GitFailedError, ValueError) as error:
            message = f"git can't tell the history of the change: {error}"
            raise FinalError(message, hint="`git fsck` looks for damage") from error
        ages = [max(0.0, (now - int(line.split()[0])) / _DAY_S) for line in own.splitlines() if line[:1].isdigit()]
        return HistoryFacts(
            subsystems=len({PurePosixPath(f.path).parts[0] for f in diff.files}),
            folders=len({str(PurePosixPath(f.path).parent) for f in diff.files}),
            files=len(diff.files),
            lines_added=diff.added_count,
            lines_removed=diff.removed_count,
            entropy=entropy_of(len(f.added) + len(f.removed) for f in diff.files),
            authors=len({c.author for c in commits}),
            age_days=(now - commits[0].at) / _DAY_S if commits else 0.0,
            commits=len(commits),
            author_commits=len(ages),
            # Each commit of theirs weighs by how recent it is, in years (Kamei's REXP).
            author_recent_commits=round(sum(1 / (1 + age / 365) for age in ages), 3),
            author_file_commits=sum(c.author == address for c in commits),
            reverts=sum(bool(_REVERT.search(c.message)) for c in commits),
            fixes=sum(bool(_FIX.search(c.message.partition("\n")[0])) for c in commits),
            is_fix=bool(_FIX.search(subject.partition("\n")[0])),
            shallow=shallow,
        )

    def _commits(self, base: str, paths: tuple[str, ...]) -> list[_Commit]:
        """The commits on these files that the merge base reaches, newest first."""
        if not paths:
            return []
        log = self._git.run(
            "log", f"--max-count={_MAX_COMMITS}", "--no-merges", f"--format={_FIELDS}", base, "--",
            *paths,
        )  # fmt: skip
        return [_Commit(part) for part in log.decode("utf-8", "replace").split("\x1e")[1:]]


class _Commit:
    """One commit of the log: when, by whom, and its message."""

    __slots__ = ("at", "author", "message")

    def __init__(self, text: str) -> None:
        _, at, author, message, *_ = text.split("\x1f")
        self.at = int(at)
        self.author = author.strip().casefold()
        self.message = message


def entropy_of(sizes: Iterable[int]) -> float:
    """Normalised Shannon entropy, 0 to 1: how evenly the changed lines are spread over the files."""
    parts = [size for size in sizes if size > 0]
    total = sum(parts)
    if len(parts) < 2:
        return 0.0
    return round(-sum(p / total * math.log2(p / total) for p in parts) / math.log2(len(parts)), 4)


def _address(author: str) -> str:
    """The address of `Name <address>`, folded; the whole text if it has none."""
    match = re.search(r"<([^<>]*)>\s*$", author)
    return (match[1] if match else author).strip().casefold()
