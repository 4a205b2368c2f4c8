"""What a test is given by the classes of its file, written out as statements."""

from __future__ import annotations

from pathlib import Path

from greenlane.testgen.scripts import read_programs
from tests.support.projects import write_tree

TESTS = """
import unittest
from shop import Till

class Base(unittest.TestCase):
    def setUp(self):
        global till
        till = Till(1)
        self.amount = 3

class TestOwn(Base):
    def setUp(self):
        super().setUp()
        self.other = Till(self.amount)

    def test_both(self):
        self.assertEqual(till.add(self.other), 4)

class TestInherited(Base):
    def test_amount(self):
        till.add(self.amount)

class TestAnew(Base):
    def setUp(self):
        self.amount = 5

    def test_amount(self):
        self.assertEqual(Till(self.amount).rest(), 5)
"""


def test_what_a_base_of_the_file_sets_up_comes_first_unless_it_is_not_asked(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": TESTS})
    names = ["TestOwn::test_both", "TestInherited::test_amount", "TestAnew::test_amount"]
    found = [one.script.setup for one in read_programs(tmp_path, [f"test_till.py::{name}" for name in names])]
    assert found == [
        ("till = Till(1)", "amount = 3", "other = Till(amount)", "till.add(other)"),
        ("till = Till(1)", "amount = 3", "till.add(amount)"),
        ("amount = 5",),
    ]
