"""What no test calls is given what tests give to others of its name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Description, Receiver, Script
from greenlane.testgen.namesakes import namesake_calls, namesake_cases
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.swap import swap_calls
from tests.support.projects import write_tree

SOURCE = """
class Grid:
    def draw(self, size): ...
    def click(self, size, event, row=0): ...
    def _move(self, size): ...
    def clear(self): ...
    def update(self, size): ...
"""
DRAW, CLICK, MOVE, CLEAR, UPDATE = list_functions(ast.parse(SOURCE), "shop/grid.py", "shop.grid")
TESTS = """
SIZE = (3,)

def test_of_a_row():
    row = Row()
    event = "press"
    assert row.click((5,), event, row=1)
    assert row.click((5,), event, row=1)
    assert row.click(SIZE, "key")
    row.click((5,))
    row.click((5,), "press", other=1)
    row.click(row.size, "press")
    row._move((5,))
    row.update((5,))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_tree(tmp_path, {"tests/test_row.py": TESTS, "tests/broken.py": "def click(:"})
    return tmp_path


FILES = ["tests/broken.py", "tests/missing.py", "tests/test_row.py"]


def test_plain_arguments_that_fit_are_taken_the_usual_ones_first(tree: Path) -> None:
    calls = namesake_calls(tree, FILES, CLICK)
    given = [([p.text for p in c.positional if p], [(n, v.text) for n, v in c.keywords if v]) for c in calls]
    assert given == [(["(5,)", "'press'"], [("row", "1")]), (["(3,)", "'key'"], [])]


def test_nothing_is_looked_for_where_nothing_could_be_given_or_no_test_may_call_it(tree: Path) -> None:
    assert not namesake_calls(tree, FILES, MOVE)
    assert not namesake_calls(tree, FILES, CLEAR)
    assert not namesake_calls(tree, FILES, UPDATE)


def test_they_are_made_on_each_object_in_turn(tree: Path) -> None:
    objects = [Receiver(Description(text, (("shop.grid", "Grid"),))) for text in ("Grid()", "Grid(1)")]
    cases = namesake_cases(namesake_calls(tree, FILES, CLICK), CLICK, 0, objects)
    assert [case.receiver for case in cases] == ["Grid()", "Grid(1)"] * 2
    assert not any(case.carved for case in cases)


def test_a_call_of_its_kin_gives_what_both_take_and_a_namesake_the_rest(tree: Path) -> None:
    script = Script(imports=frozenset({("shop.grid", "Grid")}), setup=("grid = Grid()",), look="grid.draw((9,))")
    found = swap_calls(FoundScript(test="t", script=script), CLICK, [DRAW, CLICK], namesake_calls(tree, FILES, CLICK))
    assert "grid.click((9,), 'key')" in [one.script.look for one in found][:3]
