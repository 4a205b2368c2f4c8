"""Values at the ends of what their kind holds, and texts as long as the code allows."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.boundaries import as_long_as_asked, at_the_ends


def made(text: str) -> list[str]:
    node = ast.parse(text, mode="eval").body
    assert isinstance(node, ast.Call)
    return [ast.unparse(other) for other in at_the_ends(node)]


def test_a_value_of_a_known_kind_is_made_from_the_ends_of_its_range() -> None:
    assert {"decimal.Decimal('NaN')", "decimal.Decimal('1E+2')"} <= set(made("decimal.Decimal('3.14')"))
    assert "timedelta(days=-1)" in made("timedelta(hours=2)")


@pytest.mark.parametrize("text", ["Order('3.14')", "orders[0]('3.14')"])
def test_of_another_kind_nothing_is_known(text: str) -> None:
    assert made(text) == []


def test_texts_are_a_bit_longer_than_a_number_of_the_code() -> None:
    texts = [ast.unparse(node) for node in as_long_as_asked((True, 2, 255, "abc", 1 << 32))]
    assert texts == ["'a' * 256", "'é' * 256", "'abc' + 'a' * 256"]


@pytest.mark.parametrize(
    ("value", "others"), [(b"", ["b'a' * 256", "b'PK' + b'a' * 256"]), ([], ["[1] * 256", "b'PK' + b'a' * 256"])]
)
def test_bytes_begin_as_the_code_knows_them_and_lists_have_as_many_items(value: object, others: list[str]) -> None:
    texts = [ast.unparse(node) for node in as_long_as_asked((255, b"PK"), value)]
    assert texts == others
