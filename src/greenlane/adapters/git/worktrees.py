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


def main_folder(folder: Path) -> Path:
    """The folder that stands for this one in the repository's main working tree: linked working trees are the same
    repository, and share what is kept for it. A folder of no linked working tree is itself; of a bare repository with
    working trees, it is in the repository's own folder. Reads git's files (gitrepository-layout) and starts nothing.
    """
    folder = folder.resolve()
    for top in (folder, *folder.parents):
        link = top / ".git"
        if link.is_dir():
            return folder
        if link.is_file():
            common = _common_dir(link)
            if common is None:
                return folder
            return (common.parent if common.name == ".git" else common) / folder.relative_to(top)
    return folder


def _common_dir(link: Path) -> Path | None:
    """The git directory that the working tree of this `.git` file shares; None if it is not a linked one."""
    try:
        named = link.read_text("utf-8", "surrogateescape").partition("gitdir:")[2].strip()
        own = (link.parent / named).resolve()
        return (own / (own / "commondir").read_text("utf-8", "surrogateescape").strip()).resolve()
    except OSError:
        return None
