"""What is to be delivered, and what became of it, in a small file that several processes share.

One row for each notice and receiver, so a notice that comes again after a crash makes no second row. A row is claimed
for the time of one attempt; a process that dies in it leaves a claim that runs out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

DELIVERIES = "notifications.db"
KEPT = 5000
"""Settled deliveries that are kept, the newest ones."""
_BUSY_S = 10

State = Literal["waiting", "delivered", "undelivered"]
_COLUMNS = "notice, receiver, kind, run, title, state, attempts, answer, created, settled"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notice for one receiver. `answer` is what came of the last attempt; times are UTC, ISO 8601."""

    notice: str
    receiver: str
    kind: str
    run: str
    title: str
    state: State
    attempts: int
    answer: str
    created: str
    settled: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A row that this process may attempt now; `attempts` were made before."""

    notice: str
    receiver: str
    body: bytes
    attempts: int


class Outbox:
    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, *, notice: str, receiver: str, kind: str, run: str, title: str, body: bytes, now: str) -> None:
        """Keep it until it is settled. The same notice for the same receiver again: nothing."""
        with self._open() as db:
            db.execute(
                "INSERT OR IGNORE INTO deliveries (notice, receiver, kind, run, title, body, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (notice, receiver, kind, run, title, body, now),
            )
            db.execute(
                "DELETE FROM deliveries WHERE state <> 'waiting' AND rowid <= (SELECT max(rowid) FROM deliveries) - ?",
                (KEPT,),
            )

    def claim(self, *, receivers: Sequence[str], now_s: float, until_s: float, limit: int) -> tuple[Claim, ...]:
        """Rows for these receivers that are due and that nobody else attempts now, oldest first."""
        marks = ", ".join("?" * len(receivers))
        with self._open() as db:
            rows = db.execute(
                "SELECT notice, receiver, body, attempts FROM deliveries WHERE state = 'waiting' AND due_s <= ?"
                f" AND claimed_until_s <= ? AND receiver IN ({marks}) ORDER BY rowid LIMIT ?",
                (now_s, now_s, *receivers, limit),
            ).fetchall()
            db.executemany(
                "UPDATE deliveries SET claimed_until_s = ? WHERE notice = ? AND receiver = ?",
                [(until_s, notice, receiver) for notice, receiver, _, _ in rows],
            )
        return tuple(Claim(notice=n, receiver=r, body=bytes(b), attempts=a) for n, r, b, a in rows)

    def settle(self, claim: Claim, *, state: State, answer: str, due_s: float, now: str) -> None:
        """Write down how an attempt ended; `waiting` is tried again at `due_s` (seconds, epoch)."""
        with self._open() as db:
            db.execute(
                "UPDATE deliveries SET state = ?, answer = ?, attempts = attempts + 1, due_s = ?, claimed_until_s = 0,"
                " settled = ? WHERE notice = ? AND receiver = ? AND state = 'waiting'",
                (state, answer, due_s, "" if state == "waiting" else now, claim.notice, claim.receiver),
            )

    def next_due_s(self, receivers: Sequence[str]) -> float | None:
        """When the next attempt for one of these receivers is due (seconds, epoch); None: nothing waits."""
        marks = ", ".join("?" * len(receivers))
        with self._open() as db:
            found = db.execute(
                f"SELECT min(max(due_s, claimed_until_s)) FROM deliveries WHERE state = 'waiting'"
                f" AND receiver IN ({marks})",
                tuple(receivers),
            ).fetchone()[0]
        return None if found is None else float(found)

    def wake(self) -> None:
        """What waits for its next attempt is due now: a process that just started need not wait."""
        with self._open() as db:
            db.execute("UPDATE deliveries SET due_s = 0 WHERE state = 'waiting'")

    def retry(self) -> int:
        """What waits is due now, and what was given up is tried anew; how many."""
        with self._open() as db:
            done = db.execute(
                "UPDATE deliveries SET attempts = CASE state WHEN 'undelivered' THEN 0 ELSE attempts END,"
                " state = 'waiting', due_s = 0, settled = '' WHERE state <> 'delivered'"
            )
            return done.rowcount

    def deliveries(self, *, limit: int = 50, unsettled: bool = False) -> tuple[Delivery, ...]:
        """The newest ones, oldest first; `unsettled`: only those that did not arrive. Reads only, and makes no file."""
        if not self._path.exists():
            return ()
        where = "WHERE state <> 'delivered'" if unsettled else ""
        uri = f"{self._path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as db:
            try:
                rows = db.execute(
                    f"SELECT {_COLUMNS} FROM deliveries {where} ORDER BY rowid DESC LIMIT ?",
                    (limit,),
                ).fetchall()
            except sqlite3.OperationalError:  # made this very moment by another process, and still empty
                return ()
        names = _COLUMNS.split(", ")
        return tuple(msgspec.convert(dict(zip(names, row, strict=True)), Delivery) for row in reversed(rows))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A write transaction. Connections are short: the file is touched a few times an hour."""
        with closing(sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)) as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS deliveries (notice TEXT NOT NULL, receiver TEXT NOT NULL, kind TEXT NOT"
                " NULL, run TEXT NOT NULL, title TEXT NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL DEFAULT"
                " 'waiting', attempts INTEGER NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '', due_s REAL NOT NULL"
                " DEFAULT 0, claimed_until_s REAL NOT NULL DEFAULT 0, created TEXT NOT NULL, settled TEXT NOT NULL"
                " DEFAULT '', PRIMARY KEY (notice, receiver))"
            )
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
