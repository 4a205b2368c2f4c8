"""Functions with parameters of other kinds, where the code looks at how a function is called."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.vary import vary

SOURCE = """
import inspect

def spread(func, sep):
    return inspect.signature(func).parameters

def needed(func):
    return func.__code__.co_kwonlyargcount

def twice(func):
    return func(func(1))
"""
FUNCTIONS = {f.name: f for f in list_functions(ast.parse(SOURCE), "shop/calls.py", "shop.calls")}


def call(name: str, *arguments: str) -> Case:
    return Case(
        entry=FUNCTIONS[name], receiver=None, arguments=tuple((None, text) for text in arguments), imports=frozenset(),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip


def script(name: str) -> Case:
    made = Script(imports=frozenset(), setup=("def total(a, b):\n    return a + b",), look="twice(lambda a, b: a)(b=1)")
    case = call(name)
    return Case(
        entry=case.entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=made,
    )  # fmt: skip


def test_the_parameters_of_a_function_in_a_test_become_of_other_kinds_where_the_code_asks_for_them() -> None:
    texts = {line for case in vary(script("needed"), 60) if case.script for line in case.script.text.splitlines()}
    assert {"twice(lambda a, *, b: a)(b=1)", "twice(lambda a, /, b: a)(b=1)", "def total(a, *, b=1):"} <= texts
    assert not any(
        "b=1)" in case.script.setup[0] or ", *, " in case.script.text
        for case in vary(script("twice"), 60)
        if case.script
    ), "it does not ask"


def test_a_function_given_by_its_name_is_exchanged_for_one_of_the_kind_that_the_code_asks_for() -> None:
    given = {case.arguments for case in vary(call("spread", "len", "'a'"), 60)}
    assert ((None, "str.split"), (None, "'a'")) in given
    assert ((None, "len"), (None, "str.split")) not in given
