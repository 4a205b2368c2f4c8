"""Orders: placed once, read ever after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shop.database import session
from shop.pricing import Line, Quote


def place(data: Path, email: str, lines: Sequence[Line], quote: Quote) -> int:
    """Store an order at the price that was quoted; its number."""
    with session(data) as db:
        order_id = db.execute(
            "INSERT INTO orders (email, shipping_cents, total_cents) VALUES (?, ?, ?) RETURNING id",
            [email, quote.shipping_cents, quote.total_cents],
        ).fetchone()["id"]
        db.executemany(
            "INSERT INTO order_lines (order_id, product_id, quantity) VALUES (?, ?, ?)",
            [(order_id, line.product_id, line.quantity) for line in lines],
        )
    return int(order_id)


def find(data: Path, order_id: int) -> dict[str, Any] | None:
    with session(data) as db:
        order = db.execute(
            "SELECT id, email, shipping_cents, total_cents FROM orders WHERE id = ?", [order_id]
        ).fetchone()
        if order is None:
            return None
        lines = db.execute(
            "SELECT product_id, quantity FROM order_lines WHERE order_id = ? ORDER BY product_id", [order_id]
        ).fetchall()
    return dict(order) | {"lines": [dict(line) for line in lines]}
