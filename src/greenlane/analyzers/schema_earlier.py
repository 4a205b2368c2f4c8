"""What earlier migrations of a Django app said of a field: what an `AlterField` alters is the difference to that.

Called by `schema_django.py`. Without it every new help text would look like a changed column.
"""

from __future__ import annotations

import ast
from itertools import islice
from pathlib import Path

from greenlane.analyzers import ddl_words as words
from greenlane.analyzers import files
from greenlane.analyzers.ddl_words import Effect
from greenlane.analyzers.migration_calls import argument, name_of, text_of
from greenlane.analyzers.schema_models import FieldParts, field_parts
from greenlane.domain.findings import Severity

_MAX_EARLIER = 200
"""Migrations of one app that are looked through, from the newest: older ones have been squashed."""


class Earlier:
    """The migrations of an app that come before one of them by name, read when they are first asked for.

    `tree` holds them, `path` is the migration, `limit` the largest file that is read (bytes).
    """

    def __init__(self, tree: Path, path: str, limit: int) -> None:
        self._tree, self._path, self._limit = tree, Path(path), limit

    def field(self, model: str, field: str) -> FieldParts | None:
        """How the field was last declared; None if that can't be found."""
        folder = self._tree / self._path.parent
        names = sorted((p.name for p in folder.glob("[0-9]*_*.py") if p.name < self._path.name), reverse=True)
        for name in islice(names, _MAX_EARLIER):
            try:
                text = files.read_text(self._tree, str(self._path.parent / name), self._limit)
                if field not in text:
                    continue
                tree = files.parse_python(text)
            except files.UnreadableError:
                return None
            found = [parts for call in _calls(tree) for parts in _declared(call, model.lower(), field)]
            if found:
                return found[-1]
        return None


def _calls(tree: ast.Module) -> list[ast.Call]:
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    return sorted(calls, key=lambda c: (c.lineno, c.col_offset))


def _declared(call: ast.Call, model: str, field: str) -> list[FieldParts | None]:
    """What an operation says of the field; None stands for one that renames it, so that nothing is known."""
    name = name_of(call)
    if name in ("AddField", "AlterField"):
        same = (text_of(argument(call, 0, "model_name")).lower(), text_of(argument(call, 1, "name"))) == (model, field)
        value = argument(call, 2, "field")
        return [field_parts(value)] if same and isinstance(value, ast.Call) else []
    if name == "RenameField" and text_of(argument(call, 2, "new_name")) == field:
        return [None]
    if name != "CreateModel" or text_of(argument(call, 0, "name")).lower() != model:
        return []
    listed = argument(call, 1, "fields")
    pairs = [e for e in listed.elts if isinstance(e, ast.Tuple)] if isinstance(listed, ast.List) else []
    fields = [(text_of(p.elts[0]), p.elts[1]) for p in pairs if len(p.elts) == 2]
    return [field_parts(value) for name, value in fields if name == field and isinstance(value, ast.Call)]


def changed_by(before: FieldParts | None, after: ast.expr | None) -> Effect | None:
    """What altering a field from what it was does to its column; None if either is not known."""
    if before is None or not isinstance(after, ast.Call):
        return None
    new = field_parts(after)
    differ = {w for w in before.options.keys() | new.options.keys() if before.options.get(w) != new.options.get(w)}
    if before.kind != new.kind:
        return Effect("alter-field", Severity.MEDIUM, words.RETYPE, words.RETYPE_INSTEAD)
    if not differ:
        return Effect("alter-field", Severity.LOW, "changes nothing in the database")
    if "null" in before.options and "null" not in new.options:
        return Effect("alter-field", Severity.MEDIUM, words.SET_NOT_NULL, words.SET_NOT_NULL_INSTEAD)
    if "max_length" in differ and _length(new) >= _length(before):
        differ.remove("max_length")
    if differ <= {"null", "db_default"}:
        return Effect("alter-field", Severity.LOW, "lets a column hold more, without touching its rows")
    return None


def _length(parts: FieldParts) -> int:
    """Of a text; one without a length is longer than any."""
    given = parts.options.get("max_length", "")
    return int(given) if given.isdecimal() else 1 << 30
