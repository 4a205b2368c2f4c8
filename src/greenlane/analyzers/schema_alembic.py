"""The operations of Alembic migrations: how dangerous each is, and what to do instead.

Called by `schema_migrations.py`, which says what counts as dangerous.
"""

from __future__ import annotations

import ast
import re
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
from greenlane.domain.findings import Severity

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
_ALEMBIC = {
    "drop_table": (HIGH, "drops a table that the running version may use, and its data", words.LATER_INSTEAD),
    "drop_column": (HIGH, "drops a column that the running version still reads", words.LATER_INSTEAD),
    "rename_table": (HIGH, "renames a table that the running version still uses", words.EXPAND_INSTEAD),
    "alter_column": (MEDIUM, "changes a column: it may lock the table or refuse existing rows", words.EXPAND_INSTEAD),
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
    "drop_table_comment": (LOW, "comments on a table", ""),
    "invoke": (MEDIUM, "does what can't be read", ""),
    "create_index": (MEDIUM, "adds an index: writes to the table wait until it is built",
                     "postgresql_concurrently=True in an autocommit block"),
}  # fmt: skip
_NEW_TABLE = frozenset({"create_index", "create_unique_constraint", "create_check_constraint", "create_foreign_key",
                        "create_primary_key", "create_exclude_constraint", "alter_column", "add_column"})  # fmt: skip
"""Operations that lock or demand nothing on a table that is created beside them."""
_OPERATORS = frozenset({"op", "batch_op", "operations", "alembic.op"})
_EACH_ROW = re.compile(
    r"\b(random|gen_random_uuid|uuid_generate_v\d\w*|uuid|clock_timestamp|nextval)\s*\(", re.IGNORECASE
)
_TEXT = re.compile(r"(?:\w+\.)*(String|VARCHAR|Unicode|Text|UnicodeText|TEXT)(?:\((?:length=)?(\d+)?\))?\Z")


def read_alembic(file: PythonFile, scopes: list[ast.AST]) -> Iterator[Operation]:
    """The operations within these functions of a migration."""
    imported = imported_names(file.tree, "alembic")
    batches = {name: table for scope in scopes for name, table in _batches(scope)}
    calls = [n for scope in scopes for n in ast.walk(scope) if isinstance(n, ast.Call)]
    own = [c for c in calls if name_of(c) in _ALEMBIC and _is_operation(c, imported, batches)]
    created = {text_of(argument(c, 0, "table_name")).lower() for c in own if name_of(c) == "create_table"}
    for call in own:
        name = name_of(call)
        severity, message, instead = _ALEMBIC[name]
        effect = _arguments(name, call, file.tree) or Effect(rule_of(name), severity, message, instead)
        if name in _NEW_TABLE and _table_of(name, call, batches) in created:
            effect = Effect(effect.rule, LOW, f"on a table that is created here: {message}")
        yield Operation(effect, call.lineno)


def _is_operation(call: ast.Call, imported: dict[str, str], batches: dict[str, str]) -> bool:
    owner = full_name(call.func, imported).rpartition(".")[0]
    return owner in _OPERATORS or owner in batches


def _batches(scope: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that `with op.batch_alter_table(...) as name` binds, and their tables."""
    for node in ast.walk(scope):
        for item in node.items if isinstance(node, ast.With) else ():
            context, name = item.context_expr, item.optional_vars
            if isinstance(context, ast.Call) and name_of(context) == "batch_alter_table" and isinstance(name, ast.Name):
                yield name.id, text_of(argument(context, 0, "table_name")).lower()


def _table_of(name: str, call: ast.Call, batches: dict[str, str]) -> str:
    """The table that an operation works on, in lower case."""
    owner = getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""
    if owner in batches:
        return batches[owner]
    position = 0 if name in ("add_column", "alter_column") else 1
    word = "source_table" if name == "create_foreign_key" else "table_name"
    return text_of(argument(call, position, word)).lower()


def _arguments(name: str, call: ast.Call, tree: ast.Module) -> Effect | None:
    """What the arguments say beyond the operation's name."""
    given = {k.arg: k.value for k in call.keywords}
    if name in ("create_index", "drop_index") and is_value(given.get("postgresql_concurrently"), True):
        return Effect(rule_of(name), LOW, f"{name.replace('_', 's ', 1)} without stopping writes")
    if name in ("create_foreign_key", "create_check_constraint") and is_value(given.get("postgresql_not_valid"), True):
        return Effect(rule_of(name), LOW, "adds a constraint for new rows")
    if name == "execute" and is_sql(argument(call, 0, "sqltext"), tree):
        return Effect("execute", LOW, "runs SQL")
    if name == "add_column":
        return _added(next((a for a in (*call.args, *given.values()) if isinstance(a, ast.Call)), None))
    return _altered(given) if name == "alter_column" else None


def _added(column: ast.Call | None) -> Effect | None:
    if column is None:
        return None
    given = {k.arg: k.value for k in column.keywords}
    own = [a for a in column.args if isinstance(a, ast.Call)]
    inner = {name_of(a) for a in own}
    if (
        is_value(given.get("nullable"), False)
        and "server_default" not in given
        and not {"Identity", "Computed"} & inner
    ):
        return Effect("add-column", HIGH, words.NOT_NULL, words.NOT_NULL_INSTEAD)
    if {"Identity", "Computed", "Sequence"} & inner or _EACH_ROW.search(
        ast.unparse(given["server_default"]) if "server_default" in given else ""
    ):
        return Effect("add-column", MEDIUM, words.REWRITTEN, words.NOT_NULL_INSTEAD)
    foreign = [a for a in own if name_of(a) == "ForeignKey" and not _is_not_valid(a)]
    if foreign or any(is_value(given.get(w), True) for w in ("unique", "index", "primary_key")):
        return Effect("add-column", MEDIUM, words.CONSTRAINED, words.CONSTRAINED_INSTEAD)
    return None


def _is_not_valid(constraint: ast.Call) -> bool:
    return any(k.arg == "postgresql_not_valid" and is_value(k.value, True) for k in constraint.keywords)


def _altered(given: dict[str | None, ast.expr]) -> Effect | None:
    if "new_column_name" in given or "name" in given:
        return Effect("alter-column", HIGH, words.RENAME, words.EXPAND_INSTEAD)
    if is_value(given.get("nullable"), False) and not is_value(given.get("existing_nullable"), False):
        return Effect("alter-column", MEDIUM, words.SET_NOT_NULL, words.SET_NOT_NULL_INSTEAD)
    if "type_" in given:
        if _holds_more(given.get("existing_type"), given["type_"]):
            return Effect("alter-column", LOW, "lets a text be longer, without touching its rows")
        return Effect("alter-column", MEDIUM, words.RETYPE, words.EXPAND_INSTEAD)
    return Effect("alter-column", LOW, "changes what a column allows, without touching its rows")


def _holds_more(old: ast.expr | None, new: ast.expr) -> bool:
    """Whether a text type only becomes longer: PostgreSQL then changes its catalogue alone."""
    before, after = (_TEXT.match(ast.unparse(node)) if node is not None else None for node in (old, new))
    if before is None or after is None:
        return False
    return after[2] is None or (before[2] is not None and int(after[2]) >= int(before[2]))
