"""Calls under a limit that is lower than the code's own."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.lowered import lowered
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
MOST = 1 << 10
SEP = 2

class Parser:
    deepest = 100
    longest = MOST

    def parse(self, text, depth):
        if len(text) > MOST:
            raise ValueError
        if depth > self.deepest:
            raise KeyError
        if len(text) > self.longest:
            raise OSError
        if depth > SEP:
            raise IndexError
        return text
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
SOURCE = Source(
    path="shop.py", module="shop", tree=TREE, gap=Gap(path="shop.py", lines=frozenset({10})), entries=(),
    functions=FUNCTIONS, constructors={},
)  # fmt: skip


def seen(look: str, *lines: int) -> Observed:
    script = Script(imports=frozenset({("shop", "Parser")}), setup=(), look=look)
    case = Case(
        entry=FUNCTIONS[0], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    return Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset(lines)})


@pytest.mark.parametrize(
    ("line", "limit"), [(11, "shop.MOST"), (13, "shop.Parser.deepest"), (15, "shop.Parser.longest")]
)
def test_a_limit_right_before_an_open_line_is_lowered_for_what_came_to_it(line: int, limit: str) -> None:
    observed = [seen("Parser().parse('a', 1)", 10, 12, 14), seen("Parser()")]
    found = lowered(observed, SOURCE, frozenset({("shop.py", line)}), unittest=False)
    assert [(case.script.setup, case.script.look) for case in found if case.script] == [
        ((f"monkeypatch.setattr('{limit}', {value})",), "Parser().parse('a', 1)") for value in (0, 1, 2)
    ]
    assert all(case.fixtures == {"monkeypatch"} for case in found)


def test_a_limit_of_another_module_of_the_project_is_lowered_where_it_is_used() -> None:
    text = "from shop.sizes import LARGEST\n\n\ndef send(text):\n    if len(text) >= LARGEST:\n        return None\n"
    tree = ast.parse(text)
    functions = list_functions(tree, "shop.py", "shop.send")
    source = Source(
        path="shop.py", module="shop.send", tree=tree, gap=Gap(path="shop.py", lines=frozenset({6})), entries=(),
        functions=functions, constructors={},
    )  # fmt: skip
    found = lowered([seen("send('a')", 5)], source, frozenset({("shop.py", 6)}), unittest=False)
    setups = [case.script.setup for case in found if case.script]
    assert setups[0] == ("monkeypatch.setattr('shop.send.LARGEST', 0)",)


def test_without_fixtures_the_limit_is_patched_around_the_call() -> None:
    found = lowered([seen("Parser().parse('a', 1)", 12)], SOURCE, frozenset({("shop.py", 13)}), unittest=True)
    (script, *_) = [case.script for case in found if case.script]
    assert script.setup == ("with patch('shop.Parser.deepest', 0):\n    inside = Parser().parse('a', 1)",)


def test_what_a_short_input_comes_to_is_no_limit() -> None:
    assert not lowered([seen("Parser().parse('a', 1)", 16)], SOURCE, frozenset({("shop.py", 17)}), unittest=False)
