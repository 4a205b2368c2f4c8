from __future__ import annotations

import pytest

from shop.shipping import UnknownCountryError, shipping_cents


def test_a_small_order_pays_the_rate_of_its_country() -> None:
    assert shipping_cents(1000, "DE") == 390
    assert shipping_cents(1000, "CH") == 1290


def test_a_large_order_ships_for_free() -> None:
    assert shipping_cents(6000, "AT") == 0


def test_a_country_that_we_do_not_ship_to_is_refused() -> None:
    with pytest.raises(UnknownCountryError):
        shipping_cents(1000, "BR")
