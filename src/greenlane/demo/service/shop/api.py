"""The routes: which request is answered by what. See openapi.json."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from shop import catalogue, orders, pricing, search
from shop.database import session
from shop.shipping import UnknownCountryError


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]


Answer = tuple[HTTPStatus, Any]
Route = Callable[[Path, Request, "re.Match[str]"], Answer]


class ApiError(Exception):
    """Something is wrong with the request."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer(data: Path, request: Request) -> Answer:
    """The answer to a request; raises ApiError if the request is at fault."""
    for method, pattern, route in ROUTES:
        match = pattern.fullmatch(request.path)
        if match and method == request.method:
            return route(data, request, match)
    raise ApiError(HTTPStatus.NOT_FOUND, "there is nothing here")


def health(data: Path, _request: Request, _match: re.Match[str]) -> Answer:
    with session(data) as db:
        products = db.execute("SELECT count(*) FROM products").fetchone()[0]
    return HTTPStatus.OK, {"status": "ok", "products": products}


def list_products(data: Path, request: Request, _match: re.Match[str]) -> Answer:
    limit = _number(request.query.get("limit", "30"), at_most=100)
    offset = _number(request.query.get("offset", "0"), at_most=10_000)
    return HTTPStatus.OK, {"products": catalogue.page(data, limit=limit, offset=offset)}


def show_product(data: Path, _request: Request, match: re.Match[str]) -> Answer:
    product = catalogue.find(data, int(match["id"]))
    if product is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "no such product")
    return HTTPStatus.OK, product | {"available": catalogue.available(data, product["id"])}


def find_products(data: Path, request: Request, _match: re.Match[str]) -> Answer:
    term = request.query.get("q", "").strip()
    if not 2 <= len(term) <= 80:
        raise ApiError(HTTPStatus.BAD_REQUEST, "q needs 2 to 80 characters")
    return HTTPStatus.OK, {"products": search.find(data, term)}


def price_basket(data: Path, request: Request, _match: re.Match[str]) -> Answer:
    return HTTPStatus.OK, asdict(_quote(data, request))


def place_order(data: Path, request: Request, _match: re.Match[str]) -> Answer:
    email = request.body.get("email")
    if not isinstance(email, str) or "@" not in email or len(email) > 200:
        raise ApiError(HTTPStatus.BAD_REQUEST, "email is missing or is none")
    quote = _quote(data, request)
    order_id = orders.place(data, email, _lines(request), quote)
    return HTTPStatus.CREATED, {"order_id": order_id, "total_cents": quote.total_cents}


def show_order(data: Path, _request: Request, match: re.Match[str]) -> Answer:
    order = orders.find(data, int(match["id"]))
    if order is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "no such order")
    return HTTPStatus.OK, order


def _quote(data: Path, request: Request) -> pricing.Quote:
    country = request.body.get("country", "DE")
    lines = _lines(request)
    prices = catalogue.prices(data, [line.product_id for line in lines])
    try:
        return pricing.quote(lines, prices, str(country))
    except pricing.UnknownProductError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"there is no product {error.product_id}") from None
    except UnknownCountryError:
        raise ApiError(HTTPStatus.BAD_REQUEST, "we do not ship to this country") from None


def _lines(request: Request) -> list[pricing.Line]:
    given = request.body.get("lines")
    if not isinstance(given, list) or not 1 <= len(given) <= 100:
        raise ApiError(HTTPStatus.BAD_REQUEST, "a basket has 1 to 100 lines")
    lines = []
    for line in given:
        product_id = line.get("product_id") if isinstance(line, dict) else None
        quantity = line.get("quantity") if isinstance(line, dict) else None
        if type(product_id) is not int or type(quantity) is not int or not 1 <= quantity <= 1000:
            raise ApiError(HTTPStatus.BAD_REQUEST, "a line has a product_id, and a quantity of 1 to 1000")
        lines.append(pricing.Line(product_id, quantity))
    return lines


def _number(text: str, *, at_most: int) -> int:
    if not text.isdecimal() or len(text) > 6 or int(text) > at_most:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"give a number from 0 to {at_most}")
    return int(text)


ROUTES: list[tuple[str, re.Pattern[str], Route]] = [
    ("GET", re.compile(r"/healthz"), health),
    ("GET", re.compile(r"/products"), list_products),
    ("GET", re.compile(r"/products/(?P<id>[0-9]{1,9})"), show_product),
    ("GET", re.compile(r"/search"), find_products),
    ("POST", re.compile(r"/basket/price"), price_basket),
    ("POST", re.compile(r"/orders"), place_order),
    ("GET", re.compile(r"/orders/(?P<id>[0-9]{1,9})"), show_order),
]
