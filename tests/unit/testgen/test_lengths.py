"""What a function that is called from outside asks for by the functions that it leads to."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.source import entries_at

TEXT = """
def encode(value):
    return _packed(value)

def _packed(value):
    if len(value) > 255:
        raise ValueError(value)

def scale(number):
    return -number
"""


def test_a_function_asks_for_a_length_where_one_that_it_leads_to_does() -> None:
    functions = list_functions(ast.parse(TEXT), "shop.py", "shop")
    calls = {entry.name: entry.calls for _, entry in entries_at(functions, [7, 10])}
    assert "len" in calls["encode"]
    assert "len" not in calls["scale"]
