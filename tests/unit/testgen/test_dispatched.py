"""Methods that are found by a word of a text."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.dispatched import swap_words, words_apart
from greenlane.testgen.inputs import Script
from greenlane.testgen.scripts import FoundScript

SOURCE = """
class Converter:
    def convert_img(self, el): ...
    def convert_p(self, el): ...
    def convert_hard_rule(self, el): ...
    def convert_soft_break(self, el): ...
    def convert_video(self, el): ...
    def close(self): ...
"""
FUNCTIONS = list_functions(ast.parse(SOURCE), "shop/convert.py", "shop.convert")


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("convert_video", "convert_img", ("video", "img")),
        ("xpath_last_of_type_function", "xpath_contains_function", ("last_of_type", "contains")),
        ("do_POST", "do_GET", ("POST", "GET")),
        ("close", "convert_img", None),
        ("convert", "convert_img", None),
        ("take", "give", None),
    ],
)
def test_names_of_one_kind_differ_in_a_word(one: str, other: str, apart: tuple[str, str] | None) -> None:
    assert words_apart(one, other) == apart


def swapped(name: str, look: str) -> list[str]:
    found = FoundScript(test="", script=Script(frozenset(), ("img = 'imgs p-p'",), look))
    entry = next(f for f in FUNCTIONS if f.name == name)
    return [one.script.look for one in swap_words(found, entry, FUNCTIONS)]


def test_the_word_of_a_sibling_is_swapped_in_texts_and_nowhere_else() -> None:
    assert swapped("convert_video", "md('<img src=\"img.png\"/>', img)") == ["md('<video src=\"video.png\"/>', img)"]
    assert swapped("convert_video", "md(\"<p class='img'>a</p>\")") == [
        "md(\"<p class='video'>a</p>\")",
        "md(\"<video class='img'>a</video>\")",
    ]


def test_words_are_swapped_with_hyphens_as_well() -> None:
    assert swapped("convert_hard_rule", "md('<soft-break/>')") == ["md('<hard-rule/>')"]


def test_a_method_without_siblings_gives_none() -> None:
    assert swapped("close", "md('<img/>')") == []
