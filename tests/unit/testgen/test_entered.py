"""Context managers of functions, entered in scripts."""

from __future__ import annotations

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.entered import entered
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
import contextlib


class Till:
    @contextlib.contextmanager
    def opened(self, name):
        yield self.open(name)
        self.close()

    def price(self):
        return 1
"""


def found(line: int, setup: tuple[str, ...], look: str) -> list[tuple[tuple[str, ...], str]]:
    tree = parse_source(TEXT)
    functions = list_functions(tree, "shop.py", "shop")
    source = Source(
        path="shop.py", module="shop", tree=tree, gap=Gap(path="shop.py", lines=frozenset({line})), entries=(),
        functions=functions, constructors={},
    )  # fmt: skip
    script = Script(imports=frozenset(), setup=setup, look=look)
    case = Case(
        entry=functions[0], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="opaque"), lines={})
    cases = entered([seen], source, frozenset({("shop.py", line)}))
    return [(case.script.setup, case.script.look) for case in cases if case.script is not None]


@pytest.mark.parametrize(
    ("setup", "look", "made"),
    [
        (("till = Till()",), "till.opened('a')",
         (("till = Till()", "with till.opened('a') as inside:\n    pass"), "inside")),
        (("till = Till()", "name = till.opened('a')"), "till.rows",
         (("till = Till()", "with till.opened('a') as name:\n    pass"), "till.rows")),
        (("till = Till()", "till.opened('a')", "rows = till.rows"), "rows",
         (("till = Till()", "with till.opened('a'):\n    pass", "rows = till.rows"), "rows")),
    ],
)  # fmt: skip
def test_the_call_is_entered(setup: tuple[str, ...], look: str, made: tuple[tuple[str, ...], str]) -> None:
    assert found(8, setup, look) == [made]
    assert found(12, setup, look) == []


def test_what_calls_it_otherwise_stays() -> None:
    assert found(8, ("till = Till()",), "list(till.opened('a'))") == []
