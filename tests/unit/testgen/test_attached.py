"""Methods of an object that is a part of another one: called between what a test makes and what it looks at."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from greenlane.testgen.attached import attach, kept_as
from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.scripts import FoundScript
from tests.support.projects import write_tree

SIGNS = """
class Signs:
    def add(self, sign: str) -> None:
        self._signs.add(sign)

    def count(self):
        return len(self._signs)
"""
CHECKER = """
class Checker:
    def check(self, tree):
        return not tree.errors
"""
READER = "from .signs import Signs\n\n\nclass Reader:\n    def __init__(self):\n        self.signs: Signs = Signs()\n"
ADD, COUNT = list_functions(ast.parse(SIGNS), "shop/signs.py", "shop.signs")


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, str]:
    write_tree(tmp_path, {"shop/signs.py": SIGNS, "shop/reader.py": READER, "shop/other.py": "x = Signs()\n"})
    return kept_as(tmp_path, "shop/signs.py", "Signs")


def script(*setup: str, look: str) -> FoundScript:
    return FoundScript(test="t", script=Script(imports=frozenset([("shop", "Reader")]), setup=setup, look=look))


def test_the_call_stands_after_the_object_that_has_the_part(kept: dict[str, str]) -> None:
    assert kept == {"Reader": "signs"}
    first = next(attach(script("made = Reader()", look="made.read('a')"), ADD, kept))
    assert first.script.text == "made = Reader()\nmade.signs.add('other')\nmade.read('a')"


def test_an_object_without_a_name_gets_one(kept: dict[str, str]) -> None:
    first = next(attach(script(look="Reader().read('a')"), ADD, kept))
    assert first.script.text == "reader = Reader()\nreader.signs.add('other')\nreader.read('a')"


def test_an_object_of_its_own_class_is_called_at_the_end_with_what_has_the_name_of_a_parameter() -> None:
    check = next(iter(list_functions(ast.parse(CHECKER), "shop/checks.py", "shop.checks")))
    one = script("tree = parse('a')", "made = Checker(tree)", "made.strict = True", look="made.errors")
    found = next(attach(one, check, {"Checker": ""}))
    assert found.script.text == "tree = parse('a')\nmade = Checker(tree)\nmade.strict = True\nmade.check(tree)"


def test_what_a_method_gives_is_looked_at(kept: dict[str, str]) -> None:
    (found,) = attach(script("made = Reader()", look="made.read('a')"), COUNT, kept)
    assert found.script.text == "made = Reader()\nmade.signs.count()"
