"""The catalogue: products, their prices, and how many of each there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shop.database import session


def page(data: Path, *, limit: int, offset: int) -> list[dict[str, Any]]:
    """A page of the catalogue, by name."""
    with session(data) as db:
        rows = db.execute(
            "SELECT id, name, grams, price_cents FROM products ORDER BY name, grams LIMIT ? OFFSET ?", [limit, offset]
        ).fetchall()
    return [dict(row) for row in rows]


def find(data: Path, product_id: int) -> dict[str, Any] | None:
    with session(data) as db:
        row = db.execute("SELECT id, name, grams, price_cents FROM products WHERE id = ?", [product_id]).fetchone()
    return dict(row) if row else None


def available(data: Path, product_id: int) -> int:
    """How many of a product can be delivered now."""
    with session(data) as db:
        row = db.execute("SELECT quantity FROM stock WHERE product_id = ?", [product_id]).fetchone()
    return row["quantity"] if row else 0


def prices(data: Path, product_ids: Sequence[int]) -> dict[int, int]:
    """The price in cents of each of these products that there is."""
    with session(data) as db:
        rows = db.execute(
            "SELECT id, price_cents FROM products WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps(list(product_ids))],
        ).fetchall()
    return {row["id"]: row["price_cents"] for row in rows}
