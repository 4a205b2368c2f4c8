"""Helpers of tests that assert themselves: written out, so that what they look at can be seen with other inputs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from greenlane.testgen.folding import fold
from greenlane.testgen.scripts import read_scripts
from tests.support.projects import write_tree

HARNESS = """
import textwrap
import unittest

from shop import till


class TestCase(unittest.TestCase):
    strict = False
    options: dict = {"limit": 3}

    def plain(self, text):
        return textwrap.dedent(text).strip()

    def shown(self, text, expected, **more):
        made = till.Till(self.plain(text), **self.options)
        text = made.shown(**more)
        self.assertMultiLineEqual(text, expected)

    def totals(self, text, *expected, **more):
        lines = textwrap.dedent(text)
        if more.get("twice"):
            lines += lines
        made = till.Till(lines, strict=self.strict, **more)
        found = [row.total for row in made.rows]
        found.sort()
        self.assertEqual(found, list(expected))
        return made
"""
TESTS = """
import pytest

from tests.harness import TestCase
from shop.till import price

SOON = pytest.raises(ZeroDivisionError)

LIMIT = 3


def check(text, expected=None, *, limit=LIMIT):
    found = price(text, limit)
    assert found.currency == "EUR"
    assert found.amount == (expected or text)


def odd(text):
    if text == "a":
        return
    assert price(text) == 1


class TestTotals(TestCase):
    def test_rows(self):
        self.totals('''
            a 1
        ''', 1)

    def test_shown(self):
        self.shown(self.plain(" a 1"), self.plain(" a 1"), wide=True)

    def test_kept(self):
        self.totals("a 1", 1, twice=True)


def test_prices():
    check("2 EUR")


def test_that_uses_its_name():
    found = "1 EUR"
    check(found, 2)


def test_way_out():
    odd("b")


PRICES = {"1 EUR": 1, "2 EUR": 2}


class TestTables(TestCase):
    def test_rows(self):
        for text, amount in PRICES.items():
            with self.subTest(text):
                self.assertEqual(price(text), amount)
        for text in ["3 EUR", "4 EUR"]:
            check(text)
        for other in ["5 EUR"]:
            if price(other):
                break


def total(text):
    made = price(text)
    assert made.currency
    return made.amount.total()


def test_total():
    assert total("2 EUR") == 2


def test_errors():
    with SOON:
        price([], True)
    try:
        price([None])
    except TypeError as error:
        assert "NoneType" in str(error)
    assert (1, 2.0) == price([1])
"""


def looks(folder: Path, test: str) -> list[str]:
    write_tree(folder, {"tests/harness.py": HARNESS, "tests/test_till.py": TESTS})
    return [one.script.text for one in read_scripts(folder, [f"tests/test_till.py::{test}"])]


def test_each_thing_that_a_helper_asserts_on_is_a_look(tmp_path: Path) -> None:
    assert looks(tmp_path, "test_prices") == [
        "LIMIT = 3\nfound = price('2 EUR', LIMIT)\nfound.currency",
        "LIMIT = 3\nfound = price('2 EUR', LIMIT)\nfound.amount",
    ]


def test_a_helper_of_a_base_class_elsewhere_brings_its_imports_and_what_decides_nothing_is_left_out(
    tmp_path: Path,
) -> None:
    write_tree(tmp_path, {"tests/harness.py": HARNESS, "tests/test_till.py": TESTS})
    (found,) = read_scripts(tmp_path, ["tests/test_till.py::TestTotals::test_rows"])
    assert found.script.imports == {("textwrap", ""), ("shop", "till")}
    assert found.script.text == "\n".join(
        [
            "lines = textwrap.dedent('\\n            a 1\\n        ')",
            "made = till.Till(lines, strict=False)",
            "found = [row.total for row in made.rows]",
            "found.sort()",
            "found",
        ]
    )


def test_what_is_given_besides_is_passed_on(tmp_path: Path) -> None:
    (text,) = looks(tmp_path, "TestTotals::test_kept")
    assert text.startswith("more = {'twice': True}\n")
    assert "till.Till(lines, strict=False, **more)" in text


def test_short_methods_and_tables_of_the_class_are_written_out(tmp_path: Path) -> None:
    (text,) = looks(tmp_path, "TestTotals::test_shown")
    assert text == "\n".join(
        [
            "text = textwrap.dedent(' a 1').strip()",
            "made = till.Till(textwrap.dedent(text).strip(), limit=3)",
            "made.shown(wide=True)",
        ]
    )


def test_the_first_rows_of_a_table_are_looks_each(tmp_path: Path) -> None:
    found = looks(tmp_path, "TestTables::test_rows")
    assert found[:2] == ["price('1 EUR')", "price('2 EUR')"]
    assert "LIMIT = 3\nfound = price('4 EUR', LIMIT)\nfound.amount" in found
    assert not any("5 EUR" in text for text in found)


def test_a_short_helper_that_gives_something_is_seen_through(tmp_path: Path) -> None:
    assert looks(tmp_path, "test_total") == [
        "made = price('2 EUR')\nmade.currency",
        "made = price('2 EUR')\nmade.amount.total()",
    ]


def test_errors_that_a_name_or_a_try_expects_are_looked_for_and_what_is_expected_is_no_look(tmp_path: Path) -> None:
    assert looks(tmp_path, "test_errors") == ["price([], True)", "price([None])", "price([1])"]


@pytest.mark.parametrize("test", ["test_that_uses_its_name", "test_way_out"])
def test_a_helper_that_would_mean_something_else_here_stays_a_call(tmp_path: Path, test: str) -> None:
    assert all(text.splitlines()[-1].startswith(("check(", "odd(")) for text in looks(tmp_path, test))


def test_conditions_that_are_decided_go() -> None:
    body = ast.parse("if None is None and a:\n    b = 1\nif {}.pop('x', 0):\n    c()\nd(*(), **{'e': not 1})").body
    text = ast.unparse(ast.Module(body=fold(body), type_ignores=[]))
    assert text == "if a:\n    b = 1\nd(e=False)"


def test_what_a_method_of_the_class_makes_is_made_in_the_test_with_what_it_imports(tmp_path: Path) -> None:
    text = """
import unittest

class ShopTests(unittest.TestCase):
    def _kind(self):
        from shop.app import Shop
        return Shop

    def _made(self, name, size=3):
        opened = [name]
        return self._kind()(opened, size)

    def test_join(self):
        first = self._made("a")
        second = self._made("b", size=5)
        self.assertEqual(first.join(second), 8)

    def test_rejects(self):
        with self.assertRaises(ValueError):
            self._made("")

    def test_lazy(self):
        made = lambda: self._made("a")
        self.assertEqual(made(), 1)
"""
    (tmp_path / "test_shop.py").write_text(text)
    found = {
        name: [one.script for one in read_scripts(tmp_path, [f"test_shop.py::ShopTests::{name}"])]
        for name in ("test_join", "test_rejects", "test_lazy")
    }
    joined = found["test_join"][-1]
    assert joined.setup == (
        "opened = ['a']", "first = Shop(opened, 3)", "opened = ['b']", "second = Shop(opened, 5)",
    )  # fmt: skip
    assert joined.look == "first.join(second)"
    assert joined.imports == {("shop.app", "Shop")}
    assert [(one.setup, one.look) for one in found["test_rejects"]] == [((), "Shop([''], 3)")]
    assert not found["test_lazy"]  # it may not be called at all
