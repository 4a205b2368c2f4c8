"""A test's own function raises what the code tells apart, in place of another error or of what it gives."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from greenlane.testgen.thrown import thrown

TEXT = """
from .errors import RetryError

def run(action):
    try:
        return action()
    except RetryError:
        return 1
    except Exception as error:
        if isinstance(error, StopIteration):
            return 2
        raise
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop/run.py", "shop.run")


def shown(setup: str, look: str, line: int) -> list[tuple[str, str, bool]]:
    gap = Gap(path="shop/run.py", lines=frozenset({line}))
    source = Source(
        path="shop/run.py", module="shop.run", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={}
    )
    script = Script(imports=frozenset({("shop.run", "run")}), setup=(setup,), look=look)
    case = Case(
        entry=FUNCTIONS[0], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="raises"), lines={"shop/run.py": frozenset({5, 6})})
    found = thrown([seen], source, frozenset({("shop/run.py", line)}))
    own = ("shop.run", "RetryError")
    return [(one.script.setup[0], one.script.look, own in one.script.imports) for one in found if one.script]


def test_an_error_that_a_condition_asks_for_is_raised_in_place_of_another() -> None:
    made = shown("def fails():\n    raise ValueError", "run(fails)", 11)
    assert made[0] == ("def fails():\n    raise StopIteration('abc')", "run(fails)", False)


def test_one_of_the_project_is_imported_from_where_the_code_has_it() -> None:
    made = shown("def gives():\n    return 1", "run(gives)", 8)
    assert made[0] == ("def gives():\n    raise RetryError('abc')", "run(gives)", True)


def test_what_a_stand_in_raises_is_exchanged_as_well() -> None:
    made = shown("action = MagicMock(side_effect=ValueError('a'))", "run(action)", 8)
    assert made[0] == ("action = MagicMock(side_effect=RetryError('abc'))", "run(action)", True)
    assert not shown("action = MagicMock(return_value=1)", "run(action)", 8)
