"""Scripts: what an existing test does, cut down to one look, varied, written as a test; and crashes that are told."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

from greenlane.testgen.choose import choose_tests
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.hints import find_hints
from greenlane.testgen.idle import without_idle
from greenlane.testgen.inputs import CarvedRow, Case, Description, Script
from greenlane.testgen.literals import literals
from greenlane.testgen.neighbours import Style
from greenlane.testgen.render import WrittenCase, render_file
from greenlane.testgen.scripts import FoundScript, is_readable, read_scripts, script_case
from greenlane.testgen.targets import Gap
from greenlane.testgen.vary import vary
from greenlane.testgen.views import unbound
from tests.support.projects import write_tree

SOURCE = """
def average(amounts, rounded=False):
    if rounded:
        return sum(amounts) // len(amounts)
    return sum(amounts) / len(amounts)
"""
(AVERAGE,) = list_functions(ast.parse(SOURCE), "shop/money.py", "shop.money")
TESTS = """
import unittest
import pytest

from shop import money as m
from .helpers import basket

LIMIT = 30


@pytest.fixture
def till(opened):
    yield object()
    opened.close()


@pytest.fixture
def opened():
    'One that others need.'
    amounts = [10]
    return m.Till(amounts, limit=LIMIT)


@pytest.fixture(name="full")
def make_full(opened, capsys):
    opened.fill(LIMIT)
    yield opened.amounts()


@pytest.fixture
def tmp_path(tmp_path):
    return tmp_path / "own"


def prices(count):
    return [LIMIT] * count


def test_of_a_basket(tmp_dir):
    other = basket(tmp_dir / "unused")
    full = basket(tmp_dir)
    full.add(10)
    spent = m.average(full.amounts())
    assert spent == 10


def test_of_helpers():
    assert m.average(prices(2)) == 30


@pytest.mark.parametrize(("given", "expected"), [([1, 3], 2), ([5], 5)])
def test_of_rows(given, expected):
    assert m.average(given, rounded=True) == expected


def test_of_a_fixture_of_this_file(till):
    assert m.average([till.count]) == 1


def test_of_one_that_extends_another(tmp_path):
    assert m.average(list(tmp_path.parts)) == 1


def test_of_given_amounts(full):
    assert m.average(full) == 10


class TestTill(unittest.TestCase):
    rounded = True

    def setUp(self):
        super().setUp()
        self.amounts = [3]

    def test_on_self(self):
        self.amounts.append(4)
        self.assertEqual(m.average(self.amounts, self.rounded), 3)


class TestOther(unittest.TestCase):
    def setUp(self):
        self.file = open("a")
        self.addCleanup(self.file.close)

    def test_that_cleans_up(self):
        self.assertEqual(m.average(self.file), 3)


def test_that_raises():
    empty = []
    with pytest.raises(ZeroDivisionError):
        m.average(empty)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_tree(tmp_path, {"tests/__init__.py": "", "tests/test_money.py": TESTS})
    return tmp_path


def scripts(tree: Path, test: str) -> list[FoundScript]:
    return read_scripts(tree, [f"tests/test_money.py::{test}"])


def look_at(tree: Path, test: str, look: str) -> FoundScript:
    return next(found for found in scripts(tree, test) if found.script.look == look)


def case_of(script: Script, entry: Function = AVERAGE) -> Case:
    return Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )


def test_a_script_holds_what_its_look_depends_on_and_nothing_else(tree: Path) -> None:
    found = look_at(tree, "test_of_a_basket", "m.average(full.amounts())")
    assert found.script.setup == ("full = basket(tmp_dir)", "full.add(10)")
    assert found.script.imports == {("shop", "money as m"), ("tests.helpers", "basket")}
    assert found.fixtures == {"tmp_dir"}


