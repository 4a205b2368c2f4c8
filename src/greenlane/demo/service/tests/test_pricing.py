from __future__ import annotations

import pytest

from shop.pricing import Line, UnknownProductError, discount_cents, quote

PRICES = {1: 445, 2: 890}


def test_a_basket_costs_its_lines_and_the_shipping() -> None:
    price = quote([Line(1, 2), Line(2, 1)], PRICES, "DE")
    assert (price.list_cents, price.discount_cents, price.shipping_cents) == (1780, 0, 390)
    assert price.total_cents == 2170


def test_five_of_a_kind_are_a_tenth_cheaper() -> None:
    price = quote([Line(2, 5)], PRICES, "DE")
    assert price.discount_cents == 445
    assert price.total_cents == 4450 - 445 + 390


def test_a_discount_is_rounded_for_the_customer() -> None:
    assert discount_cents(445, 5) == 223
    assert discount_cents(445, 4) == 0


def test_an_unknown_product_is_named() -> None:
    with pytest.raises(UnknownProductError) as unknown:
        quote([Line(9, 1)], PRICES, "DE")
    assert unknown.value.product_id == 9
