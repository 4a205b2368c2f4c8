"""Files of a copy that a job works on: put in before it, read back after it, whatever it did to them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from greenlane.domain.errors import InputError

MAX_REPORT_BYTES = 64 << 20


def put_files(tree: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files into a copy of a source tree. Raises InputError for one that a link would lead out of it."""
    for path, content in files:
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or tree not in target.parent.resolve().joinpath("x").parents:
            raise InputError(f"{path} leads out of the source tree", hint="remove the link from the change")
        target.write_bytes(content)


def read_bytes(path: Path) -> bytes:
    """A file that code in the sandbox may have made: follows no link, reads nothing huge, waits for nothing."""
    if path.parent.resolve() != path.parent:
        return b""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return b""
        return file.read(MAX_REPORT_BYTES)