def test_short_helpers_and_constants_of_the_file_come_along(tree: Path) -> None:
    (found, *_) = scripts(tree, "test_of_helpers")
    assert found.script.setup == ("LIMIT = 30", "def prices(count):\n    return [LIMIT] * count")


def test_a_row_of_a_parametrised_test_is_filled_in(tree: Path) -> None:
    looks = [found.script.look for found in scripts(tree, "test_of_rows")]
    assert looks == ["m.average([1, 3], rounded=True)", "m.average([5], rounded=True)"]


def test_a_fixture_that_extends_another_is_left_alone(tree: Path) -> None:
    assert scripts(tree, "test_of_one_that_extends_another") == []


def test_fixtures_of_this_file_are_written_out_with_those_that_they_need(tree: Path) -> None:
    found = look_at(tree, "test_of_given_amounts", "m.average(full)")
    made = ("amounts = [10]", "opened = m.Till(amounts, limit=LIMIT)", "opened.fill(LIMIT)")
    assert found.script.setup == ("LIMIT = 30", *made, "full = opened.amounts()")
    assert found.fixtures == frozenset(), "one that nothing asks for is left out"


def test_what_stands_on_self_gets_a_plain_name(tree: Path) -> None:
    found = look_at(tree, "TestTill::test_on_self", "m.average(amounts, rounded)")
    assert found.script.setup == ("rounded = True", "amounts = [3]", "amounts.append(4)")
    found = look_at(tree, "TestOther::test_that_cleans_up", "inside")
    assert found.script.setup[1] == "try:\n    inside = m.average(file)\nfinally:\n    file.close()"


def test_a_look_inside_raises_is_a_look(tree: Path) -> None:
    (found,) = scripts(tree, "test_that_raises")
    assert (found.script.setup, found.script.look) == (("empty = []",), "m.average(empty)")


