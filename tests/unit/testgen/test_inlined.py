"""What a test is given by the classes of its file, written out as statements."""

from __future__ import annotations

from pathlib import Path

from greenlane.testgen.scripts import read_programs, read_scripts
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

class TestNamed(Base):
    def test_amount(self):
        amount = Till(self.amount)
        self.assertEqual(amount.rest(Given()), 5)

class Given:
    def __call__(self, row):
        from shop import Row

        return Row(row)

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


WAYS = """
import pytest
from shop import Basket, Cart

@pytest.fixture(params=[Cart, Basket])
def holder(request):
    return request.param(1)

@pytest.fixture(params=["a", "b", pytest.param("c"), "d"])
def text(request):
    return request.param

@pytest.fixture(params=[1])
def other(request):
    return request.node.name + request.param

def test_held(holder, text):
    holder.add(text)
    assert holder.total() == 1

def test_other(other):
    assert other.total() == 1
"""


def test_what_the_test_calls_by_the_same_name_is_told_apart_and_a_helper_may_import(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": TESTS})
    (_, found) = read_scripts(tmp_path, ["test_till.py::TestNamed::test_amount"])
    assert found.script.setup[1:] == ("amount_2 = 3", "amount = Till(amount_2)")
    assert found.script.setup[0].startswith("class Given:")
    assert found.script.look == "amount.rest(Given())"


def test_a_fixture_that_is_given_in_several_ways_is_written_out_in_each(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": WAYS})
    found = read_scripts(tmp_path, ["test_till.py::test_held", "test_till.py::test_other"])
    assert [one.script.setup for one in found if one.script.look == "holder.total()"] == [
        ("holder = Cart(1)", "text = 'a'", "holder.add(text)"),
        ("holder = Basket(1)", "text = 'b'", "holder.add(text)"),
        ("holder = Cart(1)", "text = 'c'", "holder.add(text)"),
    ]
    assert not any("other" in one.script.text for one in found)
    assert read_programs(tmp_path, ["test_till.py::test_held"])[0].script.setup[0] == "holder = Cart(1)"


BLOCKS = """
import unittest
import pytest
from shop import Store, Till

@pytest.fixture
def till():
    store = Store()
    with Till(store) as opened:
        opened.add(1)
        yield opened

@pytest.fixture
def left():
    with Till() as left:
        yield left
    print("left")

def test_total(till):
    till.add(2)
    assert till.total() == 3

def test_left(left):
    assert left.total() == 3

class TestTill(unittest.TestCase):
    def setUp(self):
        self.desk = Till(1)
        self.desk.__enter__()
        self.addCleanup(self.desk.__exit__, None, None, None)
        self.store = self.enterContext(Store())

    def test_rest(self):
        self.assertEqual(self.desk.rest(self.store), 1)
"""


def test_a_block_that_a_fixture_or_a_set_up_opens_is_around_what_is_looked_at(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": BLOCKS})
    found = read_scripts(
        tmp_path, ["test_till.py::test_total", "test_till.py::test_left", "test_till.py::TestTill::test_rest"]
    )
    assert [one.script.setup for one in found if "total" in one.script.text or "rest" in one.script.text] == [
        (
            "store = Store()",
            "with Till(store) as opened:\n    opened.add(1)\n    till = opened\n    till.add(2)\n"
            "    inside = till.total()",
        ),
        ("desk = Till(1)", "with desk:\n    with Store() as store:\n        inside = desk.rest(store)"),
    ]
