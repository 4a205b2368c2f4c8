"""Runs inside the sandbox: what fixtures and names stood for in a call, so that one which comes out otherwise each time
(random bytes, a counter) can be made again with the very values."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from greenlane_looks import is_dated  # type: ignore[import-not-found]  # it lies beside this file inside

_MOST = 8


class Settled:
    """Values as a test may write them, by name. Nothing of the present day: what is true of it is not tomorrow."""

    def __init__(self, describer: Any, wanted: bool) -> None:
        self._describer, self._wanted = describer, wanted
        self._values: dict[str, Any] = {}

    def note(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items() if self._wanted else ():
            written = self._describer.describe(value) if len(self._values) < _MOST else None
            if written is not None and not written["fixtures"] and not is_dated(written["text"]):
                self._values[name] = written

    def note_bound(self, statement: str, names: Mapping[str, Any]) -> None:
        """What a statement `name = call(...)` has just bound."""
        body = ast.parse(statement).body if self._wanted else []
        node = body[0] if len(body) == 1 else None
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.targets) == 1:
            target = node.targets[0]
            self.note({target.id: names[target.id]} if isinstance(target, ast.Name) else {})

    def told(self) -> dict[str, Any]:
        return {"given": list(self._values.items())} if self._values else {}
