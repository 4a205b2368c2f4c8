"""Runs inside the sandbox: the project's own files as they were. A call that changes one of them is no test, and the
calls after it find the file as it was before.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND
_ALTERING = frozenset({"os.remove", "os.rename", "os.truncate"})
_MAX_BYTES, _MAX_FILES = 1_000_000, 100
"""What is larger, or more, is left to the gate that compares the whole tree."""


class Untouched:
    """Which files of the project a call changes: each is read when it is opened to be written, and looked at after."""

    def __init__(self, project: str) -> None:
        self._project = os.path.realpath(project) + os.sep
        self._before: dict[str, bytes] | None = None
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def kept(self) -> Iterator[list[str]]:
        """Fills the list, at its end, with the names of the files that were changed, and writes them as they were."""
        changed: list[str] = []
        self._before = {}
        try:
            yield changed
        finally:
            before, self._before = self._before, None
            for name, held in before.items():
                if _read(name) != held:
                    changed.append(name[len(self._project) :])
                    with contextlib.suppress(OSError), open(name, "wb") as file:  # noqa: PTH123 - plain
                        file.write(held)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._before is None or not (event == "open" or event in _ALTERING):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
            return
        with contextlib.suppress(Exception):  # nothing that we do may change what a call does
            for given in arguments[: 2 if event == "os.rename" else 1]:
                self._keep(given)

    def _keep(self, given: Any) -> None:
        if not isinstance(given, (str, bytes, os.PathLike)):
            return
        name = os.path.realpath(os.fsdecode(given))
        below, before = name.removeprefix(self._project), self._before
        hidden = any(part.startswith(".") or part == "__pycache__" for part in below.split("/"))
        if before is None or below == name or hidden or name in before or len(before) >= _MAX_FILES:
            return
        if os.path.isfile(name) and os.path.getsize(name) <= _MAX_BYTES and (held := _read(name)) is not None:  # noqa: PTH113, PTH202 - plain
            before[name] = held


def _read(name: str) -> bytes | None:
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - plain
            return file.read()
    except OSError:
        return None
