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
    r"|lock\s+table\b|reindex\s+(\(|table|index|schema|database)|cluster\s+\w|vacuum\s+(\(\s*)?full\b"
    r"|truncate\s+(table\s+)?\w|rename\s+table\b)",
    re.IGNORECASE | re.DOTALL,
)
TEMPORARY = re.compile(r"\s*create\s+temp(orary)?\b", re.IGNORECASE)
_WHOLE_TABLE = re.compile(r"\s*(--[^\n]*\n\s*)*(update\s+(?!.*\bwhere\b)\S|delete\s+from\s+(?!.*\bwhere\b)\S)",
                          re.IGNORECASE | re.DOTALL)  # fmt: skip


class Effect(msgspec.Struct, frozen=True):
    """What one statement does: the rule's name, its danger, words for a person, and what to do instead."""

    rule: str
    severity: Severity
    message: str
    instead: str = ""

    @property
    def words(self) -> str:
        return f"{self.message}. Instead: {self.instead}" if self.instead else self.message


DROP = "takes away what the running version uses, and its data with it"
RENAME = "renames what the running version still uses"
NOT_NULL = "adds a column that must not be null and has no default: inserts of the running version fail"
NOT_NULL_INSTEAD = "add it nullable or with a default of the database, fill it, and demand it in a later release"
SET_NOT_NULL = "demands a value: all rows are read while nobody can use the table"
SET_NOT_NULL_INSTEAD = "a CHECK constraint NOT VALID, VALIDATE it, then SET NOT NULL, which uses it"
RETYPE = "changes a column's type: the table may be written anew while nobody can use it"
RETYPE_INSTEAD = "a new column beside it, filled in batches, and the old one dropped in a later release"
UNIQUE_INSTEAD = "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... USING INDEX"
CONSTRAINT_INSTEAD = "ADD CONSTRAINT ... NOT VALID, then VALIDATE CONSTRAINT in a later transaction"
INDEX = "builds an index: writes to the table wait until it is done"
INDEX_INSTEAD = "CREATE INDEX CONCURRENTLY, outside of a transaction"


def judge_data(sql: str) -> Effect | None:
    """A statement that changes every row of a table; None for any other."""
    if not _WHOLE_TABLE.match(sql):
        return None
    message = "changes every row of a table in one transaction"
    return Effect("whole-table", Severity.MEDIUM, message, "batches by key, outside of the migration")


def judge_words(sql: str) -> Effect:
    """The effect of a statement that can't be parsed, by the words in it; the worst that fits."""
    text = re.sub(r"\s+", " ", sql).lower()
    if re.search(
        r"\bdrop (table|column|schema|database|view|type)\b"
        r"|^ ?alter table .* drop (?!index|constraint|default|not null|identity|expression)",
        text,
    ):
        return Effect("drop", Severity.HIGH, f"drops something: {DROP}")
    if re.search(r"\brename\b", text):
        return Effect("rename", Severity.HIGH, RENAME)
    if re.search(r"\badd (column )?.*not null", text) and "default" not in text:
        return Effect("add-not-null", Severity.HIGH, NOT_NULL, NOT_NULL_INSTEAD)
    if "truncate" in text:
        return Effect("truncate", Severity.HIGH, "empties a table")
    return _judge_locks(text)


def _judge_locks(text: str) -> Effect:
    if re.search(r"\bset not null\b", text):
        return Effect("set-not-null", Severity.MEDIUM, SET_NOT_NULL, SET_NOT_NULL_INSTEAD)
    if re.search(r"\balter (column )?.* type\b|\bmodify\b|\bset data type\b", text):
        return Effect("alter-column", Severity.MEDIUM, RETYPE, RETYPE_INSTEAD)
    if re.match(r" ?alter table .*\badd (constraint|foreign key|primary key|unique|check)\b", text):
        return judge_constraint(text)
    if re.match(r" ?alter table .*\bvalidate constraint\b", text):
        return Effect("validate-constraint", Severity.LOW, "checks a constraint without stopping writes")
    if re.match(r" ?(lock table|cluster|vacuum|reindex)\b", text) and "concurrently" not in text:
        return Effect("lock", Severity.MEDIUM, "locks a table for as long as it takes")
    if re.match(r" ?create (unique )?index\b", text):
        return judge_index(text)
    if re.match(r" ?drop index\b", text):
        severity = Severity.LOW if "concurrently" in text else Severity.MEDIUM
        return Effect("drop-index", severity, "drops an index that queries may need", "DROP INDEX CONCURRENTLY")
    if re.match(r" ?(alter|drop)\b", text):
        return Effect("alter", Severity.MEDIUM, "changes the schema")
    return Effect("create", Severity.LOW, "creates something in the schema")


def judge_index(text: str) -> Effect:
    if re.search(r"\bconcurrently\b", text, re.IGNORECASE):
        return Effect("create-index", Severity.LOW, "builds an index without stopping writes")
    return Effect("create-index", Severity.MEDIUM, INDEX, INDEX_INSTEAD)


def judge_constraint(text: str) -> Effect:
    """ADD CONSTRAINT and its kind: what checks all rows under a lock, and what does not."""
    text = text.lower()
    if re.search(r"\bnot valid\b", text):
        return Effect("add-constraint", Severity.LOW, "adds a constraint for new rows")
    if re.search(r"\b(unique|primary key)\b", text):
        if re.search(r"\busing index\b", text):
            return Effect("add-constraint", Severity.LOW, "makes a constraint of an index that is there")
        message = "adds a unique constraint: the table is locked while its index is built"
        return Effect("add-constraint", Severity.MEDIUM, message, UNIQUE_INSTEAD)
    what = "a foreign key: both tables are locked" if re.search(r"\b(foreign key|references)\b", text) else "a check"
    return Effect("add-constraint", Severity.MEDIUM, f"adds {what} while all rows are read", CONSTRAINT_INSTEAD)
