"""Runs inside the sandbox: existing tests as programs, with the names that they begin with. For `greenlane_grow.py`."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from greenlane_given import Fixtures, patches  # type: ignore[import-not-found]  # it lies beside this file inside


class Program:
    """The statements of a test, and the names that they begin with."""

    def __init__(self, given: dict[str, Any], more: list[Any], fixtures: Fixtures) -> None:
        self.number, self.statements, self.imports = given["id"], given["setup"], given["imports"]
        self.fixtures, self.timeouts = fixtures, 0
        self.names: dict[str, Any] = {}
        for module, name in more:
            with contextlib.suppress(Exception):  # then what needs it comes to nothing
                exec(_import(module, name), self.names)
        for module, name in self.imports:
            exec(_import(module, name), self.names)
        self.names["__name__"] = "greenlane_script"

    def begun(self) -> dict[str, Any]:
        """The names, with fixtures as they were: what one try does to them is nothing to the next."""
        names = dict(self.names)
        for name, value in self.fixtures.fresh().items():
            try:
                names[name] = value if patches(value) else copy.deepcopy(value)
            except Exception:  # it can't be copied: then all have the same
                names[name] = value
        return names


def programs_of(given: list[Any], more: list[Any], fixtures: dict[str, Any]) -> Iterator[Program]:
    kept = Fixtures(fixtures)
    for one in given:
        with contextlib.suppress(Exception):  # its modules are not to be had here
            yield Program(one, more, kept)


def _import(module: str, name: str) -> str:
    return f"from {module} import {name}" if name else f"import {module}"
