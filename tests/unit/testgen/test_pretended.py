"""Stand-ins for what a function asks beside itself, where nothing else leads to an open line."""

from __future__ import annotations

import ast

from greenlane.testgen.borrowed import borrowed_constants
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.pretended import pretended
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """\
from . import win
from .win import ready
from typing import cast

def native(fd):
    if win.driver is None or not ready():
        return False
    try:
        mode = win.mode_of(fd)
        if mode & win.NATIVE:
            return True
    except OSError:
        return False

def plain(fd):
    if fd > 3:
        return cast(int, len(str(fd)))

def start(fd):
    if __name__ == "__main__":
        ready()
"""
MODULES = {"shop.win": ("shop/win.py", ast.parse("NATIVE = 4\n"))}


def stood_in(name: str, line: int, *, unittest: bool) -> list[Script]:
    tree = ast.parse(TEXT)
    borrowed = borrowed_constants(tree, "shop/term.py", "shop.term", MODULES.get)
    functions = list_functions(tree, "shop/term.py", "shop.term", borrowed)
    entry = next(f for f in functions if f.name == name)
    source = Source(
        path="shop/term.py", module="shop.term", tree=tree, gap=Gap(path="shop/term.py", lines=frozenset({line})),
        entries=(), functions=functions, constructors={}, borrowed=borrowed,
    )  # fmt: skip
    case = Case(
        entry=entry, receiver=None, arguments=((None, "1"),), imports=frozenset(), fixtures=frozenset(), carved=True
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="opaque"), lines={source.path: frozenset({6, 16, 20})})
    found = pretended([seen], source, frozenset({(source.path, line)}), unittest=unittest)
    return [one.script for one in found if one.script is not None]


def test_what_the_conditions_before_a_line_ask_for_is_given() -> None:
    texts = [script.setup[0] for script in stood_in("native", 11, unittest=True)]
    assert texts[0] == (
        "with patch('shop.win.driver', object(), create=True), "
        "patch('shop.term.ready', return_value=True, create=True) as ready, "
        "patch('shop.win.mode_of', return_value=4, create=True) as mode_of:\n    result = native(1)"
    )


def test_an_error_that_is_handled_is_raised() -> None:
    found = stood_in("native", 13, unittest=False)
    assert any("mode_of = MagicMock(side_effect=OSError('abc'))" in script.setup for script in found)
    assert "monkeypatch.setattr('shop.win.mode_of', mode_of, raising=False)" in "\n".join(found[-1].setup)


def test_what_asks_only_what_it_is_given_gets_none() -> None:
    assert stood_in("plain", 17, unittest=False) == []


def test_a_stand_in_is_there_beside_the_flags_that_are_asked_for() -> None:
    assert (
        "ready = MagicMock(return_value=1)",
        "monkeypatch.setattr('shop.term.ready', ready, raising=False)",
        "monkeypatch.setattr('shop.term.__name__', '__main__')",
        "start(1)",
    ) in [script.setup for script in stood_in("start", 21, unittest=False)]
