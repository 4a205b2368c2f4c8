"""Making commits and moving branches: atomic, and the same when asked for again. Used by `LocalGit`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from greenlane.adapters.git import worktrees
from greenlane.adapters.git.process import Git, GitFailedError, require_object
from greenlane.adapters.git.pulls import branch_ref, fence_ref, find_head, head_of, key_ref
from greenlane.domain.errors import (
    BaseMovedError,
    FencedError,
    FinalError,
    InputError,
    MergeConflictError,
    RetryableError,
)
from greenlane.ports.code_host import Step

KEY_TRAILER = "Greenlane-Key"
MAX_FILES = 1_000
"""Files of one commit of Greenlane's own; it writes tests, not trees."""

_NAME, _ADDRESS = "Greenlane", "greenlane@localhost"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def merge(git: Git, base_sha: str, head_sha: str, message: str) -> str:
    """The merge commit of both; always a commit of its own, also where a fast-forward would do."""
    base, head = require_object(base_sha), require_object(head_sha)
    try:
        out = git.run(
            "merge-tree",
            "--write-tree",
            "-z",
            "--name-only",
            "--no-messages",
            "--end-of-options",
            base,
            head,
            ok=(0, 1),
        )
    except GitFailedError as error:
        raise FinalError(
            f"{base[:10]} and {head[:10]} can't be merged: {error.message}", hint="run `git fsck` on the repository"
        ) from error
    tree, *conflicts = [field.decode("utf-8", "backslashreplace") for field in out.split(b"\0") if field]
    if conflicts:
        raise MergeConflictError(tuple(dict.fromkeys(conflicts)))
    return _commit(git, tree, (base, head), message, dated_like=head)


def between(git: Git, base_sha: str, head_sha: str, limit: int) -> tuple[Step, ...]:
    """The commits of a change with their first parents, oldest first; see the port. A commit without any has none to
    be compared with and is left out."""
    names = git.text(
        "rev-list", "--topo-order", "--parents", f"--max-count={limit}", "--end-of-options",
        require_object(head_sha), f"^{require_object(base_sha)}",
    )  # fmt: skip
    rows = [line.split() for line in names.splitlines()]
    return tuple(Step(row[1], row[0]) for row in reversed(rows) if len(row) > 1)


def revert_to(git: Git, tree_of: str, parent: str, message: str) -> str:
    tree = git.text("rev-parse", "--verify", "--end-of-options", f"{require_object(tree_of)}^{{tree}}")
    return _commit(git, tree, (require_object(parent),), message, dated_like=parent)


def _commit(git: Git, tree: str, parents: tuple[str, ...], message: str, *, dated_like: str) -> str:
    """A commit whose every byte follows from the arguments: its date is that of an existing commit."""
    seconds = git.text("show", "--no-patch", "--format=%ct", "--end-of-options", dated_like)
    identity = {
        "GIT_AUTHOR_NAME": _NAME,
        "GIT_AUTHOR_EMAIL": _ADDRESS,
        "GIT_AUTHOR_DATE": f"{seconds} +0000",
        "GIT_COMMITTER_NAME": _NAME,
        "GIT_COMMITTER_EMAIL": _ADDRESS,
        "GIT_COMMITTER_DATE": f"{seconds} +0000",
    }
    given = [part for parent in parents for part in ("-p", parent)]
    text = message.replace("\0", " ").encode("utf-8", "replace")
    out = git.run("commit-tree", "--no-gpg-sign", *given, tree, stdin=text, env=identity)
    return out.decode().strip()


# ------------------------------------------------------------------ files on a branch


def commit_files(git: Git, branch: str, expected_head: str, files: Mapping[str, bytes], message: str, key: str) -> str:
    """The commit with these files on top of `expected_head`; see the port. The branch and the mark that makes the
    call idempotent (`refs/greenlane/keys/...`) move in one transaction of git."""
    if not _KEY.fullmatch(key):
        raise InputError(f"{key[:80]!r} can't be a key", hint="use up to 200 printable characters without spaces")
    ref, expected = branch_ref(git, branch), require_object(expected_head)
    head = head_of(git, branch)
    known = find_head(git, key_ref(key))
    if known and git.succeeds("merge-base", "--is-ancestor", known, head):
        worktrees.follow(git, ref, expected, known)
        return known
    if head != expected:
        raise FinalError(
            f"{branch} is at {head[:10]} by now, not at {expected[:10]}", hint="the newer commit gets a run of its own"
        )
    tree = _tree_with(git, expected, files)
    if tree == git.text("rev-parse", f"{expected}^{{tree}}"):
        return expected
    text = f"{message.strip()}\n\n{KEY_TRAILER}: {key}\n"
    commit = _commit(git, tree, (expected,), text, dated_like=expected)
    worktrees.require_movable(git, ref, expected, commit)
    # `update` without an old value: a mark whose commit is no longer on the branch is put where the branch goes
    moves = f"update {ref} {commit} {expected}\nupdate {key_ref(key)} {commit}\n"
    try:
        git.run("update-ref", "--stdin", stdin=moves.encode())
    except (GitFailedError, RetryableError) as error:
        if head_of(git, branch) == expected:
            raise RetryableError(f"{branch} could not be moved: {error.message}", hint="try again") from error
        raise FinalError(f"{branch} moved while a commit was made", hint="the newer commit gets its own run") from error
    worktrees.follow(git, ref, expected, commit)
    return commit


