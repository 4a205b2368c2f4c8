"""What production did in the last weeks, in a small SQLite file that several processes share.

The counters that were read last stand in the same transaction as the slot they were added to: a crash between two
readings loses at most what came in between, and two processes that read the same router count nothing twice.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from greenlane.domain.delivery import Counters
from greenlane.domain.production import SLOT_S, ProductionReading, TrafficSlot

FILE = "baselines.sqlite"
KEPT_DAYS = 35
"""A little more than a baseline looks back; a service takes about 2 MB."""
GAP_MAX_S = 120.0
"""Counters that were not read for longer than this can't be put in a slot: what came in between is left out."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor (service TEXT PRIMARY KEY, version TEXT NOT NULL, at REAL NOT NULL,
    counters BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS slot (service TEXT NOT NULL, begins INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (service, begins)) WITHOUT ROWID;
"""


class BaselineStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    async def record(self, service: str, reading: ProductionReading, now: datetime) -> None:
        """Add what was counted since the last reading of this version. Raises sqlite3.Error if it can't be kept."""
        await asyncio.to_thread(self._record, service, reading, now.timestamp())

    async def slots(self, service: str, since: datetime) -> tuple[TrafficSlot, ...]:
        """Oldest first; empty if there is no file yet."""
        return await asyncio.to_thread(self._slots, service, since.timestamp())

    def _record(self, service: str, reading: ProductionReading, at: float) -> None:
        with self._open() as db:
            row = db.execute("SELECT version, at, counters FROM cursor WHERE service = ?", (service,)).fetchone()
            if row is not None and at <= row[1]:
                return  # another process was faster, or the clock was set back
            if row is not None and row[0] == reading.version and at - row[1] <= GAP_MAX_S:
                added = _since(msgspec.json.decode(row[2], type=Counters), reading.counters)
                if added is not None:
                    self._add(db, service, added, at, at - row[1])
            db.execute(
                "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)",
                (service, reading.version, at, msgspec.json.encode(reading.counters)),
            )
            db.execute("DELETE FROM slot WHERE begins < ?", (int(at) - KEPT_DAYS * 86_400,))

    def _add(self, db: sqlite3.Connection, service: str, added: Counters, at: float, seconds: float) -> None:
        begins = int(at) // SLOT_S * SLOT_S
        key = (service, begins)
        row = db.execute("SELECT content FROM slot WHERE service = ? AND begins = ?", key).fetchone()
        old = msgspec.json.decode(row[0], type=TrafficSlot) if row else None
        slot = TrafficSlot(
            begins=begins,
            requests=added.requests + (old.requests if old else 0),
            errors=added.errors + (old.errors if old else 0),
            seconds=round(seconds + (old.seconds if old else 0.0), 3),
            histogram=_sum(old.histogram, added.histogram) if old else added.histogram,
        )
        db.execute("INSERT OR REPLACE INTO slot VALUES (?, ?, ?)", (*key, msgspec.json.encode(slot)))

    def _slots(self, service: str, since: float) -> tuple[TrafficSlot, ...]:
        if not self._path.exists():
            return ()
        with self._open() as db:
            rows = db.execute(
                "SELECT content FROM slot WHERE service = ? AND begins >= ? ORDER BY begins", (service, int(since))
            ).fetchall()
        return tuple(msgspec.json.decode(content, type=TrafficSlot) for (content,) in rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        try:
            db.executescript(_SCHEMA)
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()


def _since(before: Counters, now: Counters) -> Counters | None:
    """What came between two readings; None if a counter went backwards."""
    if now.requests < before.requests or now.errors < before.errors:
        return None
    earlier = dict(before.histogram)
    histogram = tuple((bound, count - earlier[bound]) for bound, count in now.histogram if bound in earlier)
    if any(count < 0 for _, count in histogram):
        return None
    return Counters(requests=now.requests - before.requests, errors=now.errors - before.errors, histogram=histogram)


def _sum(one: tuple[tuple[float, int], ...], other: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
    """Of the bounds that both have: a limit that moved takes its bound along."""
    known = dict(other)
    return tuple((bound, count + known[bound]) for bound, count in one if bound in known)
