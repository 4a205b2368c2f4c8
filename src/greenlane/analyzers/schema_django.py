"""The operations of Django migrations: how dangerous each is, and what to do instead.

Called by `schema_migrations.py`, which says what counts as dangerous.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenlane.analyzers import ddl_words as words
from greenlane.analyzers.ddl_words import Effect
from greenlane.analyzers.files import PythonFile
from greenlane.analyzers.migration_calls import (
    Operation,
    argument,
    full_name,
    imported_names,
    is_sql,
    is_value,
    name_of,
    rule_of,
    text_of,
)
from greenlane.analyzers.schema_earlier import Earlier, changed_by
from greenlane.domain.findings import Severity

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
_DJANGO = {
    "RemoveField": (HIGH, "removes a field that the running version still reads", words.LATER_INSTEAD),
    "DeleteModel": (HIGH, "drops a table that the running version may use, and its data", words.LATER_INSTEAD),
    "RenameField": (HIGH, "renames a field that the running version still uses", words.EXPAND_INSTEAD),
    "RenameModel": (HIGH, "renames a table that the running version still uses", "keep its db_table"),
    "AlterModelTable": (HIGH, "renames a table that the running version still uses", "keep its db_table"),
    "AlterField": (MEDIUM, "changes a column: it may lock the table or refuse existing rows", words.EXPAND_INSTEAD),
    "AlterUniqueTogether": (MEDIUM, "changes a constraint: existing rows may not meet it", words.UNIQUE_INSTEAD),
    "AlterIndexTogether": (MEDIUM, "changes indexes: writes wait until they are built", "AddIndexConcurrently"),
    "AddConstraint": (MEDIUM, "adds a constraint: all rows are checked under a lock",
                      "AddConstraintNotValid, and ValidateConstraint in a later migration"),
    "RemoveConstraint": (MEDIUM, "drops a constraint: what it kept out can come in", ""),
    "RemoveIndex": (MEDIUM, "drops an index that queries may need", "RemoveIndexConcurrently"),
    "RenameIndex": (LOW, "renames an index", ""),
    "AlterOrderWithRespectTo": (MEDIUM, "adds or drops the column that keeps an order", ""),
    "AlterModelTableComment": (LOW, "comments on a table", ""),
    "AlterModelOptions": (LOW, "changes nothing in the database", ""),
    "AlterModelManagers": (LOW, "changes nothing in the database", ""),
    "RunPython": (MEDIUM, "runs code over the data", ""),
    "RunSQL": (MEDIUM, "runs SQL that can't be read", ""),
    "SeparateDatabaseAndState": (LOW, "changes the database and what Django knows of it separately", ""),
    "AddField": (LOW, "adds a field", ""),
    "CreateModel": (LOW, "creates a table", ""),
    "AddIndex": (MEDIUM, "adds an index: writes to the table wait until it is built",
                 "AddIndexConcurrently in a migration with atomic = False"),
    "AddIndexConcurrently": (LOW, "adds an index without stopping writes", ""),
    "RemoveIndexConcurrently": (LOW, "drops an index that queries may need", ""),
    "AddConstraintNotValid": (LOW, "adds a constraint for new rows", ""),
    "ValidateConstraint": (LOW, "checks a constraint without stopping writes", ""),
}  # fmt: skip
_NEW_TABLE = frozenset({"AddIndex", "AddConstraint", "AlterUniqueTogether", "AlterIndexTogether", "AlterField",
                        "AddField", "AlterOrderWithRespectTo"})  # fmt: skip
"""Operations that lock or demand nothing on a table that is created beside them."""
_ONE_BY_ONE = frozenset({"AlterUniqueTogether", "AlterIndexTogether", "AlterOrderWithRespectTo"})
"""Operations that call the model `name`, for they have no field."""
_ONLY_DJANGO_KNOWS = (
    "adds a column whose default only Django knows: the database drops it, and inserts of the running version fail"
)


def read_django(file: PythonFile, earlier: Earlier) -> Iterator[Operation]:
    """The operations of a migration. Those that only tell Django what the database is like do nothing to it."""
    imported = imported_names(file.tree, "django")
    calls = [n for n in ast.walk(file.tree) if isinstance(n, ast.Call)]
    told = _only_told(calls)
    own = [c for c in calls if name_of(c) in _DJANGO and _is_operation(c, imported) and id(c) not in told]
    created = {text_of(argument(c, 0, "name")).lower() for c in own if name_of(c) == "CreateModel"}
    for call in own:
        name = name_of(call)
        severity, message, instead = _DJANGO[name]
        effect = _arguments(name, call, file.tree, earlier) or Effect(rule_of(name), severity, message, instead)
        if name in _NEW_TABLE and _table_of(name, call) in created:
            effect = Effect(effect.rule, LOW, f"on a table that is created here: {message}")
        yield Operation(effect, call.lineno)


def _is_operation(call: ast.Call, imported: dict[str, str]) -> bool:
    whole = full_name(call.func, imported)
    owner = whole.rpartition(".")[0]
    concurrent = not owner and name_of(call).endswith(("Concurrently", "NotValid"))
    return concurrent or owner.startswith("django.") or owner.rpartition(".")[2].endswith("migrations")


def _only_told(calls: list[ast.Call]) -> set[int]:
    """Ids of what stands in `state_operations`."""
    told = [argument(c, 1, "state_operations") for c in calls if name_of(c) == "SeparateDatabaseAndState"]
    return {id(inner) for node in told if node is not None for inner in ast.walk(node)}


def _arguments(name: str, call: ast.Call, tree: ast.Module, earlier: Earlier) -> Effect | None:
    """What the arguments say beyond the operation's name."""
    if name in ("RunSQL", "RunPython"):
        first = argument(call, 0, "sql" if name == "RunSQL" else "code")
        if isinstance(first, ast.Attribute) and first.attr == "noop":
            return Effect(rule_of(name), LOW, "does nothing until it is taken back")
        return Effect("run-sql", LOW, "runs SQL") if name == "RunSQL" and is_sql(first, tree) else None
    if name == "AddField":
        return _added(argument(call, 2, "field"))
    if name == "AlterField":
        model, field = text_of(argument(call, 0, "model_name")), text_of(argument(call, 1, "name"))
        return changed_by(earlier.field(model, field), argument(call, 2, "field"))
    if name in ("AlterUniqueTogether", "AlterIndexTogether"):
        given = argument(call, 1, "unique_together" if name == "AlterUniqueTogether" else "index_together")
        if given is not None and ast.unparse(given) in ("set()", "[]", "()", "None", "{}"):
            what = "a constraint: what it kept out can come in" if name == "AlterUniqueTogether" else "indexes"
            return Effect(rule_of(name), MEDIUM, f"drops {what}")
    return None


def _added(field: ast.expr | None) -> Effect | None:
    if not isinstance(field, ast.Call) or "ManyToMany" in ast.unparse(field.func):
        return None
    given = {k.arg: k.value for k in field.keywords}
    if is_value(given.get("unique"), True) or "OneToOne" in ast.unparse(field.func):
        message = "adds a unique field: its index is built under a lock, and rows that exist need different values"
        return Effect("add-field", MEDIUM, message, words.UNIQUE_INSTEAD)
    if is_value(given.get("null"), True) or "db_default" in given:
        return None
    if {"default", "auto_now_add", "auto_now"} & given.keys():
        return Effect("add-field", MEDIUM, _ONLY_DJANGO_KNOWS, "db_default, or null=True until all versions write it")
    return Effect("add-field", HIGH, words.NOT_NULL, words.NOT_NULL_INSTEAD)


def _table_of(name: str, call: ast.Call) -> str:
    """The model that an operation works on, in lower case."""
    return text_of(argument(call, 0, "name" if name in _ONE_BY_ONE else "model_name")).lower()
