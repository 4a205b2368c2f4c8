"""What a statement of SQL does to a schema, and how dangerous that is while the previous version still runs.

During a canary both versions use one database: what takes something away or demands something new breaks the old one.
Parsed by sqlglot; what it can't parse is judged by its words.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from greenlane.domain.findings import Severity

MAX_STATEMENT = 200_000
"""Characters of SQL that are parsed at once; dumps of data are longer and are judged by their words."""
_DIALECTS = ("postgres", "sqlite", "mysql")
STARTS_WITH_DDL = re.compile(
    r"\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*"
    r"(create\s+(or\s+replace\s+)?(temp(orary)?\s+)?(unique\s+)?(virtual\s+)?(materialized\s+)?"
    r"(table|index|view|trigger|schema|type|sequence|function|extension|policy)\b"
    r"|alter\s+(table|column|type|index|sequence|schema|view|database|role|policy)\b"
    r"|drop\s+(table|column|index|view|trigger|schema|type|sequence|function|database|policy)\b"
    r"|truncate\s+(table\s+)?\w|rename\s+table\b)",
    re.IGNORECASE | re.DOTALL,
)
_TEMPORARY = re.compile(r"\s*create\s+temp(orary)?\b", re.IGNORECASE)


class Effect(msgspec.Struct, frozen=True):
    """What one statement does: the rule's name, its danger, and words for a person."""

    rule: str
    severity: Severity
    message: str


_DROP = "takes away what the running version uses, and its data with it"
_RENAME = "renames what the running version still uses"
_NOT_NULL = "adds a column that must not be null and has no default: inserts of the running version fail"


def effects_of(sql: str) -> Iterator[Effect]:
    """The effects of every DDL statement in this text; nothing for queries and data."""
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    statements = _parse(sql) if len(sql) <= MAX_STATEMENT else None
    if statements is None:
        for piece in sql.split(";"):
            if STARTS_WITH_DDL.match(piece) and not _TEMPORARY.match(piece):
                yield _by_words(piece)
        return
    for statement in statements:
        if statement is not None:
            yield from _effects(statement)


def _parse(sql: str) -> list[exp.Expr | None] | None:
    for dialect in _DIALECTS:
        try:
            return list(sqlglot.parse(sql, read=dialect))
        except (SqlglotError, RecursionError, ValueError):
            continue
    return None


def _effects(statement: exp.Expr) -> Iterator[Effect]:
    match statement:
        case exp.Drop():
            kind = str(statement.args.get("kind") or "object").lower()
            dangerous = kind in ("table", "column", "schema", "database", "view", "type")
            yield Effect(f"drop-{kind}", Severity.HIGH if dangerous else Severity.MEDIUM, f"drops a {kind}: {_DROP}")
        case exp.TruncateTable():
            yield Effect("truncate", Severity.HIGH, "empties a table")
        case exp.Create():
            kind = str(statement.args.get("kind") or "object").lower()
            if not _TEMPORARY.match(statement.sql()):
                yield Effect(f"create-{kind}", Severity.LOW, f"creates {kind}: additive")
        case exp.Alter():
            actions = statement.args.get("actions") or []
            for action in actions:
                yield _alter(action)
            if not actions:
                yield _by_words(statement.sql())
        case exp.Command():
            if STARTS_WITH_DDL.match(statement.sql()):
                yield _by_words(statement.sql())
        case _:
            return


def _alter(action: exp.Expr) -> Effect:
    match action:
        case exp.ColumnDef():
            constraints = [c.args.get("kind") for c in action.args.get("constraints") or []]
            demanded = any(
                isinstance(c, exp.NotNullColumnConstraint) and not c.args.get("allow_null") for c in constraints
            )
            default = any(
                isinstance(c, exp.DefaultColumnConstraint | exp.GeneratedAsIdentityColumnConstraint)
                for c in constraints
            )
            if demanded and not default:
                return Effect("add-not-null", Severity.HIGH, _NOT_NULL)
            return Effect("add-column", Severity.LOW, "adds a column")
        case exp.Drop():
            kind = str(action.args.get("kind") or "column").lower()
            return Effect(
                f"drop-{kind}", Severity.HIGH if kind == "column" else Severity.MEDIUM, f"drops a {kind}: {_DROP}"
            )
        case exp.AlterRename() | exp.RenameColumn():
            return Effect("rename", Severity.HIGH, _RENAME)
        case _:
            return _by_words("ALTER TABLE x " + action.sql())


def _by_words(sql: str) -> Effect:
    """The effect of a statement that can't be parsed, by the words in it; the worst that fits."""
    text = re.sub(r"\s+", " ", sql).lower()
    if re.search(
        r"\bdrop (table|column|schema|database|view|type)\b|^ ?alter table .* drop (?!index|constraint|default)", text
    ):
        return Effect("drop", Severity.HIGH, f"drops something: {_DROP}")
    if re.search(r"\brename\b", text):
        return Effect("rename", Severity.HIGH, _RENAME)
    if re.search(r"\badd (column )?.*not null", text) and "default" not in text:
        return Effect("add-not-null", Severity.HIGH, _NOT_NULL)
    if "truncate" in text:
        return Effect("truncate", Severity.HIGH, "empties a table")
    if re.search(r"\balter column .* type\b|\bmodify\b|\bset not null\b|\bset data type\b", text):
        return Effect(
            "alter-column", Severity.MEDIUM, "changes the type or a constraint of a column: it may lock the table"
        )
    if re.match(r" ?(alter|drop)\b", text):
        return Effect("alter", Severity.MEDIUM, "changes the schema")
    return Effect("create", Severity.LOW, "creates something in the schema")
