"""What stays the same of a text that ends otherwise each time."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.beginnings import as_beginning, list_beginnings
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script

(TOKEN,) = list_functions(ast.parse("def token(name):\n    return name\n"), "shop.py", "shop")


def seen(text: str, *, script: Script | None = None, view: str = "") -> Observed:
    arguments = () if script else ((None, "'a'"),)
    case = Case(
        entry=TOKEN, receiver=None, arguments=arguments, imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    outcome = Outcome(case=0, kind="value", value=Description(text), view=view)
    return Observed(case=case, outcome=outcome, lines={}, reached=frozenset({("shop.py", 2)}))


def cut(one: str, other: str, view: str = "", script: Script | None = None) -> list[Script | None]:
    first, again = seen(one, view=view, script=script), seen(other, view=view, script=script)
    return [case.script for case in list_beginnings([first], [again], [])]


def test_a_text_that_ends_otherwise_each_time_is_looked_at_up_to_there() -> None:
    (made,) = cut("'<meta content=\"ImY5\">'", "'<meta content=\"ImA0\">'")
    assert made == Script(imports=frozenset({("shop", "token")}), setup=(), look="token('a')[:15]")
    script = Script(imports=frozenset(), setup=("held = 1",), look="make(held)")
    (made,) = cut("'id: 12'", "'id: 14'", "str", script)
    assert made == Script(imports=frozenset(), setup=("held = 1",), look="str(make(held))[:4]")


@pytest.mark.parametrize(
    ("one", "other"), [("'abcd1'", "'abcd2'"), ("'<- 1'", "'<- 2'"), ("[1]", "[2]"), ("'a'", "'a'")]
)
def test_what_says_little_is_left_out(one: str, other: str) -> None:
    assert cut(one, other) == []


def test_what_reaches_nothing_new_needs_no_second_look() -> None:
    first, again = seen("'id: 12'"), seen("'id: 14'")
    assert list_beginnings([first], [again], [first]) == []


def test_it_is_written_as_one_says_it() -> None:
    assert as_beginning("token('a')[:3]", "'ab:'") == "token('a').startswith('ab:')"
    assert as_beginning("token('a')[:3]", "'ab'") is None
    assert as_beginning("token('a')", "'ab'") is None
