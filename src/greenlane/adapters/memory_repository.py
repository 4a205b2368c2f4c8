"""A repository and code host in memory: commits are dictionaries of files. Double of `CodeHost` and `SourceControl`."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from greenlane.domain.diff import Diff, FileDiff, Line
from greenlane.domain.errors import (
    BaseMovedError,
    FencedError,
    FinalError,
    GreenlaneError,
    InputError,
    MergeConflictError,
)
from greenlane.ports.code_host import PullRequest, Step

Tree = Mapping[str, bytes]


class _Commit(msgspec.Struct, frozen=True):
    tree: dict[str, bytes]
    parents: tuple[str, ...]
    message: str


class MemoryRepository:
    """`branches` maps names to commits. `reach` is called before a branch is moved, `did` after it."""

    def __init__(self, *, reach: Callable[[], None] | None = None, did: Callable[[str], None] | None = None) -> None:
        self._commits: dict[str, _Commit] = {}
        self._pulls: dict[str, PullRequest] = {}
        self._fences: dict[str, int] = {}
        self._reach = reach or (lambda: None)
        self._did = did or (lambda _: None)
        self.branches: dict[str, str] = {}
        self.in_the_way: GreenlaneError | None = None
        """Raised by `require_movable`, as for a checkout with uncommitted work."""

    # ------------------------------------------------------------ setting it up

    def commit(self, tree: Tree, *parents: str, message: str = "") -> str:
        """A commit; the same content has the same name."""
        digest = hashlib.sha1(repr((sorted(tree.items()), parents, message)).encode()).hexdigest()
        self._commits[digest] = _Commit(dict(tree), parents, message)
        return digest

    def change(self, parent: str, files: Mapping[str, bytes | None], message: str = "") -> str:
        """A commit on top of `parent` with these files written, or deleted where None."""
        tree = dict(self._commits[parent].tree)
        for path, content in files.items():
            if content is None:
                tree.pop(path, None)
            else:
                tree[path] = content
        return self.commit(tree, parent, message=message)

    def open(self, branch: str, *, number: int, author: str, title: str = "", base_branch: str = "main") -> PullRequest:
        """A pull request of a branch that exists already."""
        head, base = self.branches[branch], self.branches[base_branch]
        pull = PullRequest(
            repo="memory",
            number=number,
            title=title or branch,
            branch=branch,
            base_branch=base_branch,
            head_sha=head,
            base_sha=base,
            merge_base_sha=self._merge_base(base, head),
            author=author,
        )
        self._pulls[branch] = self._pulls[str(number)] = pull
        return pull

    def tree_of(self, commit: str) -> Tree:
        return self._commits[commit].tree

    # ------------------------------------------------------------ code host

    async def pull_request(self, ref: str) -> PullRequest:
        if ref not in self._pulls:
            raise InputError(f"there is no pull request {ref}", hint="open it first")
        pull = self._pulls[ref]
        head, base = self.branches[pull.branch], self.branches[pull.base_branch]
        return msgspec.structs.replace(pull, head_sha=head, base_sha=base, merge_base_sha=self._merge_base(base, head))

    async def commit_files(
        self, branch: str, *, expected_head: str, files: Mapping[str, bytes], message: str, key: str
    ) -> str:
        self._reach()
        head = self.branches[branch]
        marked = f"{message}\n\nKey: {key}"
        if self._commits[head].message == marked:
            return head
        if head != expected_head:
            raise FinalError(f"{branch} is at {head[:10]}, not at {expected_head[:10]}", hint="read it again")
        self.branches[branch] = self.change(head, dict(files), marked)
        self._did(f"commit {branch}")
        return self.branches[branch]

    async def require_movable(self, base_branch: str, *, expected: str, commit: str) -> None:
        del base_branch, expected, commit  # this repository has no checkouts
        self._reach()
        if self.in_the_way is not None:
            raise self.in_the_way

    async def fence_base(self, run: str, fence: int) -> None:
        self._reach()
        if fence < self._fences.get(run, fence):
            raise FencedError(f"{run} is in the hands of a newer worker", hint="it goes on with it")
        self._fences[run] = fence

    async def advance_base(self, base_branch: str, *, expected: str, commit: str, run: str, fence: int) -> None:
        self._reach()
        if fence < self._fences.get(run, fence):
            raise FencedError(f"{run} is in the hands of a newer worker", hint="it goes on with it")
        head = self.branches[base_branch]
        if head == commit:
            return
        if head != expected:
            raise BaseMovedError(expected, head)
        self.branches[base_branch] = commit
        self._did(f"advance {base_branch}")

    async def head_of(self, branch: str) -> str:
        if branch not in self.branches:
            raise InputError(f"there is no branch {branch}", hint="check its name")
        return self.branches[branch]

    # ------------------------------------------------------------ source control

    async def diff(self, base_sha: str, head_sha: str) -> Diff:
        old, new = self._commits[base_sha].tree, self._commits[head_sha].tree
        paths = sorted(p for p in old.keys() | new.keys() if old.get(p) != new.get(p))
        files = tuple(_file_diff(p, old.get(p), new.get(p)) for p in paths)
        digest = hashlib.sha256(repr(files).encode()).hexdigest()
        return Diff(base_sha=base_sha, head_sha=head_sha, sha256=digest, files=files)

    async def commits(self, base_sha: str, head_sha: str, *, limit: int) -> tuple[Step, ...]:
        known = set(self._ancestors(base_sha))
        new = [c for c in self._ancestors(head_sha) if c not in known and self._commits[c].parents][:limit]
        return tuple(Step(self._commits[c].parents[0], c) for c in reversed(new))

    async def export(self, commit: str, into: Path) -> None:
        for path, content in self._commits[commit].tree.items():
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    async def merge(self, base_sha: str, head_sha: str, *, message: str) -> str:
        ours, theirs = self._commits[base_sha].tree, self._commits[head_sha].tree
        common = self._commits[self._merge_base(base_sha, head_sha)].tree
        merged, conflicts = {}, []
        for path in sorted(ours.keys() | theirs.keys() | common.keys()):
            mine, other, old = ours.get(path), theirs.get(path), common.get(path)
            if mine != other and mine != old and other != old:
                conflicts.append(path)
            chosen = other if mine == old else mine
            if chosen is not None:
                merged[path] = chosen
        if conflicts:
            raise MergeConflictError(tuple(conflicts))
        return self.commit(merged, base_sha, head_sha, message=message)

    async def revert_to(self, tree_of: str, parent: str, *, message: str) -> str:
        return self.commit(self._commits[tree_of].tree, parent, message=message)

    # ------------------------------------------------------------

    def _ancestors(self, commit: str) -> list[str]:
        """The commit and everything before it, nearest first."""
        found: dict[str, None] = {}
        queue = [commit]
        while queue:
            name = queue.pop(0)
            if name not in found:
                found[name] = None
                queue.extend(self._commits[name].parents)
        return list(found)

    def _merge_base(self, one: str, other: str) -> str:
        theirs = set(self._ancestors(other))
        common = next((c for c in self._ancestors(one) if c in theirs), None)
        if common is None:
            raise InputError("the two branches have no common commit", hint="branch off the base branch")
        return common


def _file_diff(path: str, old: bytes | None, new: bytes | None) -> FileDiff:
    before = old.decode(errors="replace").splitlines() if old else []
    after = new.decode(errors="replace").splitlines() if new else []
    added: list[Line] = []
    removed: list[Line] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            removed += [Line(i + 1, before[i]) for i in range(a, b)]
            added += [Line(i + 1, after[i]) for i in range(c, d)]
    status = "added" if old is None else "deleted" if new is None else "modified"
    return FileDiff(path=path, status=status, added=tuple(added), removed=tuple(removed))  # type: ignore[arg-type]  # one of three literals
