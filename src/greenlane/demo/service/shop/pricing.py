"""What a basket costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shop.shipping import shipping_cents

BULK_FROM = 5
BULK_DISCOUNT_PERCENT = 10


@dataclass(frozen=True)
class Line:
    """One product in a basket, and how many of it."""

    product_id: int
    quantity: int


@dataclass(frozen=True)
class Quote:
    """The price of a basket, in cents."""

    list_cents: int
    discount_cents: int
    shipping_cents: int
    total_cents: int


class UnknownProductError(ValueError):
    def __init__(self, product_id: int) -> None:
        super().__init__(f"unknown product {product_id}")
        self.product_id = product_id


def discount_cents(price_cents: int, quantity: int) -> int:
    """What is taken off a line: a tenth from five of a kind on, rounded in the customer's favour."""
    if quantity < BULK_FROM:
        return 0
    return -(-price_cents * quantity * BULK_DISCOUNT_PERCENT // 100)


def quote(lines: Sequence[Line], prices: Mapping[int, int], country: str) -> Quote:
    """The price of these lines, sent to this country. Raises UnknownProductError and UnknownCountryError."""
    listed = discount = 0
    for line in lines:
        if line.product_id not in prices:
            raise UnknownProductError(line.product_id)
        price = prices[line.product_id]
        listed += price * line.quantity
        discount += discount_cents(price, line.quantity)
    shipping = shipping_cents(listed - discount, country)
    return Quote(
        list_cents=listed,
        discount_cents=discount,
        shipping_cents=shipping,
        total_cents=listed - discount + shipping,
    )
