"""Writing the tree of a commit as plain files, exactly as it was committed. Used by `LocalGit.export`.

`git archive` and a checkout obey attributes that the change itself brings (`export-ignore` would hide a file from
analysis, `filter` and `ident` would alter it), so the files are read object by object instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import msgspec

from greenlane.adapters.git.process import Git
from greenlane.domain.errors import FinalError, InputError, RetryableError

MAX_EXPORT_BYTES = 2 << 30
"""All files of a commit together; a service's source with its assets is far smaller."""

MAX_EXPORT_FILES = 500_000

_CHUNK = 1 << 20
_LINK, _MODULE = b"120000", b"160000"


class Item(msgspec.Struct, frozen=True):
    mode: bytes
    name: bytes
    size: int
    path: bytes


def export_tree(git: Git, commit: str, into: Path) -> None:
    """Write the commit's files into `into`, which is empty or absent, and complete as soon as it is there.

    Links that lead out of the folder are left out; a submodule is an empty folder.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise InputError(f"{into} is not an empty folder", hint="export into a new folder")
    items = _items(git, commit)
    into.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        part.chmod(0o755)
        write_items(git, items, part)
        part.rename(into)
    except OSError as error:
        raise RetryableError(
            f"the files of {commit[:10]} could not be written: {error.strerror}",
            hint=f"free space on the disk of {into.parent}",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _items(git: Git, commit: str) -> list[Item]:
    items = []
    for record in git.run("ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", commit).split(b"\0")[:-1]:
        meta, path = record.split(b"\t", 1)
        mode, _, name, size = meta.split()
        require_safe(path)
        items.append(Item(mode, name, int(size) if size.isdigit() else 0, path))
    total = sum(item.size for item in items)
    if total > MAX_EXPORT_BYTES or len(items) > MAX_EXPORT_FILES:
        raise InputError(
            f"the commit {commit[:10]} holds {len(items)} files of {total / (1 << 20):.0f} MB together; "
            f"at most {MAX_EXPORT_FILES} of {MAX_EXPORT_BYTES >> 20} MB are exported",
            hint="keep large data out of the repository",
        )
    return items


def require_safe(path: bytes) -> None:
    if any(part.lower() in (b"", b".", b"..", b".git") for part in path.split(b"/")):
        raise InputError(f"the commit holds the forbidden path {path!r}", hint="run `git fsck` on the repository")


def write_items(git: Git, items: list[Item], root: Path) -> None:
    """Files first and links last, so that no file is ever written through a link."""
    links: list[tuple[Path, str]] = []
    with git.start("cat-file", "--batch", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for item in items:
            target = root / os.fsdecode(item.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if item.mode == _MODULE:
                target.mkdir(parents=True, exist_ok=True)
                continue
            process.stdin.write(item.name + b"\n")
            process.stdin.flush()
            size = _announced_size(process.stdout.readline(), item)
            if item.mode == _LINK:
                links.append((target, os.fsdecode(process.stdout.read(size))))
            else:
                _write_file(process.stdout, target, size, executable=item.mode == b"100755")
            process.stdout.read(1)
        process.stdin.close()
        process.wait()
    _write_links(links, root)


def _announced_size(header: bytes, item: Item) -> int:
    fields = header.split()
    if len(fields) != 3 or not fields[2].isdigit():
        raise FinalError(f"the content of {item.path!r} is missing", hint="run `git fsck` on the repository")
    return int(fields[2])


def _write_file(stream: IO[bytes], target: Path, size: int, *, executable: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(target, flags, 0o755 if executable else 0o644), "wb") as file:
        while size:
            chunk = stream.read(min(size, _CHUNK))
            if not chunk:
                raise FinalError("git stopped in the middle of a file", hint="run `git fsck` on the repository")
            file.write(chunk)
            size -= len(chunk)


def _write_links(links: list[tuple[Path, str]], root: Path) -> None:
    """Create the links, then take away each that leads out of the folder once all of them stand."""
    made = []
    for path, target in links:
        if target and "\0" not in target and not Path(target).is_absolute() and not os.path.lexists(path):
            path.symlink_to(target)
            made.append(path)
    inside = os.path.realpath(root)
    for path in made:
        # realpath rather than Path.resolve: it answers for a loop of links instead of raising
        if os.path.commonpath([inside, os.path.realpath(path)]) != inside:
            path.unlink()
