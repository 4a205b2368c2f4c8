"""What a statement of SQL does to a schema, and how dangerous that is while the previous version still runs.

During a canary both versions use one database: what takes something away or demands something new breaks the old one.
Parsed by sqlglot (`ddl_tree.py`); what it can't parse is judged by its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from greenlane.domain.findings import Severity

MAX_STATEMENT = 200_000
"""Characters of SQL that are parsed at once; dumps of data are longer and are judged by their words."""
STARTS_WITH_DDL = re.compile(
    r"\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*"
    r"(create\s+(or\s+replace\s+)?(temp(orary)?\s+)?(unique\s+)?(virtual\s+)?(materialized\s+)?"
    r"(table|index|view|trigger|schema|type|sequence|function|extension|policy)\b"
    r"|alter\s+(table|column|type|index|sequence|schema|view|database|role|policy)\b"
    r"|drop\s+(table|column|index|view|trigger|schema|type|sequence|function|database|policy)\b"
    r"|truncate\s+(table\s+)?\w|rename\s+table\b)",
    re.IGNORECASE | re.DOTALL,
)
TEMPORARY = re.compile(r"\s*create\s+temp(orary)?\b", re.IGNORECASE)


class Effect(msgspec.Struct, frozen=True):
    """What one statement does: the rule's name, its danger, and words for a person."""

    rule: str
    severity: Severity
    message: str


DROP = "takes away what the running version uses, and its data with it"
RENAME = "renames what the running version still uses"
NOT_NULL = "adds a column that must not be null and has no default: inserts of the running version fail"


def effects_of(sql: str) -> Iterator[Effect]:
    """The effects of every DDL statement in this text; nothing for queries and data."""
    from greenlane.analyzers import ddl_tree  # sqlglot takes 0.3 s to import, and most changes have no DDL

    effects = ddl_tree.judge_statements(sql) if len(sql) <= MAX_STATEMENT else None
    if effects is not None:
        yield from effects
        return
    for piece in sql.split(";"):
        if STARTS_WITH_DDL.match(piece) and not TEMPORARY.match(piece):
            yield judge_words(piece)


def judge_words(sql: str) -> Effect:
    """The effect of a statement that can't be parsed, by the words in it; the worst that fits."""
    text = re.sub(r"\s+", " ", sql).lower()
    if re.search(
        r"\bdrop (table|column|schema|database|view|type)\b|^ ?alter table .* drop (?!index|constraint|default)", text
    ):
        return Effect("drop", Severity.HIGH, f"drops something: {DROP}")
    if re.search(r"\brename\b", text):
        return Effect("rename", Severity.HIGH, RENAME)
    if re.search(r"\badd (column )?.*not null", text) and "default" not in text:
        return Effect("add-not-null", Severity.HIGH, NOT_NULL)
    if "truncate" in text:
        return Effect("truncate", Severity.HIGH, "empties a table")
    if re.search(r"\balter column .* type\b|\bmodify\b|\bset not null\b|\bset data type\b", text):
        return Effect(
            "alter-column", Severity.MEDIUM, "changes the type or a constraint of a column: it may lock the table"
        )
    if re.match(r" ?(alter|drop)\b", text):
        return Effect("alter", Severity.MEDIUM, "changes the schema")
    return Effect("create", Severity.LOW, "creates something in the schema")
