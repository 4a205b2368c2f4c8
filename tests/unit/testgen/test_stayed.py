"""Of a value that is another one each time, what stays the same is looked at."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Effect, Observed, Outcome
from greenlane.testgen.inputs import Case, Description
from greenlane.testgen.stayed import list_stayed

(BLOCKS,) = list_functions(ast.parse("def blocks(rows):\n    return rows\n"), "shop.py", "shop")


def seen(text: str, *more: Effect) -> Observed:
    case = Case(
        entry=BLOCKS, receiver=None, arguments=((None, "[1]"),), imports=frozenset(), fixtures=frozenset(), carved=True
    )
    outcome = Outcome(case=0, kind="value", value=Description(text), more=more)
    return Observed(case=case, outcome=outcome, lines={})


def look(view: str, text: str, attribute: str = "", where: str = "result") -> Effect:
    return Effect(where, attribute, Description(text), view)


def looks(first: Observed, again: Observed) -> list[str]:
    return [case.script.look for case in list_stayed([first], [again]) if case.script is not None]


def test_what_shows_the_same_both_times_is_looked_at_alone() -> None:
    first = seen("['#4d09e1']", look("each 0", "[[1]]"), look("each 1", "['#4d09e1']"), look("", "3", "size"))
    again = seen("['#0ef168']", look("each 0", "[[1]]"), look("each 1", "['#0ef168']"), look("", "3", "size"))
    assert looks(first, again) == ["[item[0] for item in blocks([1])]", "blocks([1]).size"]


def test_nothing_comes_of_what_shows_nothing_the_same_or_ends_otherwise() -> None:
    first = seen("['#4d09e1']", look("each 1", "['#4d09e1']"), look("", "3", "size", "receiver"))
    again = seen("['#0ef168']", look("each 1", "['#0ef168']"), look("", "3", "size", "receiver"))
    assert looks(first, again) == []
    raised = msgspec.structs.replace(again, outcome=msgspec.structs.replace(again.outcome, kind="raises"))
    assert looks(seen("1", look("len", "1")), raised) == []
