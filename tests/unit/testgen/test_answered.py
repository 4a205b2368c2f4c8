"""A stand-in that a call was given answers as conditions of the function ask."""

from __future__ import annotations

import ast

from greenlane.testgen.answered import answered
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
def load(parser, name):
    section = "tree" if parser.has_section(name) else "general"
    if not parser.has_option("tree", name) or parser.kind == 3:
        return []
    if name.strict and parser._hidden():
        return [section]
    return parser.get("tree").split()
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")


def _given(*arguments: str) -> list[tuple[str, ...]]:
    case = Case(
        entry=FUNCTIONS[0], receiver=None, arguments=tuple((None, text) for text in arguments), imports=frozenset(),
        fixtures=frozenset(), carved=False,
    )  # fmt: skip
    gap = Gap(path="shop.py", lines=frozenset({5}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({3, 4, 6, 8})})
    found = answered([seen], source, frozenset({("shop.py", 5)}))
    return [tuple(text for _, text in one.arguments) for one in found]


def test_first_what_is_used_then_one_answer_each_then_all_of_them() -> None:
    section, option, strict = (
        "'has_section.return_value': False",
        "'has_option.return_value': False",
        "'strict': False",
    )
    text, kind = "'get.return_value': 'abc'", "'kind': 3"
    told = [text, option, kind, strict, section, ", ".join((option, strict, section)), "'get.return_value': b'abc'"]
    told += [f"{text}, {answer}" for answer in (option, kind, strict, section)]
    assert [first for first, _ in _given("MagicMock()", "'a'")] == [f"MagicMock(**{{{one}}})" for one in told]


def test_what_is_no_plain_stand_in_stays() -> None:
    assert _given("Parser()", "'a'") == []
    assert _given("MagicMock(**{'kind': 3})", "'a'") == []
