"""The changes that were merged into a branch, newest first, and what later commits say of them. Reads, writes nothing.

Called by the backtest. A repository where most first-parent commits are merges has its changes in the merges; any other
one squashes or rebases, and each first-parent commit is a change.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from greenlane.adapters.git.process import Git, GitFailedError
from greenlane.domain.errors import InputError

MAX_LOG_BYTES = 256 << 20
"""Messages of all commits since the oldest change; the Linux kernel's of a year fit."""

_FIELDS = "%x01%H%x00%P%x00%an <%ae>%x00%ct%x00%B"
_NUMBER = (
    re.compile(r"^Merge pull request #(\d+)\b"),  # GitHub's merge
    re.compile(r"\(#(\d+)\)\s*$"),  # GitHub's squash
    re.compile(r"\(!(\d+)\)\s*$"),  # GitLab's squash
)
_MERGE_LINE = re.compile(r"^Merge (pull request|branch|remote-tracking branch)\b")


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit: its parents in order, who wrote it, when it was committed (Unix seconds), and its whole message."""

    sha: str
    parents: tuple[str, ...]
    author: str
    at: int
    message: str


class MergedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What landed on the branch in one step: the difference from `base_sha` to `head_sha`.

    `number` is that of its pull request (0: none is named). `commits` are all commits that came with it.
    """

    base_sha: str
    head_sha: str
    number: int
    title: str
    author: str
    at: int
    commits: tuple[str, ...]


def read_merged_changes(repo: Path, *, last: int, branch: str | None) -> tuple[list[MergedChange], list[Commit]]:
    """The newest `last` changes of a branch (HEAD if None), newest first; and every commit since the oldest of them.

    Raises InputError: no repository, no such branch, no change in it.
    """
    git = Git(repo)
    tip = _tip(git, branch)
    line = _log(git, "--first-parent", f"--max-count={last * 3 + 1}", tip)
    merges = [c for c in line if len(c.parents) > 1]
    steps = merges if len(merges) * 2 >= len(line) else [c for c in line if c.parents]
    steps = steps[:last]
    if not steps:
        raise InputError("no change was ever merged here", hint="give a branch with a history: --branch NAME")
    since = _log(git, tip, f"^{steps[-1].parents[0]}")
    known = {c.sha: c for c in since}
    return [_change(step, known) for step in steps], since


def _tip(git: Git, branch: str | None) -> str:
    name = f"refs/heads/{branch}" if branch else "HEAD"
    found = git.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", ok=(0, 1, 128))
    if not found and branch:
        remote = f"refs/remotes/origin/{branch}^{{commit}}"
        found = git.text("rev-parse", "--verify", "--quiet", "--end-of-options", remote, ok=(0, 1, 128))
    if not found:
        raise InputError(f"there is no branch {branch}" if branch else "HEAD names no commit", hint="try --branch NAME")
    return found


def _log(git: Git, *args: str) -> list[Commit]:
    try:
        out = git.run("log", "--topo-order", f"--format={_FIELDS}", *args, "--", limit=MAX_LOG_BYTES)
    except GitFailedError as error:
        raise InputError(f"the history can't be read: {error.message}", hint="run `git fsck`") from error
    commits = []
    for record in out.decode("utf-8", "replace").split("\x01")[1:]:
        fields = record.split("\x00", 4)
        if len(fields) == 5:  # a message that holds \x01 itself continues in a record without fields
            sha, parents, author, at, message = fields
            commits.append(
                Commit(sha=sha, parents=tuple(parents.split()), author=author, at=int(at), message=message.strip())
            )
    return commits


def _change(step: Commit, known: dict[str, Commit]) -> MergedChange:
    came = _came_with(step, known)
    first = step.message.partition("\n")[0].strip()
    body = [line.strip() for line in step.message.splitlines()[1:] if line.strip()]
    title = body[0] if _MERGE_LINE.match(first) and body else first
    found = next((m for pattern in _NUMBER if (m := pattern.search(first))), None)
    author = known[step.parents[1]].author if len(step.parents) > 1 and step.parents[1] in known else step.author
    return MergedChange(
        base_sha=step.parents[0],
        head_sha=step.sha,
        number=int(found[1]) if found else 0,
        title=title,
        author=author,
        at=step.at,
        commits=came,
    )


def _came_with(step: Commit, known: dict[str, Commit]) -> tuple[str, ...]:
    """The step and what its other parents bring that the first one did not have, as far as the walk knows them."""
    if len(step.parents) < 2:
        return (step.sha,)
    before, pending = set[str](), [step.parents[0]]
    while pending:
        sha = pending.pop()
        if sha in known and sha not in before:
            before.add(sha)
            pending += known[sha].parents
    found, pending = {step.sha: None}, list(step.parents[1:])
    while pending:
        sha = pending.pop()
        if sha in known and sha not in before and sha not in found:
            found[sha] = None
            pending += known[sha].parents
    return tuple(found)
