"""What the shop's customers ask for, and how often. The source of the demo's production traffic."""

from __future__ import annotations

import json

from greenlane.domain.service_settings import LoadRequest

RATE_RPS = 100.0
"""A canary at 5 % gets 5 requests a second of it: see the comment on `canary` in service/greenlane.yaml."""

_EARL_GREY, _SENCHA, _SAMPLE = 26, 97, 121


def _basket(weight: float, country: str, *lines: tuple[int, int]) -> LoadRequest:
    return _post("/basket/price", weight, {"country": country, "lines": _lines(lines)})


def _order(weight: float, *lines: tuple[int, int]) -> LoadRequest:
    return _post("/orders", weight, {"email": "kim@example.com", "lines": _lines(lines)})


def _post(path: str, weight: float, body: dict[str, object]) -> LoadRequest:
    return LoadRequest(path=path, method="POST", body=json.dumps(body), weight=weight)


def _lines(lines: tuple[tuple[int, int], ...]) -> list[dict[str, int]]:
    return [{"product_id": product, "quantity": quantity} for product, quantity in lines]


CUSTOMERS = (
    LoadRequest(path="/products", weight=20),
    LoadRequest(path="/products?limit=30&offset=60", weight=5),
    LoadRequest(path="/products/26", weight=15),
    LoadRequest(path="/products/41", weight=5),
    LoadRequest(path="/search?q=oolong", weight=10),
    LoadRequest(path="/search?q=m%C3%BCsli", weight=2),
    _basket(15, "DE", (_EARL_GREY, 2), (_SENCHA, 1)),
    _basket(8, "AT", (_SENCHA, 6)),
    # people who only want to try the sample of the month, which is free: most new customers begin so
    _basket(17, "DE", (_SAMPLE, 1)),
    _order(3, (_EARL_GREY, 1)),
)
