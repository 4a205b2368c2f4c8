"""DDL judged by its words: what the analysis of statements falls back on, and the words it shares."""

from __future__ import annotations

import re

import msgspec

from greenlane.domain.findings import Severity

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
