"""How a call is written: operators as operators, with brackets where a reader needs them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import greenlane.testgen
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


SHOWN = """
from greenlane_looks import describe_value
from greenlane_values import Describer

class Rule:
    def __init__(self, *parts):
        self._parts = frozenset(parts)

    def __repr__(self):
        return f"Rule({self._parts!r})"

print([describe_value(Rule(*parts), Describer()).get("view") for parts in (("a",), ("a", "b"))])
"""


def test_what_shows_the_order_of_a_set_is_not_looked_at() -> None:
    inside = Path(greenlane.testgen.__file__).with_name("inside")
    environment = {"PATH": os.defpath, "PYTHONPATH": str(inside), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", SHOWN], env=environment, check=True, capture_output=True, text=True)
    assert ast.literal_eval(run.stdout) == ["repr", "type"]
