from __future__ import annotations

from pathlib import Path

from shop import orders
from shop.pricing import Line, quote


def test_an_order_keeps_its_lines_and_its_price(data: Path) -> None:
    lines = [Line(26, 2), Line(1, 1)]
    placed = orders.place(data, "kim@example.com", lines, quote(lines, {26: 720, 1: 445}, "AT"))
    order = orders.find(data, placed)
    assert order is not None
    assert order["email"] == "kim@example.com"
    assert (order["shipping_cents"], order["total_cents"]) == (590, 2475)
    assert order["lines"] == [{"product_id": 1, "quantity": 1}, {"product_id": 26, "quantity": 2}]


def test_an_order_that_was_never_placed_is_not_found(data: Path) -> None:
    assert orders.find(data, 7) is None
