"""Tests whose class has methods that can't be written out: with an object of that class."""

from __future__ import annotations

from pathlib import Path

from greenlane.testgen.scripts import read_scripts
from tests.support.projects import write_tree

LONG = "\n".join(f"        rows.append(self.row({number}))" for number in range(20))
TESTS = f"""
import unittest

from shop import Till


class Base(unittest.TestCase):
    def row(self, number):
        if number:
            return number
        return self.last

    def fill(self):
        rows = []
{LONG}
        self.till = Till(rows)


class TestTill(Base):
    def setUp(self):
        self.last = open("last")
        self.addCleanup(self.last.close)

    def test_sold(self):
        self.fill()
        self.assertEqual(self.till.sold("a"), 3)

    async def test_awaits(self):
        self.fill()
        self.assertEqual(self.till.sold("b"), 3)


class TestPlain:
    def setup_method(self, method):
        self.till = Till([self.row()])

    def row(self):
        while True:
            return 1

    def test_sold(self):
        case = "b"
        assert self.till.sold(case) == self.row()


class TestUnknown(Unknown):
    def test_sold(self):
        assert self.sold("b") == 1
"""


def _scripts(tmp_path: Path, name: str) -> list[tuple[tuple[str, ...], str]]:
    write_tree(tmp_path, {"tests/__init__.py": "", "tests/test_till.py": TESTS})
    found = read_scripts(tmp_path, [f"tests/test_till.py::{name}"])
    assert all(("tests", "test_till") in one.script.imports for one in found)
    return [(one.script.setup, one.script.look) for one in found]


def test_it_is_set_up_and_cleaned_up_around_the_test(tmp_path: Path) -> None:
    found = _scripts(tmp_path, "TestTill::test_sold")
    block = "try:\n    case.fill()\n    inside = case.till.sold('a')\nfinally:\n    case.doCleanups()"
    assert (("case = test_till.TestTill()", "case.setUp()", block), "inside") in found


def test_it_has_a_name_that_the_test_does_not_use_and_is_told_of_no_method(tmp_path: Path) -> None:
    found = _scripts(tmp_path, "TestPlain::test_sold")
    first = ("own_case = test_till.TestPlain()", "own_case.setup_method(None)", "case = 'b'")
    assert (first, "own_case.till.sold(case)") in found


def test_none_is_made_of_a_class_with_an_unknown_base_nor_where_a_test_awaits(tmp_path: Path) -> None:
    assert _scripts(tmp_path, "TestUnknown::test_sold") == []
    assert _scripts(tmp_path, "TestTill::test_awaits") == []


NAMED = """
import unittest
from unittest import mock

from shop import Till


class TestTill(unittest.TestCase):
    def answers(self, auth=False):
        answer = mock.Mock()
        if auth:
            answer.text = self._testMethodName
        else:
            answer.text = "none"
        self.till = Till(answer)

    def test_sold(self):
        self.answers(auth=True)
        self.till.rate = mock.Mock(return_value=1)
        self.assertEqual(self.till.sold("a"), 3)
"""


def test_it_is_told_the_test_where_it_asks_and_a_stand_in_alone_is_no_reason_to_do_without(tmp_path: Path) -> None:
    write_tree(tmp_path, {"tests/__init__.py": "", "tests/test_till.py": NAMED})
    found = read_scripts(tmp_path, ["tests/test_till.py::TestTill::test_sold"])
    made = (
        "case = test_till.TestTill('test_sold')",
        "case.answers(auth=True)",
        "case.till.rate = mock.Mock(return_value=1)",
    )
    assert (made, "case.till.sold('a')") in [(one.script.setup, one.script.look) for one in found]
