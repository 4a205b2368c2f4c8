"""Options that the code asks for near what is open: given wherever a call could take them."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.choose import taste
from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import list_functions
from greenlane.testgen.directed import directed
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
class Rule:
    def __init__(self, kind, error: str = "", strict=False):
        self.kind, self._error, self._strict = kind, error, strict


def check(rules, data):
    for rule in rules:
        if getattr(rule, "_error", None):
            return rule._error
    return data
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
SOURCE = Source(
    path="shop.py", module="shop", tree=TREE, gap=Gap(path="shop.py", lines=frozenset({10})), entries=(),
    functions=FUNCTIONS, constructors=list_constructors(TREE),
)  # fmt: skip


def seen(look: str, *lines: int) -> Observed:
    case = Case(
        entry=FUNCTIONS[-1], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=Script(imports=frozenset(), setup=(), look=look),
    )  # fmt: skip
    return Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset(lines)})


def test_what_ran_near_an_open_line_is_given_the_option_that_is_read_there() -> None:
    observed = [seen("check({Rule('a'): [Rule('b', error='c')]}, 1)", 9), seen("check([Rule('d')], 1)", 8)]
    found = directed(observed, SOURCE, frozenset({("shop.py", 10)}))
    texts = [case.script.look for case in found if case.script is not None]
    assert texts[0] == "check({Rule('a', error='_error'): [Rule('b', error='c')]}, 1)"
    assert all("strict" not in text and "'d'" not in text for text in texts)


def test_calls_of_different_classes_take_turns() -> None:
    observed = [*(seen(f"check([Rule({n})], 1)", 9, 10) for n in range(9)), seen("check({1: [Other('b')]}, 1)", 9)]
    rule = SOURCE.constructors["Rule"]
    source = msgspec.structs.replace(SOURCE, constructors={"Rule": rule, "Other": rule})
    found = directed(observed, source, frozenset({("shop.py", 10)}))
    texts = [case.script.look for case in found if case.script is not None]
    assert "Rule(0, " in texts[0]
    assert "Other('b', " in texts[1]


def test_a_script_with_a_plain_value_is_liked_better_than_one_with_an_empty_text() -> None:
    assert taste(seen("check(['other'], 1)")) > taste(seen("check([''], 1)"))
