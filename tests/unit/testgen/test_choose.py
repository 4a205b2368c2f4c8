"""What a test could be made of."""

from __future__ import annotations

import ast

import msgspec
import pytest

from greenlane.testgen.candidates import run_in_vain
from greenlane.testgen.choose import choose_tests, is_tellable
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.targets import Gap

(MAKE,) = list_functions(ast.parse("def make(kind):\n    return kind\n"), "shop.py", "shop")


def shown(*setup: str) -> Observed:
    case = Case(entry=MAKE, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True)
    value = Description("(node, 1)", imports=(("shop", "node"),))
    script = Script(imports=frozenset(), setup=setup, look="kept")
    return Observed(case=case.with_script(script), outcome=Outcome(case=0, kind="value", value=value), lines={})


def test_a_value_is_not_told_whose_name_the_test_gives_to_something_else() -> None:
    assert is_tellable(shown("kept = make(1)", "other.node = 1"))
    assert not is_tellable(shown("with patch('shop.node') as node:\n    kept = make(1)"))
    assert not is_tellable(shown("node = 1", "kept = make(node)"))


def test_what_only_calls_ran_that_are_no_candidates_any_more_was_run_in_vain() -> None:
    gap = Gap(path="shop.py", lines=frozenset({1, 2, 3}))
    first, second = (("shop.py", 1), ("shop.py", 2))
    both = msgspec.structs.replace(shown("kept = make(1)"), reached=frozenset({first, second}))
    held = msgspec.structs.replace(shown("kept = make(2)"), reached=frozenset({first}))
    assert run_in_vain([both, held], [held], gap) == {second}
    assert not run_in_vain([both, held], [both], gap)


@pytest.mark.parametrize(("text", "tests"), [("'{}/a'", 1), ("f'{{tmp_path}}/{}'", 2)])
def test_what_is_told_with_a_fixture_is_no_row(text: str, tests: int) -> None:
    def told(word: str, line: int) -> Observed:
        script = Script(imports=frozenset(), setup=(), look=f"make({word!r})")
        case = Case(
            entry=MAKE, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset({"tmp_path"}), carved=True,
            script=script,
        )  # fmt: skip
        outcome = Outcome(case=0, kind="value", value=Description(text.format(word)))
        return Observed(case=case, outcome=outcome, lines={}, reached=frozenset({("shop.py", line)}))

    wanted = frozenset({("shop.py", 1), ("shop.py", 2)})
    assert len(choose_tests([told("b", 1), told("c", 2)], wanted)) == tests
