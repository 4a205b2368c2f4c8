from __future__ import annotations

from typing import Any

BASKET = {"lines": [{"product_id": 26, "quantity": 2}, {"product_id": 97, "quantity": 5}], "country": "AT"}


def test_the_catalogue_is_there(ask: Any) -> None:
    status, answer = ask("GET", "/products?limit=100")
    assert status == 200
    assert len(answer["products"]) == 100
    assert ask("GET", f"/products/{answer['products'][0]['id']}")[0] == 200


def test_search_finds_tea(ask: Any) -> None:
    status, answer = ask("GET", "/search?q=oolong")
    assert status == 200
    assert answer["products"]


def test_a_basket_costs_at_checkout_what_was_quoted(ask: Any) -> None:
    quoted = ask("POST", "/basket/price", BASKET)[1]
    assert quoted["discount_cents"] > 0
    status, order = ask("POST", "/orders", BASKET | {"email": "integration@example.com"})
    assert status == 201
    assert order["total_cents"] == quoted["total_cents"]
    assert ask("GET", f"/orders/{order['order_id']}")[1]["total_cents"] == quoted["total_cents"]


def test_a_wrong_request_is_refused_and_not_an_error(ask: Any) -> None:
    assert ask("GET", "/products/4711")[0] == 404
    assert ask("POST", "/basket/price", {"lines": []})[0] == 400
