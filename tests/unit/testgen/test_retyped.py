"""Where code looks at types, a type becomes one of the forms that it names."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.retyped import retyped
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
import fields
from typing import Annotated, Any, get_args, get_origin

def field_for(kind: Any):
    if get_origin(kind) is Annotated:
        for part in get_args(kind):
            if isinstance(part, fields.Field):
                return part
    return None

def plain(kind: Annotated[str, 1]):
    if kind is None:
        return 1
"""
TREE = ast.parse(TEXT)
FIELD_FOR, PLAIN = list_functions(TREE, "shop.py", "shop")
CALL = Case(
    entry=FIELD_FOR, receiver=None, arguments=((None, "list[str]"),), imports=frozenset(), fixtures=frozenset(),
    carved=True,
)  # fmt: skip
ROW = "class Row:\n    name: str\n    size = int(1)"
SCRIPT = CALL.with_script(Script(imports=frozenset({("shop", "field_for")}), setup=(ROW,), look="field_for(Row)"))


def found(case: Case, line: int) -> list[Case]:
    gap = Gap(path="shop.py", lines=frozenset({line}))
    functions = (FIELD_FOR, PLAIN)
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=functions, constructors={})
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({6, 10, 13})})
    return retyped([seen], source, frozenset({("shop.py", line)}))


def test_an_argument_that_is_a_type_gets_the_form_that_is_asked_for_with_the_classes_that_are() -> None:
    cases = found(CALL, 7)
    texts = [case.arguments[0][1] for case in cases]
    assert texts == [
        "Annotated[list[str], fields.Field]", "Annotated[list[str], fields.Field()]", "Annotated[list[str], 'abc']",
    ]  # fmt: skip
    assert cases[0].imports == {("typing", "Annotated"), ("fields", "")}


def test_so_does_an_annotation_in_a_class_of_a_test_and_nothing_else_there() -> None:
    scripts = [case.script for case in found(SCRIPT, 7) if case.script is not None]
    assert "class Row:\n    name: Annotated[str, fields.Field]\n    size = int(1)" in [one.setup[0] for one in scripts]
    assert all("size = int(1)" in one.setup[0] for one in scripts)


def test_what_a_function_says_of_its_own_parameters_asks_for_nothing() -> None:
    assert not found(CALL, 14)
