"""Which merged changes wrote the lines that a later fix had to change: labels where messages name no culprit.

The method is that of Sliwerski, Zimmermann and Zeller, "When do changes induce fixes?" (Mining Software Repositories,
2005), with the usual refinements of Kim et al., "Automatic identification of bug-introducing changes" (Automated
Software Engineering, 2006): white space, blank lines, comments, tests and documents count for nothing, and fixes that
touch very much are left out, since most of what they touch was not broken. Its labels are indications: a fix may mend
what an older line left undone, and a larger change has more lines that a fix can touch.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from greenlane.adapters.git.diffs import read_diff
from greenlane.adapters.git.merged import Commit, MergedChange
from greenlane.adapters.git.process import Git, GitFailedError
from greenlane.analyzers import files
from greenlane.analyzers.summary import is_production
from greenlane.domain.diff import FileDiff
from greenlane.domain.errors import GreenlaneError

MAX_FIX_FILES = 10
MAX_FIX_LINES = 300
"""A fix of more than this is also something else."""
_MENDS = re.compile(
    r"\b(fix(es|ed|ing)?|bug(s|fix|fixes)?|regression|hotfix|crash(es|ed|ing)?|revert(s|ed)?|broke(n)?)\b",
    re.IGNORECASE,
)
_NO_BUG = re.compile(
    r"\b(typos?|spelling|grammar|docs?|documentation|docstrings?|changelog|readme|lint(er|ing)?|flake8|ruff|black|isort"
    r"|mypy|pylint|pre-commit|formatting|whitespace|tests?|ci|workflows?|travis|tox|coverage|type (hints?|annotations?)"
    r"|typing|comments?|links?|bump|release|version|merge conflicts?)\b",
    re.IGNORECASE,
)
_SAYS_NOTHING = re.compile(r"^\s*($|#|//|/\*|\*|\"\"\"|'''|[^\w]*$)")


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """`culprits`: (change head, fixing commit, when it was fixed in Unix seconds, lines), oldest fix first.
    `traced` of `fixes` could be followed in the time that was given."""

    culprits: tuple[tuple[str, str, int, int], ...]
    fixes: int
    traced: int


def trace_fixes(
    repo: Path,
    changes: Sequence[MergedChange],
    later: Sequence[Commit],
    *,
    seconds: float,
    on_traced: Callable[[int, int], None] = lambda *_: None,
) -> Traced:
    """Follow each fix among `later` to the changes that last wrote the lines it changed or deleted. Blocks for at most
    about `seconds`; the newest fixes come first."""
    git = Git(repo)
    owner = {sha: change for change in changes for sha in change.commits}
    wanted = [c for c in later if is_fix(c, owner.get(c.sha))]
    until = time.monotonic() + seconds
    boundary = changes[-1].base_sha

    def trace(fix: Commit) -> dict[str, int] | None:
        return None if time.monotonic() > until else _culprits(git, fix, boundary, owner)

    culprits: list[tuple[str, str, int, int]] = []
    traced = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for number, (fix, found) in enumerate(zip(wanted, pool.map(trace, wanted), strict=True)):
            on_traced(number + 1, len(wanted))
            if found is None:
                continue
            traced += 1
            own = owner.get(fix.sha)
            at = max(fix.at, own.at if own else fix.at)
            culprits += [(head, fix.sha, at, lines) for head, lines in found.items()]
    return Traced(culprits=tuple(sorted(culprits, key=lambda c: (c[2], c[1], c[0]))), fixes=len(wanted), traced=traced)


def is_fix(commit: Commit, change: MergedChange | None) -> bool:
    """Whether a commit mends code, by its first line, or by the title of the pull request with which it came."""
    if len(commit.parents) != 1:
        return False
    titles = [commit.message.partition("\n")[0]]
    if change is not None and change.head_sha != commit.sha:
        titles.append(change.title)
    return any(_MENDS.search(t) for t in titles) and not any(_NO_BUG.search(t) for t in titles)


def _culprits(git: Git, fix: Commit, boundary: str, owner: dict[str, MergedChange]) -> dict[str, int]:
    """Lines of each change (by its head) that this fix changed or deleted. What can't be read says nothing."""
    parent = fix.parents[0]
    try:
        diff = read_diff(git, parent, fix.sha)
    except GreenlaneError:
        return {}
    broken = {f.old_path or f.path: lines for f in diff.files if (lines := _broken_lines(f))}
    if len(broken) > MAX_FIX_FILES or sum(map(len, broken.values())) > MAX_FIX_LINES:
        return {}
    found: dict[str, int] = {}
    own = owner.get(fix.sha)
    for path, numbers in broken.items():
        for sha in _blame(git, path, numbers, parent, boundary):
            change = owner.get(sha)
            if change is not None and change is not own and change.at <= fix.at:
                found[change.head_sha] = found.get(change.head_sha, 0) + 1
    return found


def _broken_lines(file: FileDiff) -> list[int]:
    """The lines that said something and had to go, by their number before the fix."""
    path = file.old_path or file.path
    if file.skipped or not is_production(path) or files.kind_of(path) is files.Kind.TEXT:
        return []
    return [line.number for line in file.removed if not _SAYS_NOTHING.match(line.text)]


def _blame(git: Git, path: str, numbers: list[int], parent: str, boundary: str) -> list[str]:
    """The commit that last wrote each of these lines."""
    ranges = [part for first, last in _ranges(numbers) for part in ("-L", f"{first},{last}")]
    try:
        out = git.run("blame", "-w", "-l", "-s", "--root", *ranges, parent, f"^{boundary}", "--", path)
    except GitFailedError:
        return []  # the path is no file there any more, or names something that blame can't follow
    return [line[:40].decode("ascii", "replace") for line in out.splitlines() if line[:1] != b"^"]


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
