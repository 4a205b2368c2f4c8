"""A parameter that is a node of a syntax tree is given one of a short program."""

from __future__ import annotations

import ast

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.guesses import guess_values, needs_of
from greenlane.testgen.uses import told_by_uses


@pytest.mark.parametrize(
    ("source", "first"),
    [
        (
            "def visit_Try(node):\n    return isinstance(node.body[0], ast.Raise)\n",
            "ast.parse('try:\\n    a()\\nexcept:\\n    raise').body[0]",
        ),
        ("def name_of(call: ast.Call):\n    return call.args\n", "ast.parse('a(b)').body[0].value"),
        ("def read(tree: ast.Module):\n    return ast.ClassDef\n", "ast.parse('class A:\\n    pass')"),
    ],
)  # fmt: skip
def test_a_node_is_made_of_a_program_that_shows_what_the_code_speaks_of(source: str, first: str) -> None:
    tree = parse_source(source)
    (entry,) = told_by_uses(list_functions(tree, "a.py", "a"), tree)
    (given, *_) = guess_values(entry.params[0], entry)
    assert given == first
    assert needs_of(given, entry)[0] == {("ast", "")}
    assert isinstance(eval(given, {"ast": ast}), ast.AST)  # one of those above


@pytest.mark.parametrize(
    "source", ["def visit_title(node): ...", "def visit_Try(node: cst.Try): ...", "def f(node): ..."]
)
def test_what_is_of_another_tree_is_not_taken_for_one(source: str) -> None:
    tree = parse_source(source)
    assert told_by_uses(list_functions(tree, "a.py", "a"), tree)[0].params[0].samples == ()
