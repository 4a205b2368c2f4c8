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
    r"|drop\s+(materialized\s+)?"
    r"(table|column|index|view|trigger|schema|type|sequence|function|procedure|database|policy|extension|role)\b"
    r"|(grant|revoke)\s+\w|refresh\s+materialized\b|exec(ute)?\s+sp_rename\b|comment\s+on\b"
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


_CHANGES_ROWS = re.compile(r"\s*(insert\s+into|update|delete\s+from|merge\s+into|copy|replace\s+into)\s+\S",
                           re.IGNORECASE)  # fmt: skip
_OPENS = re.compile(
    r"\bdrop policy\b|\bdisable row level security\b|\bno force row level security\b|^ ?grant .* to public\b"
)
_HARMLESS_RENAME = re.compile(r"^ ?alter index\b|\brename constraint\b|\brename (index|key)\b")


DROP = "takes away what the running version uses, and its data with it"
LATER_INSTEAD = "take it out of the code first, and out of the database in a later release"
EXPAND_INSTEAD = "add the new one beside it, write both, and take the old one away in a later release"
RENAME = "renames what the running version still uses"
NOT_NULL = "adds a column that must not be null and has no default: inserts of the running version fail"
NOT_NULL_INSTEAD = "add it nullable or with a default of the database, fill it, and demand it in a later release"
SET_NOT_NULL = "demands a value: all rows are read while nobody can use the table"
SET_NOT_NULL_INSTEAD = "a CHECK constraint NOT VALID, VALIDATE it, then SET NOT NULL, which uses it"
RETYPE = "changes a column's type: the table may be written anew while nobody can use it"
RETYPE_INSTEAD = "a new column beside it, filled in batches, and the old one dropped in a later release"
REWRITTEN = "adds a column with a value of its own for each row: the table is written anew under a lock"
CONSTRAINED = "adds a column with a constraint: the table is locked while it is checked"
CONSTRAINED_INSTEAD = "the column alone, and its constraint as a step of its own"
UNIQUE_INSTEAD = "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... USING INDEX"
CONSTRAINT_INSTEAD = "ADD CONSTRAINT ... NOT VALID, then VALIDATE CONSTRAINT in a later transaction"
INDEX = "builds an index: writes to the table wait until it is done"
INDEX_INSTEAD = "CREATE INDEX CONCURRENTLY, outside of a transaction"


def judge_data(sql: str) -> Effect | None:
    """What a statement does to the rows of a table; None if it does nothing to them."""
    if not _WHOLE_TABLE.match(sql):
        return Effect("data", Severity.LOW, "changes rows") if _CHANGES_ROWS.match(sql) else None
    message = "changes every row of a table in one transaction"
    return Effect("whole-table", Severity.MEDIUM, message, "batches by key, outside of the migration")


def judge_words(sql: str) -> Effect:
    """The effect of a statement that can't be parsed, by the words in it; the worst that fits."""
    text = re.sub(r"\s+", " ", sql).lower()
    if _OPENS.search(text):
        return Effect("opens", Severity.HIGH, "takes away what keeps rows from those who may not see them")
    if re.search(
        r"\bdrop (table|column|schema|database|view|type)\b"
        r"|^ ?alter table .* drop (?!index|key|constraint|default|not null|identity|expression|primary|foreign|check)",
        text,
    ):
        return Effect("drop", Severity.HIGH, f"drops something: {DROP}")
    if _HARMLESS_RENAME.search(text):
        return Effect("rename-index", Severity.LOW, "renames an index or constraint, which no query names")
    if re.search(r"\brename\b|\bsp_rename\b", text) or _changes_name(text):
        return Effect("rename", Severity.HIGH, RENAME)
    if re.search(r"\badd (column )?.*not null", text) and "default" not in text:
        return Effect("add-not-null", Severity.HIGH, NOT_NULL, NOT_NULL_INSTEAD)
    if "truncate" in text:
        return Effect("truncate", Severity.HIGH, "empties a table")
    return _judge_locks(text)


def _changes_name(text: str) -> bool:
    """`ALTER TABLE t CHANGE old new ...` of MySQL, with two names."""
    change = re.search(r"^ ?alter table .*\bchange (?:column )?(\S+) (\S+)", text)
    return change is not None and change[1].strip("`") != change[2].strip("`")


def _judge_locks(text: str) -> Effect:
    if re.search(r"\bset not null\b", text):
        return Effect("set-not-null", Severity.MEDIUM, SET_NOT_NULL, SET_NOT_NULL_INSTEAD)
    if re.search(r"\balter (column )?.* type\b|\bmodify\b|\bset data type\b", text):
        return Effect("alter-column", Severity.MEDIUM, RETYPE, RETYPE_INSTEAD)
    if re.match(r" ?alter table .*\badd (constraint|foreign key|primary key|unique|check)\b", text):
        return judge_constraint(text)
    if re.match(r" ?alter table .*\bvalidate constraint\b", text):
        return Effect("validate-constraint", Severity.LOW, "checks a constraint without stopping writes")
    if re.match(r" ?(lock table|cluster|vacuum|reindex|refresh materialized)\b", text):
        return _judge_maintenance(text)
    if re.match(r" ?alter table .*\badd (unique |fulltext |spatial )?(index|key)\b", text):
        return Effect("create-index", Severity.LOW if "lock=none" in text else Severity.MEDIUM, INDEX)
    if re.match(r" ?create (unique )?index\b", text):
        return judge_index(text)
    if re.match(r" ?drop index\b", text):
        return judge_dropped_index(text)
    if re.match(r" ?alter type .*\badd value\b|^ ?comment on\b|^ ?alter (table|view) .*\bowner to\b", text):
        return Effect("alter", Severity.LOW, "adds a word to a type, a comment or an owner")
    if re.match(r" ?revoke\b", text):
        return Effect("revoke", Severity.MEDIUM, "takes rights away that the running version may need")
    if re.match(r" ?(alter|drop)\b", text):
        return Effect("alter", Severity.MEDIUM, "changes the schema")
    return Effect("create", Severity.LOW, "creates something in the schema, or gives rights in it")


def _judge_maintenance(text: str) -> Effect:
    if "concurrently" in text:
        return Effect("lock", Severity.LOW, "works on a whole table without stopping those who use it")
    return Effect("lock", Severity.MEDIUM, "locks a table for as long as it takes")


def judge_dropped_index(text: str) -> Effect:
    if re.search(r"\bconcurrently\b", text, re.IGNORECASE):
        return Effect("drop-index", Severity.LOW, "drops an index that queries may need, without stopping them")
    return Effect("drop-index", Severity.MEDIUM, "drops an index that queries may need", "DROP INDEX CONCURRENTLY")


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
