from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shop.api import ApiError, Request, answer


def get(data: Path, path: str, **query: str) -> Any:
    return answer(data, Request("GET", path, query, {}))


def post(data: Path, path: str, body: dict[str, Any]) -> Any:
    return answer(data, Request("POST", path, {}, body))


BASKET = {"lines": [{"product_id": 26, "quantity": 2}], "country": "DE"}


def test_the_catalogue_can_be_read(data: Path) -> None:
    assert get(data, "/healthz") == (200, {"status": "ok", "products": 121})
    assert len(get(data, "/products")[1]["products"]) == 30
    assert get(data, "/products/26")[1]["available"] == 42
    assert get(data, "/search", q="sencha")[1]["products"][0]["name"] == "Sencha"


def test_a_basket_is_priced_and_ordered(data: Path) -> None:
    assert post(data, "/basket/price", BASKET)[1]["total_cents"] == 1830
    status, order = post(data, "/orders", BASKET | {"email": "kim@example.com"})
    assert (status, order["total_cents"]) == (201, 1830)
    assert get(data, f"/orders/{order['order_id']}")[1]["email"] == "kim@example.com"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/nothing", {}, 404),
        ("/products/999", {}, 404),
        ("/orders/999", {}, 404),
        ("/products", {"limit": "1000"}, 400),
        ("/products", {"offset": "-1"}, 400),
        ("/search", {"q": "x"}, 400),
    ],
)
def test_a_wrong_question_gets_its_status(data: Path, path: str, query: dict[str, str], status: int) -> None:
    with pytest.raises(ApiError) as refused:
        get(data, path, **query)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"lines": []},
        {"lines": [{"product_id": 26}]},
        {"lines": [{"product_id": 26, "quantity": 0}]},
        {"lines": [{"product_id": 999, "quantity": 1}]},
        {"lines": [{"product_id": 26, "quantity": 1}], "country": "BR"},
    ],
)
def test_a_wrong_basket_is_refused(data: Path, body: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        post(data, "/basket/price", body)
    assert refused.value.status == 400


def test_an_order_needs_an_address(data: Path) -> None:
    with pytest.raises(ApiError):
        post(data, "/orders", BASKET)
