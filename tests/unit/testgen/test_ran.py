"""Which existing tests are asked about a line: a few that ran little else, and of many some of each kind."""

from __future__ import annotations

import ast

import msgspec

from greenlane.suite.runner import SuiteRun
from greenlane.testgen.code import enclosing, list_functions
from greenlane.testgen.ran import nearest_tests, noticing_tests
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap


class _Run(msgspec.Struct):
    contexts: dict[str, dict[int, frozenset[str]]]


def test_focused_tests_and_some_of_each_kind_are_asked_about_a_line() -> None:
    wide = {f"t.py::test_{kind}_{n:03}" for kind in "abcd" for n in range(100)}
    narrow = {f"t.py::test_narrow_{n}" for n in range(3)}
    ran = {1: frozenset(wide), 2: frozenset(wide | narrow | {""})}
    run: SuiteRun = _Run({"shop.py": ran})  # type: ignore[assignment]  # the one part that is read
    asked = noticing_tests(2, "shop.py", run)
    assert set(asked[:3]) == narrow
    assert len(asked) <= 30
    assert {name.split("_")[1] for name in asked[3:]} == set("abcd")
    assert noticing_tests(3, "shop.py", run) == []


def test_a_new_class_is_reached_by_the_tests_of_those_that_are_used_like_it() -> None:
    text = """
class Old:
    def shown(self):
        return 1

class New:
    def shown(self):
        return 2
"""
    ran = {4: frozenset({"t.py::test_shown"})}
    assert near(text, 8, ran) == ["t.py::test_shown"]


def test_where_one_test_runs_a_function_those_of_its_neighbours_follow_in_turn() -> None:
    text = """
class Answer:
    def status(self):
        return 1

    def html(self):
        return 2

    def xml(self, **options):
        if self.status() == 1:
            return 3
        return 4
"""
    far = frozenset({"t.py::test_a", "t.py::test_b"})
    ran = {4: far, 7: frozenset({"t.py::test_html", "t.py::test_z"}), 10: frozenset({"t.py::test_xml"})}
    assert near(text, 12, ran) == [f"t.py::test_{name}" for name in ("xml", "html", "a", "z", "b")]
    assert near(text, 12, ran | {10: frozenset({"t.py::1", "t.py::2", "t.py::3"})}) == ["t.py::1", "t.py::2", "t.py::3"]


def test_a_function_that_no_test_runs_is_reached_by_the_tests_of_what_it_calls() -> None:
    text = """
class Till:
    def size(self):
        return 1

    def open(self, name):
        return 2

    def opened(self, name):
        yield self.open(name)
"""
    ran = {
        4: frozenset({"t.py::test_a"}),
        7: frozenset({"t.py::test_open", "t.py::test_z"}),
        8: frozenset({"t.py::test_z"}),
    }
    assert near(text, 10, ran) == [f"t.py::test_{name}" for name in ("open", "z", "a")]


def near(text: str, line: int, ran: dict[int, frozenset[str]]) -> list[str]:
    tree = ast.parse(text)
    functions = list_functions(tree, "shop.py", "shop")
    source = Source(
        path="shop.py", module="shop", tree=tree, gap=Gap(path="shop.py", lines=frozenset({line})), entries=(),
        functions=functions, constructors={},
    )  # fmt: skip
    run: SuiteRun = _Run({"shop.py": ran})  # type: ignore[assignment]  # the one part that is read
    function = enclosing(functions, line)
    assert function is not None
    return nearest_tests(line, function, source, run)


def test_of_a_test_with_parameters_the_few_nearest_rows_come_before_it() -> None:
    text = "def price(item):\n    if item:\n        return 1\n    return 0\n"
    rows = frozenset(f"t.py::test_price[{kind}]" for kind in "abcd")
    assert near(text, 3, {2: rows}) == [f"t.py::test_price[{kind}]" for kind in "abc"]
    assert near(text, 3, {2: frozenset({"t.py::test_price[d]"})}) == ["t.py::test_price[d]", "t.py::test_price"]


def test_where_none_came_near_a_new_class_tests_of_others_with_its_base_are_asked_then_of_any_in_the_file() -> None:
    text = """
class Other:
    def first(self):
        return 0

class Old(Base):
    def second(self):
        return 1

class New(%s):
    def third(self):
        return 2
"""
    ran = {4: frozenset({"t.py::test_first"}), 8: frozenset({"t.py::test_second"})}
    assert near(text % "Base", 12, ran) == ["t.py::test_second"]
    assert near(text % "object", 12, ran) == ["t.py::test_first", "t.py::test_second"]
