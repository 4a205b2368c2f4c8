"""Objects of classes that inherit from a class outside of the project."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.classes import list_constructors


def taken(text: str) -> list[tuple[str, str, str | None]]:
    params = list_constructors(ast.parse(text))["Own"]
    return [(p.name, p.annotation, p.default) for p in params]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class Own(dict): pass", [("items", "dict", None)]),
        ("from collections import UserList\nclass Own(UserList[int]): pass", [("items", "list", None)]),
        ("import decimal as d\nclass Own(d.Decimal): pass", [("number", "int", None)]),
        (
            "from collections import namedtuple\nclass Own(namedtuple('Own', 'x, y')): pass",
            [("x", "", None), ("y", "", None)],
        ),
        (
            "import typing\nclass Own(typing.NamedTuple('Own', [('x', int), ('y', str)])): pass",
            [("x", "int", None), ("y", "str", None)],
        ),
        ("class Own(Exception): pass", []),
        ("from elsewhere import Action\nclass Own(Action): pass", []),
        ("import antigravity\nclass Own(antigravity.Own): pass", []),
        ("from argparse import Action\nclass Action: pass\nclass Own(Action): pass", []),
        ("class Own(dict):\n    def __init__(self, name): pass", [("name", "", None)]),
        ("import decimal\nclass Own(decimal.absent): pass", []),
    ],
)
def test_what_a_base_outside_takes_its_class_takes(text: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert taken(text) == expected


def test_what_a_class_of_the_library_says_of_itself_is_asked() -> None:
    found = taken("from argparse import Action\nclass Own(Action): pass")
    assert found[:3] == [("option_strings", "", None), ("dest", "", None), ("nargs", "", "None")]


def test_options_that_are_handed_on_to_a_class_of_the_library_can_be_given() -> None:
    init = "    def __init__(self, **options):\n        super().__init__(**options)"
    text = f"import json\nclass Own(json.JSONEncoder):\n{init}"
    assert ("sort_keys", "", "False") in taken(text)
