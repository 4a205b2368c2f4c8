"""The code host: where pull requests live (`CodeHost`) and how their commits are read (`SourceControl`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from greenlane.domain.diff import Diff


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request at its present head. People are written `Name <address>`."""

    repo: str
    number: int
    title: str
    description: str = ""
    branch: str
    base_branch: str
    head_sha: str
    base_sha: str
    merge_base_sha: str
    author: str
    coauthors: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    head_writable: bool = True
    """False: the head is known to be in a fork that can't be pushed to."""


class Step(msgspec.Struct, frozen=True):
    """A commit and the one before it on its own line (its first parent)."""

    parent: str
    commit: str


class CodeHost(Protocol):
    """What changes something at the code host. Each call may be repeated safely."""

    async def pull_request(self, ref: str) -> PullRequest:
        """The pull request of a branch name or number. Raises InputError if there is none, or its diff is empty."""

    async def commit_files(
        self, branch: str, *, expected_head: str, files: Mapping[str, bytes], message: str, key: str
    ) -> str:
        """Put these files on the branch in one commit on top of `expected_head`; the commit's name.

        `key` makes it idempotent: a commit that carries it already is returned. Raises FinalError if the branch is
        elsewhere by now, PushRefusedError if it may not be pushed to.
        """

    async def require_movable(self, base_branch: str, *, expected: str, commit: str) -> None:
        """Whether `advance_base` could be done as things are now. Raises FinalError that says what is in the way."""

    async def advance_base(self, base_branch: str, *, expected: str, commit: str, run: str, fence: int) -> None:
        """Move the base branch from `expected` to `commit`. Done already: nothing. Raises BaseMovedError otherwise, and
        FencedError if a newer worker of this run closed the branch to older ones."""

    async def fence_base(self, run: str, fence: int) -> None:
        """From here on no older worker of this run moves a base branch. Raises FencedError if this is the older one."""

    async def head_of(self, branch: str) -> str:
        """The commit at which a branch stands now. Raises InputError if there is no such branch."""


class SourceControl(Protocol):
    """Reading commits. Nothing here changes a branch."""

    async def diff(self, base_sha: str, head_sha: str) -> Diff:
        """What `head_sha` changes relative to `base_sha` (give the merge base for a pull request's own change)."""

    async def commits(self, base_sha: str, head_sha: str, *, limit: int) -> tuple[Step, ...]:
        """The commits that `head_sha` has and `base_sha` has not, oldest first; of more than `limit`, the newest."""

    async def export(self, commit: str, into: Path) -> None:
        """Write the tree of a commit as plain files into an empty or absent folder (no `.git`, no links out of it)."""

    async def merge(self, base_sha: str, head_sha: str, *, message: str) -> str:
        """The merge commit of both, the same each time it is asked for. Raises MergeConflictError."""

    async def revert_to(self, tree_of: str, parent: str, *, message: str) -> str:
        """A commit with the tree of `tree_of` on top of `parent`, the same each time it is asked for."""
