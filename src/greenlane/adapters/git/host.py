"""`LocalGit`: both ports of the code host over one local repository, bare or not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from greenlane.adapters.git import commits, pulls
from greenlane.adapters.git.diffs import read_diff
from greenlane.adapters.git.export import export_tree
from greenlane.adapters.git.process import Git, GitFailedError, require_object
from greenlane.adapters.git.worktrees import main_folder
from greenlane.domain.diff import Diff
from greenlane.domain.errors import ConfigError
from greenlane.ports.code_host import PullRequest, Step


class LocalGit:
    """A local git repository. `CodeHost` and `SourceControl`; each call runs in a thread and may be repeated safely.

    Everything that it keeps stands in the repository itself, under `refs/greenlane/`: the number of each pull request,
    and the commits that it put on branches.
    """

    def __init__(self, repo: Path, *, name: str | None = None, base_branch: str = "main") -> None:
        """`repo` is the repository or a folder in it; `name` its name in the ledger (that of its main
        working tree's folder, if absent).

        Raises InputError if there is no repository, or no git that is new enough.
        """
        self._git = Git(repo)
        self.root = self._git.root
        self.name = name or main_folder(self.root).name.removesuffix(".git")
        self._base_branch = base_branch

    async def read_file(self, branch: str, path: str) -> bytes | None:
        """A file as it stands on a branch; None if the branch or the file is not there."""

        def read() -> bytes | None:
            try:
                return self._git.run("cat-file", "blob", f"{pulls.branch_ref(self._git, branch)}:{path}")
            except GitFailedError:
                return None

        return await asyncio.to_thread(read)

    def read_folder(self, branch: str, folder: str | None, suffix: str) -> dict[str, str]:
        """Name to text of the files directly in a folder of a branch that end so; empty if there is no folder. Blocks.
        Raises ConfigError for a folder outside the repository."""
        if folder is None:
            return {}
        inside = PurePosixPath(folder)
        if inside.is_absolute() or ".." in inside.parts:
            raise ConfigError(f"{folder!r} is no folder of the repository", hint="give a path relative to its root")
        listed = self._git.run("ls-tree", "-z", pulls.branch_ref(self._git, branch), "--", f"{inside}/", ok=(0, 128))
        found: dict[str, str] = {}
        for entry in listed.split(b"\0")[:-1]:
            meta, _, path = entry.partition(b"\t")
            mode, kind, name = meta.split()
            if kind == b"blob" and mode != b"120000" and path.decode(errors="replace").endswith(suffix):
                text = self._git.run("cat-file", "blob", name.decode())
                found[PurePosixPath(path.decode(errors="replace")).name] = text.decode(errors="replace")
        return found

    async def pull_request(self, ref: str) -> PullRequest:
        return await asyncio.to_thread(pulls.read_pull_request, self._git, self.name, ref, self._base_branch)

    async def head_of(self, branch: str) -> str:
        return await asyncio.to_thread(pulls.head_of, self._git, branch)

    async def diff(self, base_sha: str, head_sha: str) -> Diff:
        return await asyncio.to_thread(read_diff, self._git, require_object(base_sha), require_object(head_sha))

    async def commits(self, base_sha: str, head_sha: str, *, limit: int) -> tuple[Step, ...]:
        return await asyncio.to_thread(commits.between, self._git, base_sha, head_sha, limit)

    async def export(self, commit: str, into: Path) -> None:
        await asyncio.to_thread(export_tree, self._git, require_object(commit), into)

    async def merge(self, base_sha: str, head_sha: str, *, message: str) -> str:
        return await asyncio.to_thread(commits.merge, self._git, base_sha, head_sha, message)

    async def revert_to(self, tree_of: str, parent: str, *, message: str) -> str:
        return await asyncio.to_thread(commits.revert_to, self._git, tree_of, parent, message)

    async def commit_files(
        self, branch: str, *, expected_head: str, files: Mapping[str, bytes], message: str, key: str
    ) -> str:
        return await asyncio.to_thread(commits.commit_files, self._git, branch, expected_head, files, message, key)

    async def require_movable(self, base_branch: str, *, expected: str, commit: str) -> None:
        await asyncio.to_thread(commits.require_movable, self._git, base_branch, expected, commit)

    async def advance_base(self, base_branch: str, *, expected: str, commit: str, run: str, fence: int) -> None:
        await asyncio.to_thread(commits.advance_base, self._git, base_branch, expected, commit, run, fence)

    async def fence_base(self, run: str, fence: int) -> None:
        await asyncio.to_thread(commits.fence_base, self._git, run, fence)
