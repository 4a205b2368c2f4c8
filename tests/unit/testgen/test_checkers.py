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


def test_a_helper_that_would_mean_something_else_here_stays_a_call(tmp_path: Path) -> None:
    assert all(text.splitlines()[-1].startswith("odd(") for text in looks(tmp_path, "test_way_out"))


def test_names_that_a_helper_and_the_test_use_for_different_things_are_told_apart(tmp_path: Path) -> None:
    found = looks(tmp_path, "test_that_uses_its_name")
    assert found == [f"LIMIT = 3\nfound_2 = price('1 EUR', LIMIT)\nfound_2.{part}" for part in ("currency", "amount")]


def test_conditions_that_are_decided_go() -> None:
    body = ast.parse("if None is None and a:\n    b = 1\nif {}.pop('x', 0):\n    c()\nd(*(), **{'e': not 1})").body
    text = ast.unparse(ast.Module(body=fold(body), type_ignores=[]))
    assert text == "if a:\n    b = 1\nd(e=False)"


BASE = """
import unittest

import menu

LOUD = 4


def tables(*numbers):
    yield from numbers


class Case(unittest.TestCase):
    def ordered(self, text, extras=None, flags=0):
        print("ORDER", text)
        flags |= LOUD
        return menu.order(text, extras, flags)

    def refused(self, text, error):
        with self.assertRaises(error):
            self.ordered(text)

    def settings(self, conf):
        if conf is None:
            conf = {}
        else:
            conf = menu.read(conf)
        conf = {"rules": conf}
        return menu.Settings(conf)

    @staticmethod
    def round_trip(text):
        with menu.Writer() as writer:
            return writer.write(text)

    def lint(self, source, conf):
        real = list(menu.run(source, self.settings(conf)))
        self.assertEqual(real, [])

    def served(self, text, names, extras=None):
        if extras is None:
            extras = []
        order = self.ordered(text, extras)
        for table in tables(1, 2):
            self.assertEqual(order.at(table), names)
"""
ORDERS = """
import pytest

from .. import base
from menu import order


class TestOrders(base.Case):
    def test_refused(self):
        self.refused("two", ValueError)
        self.refused("three", ValueError)

    def test_served(self):
        self.served("soup", ["a"])

    def test_lint(self):
        conf = "salt: 1"
        self.lint("fish", conf)

    def test_written(self):
        given = "fish"
        written = self.round_trip(given)
        self.assertEqual(written, 1)

    def _call(self, *args):
        from menu import fetch

        return fetch(*args)

    def test_raises(self):
        self.assertRaises(ValueError, order, -12, hot=True)

    def test_raises_through(self):
        self.assertRaises(ValueError, self._call, "tea")

    ROWS = (("tea", 1),)

    def test_rows(self):
        for row in self.ROWS:
            self.assertEqual(order(row[0]), row[1])

    def test_found(self):
        order = self.ordered("tea")
        self.assertEqual(order.total, 2)


@pytest.mark.parametrize("dish", ["fish\\n"])
def test_two(dish):
    count = 2
    assert order(f"{dish} {count}") == 1
"""


@pytest.mark.parametrize(
    ("test", "looks"),
    [
        ("TestOrders::test_refused", ["menu.order('two', None, flags)", "menu.order('three', None, flags)"]),
        ("TestOrders::test_served", ["menu.order('soup', [], flags)"]),
        ("TestOrders::test_found", ["menu.order('tea', None, flags)", "order.total"]),
    ],
)
def test_helpers_of_a_base_in_a_module_that_call_each_other_are_written_out(
    tmp_path: Path, test: str, looks: list[str]
) -> None:
    write_tree(tmp_path, {
        "tests/__init__.py": "", "tests/base.py": BASE, "tests/food/__init__.py": "",
        "tests/food/test_orders.py": ORDERS,
    })  # fmt: skip
    found = [one.script for one in read_scripts(tmp_path, [f"tests/food/test_orders.py::{test}"])]
    assert [script.look for script in found] == looks
    assert found[0].setup == ("flags = 0", "flags |= LOUD")
    assert found[0].imports == {("menu", ""), ("tests.base", "LOUD")}


