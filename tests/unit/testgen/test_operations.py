"""A new operator is used as the tests use another one."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.operations import swap_operators
from greenlane.testgen.scripts import FoundScript


def swapped(name: str, *setup: str, look: str) -> list[tuple[str, ...]]:
    (entry,) = list_functions(ast.parse(f"class Money:\n    def {name}(self, other): return self"), "shop.py", "shop")
    script = Script(imports=frozenset({("shop", "Money")}), setup=setup, look=look)
    found = FoundScript(test="tests/test_a.py::test_a", script=script)
    return [(*one.script.setup, one.script.look) for one in swap_operators(found, entry)]


@pytest.mark.parametrize(
    ("name", "look", "expected"),
    [
        ("__imul__", "a * b", ("a *= b", "a")),
        ("__ipow__", "(Money(2) + 3).amount", ("changed = Money(2)", "changed **= 3", "changed")),
        ("__sub__", "a + b", ("a - b",)),
        ("__rsub__", "a + 3", ("3 - a",)),
        ("__neg__", "str(a + b)", ("str(-a)",)),
        ("__ge__", "Money(1) < Money(2)", ("Money(1) >= Money(2)",)),
    ],
)
def test_the_operator_takes_the_place_of_another(name: str, look: str, expected: tuple[str, ...]) -> None:
    assert swapped(name, look=look) == [expected]


def test_what_is_used_before_the_look_is_changed_in_place_there() -> None:
    assert swapped("__iadd__", "a = Money(1)", "total = a * 2", look="total.amount") == [
        ("a = Money(1)", "a += 2", "a")
    ]


@pytest.mark.parametrize(
    ("name", "look"), [("__imod__", "'%s' % a"), ("pay", "a + b"), ("__sub__", "a - b"), ("__sub__", "f(a)")]
)
def test_nothing_comes_of_anything_else(name: str, look: str) -> None:
    assert swapped(name, look=look) == []
