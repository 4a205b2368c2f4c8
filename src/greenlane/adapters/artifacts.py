"""Artifacts as folders: the files of a built tree, stored and named by their content. Used by the local platform."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from greenlane.domain.errors import BuildFailedError, FinalError

READ_BYTES = 1 << 20
IGNORED_DIRECTORIES = frozenset({"__pycache__", ".git"})


def _is_ignored(name: str) -> bool:
    return name in IGNORED_DIRECTORIES or name.endswith(".pyc")


def _walk(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything under `root` but what running Python leaves behind, sorted by path, with its own status."""
    for entry in sorted(root.iterdir(), key=lambda path: os.fsencode(path.name)):
        if _is_ignored(entry.name):
            continue
        status = entry.lstat()
        yield entry, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(entry)


def compute_tree_digest(root: Path) -> str:
    """`sha256:...` over the sorted relative paths, kinds, executable bits and contents of a tree.

    Times, owners and byte code have no part in it. Raises BuildFailedError if it holds what can't be shipped (a pipe,
    a socket, a device).
    """
    total = hashlib.sha256()
    for path, status in _walk(root):
        name = os.fsencode(path.relative_to(root))
        kind, content = _describe(path, status, name)
        total.update(b"%s %d:%s %s\n" % (kind, len(name), name, content))
    return f"sha256:{total.hexdigest()}"


def _describe(path: Path, status: os.stat_result, name: bytes) -> tuple[bytes, bytes]:
    if stat.S_ISDIR(status.st_mode):
        return b"dir", b""
    if stat.S_ISLNK(status.st_mode):
        return b"link", hashlib.sha256(os.fsencode(path.readlink())).hexdigest().encode()
    if stat.S_ISREG(status.st_mode):
        kind = b"exe" if status.st_mode & 0o111 else b"file"
        with path.open("rb") as file:
            return kind, hashlib.file_digest(file, "sha256").hexdigest().encode()
    raise BuildFailedError(f"{os.fsdecode(name)} is a pipe, socket or device, which can't be shipped")


def copy_tree(source: Path, into: Path) -> None:
    """Copy a tree as plain files with plain modes (0644, 0755); links stay links. `into` must be absent."""
    into.mkdir(parents=True)
    for path, status in _walk(source):
        target = into / path.relative_to(source)
        if stat.S_ISDIR(status.st_mode):
            target.mkdir()
        elif stat.S_ISLNK(status.st_mode):
            target.symlink_to(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            shutil.copyfile(path, target)
            target.chmod(0o755 if status.st_mode & 0o111 else 0o644)


class ArtifactStore:
    """`<root>/<sha256>/` holds the files of one artifact, complete or not there at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path_of(self, digest: str) -> Path:
        return self.root / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.path_of(digest).is_dir()

    def add(self, built: Path) -> str:
        """Take over a built tree (it is moved, or dropped if its content is here already); its digest."""
        clean = built.with_name(built.name + ".clean")
        copy_tree(built, clean)
        digest = compute_tree_digest(clean)
        target = self.path_of(digest)
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            clean.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(clean)
        return digest

    def check_out(self, digest: str, into: Path) -> None:
        """A private copy of the artifact's files. Raises FinalError if it is gone or no longer what was built."""
        source = self.path_of(digest)
        if not source.is_dir():
            raise FinalError(f"the artifact {digest[:19]} is not in {self.root}", hint="run the change's staging again")
        copy_tree(source, into)
        if (actual := compute_tree_digest(into)) != digest:
            shutil.rmtree(into, ignore_errors=True)
            raise FinalError(
                f"the artifact {digest[:19]} was altered after it was built: its files are {actual[:19]} now",
                hint=f"remove {source} and run the change's staging again",
            )
