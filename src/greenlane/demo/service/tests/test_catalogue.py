from __future__ import annotations

from pathlib import Path

from shop import catalogue, search


def test_a_page_is_ordered_by_name(data: Path) -> None:
    products = catalogue.page(data, limit=5, offset=0)
    assert [p["grams"] for p in products] == [50, 100, 250, 1000, 50]
    assert products[0]["name"] == "Assam Mangalam"
    assert catalogue.page(data, limit=5, offset=120) == catalogue.page(data, limit=100, offset=120)


def test_a_product_is_found_by_its_number(data: Path) -> None:
    assert catalogue.find(data, 26) == {"id": 26, "name": "Earl Grey", "grams": 100, "price_cents": 720}
    assert catalogue.find(data, 999) is None


def test_what_is_not_in_stock_can_not_be_delivered(data: Path) -> None:
    assert catalogue.available(data, 26) == 42
    assert catalogue.available(data, 999) == 0


def test_prices_leave_out_what_there_is_not(data: Path) -> None:
    assert catalogue.prices(data, [26, 999]) == {26: 720}


def test_search_finds_part_of_a_name_and_takes_signs_as_they_are(data: Path) -> None:
    assert {p["name"] for p in search.find(data, "oolong")} == {"Milk Oolong", "Phoenix Oolong"}
    assert search.find(data, "%%") == []
    assert search.find(data, "' OR 1=1 --") == []
