"""How a call is written: operators as operators, with brackets where a reader needs them."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.views import as_written, operand

NAMES = ("__and__", "__invert__", "__contains__", "__getitem__", "__repr__", "__call__", "plain")
SOURCE = "class Query:\n" + "".join(f"    def {name}(self, other): ...\n" for name in NAMES)
FUNCTIONS = {f.name: f for f in list_functions(ast.parse(SOURCE), "a.py", "a")}


@pytest.mark.parametrize(
    ("name", "given", "written"),
    [
        ("__and__", ["b == 2"], "((a == 1) & (b == 2))"),
        ("__and__", ["b"], "((a == 1) & b)"),
        ("__invert__", [], "(~(a == 1))"),
        ("__contains__", ["not b"], "((not b) in (a == 1))"),
        ("__getitem__", ["1 + 1"], "(a == 1)[1 + 1]"),
        ("__repr__", [], "repr(a == 1)"),
        ("__call__", ["key=f(1)"], "(a == 1)(key=f(1))"),
        ("plain", [], ""),
    ],
)
def test_an_operand_with_a_sign_of_its_own_stands_in_brackets(name: str, given: list[str], written: str) -> None:
    assert as_written(FUNCTIONS[name], "a == 1", given) == written


def test_a_plain_operand_stands_as_it_is() -> None:
    assert [operand(text) for text in ("a.b", "f(1)[2]", "(a | b)", "'x'")] == ["a.b", "f(1)[2]", "(a | b)", "'x'"]
