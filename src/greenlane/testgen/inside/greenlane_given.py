"""Runs inside the sandbox: fixtures as they were. A search makes thousands of tries with the same ones: what one try
writes into a folder or a list of theirs is nothing to the next.
"""

from __future__ import annotations

import contextlib
import copy
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from greenlane_memory import KINDS, attributes_of, is_same, refill  # type: ignore[import-not-found]  # it lies beside

_CONTAINERS = (list, dict, set, bytearray)
_MAX_FILES, _MAX_BYTES, _MAX_ITEMS = 100, 1_000_000, 1_000
"""A folder with more is left as it is: looking at all of it each time would take the time of the tries."""


_PATCHING: list[Any] = []
"""What patches for the try that is made: taken back before the next one."""


_HOME = os.getcwd()  # noqa: PTH109 - plain and early


def take_back() -> None:
    """Undoes what the last try patched: `os.environ` may be among it, which those need who come after. And goes back
    from where it went."""
    while _PATCHING:
        _PATCHING.pop().undo()
    with contextlib.suppress(OSError):
        os.chdir(_HOME)


class Fixtures:
    """The fixtures that a group of calls begins with."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._containers = dict(_copies(values))
        self._kept: list[_Kept | _Object] = [kept for value in values.values() if (kept := _kept(value)) is not None]
        self._kept += [_Object(held) for value in values.values() if (held := _held(value)) is not None]

    def fresh(self) -> dict[str, Any]:
        """By name, as they were at first: plain containers as copies, objects with the attributes that they had, the
        files that stood below a path, and nothing patched that a try before patched."""
        take_back()
        patching = {name: type(value)() for name, value in self._values.items() if patches(value)}
        _PATCHING.extend(patching.values())
        for kept in self._kept:
            with contextlib.suppress(OSError):  # a file that can't be written any more
                kept.restore()
        return self._values | patching | {name: copy.deepcopy(value) for name, value in self._containers.items()}


def patches(value: Any) -> bool:
    """Whether it is the `monkeypatch` of pytest."""
    return type(value).__name__ == "MonkeyPatch" and hasattr(value, "undo")


class _Kept:
    """A file or folder of a test, with what it held."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._files = {file: file.read_bytes() for file in _below(path) if file.is_file()}
        self._folders = {folder for folder in (path, *_below(path)) if folder.is_dir()}
        self._stamps = {file: _stamp(file) for file in self._files}

    def restore(self) -> None:
        for found in sorted(_below(self._path), reverse=True):  # what is deeper comes first
            if found not in self._files and found not in self._folders:
                shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()
        for folder in sorted(self._folders):
            folder.mkdir(exist_ok=True)
        for file, held in self._files.items():
            if not file.is_file() or _stamp(file) != self._stamps[file]:
                file.write_bytes(held)
                os.utime(file, ns=(self._stamps[file][0],) * 2)  # so that the next change of it shows


class _Object:
    """The attributes of an object, with what those that are containers held."""

    def __init__(self, held: dict[str, Any]) -> None:
        parts = (value for value in held.values() if type(value) in KINDS and len(value) <= _MAX_ITEMS)
        self._parts = [(part, part.copy()) for part in (held, *parts)]

    def restore(self) -> None:
        for part, before in self._parts:
            if not is_same(part, before):
                refill(part, before)


def _held(value: Any) -> dict[str, Any] | None:
    """The attributes of an object of the project; what a plugin gives keeps account of what it has to undo."""
    module = sys.modules.get(str(type(value).__module__))
    file = getattr(module, "__file__", None) or ""
    installed = "site-packages" in file or "dist-packages" in file
    own = bool(file) and not installed and str(type(value).__module__).partition(".")[0] not in sys.stdlib_module_names
    held: dict[str, Any] | None = attributes_of(value) if own else None
    return held


def _below(path: pathlib.Path) -> Iterator[pathlib.Path]:
    return iter(list(path.rglob("*")) if path.is_dir() else [path] if path.exists() else [])


def _stamp(file: pathlib.Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size


def _kept(value: Any) -> _Kept | None:
    """Of a path below the folder for passing files; None for anything else, and for what is too large."""
    if not isinstance(value, (str, os.PathLike)):
        return None
    with contextlib.suppress(OSError, ValueError, TypeError):
        path = pathlib.Path(os.fspath(value))  # of bytes it raises TypeError
        passing = pathlib.Path(tempfile.gettempdir()).resolve()
        if path.is_absolute() and path.exists() and passing in path.resolve().parents:
            held = [file.stat().st_size for file in _below(path)]
            if len(held) <= _MAX_FILES and sum(held) <= _MAX_BYTES:
                return _Kept(path)
    return None


def _copies(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if type(value) in _CONTAINERS:
            with contextlib.suppress(Exception):  # it holds what can't be copied: then all have the same
                yield name, copy.deepcopy(value)
