"""The operations of a migration (Django, Alembic), how dangerous each is, and what to do instead.

Two dangers: what the version that still runs needs is taken away or made to fail, and a lock on a large table that
stops all who write to it. Locks are those of PostgreSQL (its documentation of ALTER TABLE and CREATE INDEX); other
databases differ, mostly for the worse. An index or constraint on a table that the same migration creates locks nobody.
Called by `schema.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from greenlane.analyzers import ddl_words as words
from greenlane.analyzers.ddl_words import Effect
from greenlane.analyzers.files import PythonFile
from greenlane.domain.findings import Severity

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
_LATER = "take it out of the code first, and out of the database in a later release"
_EXPAND = "add the new one beside it, write both, and take the old one away in a later release"
_DJANGO = {
    "RemoveField": (HIGH, "removes a field that the running version still reads", _LATER),
    "DeleteModel": (HIGH, "drops a table that the running version may use, and its data", _LATER),
    "RenameField": (HIGH, "renames a field that the running version still uses", _EXPAND),
    "RenameModel": (HIGH, "renames a table that the running version still uses", "keep its db_table"),
    "AlterModelTable": (HIGH, "renames a table that the running version still uses", "keep its db_table"),
    "AlterField": (MEDIUM, "changes a column: it may lock the table or refuse existing rows", _EXPAND),
    "AlterUniqueTogether": (MEDIUM, "changes a constraint: existing rows may not meet it", words.UNIQUE_INSTEAD),
    "AlterIndexTogether": (MEDIUM, "changes indexes: writes wait until they are built", "AddIndexConcurrently"),
    "AddConstraint": (MEDIUM, "adds a constraint: all rows are checked under a lock",
                      "AddConstraintNotValid, and ValidateConstraint in a later migration"),
    "RemoveConstraint": (MEDIUM, "drops a constraint: what it kept out can come in", ""),
    "RemoveIndex": (MEDIUM, "drops an index that queries may need", "RemoveIndexConcurrently"),
    "RenameIndex": (LOW, "renames an index", ""),
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
_ALEMBIC = {
    "drop_table": (HIGH, "drops a table that the running version may use, and its data", _LATER),
    "drop_column": (HIGH, "drops a column that the running version still reads", _LATER),
    "rename_table": (HIGH, "renames a table that the running version still uses", _EXPAND),
    "alter_column": (MEDIUM, "changes a column: it may lock the table or refuse existing rows", _EXPAND),
    "create_unique_constraint": (MEDIUM, "adds a constraint: all rows are checked under a lock", words.UNIQUE_INSTEAD),
    "create_check_constraint": (MEDIUM, "adds a constraint: all rows are checked under a lock",
                                words.CONSTRAINT_INSTEAD),
    "create_foreign_key": (MEDIUM, "adds a foreign key: all rows are checked, and both tables locked",
                           "postgresql_not_valid=True, and VALIDATE CONSTRAINT later"),
    "create_primary_key": (MEDIUM, "adds a primary key: the table is locked while its index is built",
                           words.UNIQUE_INSTEAD),
    "create_exclude_constraint": (MEDIUM, "adds a constraint: all rows are checked under a lock", ""),
    "drop_constraint": (MEDIUM, "drops a constraint", ""),
    "drop_index": (MEDIUM, "drops an index that queries may need, under a lock", "postgresql_concurrently=True"),
    "execute": (MEDIUM, "runs SQL that can't be read", ""),
    "bulk_insert": (LOW, "inserts rows", ""),
    "add_column": (LOW, "adds a column", ""),
    "create_table": (LOW, "creates a table", ""),
    "create_table_comment": (LOW, "comments on a table", ""),
    "create_index": (MEDIUM, "adds an index: writes to the table wait until it is built",
                     "postgresql_concurrently=True in an autocommit block"),
}  # fmt: skip
_NEW_TABLE = frozenset({"AddIndex", "AddConstraint", "AlterUniqueTogether", "AlterField", "create_index",
                        "create_unique_constraint", "create_check_constraint", "create_foreign_key",
                        "create_primary_key", "alter_column", "AddField", "add_column"})  # fmt: skip
"""Operations that lock or demand nothing on a table that is created beside them."""


class Operation(msgspec.Struct, frozen=True):
    """One operation of a migration, and where it stands."""

    effect: Effect
    line: int


def read_operations(file: PythonFile) -> Iterator[Operation]:
    scope = upgrade_of(file)
    calls = [node for node in ast.walk(scope) if isinstance(node, ast.Call)]
    batches = _batch_names(scope)
    created = {_text(_argument(c, 0, "name")).lower() for c in calls if _name(c) in ("CreateModel", "create_table")}
    for call in calls:
        name, owner = _name(call), _owner(call)
        if name in _DJANGO and (owner == "migrations" or (not owner and name.endswith(("Concurrently", "NotValid")))):
            row, effect = _DJANGO[name], _django(name, call)
        elif name in _ALEMBIC and (owner in ("op", "batch_op") or owner in batches):
            row, effect = _ALEMBIC[name], _alembic(name, call)
        else:
            continue
        severity, message, instead = row
        found = effect or Effect(_rule(name), severity, message, instead)
        if name in _NEW_TABLE and _table_of(name, call) in created:
            found = Effect(found.rule, LOW, "on a table that is created here: " + row[1], "")
        yield Operation(found, call.lineno)


def upgrade_of(file: PythonFile) -> ast.AST:
    """`upgrade()` of an Alembic migration: what `downgrade()` would do is not done. Else the whole file."""
    for node in file.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "upgrade":
            return node
    return file.tree


def reversing_nodes(file: PythonFile) -> set[int]:
    """Ids of all nodes that only run when a migration is taken back."""
    undone: list[ast.AST] = []
    names = set()
    for call in (n for n in ast.walk(file.tree) if isinstance(n, ast.Call) and _name(n) in ("RunSQL", "RunPython")):
        reverse = _argument(call, 1, "reverse_sql" if _name(call) == "RunSQL" else "reverse_code")
        if isinstance(reverse, ast.Name):
            names.add(reverse.id)
        elif reverse is not None:
            undone.append(reverse)
    undone += [n for n in file.tree.body if isinstance(n, ast.FunctionDef | ast.Assign) and names & set(_bound(n))]
    return {id(inner) for node in undone for inner in ast.walk(node)}


def _bound(node: ast.FunctionDef | ast.Assign) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    return [t.id for t in node.targets if isinstance(t, ast.Name)]


# ------------------------------------------------------------------ single operations


def _django(name: str, call: ast.Call) -> Effect | None:
    """What the arguments say beyond the operation's name."""
    if name == "RunSQL" and _is_text(_argument(call, 0, "sql")):
        return Effect("run-sql", LOW, "runs SQL", "")
    if name != "AddField":
        return None
    field = _argument(call, 2, "field")
    if not isinstance(field, ast.Call) or "ManyToMany" in ast.unparse(field.func):
        return None
    given = {k.arg: k.value for k in field.keywords}
    # Django drops a Python-side default after it has filled the rows, so only `db_default` helps a running version;
    # a default at least lets the migration itself succeed, so it counts as the lesser danger.
    if not _is(given.get("null"), True) and not {"default", "db_default", "auto_now_add"} & given.keys():
        return Effect("add-field", HIGH, words.NOT_NULL, words.NOT_NULL_INSTEAD)
    if _is(given.get("unique"), True):
        return Effect("add-field", MEDIUM, "adds a unique field: its index is built under a lock", words.UNIQUE_INSTEAD)
    return None


