"""Numbers that are written as texts, and texts of a length that is asked for."""

from __future__ import annotations

import ast

from greenlane.testgen.code import enclosing, list_functions
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import entries_at
from greenlane.testgen.vary import vary

TEXT = """
def encode(value):
    return _packed(value)

def _packed(value):
    most = 255 if isinstance(value, str) else 7
    if len(value) > most:
        raise ValueError(value)
    return value

def scale(number):
    return -number.as_tuple().exponent
"""
FUNCTIONS = list_functions(ast.parse(TEXT), "shop.py", "shop")


def varied(line: int, text: str) -> list[str]:
    entry = next(e for _, e in entries_at(FUNCTIONS, [line]) if not e.private)
    case = Case(
        entry=entry, receiver=None, arguments=((None, text),), imports=frozenset(), fixtures=frozenset(), carved=True
    )  # fmt: skip
    return [one.arguments[0][1] for one in vary(case, 40)]


def test_a_text_is_as_long_as_a_function_that_is_led_to_asks_for() -> None:
    found = varied(8, "'abc'")
    assert {"'a' * 256", "'a' * 255"} <= {*found}
    assert not any(text.startswith("'a' * 7") for text in found)


def test_where_no_length_is_asked_for_no_text_is_long() -> None:
    assert enclosing(FUNCTIONS, 12) is not None
    assert not any("*" in text for text in varied(12, "'abc'"))


def test_a_decimal_has_an_exponent_or_is_none() -> None:
    found = varied(12, "decimal.Decimal('1.5')")
    assert found[0] == "decimal.Decimal('1E+2')"
    assert "decimal.Decimal('NaN')" in found
