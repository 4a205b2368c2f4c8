"""The database: one SQLite file in the data folder. Its tables are made by `python -m shop.migrate`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def connect(data: Path) -> sqlite3.Connection:
    db = sqlite3.connect(data / "shop.db", timeout=10)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


@contextmanager
def session(data: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are committed together, or not at all."""
    db = connect(data)
    try:
        with db:
            yield db
    finally:
        db.close()
