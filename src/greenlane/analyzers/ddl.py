"""What a statement of SQL does to a schema, and how dangerous that is while the previous version still runs.

During a canary both versions use one database: what takes something away or demands something new breaks the old one.
Parsed by sqlglot (`ddl_tree.py`); what it can't parse is judged by its words.
"""

from __future__ import annotations

from collections.abc import Iterator

from greenlane.analyzers.ddl_words import STARTS_WITH_DDL, TEMPORARY, Effect, judge_words

MAX_STATEMENT = 200_000
"""Characters of SQL that are parsed at once; dumps of data are longer and are judged by their words."""


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
