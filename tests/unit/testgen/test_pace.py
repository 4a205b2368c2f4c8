"""Fewer calls where each takes long."""

from __future__ import annotations

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case
from greenlane.testgen.pace import at_this_pace


@pytest.mark.parametrize(("took", "calls", "most"), [(0, 100, 480), (2, 100, 240), (4, 100, 160), (9, 20, 480)])
def test_slow_calls_are_made_seldom(took: int, calls: int, most: int) -> None:
    (entry,) = list_functions(parse_source("def price():\n    return 1\n"), "shop.py", "shop")
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True
    )  # fmt: skip
    one = Observed(case=case, outcome=Outcome(case=0, kind="value", took=took), lines={})
    assert at_this_pace(480, [one] * calls) == most
