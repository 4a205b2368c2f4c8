"""Inputs inside of inputs, where a function calls itself with a part of its argument."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case
from greenlane.testgen.uses import told_by_uses
from greenlane.testgen.vary import vary

BODIES = {
    "for child in node['my_children']: names(child)": ("{'my_children': [...]}",),
    "return names(node.get('inner')) if 'inner' in node else node": ("{'inner': ...}",),
    "return {key: names(value) for key, value in node.items()}": ("{'a': ...}",),
    "return [names(one) for number, one in enumerate(node)]": ("[...]",),
    "held = node['held']\n    for row in sorted(held): yield from names(row)": ("{'held': [...]}",),
    "for row in node:\n        for one in row: names(one)": ("[[...]]",),
    "return names(node)": (),
    "return names(node.parent)": (),
    "return names(other(node))": (),
}


def function(body: str):  # type: ignore[no-untyped-def]  # a `Function`, as the module reads it
    tree = ast.parse(f"def names(node):\n    {body}\n")
    (found,) = told_by_uses(list_functions(tree, "shop.py", "shop"), tree)
    return found


@pytest.mark.parametrize("body", BODIES)
def test_a_part_that_a_function_hands_to_itself_tells_what_is_around_it(body: str) -> None:
    assert function(body).wrappings == BODIES[body]


def test_a_method_and_its_own_argument() -> None:
    tree = ast.parse(
        "class Shop:\n    def names(self, node):\n        for child in node['my_children']: self.names(child)\n"
    )
    (found,) = told_by_uses(list_functions(tree, "shop.py", "shop"), tree)
    assert found.wrappings == ("{'my_children': [...]}",)


def test_what_a_test_gives_is_put_inside_of_it() -> None:
    case = Case(
        entry=function("for child in node['my_children']: names(child)"), receiver=None,
        arguments=((None, "{'name': 'a_b'}"),), imports=frozenset(), fixtures=frozenset(), carved=True,
    )  # fmt: skip
    assert "{'my_children': [{'name': 'a_b'}]}" in {one.arguments[0][1] for one in vary(case, 40)}
