"""Existing tests under circumstances that the code asks for."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.surrounded import surrounded
from greenlane.testgen.targets import Gap

TEXT = """
import os
import sys

def main(args):
    if os.getenv("GITHUB_ACTIONS") == "true":
        return told(args)
    if sys.platform == "win32":
        return None
    return args

def told(args):
    return args
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
SOURCE = Source(
    path="shop.py", module="shop", tree=TREE, gap=Gap(path="shop.py", lines=frozenset({7})), entries=(),
    functions=FUNCTIONS, constructors={},
)  # fmt: skip


def under_circumstances(setup: tuple[str, ...], *lines: int, unittest: bool = False) -> list[list[str]]:
    script = Script(imports=frozenset({("shop", "main")}), setup=setup, look="main(['a'])")
    case = Case(
        entry=FUNCTIONS[0], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset(lines)})
    found = surrounded([seen], SOURCE, frozenset({("shop.py", 7)}), unittest=unittest)
    return [[*one.script.setup, one.script.look] for one in found if one.script]


def test_a_test_that_came_into_the_function_is_made_under_each_circumstance() -> None:
    found = under_circumstances((), 6)
    assert found[0] == ["monkeypatch.setenv('GITHUB_ACTIONS', 'true')", "main(['a'])"]
    assert ["monkeypatch.setattr('sys.platform', 'win32')", "main(['a'])"] in found
    (block, look), *_ = under_circumstances((), 6, unittest=True)
    assert block == "with patch.dict('os.environ', {'GITHUB_ACTIONS': 'true'}):\n    inside = main(['a'])"
    assert look == "inside"


def test_what_a_test_sets_itself_stays_and_others_are_not_asked() -> None:
    found = under_circumstances(("monkeypatch.setenv('GITHUB_ACTIONS', 'no')",), 6)
    assert found
    assert not any("'true'" in text for texts in found for text in texts)
    assert not under_circumstances((), 13)