def _alembic(name: str, call: ast.Call) -> Effect | None:
    given = {k.arg: k.value for k in call.keywords}
    concurrently = _is(given.get("postgresql_concurrently"), True)
    if name in ("create_index", "drop_index") and concurrently:
        return Effect(_rule(name), LOW, f"{name.replace('_', 's ', 1)} without stopping writes", "")
    if name in ("create_foreign_key", "create_check_constraint") and _is(given.get("postgresql_not_valid"), True):
        return Effect(_rule(name), LOW, "adds a constraint for new rows", "")
    if name == "execute" and _is_text(call.args[0] if call.args else None):
        return Effect("execute", LOW, "runs SQL", "")
    if name == "add_column":
        column = next((a for a in call.args if isinstance(a, ast.Call)), None)
        inner = {k.arg: k.value for k in column.keywords} if column else {}
        if _is(inner.get("nullable"), False) and not {"server_default", "identity"} & inner.keys():
            return Effect("add-column", HIGH, words.NOT_NULL, words.NOT_NULL_INSTEAD)
    if name == "alter_column":
        return _alter_column(given)
    return None


def _alter_column(given: dict[str | None, ast.expr]) -> Effect | None:
    if "new_column_name" in given or "name" in given:
        return Effect("alter-column", HIGH, words.RENAME, _EXPAND)
    if _is(given.get("nullable"), False):
        return Effect("alter-column", MEDIUM, words.SET_NOT_NULL, words.SET_NOT_NULL_INSTEAD)
    if "type_" in given:
        return Effect("alter-column", MEDIUM, words.RETYPE, _EXPAND)
    if given.keys() & {"nullable", "server_default", "comment"}:
        return Effect("alter-column", LOW, "changes what a column allows, without touching its rows", "")
    return None


# ------------------------------------------------------------------ reading calls


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _owner(call: ast.Call) -> str:
    return getattr(call.func.value, "id", "?") if isinstance(call.func, ast.Attribute) else ""


def _batch_names(scope: ast.AST) -> set[str]:
    """Names that `with op.batch_alter_table(...) as name` binds."""
    return {
        item.optional_vars.id
        for node in ast.walk(scope)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.context_expr, ast.Call) and _name(item.context_expr) == "batch_alter_table"
        if isinstance(item.optional_vars, ast.Name)
    }


def _argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    named = next((k.value for k in call.keywords if k.arg == keyword), None)
    return named if named is not None else call.args[position] if len(call.args) > position else None


def _table_of(name: str, call: ast.Call) -> str:
    """The table or model that an operation works on, in lower case."""
    if name[0].isupper():
        return _text(_argument(call, 0, "name" if name == "AlterUniqueTogether" else "model_name")).lower()
    position = 0 if name in ("add_column", "alter_column") else 1
    word = "source_table" if name == "create_foreign_key" else "table_name"
    return _text(_argument(call, position, word)).lower()


def _text(node: ast.expr | None) -> str:
    if isinstance(node, ast.Call) and node.args:  # op.f("ix_name")
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_text(node: ast.expr | None) -> bool:
    """SQL that stands here in full: a constant, a list of them, or `sa.text` of one."""
    if isinstance(node, ast.Call) and _name(node) == "text" and node.args:
        node = node.args[0]
    if isinstance(node, ast.List | ast.Tuple):
        return bool(node.elts) and all(_is_text(e) for e in node.elts)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _rule(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-").replace("_", "-")
