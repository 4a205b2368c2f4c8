"""The effects of DDL as sqlglot parses it. Called by `ddl.py`; apart from it because sqlglot is slow to import."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from greenlane.analyzers.ddl_words import DROP, NOT_NULL, RENAME, STARTS_WITH_DDL, TEMPORARY, Effect, judge_words
from greenlane.domain.findings import Severity

_DIALECTS = ("postgres", "sqlite", "mysql")


def judge_statements(sql: str) -> list[Effect] | None:
    """The effects of all statements; None if no dialect can parse them."""
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    statements = _parse(sql)
    if statements is None:
        return None
    return [effect for statement in statements if statement is not None for effect in _effects(statement)]


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
            yield Effect(f"drop-{kind}", Severity.HIGH if dangerous else Severity.MEDIUM, f"drops a {kind}: {DROP}")
        case exp.TruncateTable():
            yield Effect("truncate", Severity.HIGH, "empties a table")
        case exp.Create():
            kind = str(statement.args.get("kind") or "object").lower()
            if not TEMPORARY.match(statement.sql()):
                yield Effect(f"create-{kind}", Severity.LOW, f"creates {kind}: additive")
        case exp.Alter():
            actions = statement.args.get("actions") or []
            for action in actions:
                yield _alter(action)
            if not actions:
                yield judge_words(statement.sql())
        case exp.Command():
            if STARTS_WITH_DDL.match(statement.sql()):
                yield judge_words(statement.sql())
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
                return Effect("add-not-null", Severity.HIGH, NOT_NULL)
            return Effect("add-column", Severity.LOW, "adds a column")
        case exp.Drop():
            kind = str(action.args.get("kind") or "column").lower()
            return Effect(
                f"drop-{kind}", Severity.HIGH if kind == "column" else Severity.MEDIUM, f"drops a {kind}: {DROP}"
            )
        case exp.AlterRename() | exp.RenameColumn():
            return Effect("rename", Severity.HIGH, RENAME)
        case _:
            return judge_words("ALTER TABLE x " + action.sql())
