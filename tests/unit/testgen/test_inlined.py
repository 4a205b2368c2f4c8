"""What a test is given by the classes of its file, written out as statements."""

from __future__ import annotations

import ast
from pathlib import Path

from greenlane.testgen.scripts import read_programs, read_scripts
from greenlane.testgen.slicing import loaded_in
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

TEXTS = ["a", "b", pytest.param("c"), "d"]

@pytest.fixture(params=TEXTS, scope="module", ids=str)
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


FORGETTING = """
import unittest
from shop import Till

class TestTill(unittest.TestCase):
    def setUp(self):
        till = Till(1)
        till.add(2)
        self.till = till
        self.folder = Folder()

    def test_total(self):
        self.till.add(3)
        self.assertEqual(self.till.total(), 6)

    def test_folder(self):
        self.assertEqual(self.folder.held(self.till), 1)

    def tearDown(self):
        self.till = None
        self.folder.remove()
        del self.folder
"""


def test_a_clean_up_that_only_forgets_is_no_part_of_a_test_and_one_name_is_enough(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": FORGETTING.replace("Folder()", "Till(0)")})
    (_, found, *_) = read_scripts(tmp_path, ["test_till.py::TestTill::test_total"])
    assert found.script.setup[:2] == ("till = Till(1)", "till.add(2)")
    assert (found.script.setup[3:], found.script.look) == (
        ("try:\n    till.add(3)\n    inside = till.total()\nfinally:\n    folder.remove()",),
        "inside",
    )


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


CLEANED = """
import os
import unittest
from unittest import mock
import pytest
from shop import Desk, Env, Till, open_till

class Base:
    left, right = Till(1), Till(2)

    def reset(self, **options):
        options.setdefault("limit", 3)
        self.desk = Desk(**options)
        return self

    def fill(self, amount):
        self.desk.add(amount)

class TestDesk(Base, unittest.TestCase):
    rate = 2

    def setUp(self):
        self.reset()
        self.events = []

    def test_pair(self):
        self.assertEqual(self.left.add(self.right), 3)

    def test_set_up(self):
        self.fill(4)
        self.assertEqual(self.desk.rest(), 5)

    def test_taken(self):
        rate = self.rate
        self.assertEqual(Till(rate).rest(), 1)

class TestEnv:
    def setup_method(self, method):
        self.before = os.environ
        os.environ = {"A": "1"}
        self.env = Env()

    def teardown_method(self, method):
        assert self.before is not None
        os.environ = self.before

    def test_read(self):
        assert self.env.read("A") == 1

    def test_other(self):
        assert Env().read("B") == 2

class TestPatched(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("shop.clock")
        self.clock = patcher.start()
        self.addCleanup(patcher.stop)

    def test_clock(self):
        self.assertEqual(Till(1).tell(self.clock), 1)

class TestGiven:
    @pytest.fixture(autouse=True)
    def make(self, tmp_path):
        self.box = open_till(tmp_path)
        yield
        self.box.close()

    def test_till(self):
        assert self.box.total() == 0

@pytest.fixture
def till():
    made = Till(3)
    yield made
    made.close()

def test_closed(till):
    assert till.total() == 3

def test_here():
    assert Till(__file__).name == "test_till.py"
"""
HERE = """
from shop import Till

class Checker:
    def __init__(self):
{lines}

def test_long():
    assert Checker().check(Till(1)) == 1
"""


def setups(tree: Path, name: str, look: str) -> list[tuple[str, ...]]:
    found = read_scripts(tree, [f"test_till.py::{name}"], "")
    return [one.script.setup for one in found if look in one.script.text]


def test_what_a_set_up_calls_on_self_is_written_out_and_two_constants_at_once(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": CLEANED})
    assert setups(tmp_path, "TestDesk::test_pair", "add") == [("left, right = (Till(1), Till(2))",)]
    made = ("options = {}", "options.setdefault('limit', 3)", "desk = Desk(**options)")
    assert setups(tmp_path, "TestDesk::test_set_up", "rest") == [(*made, "desk.add(4)")]
    assert setups(tmp_path, "TestDesk::test_taken", "rest") == [("rate_2 = 2", "rate = rate_2")]


def test_what_is_cleaned_up_stands_in_a_block_around_what_is_looked_at(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": CLEANED})
    block = "try:\n    inside = env.read('A')\nfinally:\n    os.environ = before"
    assert setups(tmp_path, "TestEnv::test_read", "read") == [
        ("monkeypatch.setattr(os, 'environ', {'A': '1'})", "env = Env()"),
        ("before = os.environ", "os.environ = {'A': '1'}", "env = Env()", block),
    ]
    assert setups(tmp_path, "TestEnv::test_other", "read") == [()], "it needs nothing of the set-up"
    given = "try:\n    inside = box.total()\nfinally:\n    box.close()"
    assert setups(tmp_path, "TestGiven::test_till", "total") == [("box = open_till(tmp_path)", given)]
    (found,) = read_scripts(tmp_path, ["test_till.py::TestGiven::test_till"])
    assert found.fixtures == {"tmp_path"}
    closed = "try:\n    inside = till.total()\nfinally:\n    made.close()"
    assert setups(tmp_path, "test_closed", "total") == [("made = Till(3)", "till = made", closed)]


def test_a_patcher_that_a_set_up_starts_is_a_block(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": CLEANED})
    assert setups(tmp_path, "TestPatched::test_clock", "tell") == [
        ("patcher = mock.patch('shop.clock')", "with patcher as clock:\n    inside = Till(1).tell(clock)")
    ]


def test_a_file_beside_the_tests_to_come_may_be_named_and_a_long_helper_imported(tmp_path: Path) -> None:
    lines = "\n".join(f"        self.a{number} = {number}" for number in range(20))
    write_tree(
        tmp_path, {"test_till.py": CLEANED, "tests/__init__.py": "", "tests/test_it.py": HERE.format(lines=lines)}
    )
    assert setups(tmp_path, "test_here", "__file__") == [()]
    assert read_scripts(tmp_path, ["test_till.py::test_here"], "tests") == []
    (found,) = read_scripts(tmp_path, ["tests/test_it.py::test_long"])
    assert found.script.imports == {("tests.test_it", "Checker"), ("shop", "Till")}


SILENT = """
import pytest
from shop import token

@pytest.fixture
def local():
    yield

@pytest.mark.usefixtures("clean")
class TestToken:
    def test_token(self, context, local, name):
        assert token(name) == "a"

def test_plain(context, names):
    for name in names:
        assert token(name)
    assert token("b") == "b"

def test_error(context):
    error = pytest.raises(ValueError, token, "c")
    assert str(error.value) == "d"
"""


def test_what_a_test_is_given_without_naming_it_is_given_to_its_scripts(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_token.py": SILENT})
    (found,) = read_scripts(tmp_path, ["test_token.py::TestToken::test_token"])
    assert found.fixtures == {"context", "clean", "name"}
    plain = [one for one in read_scripts(tmp_path, ["test_token.py::test_plain"]) if one.script.look == "token('b')"]
    assert [one.fixtures for one in plain] == [{"context"}]
    looks = [one.script.look for one in read_scripts(tmp_path, ["test_token.py::test_error"])]
    assert looks == ["token('c')"]


def test_a_global_name_that_a_set_up_binds_is_bound(tmp_path: Path) -> None:
    lines = ["import unittest", "from shop import Till", "class TestTill(unittest.TestCase):", "    def setUp(self):",
             "        global till", "        till = Till(1)", "    def test_rest(self):",
             "        self.assertEqual(till.rest(), 1)"]  # fmt: skip
    write_tree(tmp_path, {"test_till.py": "\n".join(lines)})
    assert setups(tmp_path, "TestTill::test_rest", "rest") == [("till = Till(1)",)]


def test_what_a_block_uses_before_it_binds_it_anew_comes_from_before_the_block() -> None:
    block = ast.parse("try:\n    total = till.add(1)\nfinally:\n    till = total").body[0]
    assert loaded_in(block) == ["till"]
    loop = ast.parse("for row in rows:\n    rows = row.next\n    row = rows").body[0]
    assert loaded_in(loop) == ["rows"]


ROWS = """
import unittest
from shop import price

class TestPrice(unittest.TestCase):
    def setUp(self):
        self.good = [{"text": "1 EUR", "value": 1}, {"text": "2 EUR", "value": 2}]

    def test_good(self):
        for one in self.good:
            self.assertEqual(price(one["text"]), one["value"])
"""


def test_the_rows_of_a_table_that_the_set_up_makes_are_tests_of_their_own(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_price.py": ROWS})
    found = read_scripts(tmp_path, ["test_price.py::TestPrice::test_good"])
    assert [one.script.look for one in found] == [
        "price('1 EUR')",
        "price('2 EUR')",
    ]


def test_a_class_of_a_test_class_and_a_fixture_that_returns_in_a_block_are_written_out(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "test_shop.py": f"""
import pytest
from unittest.mock import patch
from shop import Till, pay, served

TEXT = {"long, " * 300!r}

def page():
    return {"long, " * 300!r}

@pytest.fixture
def till():
    with patch("shop.rate", 3):
        return Till(1)

def test_left(till):
    assert till.left() == 3

def test_page():
    assert served(page) == TEXT

class TestPay:
    class Card:
        number = 5

    def test_pay(self):
        assert pay(self.Card()) == 5
"""
        },
    )
    tests = [f"test_shop.py::{name}" for name in ("test_left", "test_page", "TestPay::test_pay")]
    left, served, paid = [one.script for one in read_scripts(tmp_path, tests)]
    assert left.setup == ("with patch('shop.rate', 3):\n    till = Till(1)",)
    assert served.look == "served(page)"
    assert served.imports == {("shop", "served"), ("test_shop", "page")}
    assert (paid.setup, paid.look) == (("class Card:\n    number = 5",), "pay(Card())")


PACKAGE = {
    "tests/__init__.py": """
import unittest
from shop import Till

class Base(unittest.TestCase):
    def setUp(self):
        self.till = Till(1)
""",
    "tests/test_till.py": """
from tests import Base

class TestTill(Base):
    def test_total(self):
        self.assertEqual(self.till.total(), 1)
""",
}


def test_what_a_base_in_the_package_of_the_tests_sets_up_comes_first(tmp_path: Path) -> None:
    write_tree(tmp_path, PACKAGE)
    (found,) = read_scripts(tmp_path, ["tests/test_till.py::TestTill::test_total"])
    assert (found.script.setup, found.script.look) == (("till = Till(1)",), "till.total()")
    write_tree(tmp_path, {"tests/test_till.py": PACKAGE["tests/test_till.py"].replace("from tests", "from .")})
    assert read_scripts(tmp_path, ["tests/test_till.py::TestTill::test_total"]) == [found]


GENERATORS = """
from shop import count

def test_count():
    def numbers():
        yield 1
    assert count(numbers()) == 1

def test_old():
    yield count, [1]
"""


def test_a_generator_that_a_test_makes_is_no_reason_to_leave_the_test_out(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_count.py": GENERATORS})
    (found,) = read_scripts(tmp_path, ["test_count.py::test_count", "test_count.py::test_old"])
    assert (found.script.setup, found.script.look) == (("def numbers():\n    yield 1",), "count(numbers())")


AFTERWARDS = """
import pytest
from shop import Till, run

def test_refused():
    till = Till(1)
    with pytest.raises(ValueError, match="much"):
        till.take(5)
    assert till.total() == 1

def test_hooks():
    seen = []
    def hook(value):
        seen.append(value)
    other = []
    run([hook])
    assert seen == [1]
    assert other == []
"""


def test_what_ends_in_an_expected_error_is_done_before_what_is_looked_at_after_it(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": AFTERWARDS})
    *_, found = [one.script for one in read_scripts(tmp_path, ["test_till.py::test_refused"])]
    assert found.setup == ("till = Till(1)", "with suppress(ValueError):\n    till.take(5)")
    assert (found.look, ("contextlib", "suppress") in found.imports) == ("till.total()", True)


def test_what_a_function_of_the_test_changes_is_looked_at_after_the_call_that_was_given_it(tmp_path: Path) -> None:
    write_tree(tmp_path, {"test_till.py": AFTERWARDS})
    found = {one.script.look: one.script.setup for one in read_scripts(tmp_path, ["test_till.py::test_hooks"])}
    assert found["seen"] == ("seen = []", "def hook(value):\n    seen.append(value)", "run([hook])")
    assert found["[]"] == ()
