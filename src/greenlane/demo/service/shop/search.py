"""Search in the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shop.database import session

LIMIT = 20


def find(data: Path, term: str) -> list[dict[str, Any]]:
    """Products whose name holds the term, the cheapest first."""
    escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    with session(data) as db:
        rows = db.execute(
            "SELECT id, name, grams, price_cents FROM products"
            " WHERE name LIKE ? ESCAPE '\\' ORDER BY price_cents, id LIMIT ?",
            [f"%{escaped}%", LIMIT],
        ).fetchall()
    return [dict(row) for row in rows]