def _tree_with(git: Git, commit: str, files: Mapping[str, bytes]) -> str:
    """The tree of `commit` with these files in it, made in an index of its own."""
    if not 0 < len(files) <= MAX_FILES:
        raise InputError(f"{len(files)} files are to be committed", hint=f"give 1 to {MAX_FILES}")
    modes = _checked_modes(git, commit, tuple(files))
    with tempfile.TemporaryDirectory(prefix="greenlane-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", "--end-of-options", commit, env=index)
        rows = b""
        for path, content in files.items():
            blob = git.run("hash-object", "-w", "--stdin", stdin=content).strip()
            rows += modes[path] + b" " + blob + b"\t" + path.encode() + b"\0"
        git.run("update-index", "-z", "--index-info", stdin=rows, env=index)
        return git.run("write-tree", env=index).decode().strip()


def _checked_modes(git: Git, commit: str, paths: tuple[str, ...]) -> dict[str, bytes]:
    """The mode that each file shall have. Raises InputError for a path that is not an ordinary one of this tree."""
    parents = {parent for path in paths for parent in _parents(path)}
    known: dict[str, bytes] = {}
    wanted = sorted(parents | set(paths))
    for record in git.run("ls-tree", "-z", "--full-tree", "--end-of-options", commit, *wanted).split(b"\0")[:-1]:
        meta, name = record.split(b"\t", 1)
        known[name.decode("utf-8", "surrogateescape")] = meta.split()[0]
    for parent in parents:
        if known.get(parent, b"040000") != b"040000" or parent in paths:
            raise InputError(f"{parent!r} is not a folder, so nothing is committed under it", hint="use another path")
    for path in paths:
        if known.get(path, b"100644") not in (b"100644", b"100755"):
            raise InputError(f"{path!r} is a link, a folder or a submodule", hint="use another path")
    return {path: known.get(path, b"100644") for path in paths}


def _parents(path: str) -> list[str]:
    """The folders above a path. Raises InputError for a path that leads out of the tree or into `.git`."""
    parts = path.split("/")
    odd = "\\" in path or any(not c.isprintable() for c in path)
    if odd or any(part in ("", ".", "..") or part.rstrip(" .").lower() in (".git", "git~1") for part in parts):
        raise InputError(f"{path[:200]!r} is not a path inside the repository", hint="give a plain relative path")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


# ------------------------------------------------------------------ the base branch


def require_movable(git: Git, base_branch: str, expected: str, commit: str) -> None:
    """Raises FinalError if a checkout of the base branch holds work that moving it would touch; see the port."""
    ref = branch_ref(git, base_branch)
    worktrees.require_movable(git, ref, require_object(expected), require_object(commit))


def advance_base(git: Git, base_branch: str, expected: str, commit: str, run: str, fence: int) -> None:
    """Move the base branch forward, from exactly `expected`; see the port.

    The fence is held against the branch in one transaction: a worker that was stopped just before it finds the run's
    mark altered, and the branch stays.
    """
    mark = _read_fence(git, run, fence)
    ref, old, new = branch_ref(git, base_branch), require_object(expected), require_object(commit)
    now = head_of(git, base_branch)
    if now == new:
        worktrees.follow(git, ref, old, new)
        return
    if now != old:
        raise BaseMovedError(old, now)
    if not git.succeeds("merge-base", "--is-ancestor", old, new):
        raise FinalError(
            f"{new[:10]} is not built on {old[:10]}: moving {base_branch} there would lose commits",
            hint="merge the base branch into the change and run it again",
        )
    worktrees.require_movable(git, ref, old, new)
    moves = f"verify {fence_ref(run)} {mark}\nupdate {ref} {new} {old}\n"
    try:
        git.run("update-ref", "-m", "greenlane: deployed", "--stdin", stdin=moves.encode())
    except (GitFailedError, RetryableError) as error:
        _read_fence(git, run, fence)
        now = head_of(git, base_branch)
        if now not in (old, new):
            raise BaseMovedError(old, now) from error
        if now == old:
            raise RetryableError(f"{base_branch} could not be moved: {error.message}", hint="try again") from error
    worktrees.follow(git, ref, old, new)


def fence_base(git: Git, run: str, fence: int) -> None:
    """Close the base branch to older workers of this run; see the port."""
    mark = _read_fence(git, run, fence)
    blob = git.run("hash-object", "-w", "--stdin", stdin=str(fence).encode()).decode().strip()
    if blob == mark:
        return
    try:
        git.run("update-ref", "--end-of-options", fence_ref(run), blob, mark or "0" * len(blob))
    except (GitFailedError, RetryableError) as error:
        _read_fence(git, run, fence)
        raise RetryableError(f"the fence of {run} could not be written: {error.message}", hint="try again") from error


def _read_fence(git: Git, run: str, fence: int) -> str:
    """The object that holds the fence of a run, or nothing: nobody set one. Raises FencedError if a newer one did."""
    out = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", fence_ref(run), ok=(0, 1, 128))
    mark = out.decode().strip()
    if not mark:
        return ""
    newest = int(git.text("cat-file", "blob", mark))
    if fence < newest:
        raise FencedError(
            f"{run} is in the hands of a newer worker (fence {newest}, not {fence})",
            hint="the base branch was not moved; the newer worker goes on with it",
        )
    return mark
