"""A new operator is used as the tests use another one."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.operations import kin_operators, swap_operators
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


def test_what_is_changed_in_place_is_changed_by_the_new_operator_and_looked_at_as_before() -> None:
    rows = swapped("__imul__", "a = Money(1)", "a += Money(2)", look="a.amount")
    assert rows == [("a = Money(1)", "a *= Money(2)", "a.amount")]
    assert swapped("__mul__", "a = Money(1)", "a += Money(2)", look="a.amount") == []


def test_the_same_operator_written_otherwise_comes_before_others_written_like_it() -> None:
    names = ("__add__", "__iadd__", "__mul__", "pay", "__rmul__", "__imul__")
    body = "\n".join(f"    def {name}(self, other): return self" for name in names)
    functions = list_functions(ast.parse(f"class Money:\n{body}"), "shop.py", "shop")
    kin = [one.name for one in kin_operators(functions[-1], functions)]
    assert kin == ["__mul__", "__rmul__", "__iadd__", "__add__"]
    assert kin_operators(functions[3], functions) == []


@pytest.mark.parametrize(
    ("name", "look"), [("__imod__", "'%s' % a"), ("pay", "a + b"), ("__sub__", "a - b"), ("__sub__", "f(a)")]
)
def test_nothing_comes_of_anything_else(name: str, look: str) -> None:
    assert swapped(name, look=look) == []