def test_a_link_out_of_the_tree_is_not_read(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "test_money.py"
    outside.write_text(TESTS, encoding="utf-8")
    (tree / "tests/test_linked.py").symlink_to(outside)
    assert read_scripts(tree, ["tests/test_linked.py::test_of_helpers"]) == []


def test_a_script_varies_in_one_place_at_a_time() -> None:
    script = Script(frozenset(), ("amounts = [10]", "log(amounts)"), "average(amounts)")
    texts = {c.script.text for c in vary(case_of(script), 80, {"average": AVERAGE.params}) if c.script}
    assert "amounts = [10]\naverage(amounts)" in texts, "a call that may not matter is left out"
    assert "amounts = []\nlog(amounts)\naverage(amounts)" in texts
    assert "amounts = [10]\nlog(amounts)\naverage(amounts, rounded=True)" in texts
    assert script.text not in texts


def seen(case: Case, **outcome: object) -> Observed:
    return Observed(
        case=case,
        outcome=Outcome(case=0, **outcome),  # type: ignore[arg-type]  # fields by name
        lines={"shop/money.py": frozenset({5})},
        reached=frozenset({("shop/money.py", 5)}),
    )


def test_a_script_is_written_in_the_words_of_the_test_that_it_is_from() -> None:
    script = Script(frozenset({("shop", "money as m")}), ("amounts = [10]",), "m.average(amounts)")
    observed = seen(case_of(script), kind="value", value=Description("10.0"))
    (chosen,) = choose_tests([observed], frozenset({("shop/money.py", 5)}))
    text = render_file([WrittenCase(name="test_it", purpose="It does.", chosen=chosen)], Style(folder="tests"))
    assert "from shop import money as m\n" in text
    assert "    amounts = [10]\n    assert m.average(amounts) == 10.0\n" in text


def test_a_script_that_raises_is_written_with_raises() -> None:
    script = Script(frozenset({("shop", "money as m")}), (), "total = m.average('abc')")
    observed = seen(
        case_of(script), kind="raises", error=("builtins", "ValueError"), importable=True, deliberate=True, message="no"
    )
    (chosen,) = choose_tests([observed], frozenset({("shop/money.py", 5)}))
    text = render_file([WrittenCase(name="test_it", purpose="It does.", chosen=chosen)], Style(folder="tests"))
    assert "    with pytest.raises(ValueError, match='no'):\n        total = m.average(\"abc\")\n" in text.replace(
        'match="no"', "match='no'"
    )


GAP = Gap(path="shop/money.py", lines=frozenset({5}), changed=frozenset({4, 5}))


def crash(text: str, *, steps: int = 1, **changes: object) -> Observed:
    case = msgspec.structs.replace(case_of(Script(frozenset(), (), "")), script=None, arguments=((None, text),))
    given: dict[str, object] = {
        "kind": "raises", "error": ("builtins", "ZeroDivisionError"), "importable": True, "message": "division by zero",
        "at": ("shop/money.py", 5),
    }  # fmt: skip
    return seen(msgspec.structs.replace(case, steps=steps), **(given | changes))


def test_a_block_that_raises_is_written_without_a_name_for_what_it_would_have_given() -> None:
    look = "with opened('a') as shop:\n    inside = shop.check()"
    assert unbound(look) == "with opened('a') as shop:\n    shop.check()"
    assert unbound("with opened('a') as shop:\n    other = shop.check()").endswith("other = shop.check()")
    assert unbound("check()") == "check()"


def test_a_crash_on_a_changed_line_is_told_by_its_nearest_call() -> None:
    (hint,) = find_hints([crash("[0] * 0"), crash("[]")], GAP)
    assert (hint.line, hint.call, hint.error) == (5, "average([])", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("why", "observed"),
    [
        ("it is raised on purpose", crash("[]", deliberate=True)),
        ("the line is not of the change", crash("[]", at=("shop/money.py", 2))),
        ("the error came from outside of the project", crash("[]", at=None)),
        ("the call is far from what a test does", crash("[]", steps=2)),
        ("a wrong type was given", crash("'a'", error=("builtins", "TypeError"), message="unsupported operand")),
        ("None was given", crash("None", error=("builtins", "TypeError"), message="'NoneType' object is not iterable")),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_no_crash_is_told_where(why: str, observed: Observed) -> None:
    assert find_hints([observed], GAP) == (), why


def test_none_that_nobody_gave_is_a_crash() -> None:
    error = {"error": ("builtins", "AttributeError"), "message": "'NoneType' object has no attribute 'group'"}
    assert len(find_hints([crash("'abc'", **error)], GAP)) == 1


def test_a_script_that_changes_what_it_imported_is_none(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "tests/test_money.py": """
                def test_it():
                    from shop import Money

                    Money.currency = "CHF"
                    assert Money(1).text() == "1 CHF"
                    Money.currency = "EUR"
            """
        },
    )
    assert read_scripts(tree, ["tests/test_money.py::test_it"]) == []


def test_rows_are_read_wherever_they_stand(tmp_path: Path) -> None:
    text = """
import pytest
from shop.money import average

ROWS = [pytest.param([1], id="one"), pytest.param([2], marks=pytest.mark.skip), [3]]
parametrize = pytest.mark.parametrize

@parametrize("given", ROWS)
class TestAverage:
    @parametrize("rounded,expected", [(True, 1)])
    def test_average(self, given, rounded, expected):
        assert average(given, rounded=rounded) == expected
"""
    write_tree(tmp_path, {"tests/test_more.py": text})
    found = read_scripts(tmp_path, ["tests/test_more.py::TestAverage::test_average"])
    assert [one.script.look for one in found] == ["average([1], rounded=True)", "average([3], rounded=True)"]


def test_what_an_asynchronous_test_awaits_is_awaited_in_the_loop_of_its_plugin(tmp_path: Path) -> None:
    text = """
import pytest
from shop.client import Client

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

async def test_get(shop):
    url = "/basket"
    async with Client(shop) as client:
        answer = await client.get(url)
    assert answer.ok
    assert len(url) == 7

def test_plain():
    async def pay():
        return await Client().pay()
    assert Client().run(pay) == 1
"""
    write_tree(tmp_path, {"tests/test_client.py": text})
    found = read_scripts(tmp_path, ["tests/test_client.py::test_get"])
    (script,) = [one.script for one in found if one.script.look == "answer.ok"]
    assert script.setup[-1] == "async with Client(shop) as client:\n    answer = await client.get(url)"
    assert script.marks == ("pytest.mark.asyncio",)
    (still,) = [one.script for one in found if one.script.look == "len(url)"]
    assert still.marks is None
    (plain,) = [one.script for one in read_scripts(tmp_path, ["tests/test_client.py::test_plain"])]
    assert (plain.look, plain.marks) == ("Client().run(pay)", None)


def test_what_a_unittest_awaits_is_run_in_a_coroutine_of_its_own(tmp_path: Path) -> None:
    text = """
import unittest
from shop.client import Client

class ClientTest(unittest.IsolatedAsyncioTestCase):
    async def test_get(self):
        answer = await Client().get("/basket")
        self.assertTrue(answer.ok)
"""
    write_tree(tmp_path, {"tests/test_client.py": text})
    found = read_scripts(tmp_path, ["tests/test_client.py::ClientTest::test_get"])
    (script,) = [one.script for one in found if "answer.ok" in one.script.setup[0]]
    assert script.setup[0].splitlines()[0] == "async def outcome():"
    assert (script.look, script.marks) == ("asyncio.run(outcome())", None)
    assert ("asyncio", "") in script.imports


def test_a_look_in_a_with_block_is_taken_with_no_more_of_the_block_than_it_needs(tmp_path: Path) -> None:
    text = """
from shop.app import app

def test_client():
    with app.client() as client:
        other = len("/other")
        answer = client.get("/")
        assert answer.data == b"x"
"""
    write_tree(tmp_path, {"tests/test_app.py": text})
    scripts = [one.script for one in read_scripts(tmp_path, ["tests/test_app.py::test_client"])]
    whole = "with app.client() as client:\n    answer = client.get('/')\n    inside = answer.data"
    assert (whole,) in [script.setup for script in scripts if script.look == "inside"]


@pytest.mark.parametrize(
    "asserts", ["self.assertEqual(expected, result)", "assert expected == result", "assert 'a' == result"]
)
def test_what_is_held_against_a_name_for_a_literal_is_looked_at_and_not_the_literal(
    tmp_path: Path, asserts: str
) -> None:
    text = f"""
import unittest
from shop.app import fixed

class FixTest(unittest.TestCase):
    def test_fixed(self):
        expected = "a b"
        with fixed("a  b") as result:
            {asserts}
"""
    write_tree(tmp_path, {"tests/test_app.py": text})
    found = read_scripts(tmp_path, ["tests/test_app.py::FixTest::test_fixed"])
    assert [one.script.setup[-1] for one in found] == ["with fixed('a  b') as result:\n    inside = result"]


def test_an_empty_list_that_something_fills_is_what_a_test_looks_at(tmp_path: Path) -> None:
    text = """
from shop.app import fill

def test_fill():
    rows = []
    fill(rows)
    other = [1]
    assert rows == other
"""
    write_tree(tmp_path, {"tests/test_app.py": text})
    looks = [one.script.look for one in read_scripts(tmp_path, ["tests/test_app.py::test_fill"])]
    assert looks == ["fill(rows)", "rows"]


def test_what_is_held_against_a_matcher_is_looked_at_without_the_assertions_before_it(tmp_path: Path) -> None:
    text = """
from hamcrest import assert_that, contains, has_length
from shop.app import Reader

def test_rows():
    reader = Reader()
    reader.read("a")
    assert_that(reader, contains("a"))
    assert_that(reader.rows, has_length(1))
"""
    write_tree(tmp_path, {"tests/test_app.py": text})
    found = [one.script for one in read_scripts(tmp_path, ["tests/test_app.py::test_rows"])]
    (rows,) = [one for one in found if one.look == "reader.rows"]
    assert rows.setup == ("reader = Reader()", "reader.read('a')")


def test_an_error_that_is_expected_beside_what_the_block_opens_is_a_look_inside_of_that(tmp_path: Path) -> None:
    text = """
import pytest
from shop.app import opened

def test_rejects():
    with opened("a") as shop, pytest.raises(ValueError):
        shop.check()
"""
    write_tree(tmp_path, {"tests/test_app.py": text})
    (found,) = read_scripts(tmp_path, ["tests/test_app.py::test_rejects"])
    assert found.script.setup == ("with opened('a') as shop:\n    inside = shop.check()",)


def test_a_helper_that_is_long_by_its_words_comes_along_without_them(tmp_path: Path) -> None:
    words = "\n".join(f"    line {n}" for n in range(20))
    text = f"""
def doubled(value):
    \"""What it does.
{words}
    \"""
    while value < 5:
        value = value * 2
    return value


def test_price():
    assert shop.price(doubled(1)) == 2
"""
    (tmp_path / "test_shop.py").write_text("import shop\n" + text)
    (found,) = read_scripts(tmp_path, ["test_shop.py::test_price"])
    assert found.script.setup == (
        "def doubled(value):\n    while value < 5:\n        value = value * 2\n    return value",
    )


def test_of_a_long_helper_class_a_script_takes_what_it_uses(tmp_path: Path) -> None:
    other = "\n".join(f"    def other_{n}(self):\n        return {n}\n" for n in range(8))
    text = f"""
class Shop:
    limit = 3
    rest = 4

    def __init__(self):
        self.count = 0

    def price(self, value):
        return self._doubled(value)

    def _doubled(self, value):
        return value * self.limit

{other}

def test_price():
    assert Shop().price(2) == 6
"""
    (tmp_path / "test_shop.py").write_text(text)
    (found,) = read_scripts(tmp_path, ["test_shop.py::test_price"])
    helper, look = found.script.setup[0], found.script.look
    assert look == "Shop().price(2)"
    names = ["limit", "__init__", "price", "_doubled"]
    assert [name for name in [*names, "rest", "other_1"] if name in helper] == names
    made: dict[str, object] = {}
    exec(helper, made)
    assert eval(look, made) == 6


def test_of_a_long_helper_class_that_inherits_all_methods_come_along(tmp_path: Path) -> None:
    words = "\n".join(f"    text_{n} = {n}\n" for n in range(16))
    text = f"""
from shop import Rule, run

class Own(Rule):
    text = "a"
{words}
    def match(self, node):
        return node

def test_rule():
    assert run(Own, Own.text) == "a"
"""
    (tmp_path / "test_shop.py").write_text(text)
    (found,) = read_scripts(tmp_path, ["test_shop.py::test_rule"])
    assert found.script.setup == (
        "class Own(Rule):\n    text = 'a'\n\n    def match(self, node):\n        return node",
    )


def test_of_a_helper_class_that_is_too_long_the_methods_come_along_that_are_to_be_written_out(tmp_path: Path) -> None:
    steps = "\n".join(f"        node += {n}" for n in range(16))
    text = f"""
import pytest
from shop import After, Rule, run

class Own(Rule):
    def match(self, node):
        return After(self.long(node))

    def long(self, node):
{steps}
        return node

class Other(Rule):
    pass

@pytest.mark.parametrize("rule", [Other, Other, Other, Own])
def test_rule(rule):
    assert run(rule) == "a"
"""
    write_tree(tmp_path, {"tests/test_shop.py": text})
    test = "tests/test_shop.py::test_rule[Own]"
    (whole,) = read_scripts(tmp_path, [test], "tests")
    assert (whole.script.setup, whole.script.look) == ((), "run(Own)")
    (found,) = read_scripts(tmp_path, [test], "tests", {"After"})
    assert found.script.setup == (
        "class Own(test_shop.Own):\n\n    def match(self, node):\n        return After(self.long(node))",
    )
    assert found.script.imports == {("shop", "After"), ("shop", "run"), ("test_shop", "")}


def test_what_nothing_uses_any_more_is_left_out_with_its_import() -> None:
    setup = (
        "names = {'a', Kind.ONE}",
        "files = ['a']",
        "shop = open_shop()",
        "old, new = shop.sell('a')",
        "shop.close()",
    )
    imports = frozenset([("shop", "open_shop"), ("shop.kinds", "Kind"), ("shop.log as log", "")])
    script = Script(imports=imports, setup=setup, look="shop.name")
    plain = without_idle(script)
    assert plain.setup == (setup[0], *setup[2:]), "what looks up an attribute, or calls, may do something"
    fewer = without_idle(script, calls=True)
    assert fewer.setup == ("shop = open_shop()", "shop.close()")
    assert fewer.imports == frozenset([("shop", "open_shop")])
    assert without_idle(fewer, calls=True) is fewer


def test_what_a_test_patches_stays_and_is_no_look(tmp_path: Path) -> None:
    test = "def test_it(monkeypatch):\n    monkeypatch.setenv('SHOP_COLOUR', 'red')\n    shop.paint('door')\n"
    text = f"import shop\nimport pickle\n\n{test}    pickled = pickle.dumps(shop.Door())\n"
    write_tree(tmp_path, {"tests/test_it.py": text})
    (found,) = read_scripts(tmp_path, ["tests/test_it.py::test_it"])
    assert found.script.look == "shop.paint('door')"
    setting = "monkeypatch.setenv('SHOP_COLOUR', 'red', prepend=None)"
    assert [value for _, value in literals(ast.parse(setting))] == ["red"]
    assert [value for _, value in literals(ast.parse("monkeypatch.setattr('sys.platform', -5)"))] == [-5]
    assert not list(literals(ast.parse("with patch('shop.paint.now'):\n    pass")))
    assert not list(literals(ast.parse("with mock.patch('shop.paint.now'):\n    pass")))
    assert [value for _, value in literals(ast.parse("MagicMock(**{'kind.return_value': 3})"))] == [3]
    assert not list(literals(ast.parse("try:\n    pass\nfinally:\n    door.close('red')")))
    assert [value for _, value in literals(ast.parse("def made(value: 'str') -> 'int':\n    return 3"))] == [3]
    assert [value for _, value in literals(ast.parse("'-'.join(['a', 'b'])"))] == ["a-b"]
    assert [value for _, value in literals(ast.parse("'a' + ('b' + 'c') + name + 'd'"))] == ["d", "abc"]
    assert [value for _, value in literals(ast.parse("'-'.join(['a', name])"))] == ["-", "a"]


def test_an_option_of_the_function_is_given_in_a_script_that_calls_it() -> None:
    script = Script(imports=frozenset(), setup=("class Euros(list):\n    pass",), look="average(Euros([1, 2]))")
    case = script_case(AVERAGE, FoundScript(test="", script=script))
    looks = [one.script.look for one in vary(case, 12) if one.script is not None]
    assert "average(Euros([1, 2]), rounded=True)" in looks


INHERITED = """
import unittest
from shop.money import average


class MoneyCase(unittest.TestCase):
    kind = None
    rounded = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.most = 9

    def setUp(self):
        self.amounts = self.kind([1, self.most])

    def test_average(self):
        self.assertEqual(average(self.amounts, self.rounded), 5)


class TupleCase(MoneyCase):
    kind = tuple


class ListCase(MoneyCase):
    kind = list

    def setUp(self):
        super(ListCase, self).setUp()
        self.amounts.append(2)


class OtherCase(MoneyCase):
    def setUp(self):
        self.amounts = [7]
"""


@pytest.mark.parametrize(
    ("name", "setup"),
    [
        ("TupleCase", ("rounded = False", "kind = tuple", "most = 9", "amounts = kind([1, most])")),
        ("ListCase", ("rounded = False", "kind = list", "most = 9", "amounts = kind([1, most])", "amounts.append(2)")),
        ("OtherCase", ("rounded = False", "amounts = [7]")),
    ],
)
def test_what_a_class_of_tests_inherits_is_written_out(tmp_path: Path, name: str, setup: tuple[str, ...]) -> None:
    write_tree(tmp_path, {"tests/test_money.py": INHERITED})
    (found,) = read_scripts(tmp_path, [f"tests/test_money.py::{name}::test_average"])
    assert (found.script.setup, found.script.look) == (setup, "average(amounts, rounded)")


BASE = """
import unittest
from shop.money import average

KINDS = {"list": list}


class MoneyCase(unittest.TestCase):
    def setUp(self):
        self.amounts = KINDS["list"]([1, 2])
"""
DERIVED = """
from shop.money import average
from tests.base import MoneyCase


class AverageCase(MoneyCase):
    def test_average(self):
        self.assertEqual(average(self.amounts), 1.5)
"""


def test_what_a_base_in_another_file_sets_up_is_written_out_with_what_that_needs(tmp_path: Path) -> None:
    write_tree(tmp_path, {"tests/base.py": BASE, "tests/test_money.py": DERIVED})
    (found,) = read_scripts(tmp_path, ["tests/test_money.py::AverageCase::test_average"])
    assert (found.script.setup, found.script.look) == (("amounts = KINDS['list']([1, 2])",), "average(amounts)")
    assert found.script.imports == frozenset([("shop.money", "average"), ("tests.base", "KINDS")])
    write_tree(tmp_path, {"tests/test_money.py": f"KINDS = {{}}\n{DERIVED}"})
    assert read_scripts(tmp_path, ["tests/test_money.py::AverageCase::test_average"]) == [], "another KINDS"


@pytest.mark.parametrize(("look", "readable"), [("price(1)", True), ("price(", False), ("", True)])
def test_a_script_that_can_not_be_written_as_a_program_is_told_apart(look: str, readable: bool) -> None:
    assert is_readable(Script(frozenset(), ("a = 1",), look)) is readable


def test_rows_that_are_computed_are_read_as_they_were_seen_and_annotations_go(tmp_path: Path) -> None:
    test = """
import pytest
from shop.money import average
from tests.data import all_rows

KINDS: list[type] = [list]

@pytest.mark.parametrize("amounts", all_rows())
def test_average(amounts):
    total: float = average(amounts)
    assert total == 1

@pytest.mark.parametrize("kind", KINDS)
def test_kind(kind):
    assert average(kind([1, 2])) == 1
"""
    write_tree(tmp_path, {"tests/test_money.py": test})
    name = "tests/test_money.py::test_average"
    seen = [CarvedRow(f"{name}[amounts{n}]", (("amounts", Description(f"[{n}]")),)) for n in (1, 2)]
    assert read_scripts(tmp_path, [name]) == []
    found = read_scripts(tmp_path, [f"{name}[amounts2]"], rows=seen)
    assert {one.script.look for one in found} == {"average([2])"}
    made = CarvedRow(f"{name}[amounts3]", (("amounts", Description("list('12')")),))
    (named,) = read_scripts(tmp_path, [f"{name}[amounts3]"], rows=[made])
    assert (named.script.setup, named.script.look) == (("amounts = list('12')",), "average(amounts)")
    (kind,) = read_scripts(tmp_path, ["tests/test_money.py::test_kind"])
    assert kind.script.look == "average(list([1, 2]))"