def test_what_a_helper_gives_inside_of_another_call_is_written_out_for_what_is_known_of_it(tmp_path: Path) -> None:
    write_tree(tmp_path, {"tests/__init__.py": "", "tests/base.py": BASE, "tests/food/__init__.py": "",
                          "tests/food/test_orders.py": ORDERS})  # fmt: skip
    (found,) = read_scripts(tmp_path, ["tests/food/test_orders.py::TestOrders::test_lint"])
    assert found.script.text.splitlines() == [
        "conf_2 = 'salt: 1'",
        "conf_2 = menu.read(conf_2)",
        "conf_2 = {'rules': conf_2}",
        "list(menu.run('fish', menu.Settings(conf_2)))",
    ]


def test_what_a_helper_gives_out_of_a_with_block_is_looked_at_after_it(tmp_path: Path) -> None:
    write_tree(tmp_path, {"tests/__init__.py": "", "tests/base.py": BASE, "tests/food/__init__.py": "",
                          "tests/food/test_orders.py": ORDERS})  # fmt: skip
    found, *_ = read_scripts(tmp_path, ["tests/food/test_orders.py::TestOrders::test_written"])
    assert found.script.text == "with menu.Writer() as writer:\n    inside = writer.write('fish')\ninside"


@pytest.mark.parametrize(("test", "look"), [
        ("test_raises", "order(-12, hot=True)"), ("test_rows", "order('tea')"),
        ("test_raises_through", "fetch('tea')"),
    ])  # fmt: skip
def test_an_error_that_a_call_is_given_to_and_an_item_of_a_row(tmp_path: Path, test: str, look: str) -> None:
    write_tree(tmp_path, {"tests/food/test_orders.py": ORDERS})
    (found,) = read_scripts(tmp_path, [f"tests/food/test_orders.py::TestOrders::{test}"])
    assert found.script.text == look


def test_a_text_of_a_row_is_part_of_a_text_that_is_put_together(tmp_path: Path) -> None:
    write_tree(tmp_path, {"tests/food/test_orders.py": ORDERS})
    (found,) = read_scripts(tmp_path, ["tests/food/test_orders.py::test_two"])
    assert found.script.look == "order(f'fish\\n {count}')"


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
"""
    (tmp_path / "test_shop.py").write_text(text)
    found = {
        name: [one.script for one in read_scripts(tmp_path, [f"test_shop.py::ShopTests::{name}"])]
        for name in ("test_join", "test_rejects")
    }
    joined = found["test_join"][-1]
    assert joined.setup == (
        "opened = ['a']", "first = Shop(opened, 3)", "opened = ['b']", "second = Shop(opened, 5)",
    )  # fmt: skip
    assert joined.look == "first.join(second)"
    assert joined.imports == {("shop.app", "Shop")}
    assert [(one.setup, one.look) for one in found["test_rejects"]] == [((), "Shop([''], 3)")]


def test_a_helper_of_another_file_is_found_under_its_module_and_with_what_partial_gave_it(tmp_path: Path) -> None:
    tools = """
        from textwrap import dedent
        from shop.till import price

        def check(text, expected, limit):
            found = price(dedent(text), limit)
            assert found == expected
    """
    tests = """
        from functools import partial
        from tests import tools

        limited = partial(tools.check, limit=3)

        def test_one():
            limited("a", 1)

        def test_two():
            limited("b", 2, limit=4)

        def test_three():
            tools.check("c", 3, 5)
    """
    tree = write_tree(tmp_path, {"tests/__init__.py": "", "tests/tools.py": tools, "tests/test_it.py": tests})
    names = [f"tests/test_it.py::test_{name}" for name in ("one", "two", "three")]
    assert [one.script.text for one in read_scripts(tree, names)] == [
        "price(dedent('a'), 3)", "price(dedent('b'), 4)", "price(dedent('c'), 5)",
    ]  # fmt: skip
