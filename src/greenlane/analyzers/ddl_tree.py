"""The effects of DDL as sqlglot parses it. Called by `ddl.py`; apart from it because sqlglot is slow to import."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from greenlane.analyzers import ddl_words as words
from greenlane.analyzers.ddl_words import STARTS_WITH_DDL, TEMPORARY, Effect, judge_words
from greenlane.domain.findings import Severity

_DIALECTS = ("postgres", "sqlite", "mysql")
_VOLATILE = re.compile(
    r"\b(random|gen_random_uuid|uuid_generate_v\d\w*|uuid|clock_timestamp|nextval|newid)\s*\(", re.IGNORECASE
)
"""Functions that give another value for each row, so that adding a column writes the table anew."""

_ADDS_KEY = re.compile(r"\s*alter\s+table\s+\S+\s+add\s+(key|index)\b", re.IGNORECASE)
"""MySQL's words for an index, which other dialects take for a column named so."""


def judge_statements(sql: str) -> list[Effect] | None:
    """The effects of all statements; None if no dialect can parse them."""
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    statements = _parse(sql)
    if statements is None:
        return None
    return [effect for statement in statements if statement is not None for effect in _effects(statement, sql)]


def _parse(sql: str) -> list[exp.Expr | None] | None:
    for dialect in _DIALECTS:
        try:
            return list(sqlglot.parse(sql, read=dialect))
        except (SqlglotError, RecursionError, ValueError):
            continue
    return None


def _effects(statement: exp.Expr, sql: str) -> Iterator[Effect]:
    match statement:
        case exp.Drop():
            kind = str(statement.args.get("kind") or "object").lower()
            if kind in ("index", "policy"):
                yield judge_words(sql)
            else:
                yield _dropped(kind)
        case exp.TruncateTable():
            yield Effect("truncate", Severity.HIGH, "empties a table")
        case exp.Create():
            kind = str(statement.args.get("kind") or "object").lower()
            if kind == "index":
                yield words.judge_index(sql)
            elif not TEMPORARY.match(statement.sql()):
                yield Effect(f"create-{kind}", Severity.LOW, f"creates {kind}: additive")
        case exp.Alter():
            actions = statement.args.get("actions") or []
            if str(statement.args.get("kind")).lower() == "index" or _ADDS_KEY.match(sql):
                yield judge_words(sql)
                return
            for action in actions:
                yield _alter(action, not_valid=bool(statement.args.get("not_valid")))
            if not actions:
                yield judge_words(statement.sql())
        case _:
            if STARTS_WITH_DDL.match(statement.sql()) or STARTS_WITH_DDL.match(sql):
                yield judge_words(sql)


def _dropped(kind: str) -> Effect:
    if kind in ("table", "column", "schema", "database"):
        return Effect(f"drop-{kind}", Severity.HIGH, f"drops a {kind}: {words.DROP}")
    if kind in ("view", "type"):
        return Effect(f"drop-{kind}", Severity.HIGH, f"drops a {kind} that the running version may use")
    return Effect(f"drop-{kind}", Severity.MEDIUM, f"drops a {kind} that something may rely on")


def _alter(action: exp.Expr, *, not_valid: bool) -> Effect:
    match action:
        case exp.ColumnDef():
            return _added_column(action)
        case exp.Drop():
            return _dropped(str(action.args.get("kind") or "column").lower())
        case exp.AlterRename() | exp.RenameColumn():
            return Effect("rename", Severity.HIGH, words.RENAME)
        case exp.AddConstraint():
            return words.judge_constraint(action.sql("postgres") + (" not valid" if not_valid else ""))
        case exp.AlterColumn():
            return _altered_column(action)
        case _:
            return judge_words("ALTER TABLE x " + action.sql())


def _added_column(action: exp.ColumnDef) -> Effect:
    constraints = [c.args.get("kind") for c in action.args.get("constraints") or []]
    demanded = any(isinstance(c, exp.NotNullColumnConstraint) and not c.args.get("allow_null") for c in constraints)
    default = any(
        isinstance(c, exp.DefaultColumnConstraint | exp.GeneratedAsIdentityColumnConstraint) for c in constraints
    )
    text = action.sql("postgres")
    if demanded and not default:
        return Effect("add-not-null", Severity.HIGH, words.NOT_NULL, words.NOT_NULL_INSTEAD)
    if _VOLATILE.search(text) or re.search(r"\b\w*serial\b|\bas identity\b|\bstored\b", text, re.IGNORECASE):
        return Effect("add-column", Severity.MEDIUM, words.REWRITTEN, words.NOT_NULL_INSTEAD)
    if re.search(r"\b(unique|references)\b", text, re.IGNORECASE):
        return Effect("add-column", Severity.MEDIUM, words.CONSTRAINED, words.CONSTRAINED_INSTEAD)
    return Effect("add-column", Severity.LOW, "adds a column")


def _altered_column(action: exp.AlterColumn) -> Effect:
    if action.args.get("dtype"):
        return Effect("alter-column", Severity.MEDIUM, words.RETYPE, words.RETYPE_INSTEAD)
    if action.args.get("allow_null") is False:
        return Effect("set-not-null", Severity.MEDIUM, words.SET_NOT_NULL, words.SET_NOT_NULL_INSTEAD)
    return Effect("alter-column", Severity.LOW, "changes what a column allows, without touching its rows")
