"""What the model has cost today, in a small file that several processes share and a crash can't shrink.

An amount is reserved before a call, at the most that the call can cost, and corrected to what it did cost afterwards:
a worker that dies in between leaves the reservation standing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KEPT_DAYS = 400


class Spending:
    """Reservations and costs in US dollars, by day (UTC, `YYYY-MM-DD`) and pull request."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def reserve(self, *, day: str, account: str, usd: float, per_account: float, per_day: float) -> int | str:
        """The number of the reservation, or a sentence that says which budget it would break."""
        with self._open() as db:
            of_account = self._sum(db, "account = ?", account)
            if of_account + usd > per_account:
                return (
                    f"up to ${usd:.2f} more would break model.usd_per_pr (${per_account:g}; spent: ${of_account:.2f})"
                )
            of_day = self._sum(db, "day = ?", day)
            if of_day + usd > per_day:
                return f"up to ${usd:.2f} more would break model.usd_per_day (${per_day:g}; spent: ${of_day:.2f})"
            row = db.execute("INSERT INTO spent (day, account, usd) VALUES (?, ?, ?)", (day, account, usd))
            db.execute("DELETE FROM spent WHERE day < date(?, ?)", (day, f"-{_KEPT_DAYS} days"))
            return int(row.lastrowid or 0)

    def settle(self, reservation: int, usd: float) -> None:
        """Correct a reservation to what the call did cost."""
        with self._open() as db:
            db.execute("UPDATE spent SET usd = ? WHERE id = ?", (usd, reservation))

    def of_day(self, day: str) -> float:
        """US dollars spent or reserved on this day."""
        with self._open() as db:
            return self._sum(db, "day = ?", day)

    def _sum(self, db: sqlite3.Connection, where: str, value: str) -> float:
        return float(db.execute(f"SELECT coalesce(sum(usd), 0) FROM spent WHERE {where}", (value,)).fetchone()[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        try:
            db.execute(
                "CREATE TABLE IF NOT EXISTS spent (id INTEGER PRIMARY KEY, day TEXT NOT NULL, account TEXT NOT NULL,"
                " usd REAL NOT NULL)"
            )
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()
