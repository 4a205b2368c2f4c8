"""Tests that a library makes of the rows of one."""

from __future__ import annotations

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.scripts import scripts_of

TESTS = """
from parameterized import parameterized, param
from shop import price

ROWS = [("a", 1), ("b", 2)]

class PriceCase(unittest.TestCase):
    @parameterized.expand([("early", 1), ("late", 2), param("never", 3)])
    def test_price_at_1(self, name, hour):
        self.assertEqual(price(hour), 3)

    @parameterized.expand(ROWS)
    def test_named(self, name, hour=4):
        self.assertEqual(price(name, hour), 3)

    @parameterized.expand([1, 2])
    def test_one(self, hour):
        self.assertEqual(price(hour), 3)

    @parameterized.expand(range(3))
    def test_range(self, hour):
        self.assertEqual(price(hour), 3)
"""


@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("test_price_at_1_1_late", ["price(2)"]),
        ("test_price_at_1_2_never", ["price(3)"]),
        ("test_named_0_a", ["price('a', 1)"]),
        ("test_one_1", ["price(2)"]),
        ("test_one_7", []),
        ("test_range_1", []),
        ("test_other_1", []),
    ],
)
def test_the_row_that_a_test_was_made_of_is_filled_in(name: str, looks: list[str]) -> None:
    found = scripts_of(parse_source(TESTS), f"PriceCase::{name}")
    assert [one.script.look for one in found] == looks
