"""Words by which a function is found in a table, and words that are asked for in the way of others."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.kindred import kin_of
from greenlane.testgen.quarry import quarry, words_for
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = '''
import re

WIND = re.compile(r"""W (?P<speed> \\d\\d )""", re.VERBOSE)
MODES = ["slow"]
LIMIT = "never named"


def stop(till):
    return till


COMMANDS = {"stop": stop, ("halt", "end"): (stop, 1), "go": print}


class Report:
    def _wind(self, found):
        self.wind = found["speed"]

    def _other(self, found):
        return found

    handlers = [(WIND, _wind, False), (re.compile("x+"), _other, True)]


@register("image", kind="picture")
def draw(node):
    if node == "plain":
        return node


connect("signal", draw)
'''
TREE = ast.parse(TEXT)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stop", {"stop", "halt", "end"}),
        ("draw", {"image", "picture", "signal"}),
    ],
)
def test_what_stands_beside_a_function_in_a_table_leads_to_it(name: str, words: set[str]) -> None:
    function = next(f for f in list_functions(TREE, "shop.py", "shop") if f.name == name)
    assert set(words_for(TREE, function)) == words


def test_texts_that_a_pattern_of_a_table_matches_are_made_with_its_flags() -> None:
    wind, other = (f for f in list_functions(TREE, "shop.py", "shop") if f.owner == "Report")
    found = words_for(TREE, wind)
    assert found
    assert all(len(text) == 3 and text[0] == "W" and text[1:].isdecimal() for text in found)
    assert set(words_for(TREE, other)) <= {"x" * count for count in range(1, 40)}


def test_the_words_of_a_table_are_what_its_goals_ask_for_and_changed_constants_are_known() -> None:
    line = next(n.lineno for n in ast.walk(TREE) if isinstance(n, ast.Return) and ast.unparse(n) == "return till")
    gap = Gap(path="shop.py", lines=frozenset({line}), changed=frozenset({line, 5}))
    source = Source(
        path="shop.py", module="shop", tree=TREE, gap=gap, entries=(),
        functions=list_functions(TREE, "shop.py", "shop"), constructors={},
    )  # fmt: skip
    asked = quarry(source, gap, frozenset({("shop.py", line)}), (), ())
    assert asked["goals"][0]["words"] == ["stop", "halt", "end"]
    assert "slow" in asked["words"]
    assert "never named" not in asked["words"]


CONFIG = """
def read(config, kind):
    if config.has_section("options"):
        return config["options"]
    if config.has_section("options.extras"):
        return config["options.extras"], "out".join(["b"])
    if kind == "a" or kind in ("b", "c"):
        return "out".join("d")
    match kind:
        case "e":
            return config.has_section(kind)
"""


@pytest.mark.parametrize(
    ("word", "kin"),
    [("options.extras", ["options"]), ("a", ["b", "c", "e"]), ("out", []), ("elsewhere", [])],
)
def test_words_that_are_asked_for_in_the_same_way_are_kin(word: str, kin: list[str]) -> None:
    assert kin_of(ast.parse(CONFIG), [word]) == kin


def test_words_that_others_hand_to_a_function_lead_to_it() -> None:
    text = """
def refuse(p, what):
    raise NotImplementedError(what)

def p_select(p):
    refuse(p, "select command")

def p_time(p):
    refuse(p, what="time")

def p_other(p):
    refuse(p, "Something else is not done here.")
    refuse(p, p.kind)
"""
    tree = ast.parse(text)
    assert words_for(tree, list_functions(tree, "shop.py", "shop")[0]) == ["select", "command", "time"]
