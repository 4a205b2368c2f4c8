"""Working trees in which a branch that Greenlane moves is checked out: they follow it, or the move is refused.

Without this, moving a branch under a checkout would show its owner the reverse of the change as uncommitted work.
"""

from __future__ import annotations

from pathlib import Path

from greenlane.adapters.git.process import Git, GitFailedError
from greenlane.domain.errors import FinalError


def _checkouts(git: Git, ref: str) -> list[Path]:
    """The working trees at which this branch is checked out."""
    found = []
    for block in git.run("worktree", "list", "--porcelain", "-z").split(b"\0\0"):
        fields = dict((line + b" ").split(b" ", 1) for line in block.split(b"\0") if line)
        if fields.get(b"branch", b"").strip() == ref.encode() and b"bare" not in fields:
            place = Path(fields[b"worktree"].strip().decode("utf-8", "surrogateescape"))
            if place.is_dir():
                found.append(place)
    return found


def _is_at(git: Git, worktree: Path, commit: str) -> bool:
    """Whether index and files of a working tree are exactly those of a commit (untracked files aside)."""
    git.run_in(worktree, "update-index", "-q", "--refresh", ok=(0, 1))
    try:
        git.run_in(worktree, "diff-index", "--quiet", "--cached", "--ignore-submodules", commit, "--")
        git.run_in(worktree, "diff-files", "--quiet", "--ignore-submodules", "--")
    except GitFailedError as error:
        if error.code == 1:
            return False
        raise
    return True


def require_movable(git: Git, ref: str, old: str, new: str) -> None:
    """Raises FinalError if the branch is checked out somewhere with work that following it would touch."""
    for worktree in _checkouts(git, ref):
        branch = ref.removeprefix("refs/heads/")
        if not _is_at(git, worktree, old):
            raise FinalError(
                f"{branch} is checked out in {worktree} with uncommitted changes, so it was not moved",
                hint="commit or stash them, or switch that folder to another branch; then let Greenlane try again",
            )
        try:
            git.run_in(worktree, "read-tree", "-n", "-m", "-u", "--exclude-per-directory=.gitignore", old, new)
        except GitFailedError as error:
            raise FinalError(
                f"{branch} is checked out in {worktree}, where files are in the way: {error.stderr.strip()[:300]}",
                hint="move them away, or switch that folder to another branch; then let Greenlane try again",
            ) from error


def follow(git: Git, ref: str, old: str, new: str) -> None:
    """Bring checkouts of a branch that moved from `old` to `new` along. One that holds anything else is left alone."""
    for worktree in _checkouts(git, ref):
        if _is_at(git, worktree, old):
            git.run_in(worktree, "read-tree", "-m", "-u", "--exclude-per-directory=.gitignore", old, new)
