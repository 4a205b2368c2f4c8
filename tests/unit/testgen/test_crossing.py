"""Tests crossed with one another: edits of programs, and a search that finds its way with them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.crossing import list_fragments
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.inside.greenlane_edits import Edit, Stock, applied, edits, parsed
from greenlane.testgen.named import list_named
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from tests.support.insides import search

RULES = """\
class Either:
    def __init__(self, *names):
        self.names = names

class Needed:
    def __init__(self, name, loud=False):
        self.name, self.loud = name, loud

def check(rules, row):
    for rule in rules:
        if isinstance(rule.name, Either):
            if not any(name in row for name in rule.name.names):
                if rule.loud:
                    return "LOUD"
                return "none of them"
    return "fine"
"""
PROGRAM = ["rules = [Needed('a')]", "check(rules, {'a': 1})"]


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (Edit(0, 2, "put", 0), "rules = [Needed(Either('b', 'c'))]"),
        (Edit(0, 2, "wrap", 0, 1), "rules = [Needed(Either('b', 'a'))]"),
        (Edit(0, 1, "option", 0), "rules = [Needed('a', loud=True)]"),
        (Edit(0, 2, "value", 0), "rules = [Needed(7)]"),
        (Edit(0, 1, "call", 0), "rules = [Either('a')]"),
        (Edit(0, 0, "cut", 0), "rules = []"),
        (Edit(0, 0, "item", 0), "rules = [Needed('a'), Either('b', 'c')]"),
    ],
)
def test_an_edit_changes_one_expression(edit: Edit, text: str) -> None:
    stock = Stock(["Either('b', 'c')"], [("Needed", "loud", "True")], [7])
    assert applied(PROGRAM, [edit], stock) == [text, PROGRAM[1]]


@pytest.mark.parametrize(
    "edit",
    [
        Edit(2, 0, "put", 0),
        Edit(-1, 0, "put", 0),
        Edit(0, 99, "put", 0),
        Edit(0, 1, "put", -1),
        Edit(0, 1, "put", 5),
        Edit(0, 2, "option", 0),
        Edit(0, 2, "other", 0),
        Edit(0, 2, "wrap", 0, 4),
        Edit(0, 1, "item", 0),
        Edit(1, 2, "item", 0),
    ],
)
def test_an_edit_that_means_nothing_makes_nothing(edit: Edit) -> None:
    stock = Stock(["Either('b', 'c')"], [("Needed", "loud", "True")], [7])
    assert applied(PROGRAM, [edit], stock) is None


def test_a_dict_gains_an_entry_that_stands_beside_one_of_its_keys_in_another_test() -> None:
    stock = Stock([], [], [], [("tags", "['b']", ["a", "c"]), ("size", "1", ["z"]), ("a", "2", ["tags"])])
    tried = [edit for stream in edits([parsed(text) for text in PROGRAM], stock) for edit in stream]
    made = [applied(PROGRAM, [edit], stock) for edit in tried if edit.kind == "entry"]
    assert made == [[PROGRAM[0], "check(rules, {'a': 1, 'tags': ['b']})"]]
    assert applied(PROGRAM, [Edit(0, 0, "entry", 0)], stock) is None


def test_what_tests_give_by_name_is_offered_with_what_it_imports() -> None:
    named = list_named([
        case_of("local = 3", look="check([Needed('a', loud=True)], {'a': 1, 'b': local}, by=Either('b'))"),
        case_of(look="check([Needed('a', loud=False)], {'b': [2], 'a': 1}, by=local)"),
    ])  # fmt: skip
    assert named.options == {"check": (("by", "Either('b')"),), "Needed": (("loud", "True"), ("loud", "False"))}
    assert named.entries == (("a", "1", ("b",)), ("b", "[2]", ("a",)))
    assert named.imports["Either('b')"] == {("rules", "Either")}


def test_what_a_decorator_is_given_is_edited_and_a_plain_decorator_is_not() -> None:
    stock = Stock(["'b'"], [("cached", "limit", "3")], [])
    program = ["@plain\n@cached('a')\ndef get(key): ...", "get(1)"]
    made = [applied(program, [edit], stock) for stream in edits([parsed(text) for text in program], stock)
            for edit in stream if edit.kind in {"option", "put"} and edit.statement == 0]  # fmt: skip
    heads = {texts[0].partition("def")[0] for texts in made if texts is not None}
    assert {"@plain\n@cached('a', limit=3)\n", "@plain\n@cached('b')\n"} <= heads
    assert all(head.startswith("@plain\n") for head in heads)


def test_what_a_clean_up_says_stays() -> None:
    stock = Stock(["case.open(2)"], [], [7])
    program = ["try:\n    inside = case.get(1)\nfinally:\n    case.close(3)", "inside"]
    made = [applied(program, [edit], stock) for stream in edits([parsed(text) for text in program], stock)
            for edit in stream if edit.statement == 0]  # fmt: skip
    assert made
    assert all(texts[0].endswith("finally:\n    case.close(3)") for texts in made if texts is not None)


def test_every_edit_that_is_tried_inside_makes_the_same_text_outside() -> None:
    stock = Stock(["Either('b', 'c')", "None"], [("Needed", "loud", "True")], [7, "x"])
    tried = [edit for stream in edits([parsed(text) for text in PROGRAM], stock) for edit in stream]
    made = [applied(PROGRAM, [edit], stock) for edit in tried]
    assert all(ast.parse("\n".join(texts)) for texts in made if texts is not None)
    assert sum(texts is not None for texts in made) > len(tried) / 2


def case_of(*setup: str, look: str) -> Case:
    entry = next(f for f in list_functions(parse_source(RULES), "rules.py", "rules") if f.name == "check")
    imports = frozenset({("rules", "Needed"), ("rules", "check"), ("rules", "Either"), ("contextlib", "suppress")})
    script = Script(imports=imports, setup=setup, look=look)
    return Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )


def test_fragments_of_tests_that_name_what_is_asked_for_come_first() -> None:
    tree = parse_source(RULES)
    functions = list_functions(tree, "rules.py", "rules")
    gap = Gap(path="rules.py", lines=frozenset({14}))
    source = Source(
        path="rules.py", module="rules", tree=tree, gap=gap, entries=(), functions=functions, constructors={}
    )
    going_on = "with suppress(KeyError):\n    check([], {})"
    cases = [
        case_of("local = 3", look="check([Needed('a'), local], {})"),
        case_of(going_on, look="Either('b', 'c').names"),
    ]
    found = [fragment.text for fragment in list_fragments(cases, source, functions)]
    assert "Either('b', 'c')" in found[:3]
    assert "Needed('a')" in found
    assert not any("local" in text or "suppress" in text for text in found)
    told = [fragment.text for fragment in list_fragments(cases, source, functions, frozenset({"c", "d"}))]
    assert told[0] == "Either('b', 'c')"
    assert sorted(told) == sorted(found)


def cross(folder: Path, goal: int, chain: list[int], tries: int = 3000) -> list[list[str]]:
    """The programs that lead to a line."""
    module = folder / "rules.py"
    module.write_text(RULES)
    fragments, options = ["Needed('a')", "{}", "'b'", "Either('b', 'c')"], [["Needed", "loud", "True"]]
    given = {
        "path": str(module), "goals": [{"goal": goal, "chain": chain}], "first": {}, "near": list(range(10, 16)),
        "fragments": fragments, "options": options, "entries": [],
        "values": [0], "tries": tries, "calls": 10**7, "seconds": 20,
    }  # fmt: skip
    imports = [["rules", "Either"], ["rules", "Needed"], ["rules", "check"]]
    programs = [
        {"id": 0, "script": [imports, ["raise SystemExit(2)"], "check([], {})"], "more": []},
        {"id": 1, "script": [imports, PROGRAM[:-1], PROGRAM[-1]], "more": [["nowhere", "nothing"]]},
    ]
    rows = search(folder, "cross", {"cross": given, "groups": [programs]})
    stock = Stock(fragments, [(a, b, c) for a, b, c in options], [0])
    made = [applied(PROGRAM, [Edit(*edit) for edit in row["edits"]], stock) for row in rows]
    return [texts for texts in made if texts is not None]


def outcome(texts: list[str]) -> Any:
    names: dict[str, Any] = {}
    exec(RULES, names)
    exec("\n".join(texts[:-1]), names)
    return eval(texts[-1], names)


def test_programs_that_reach_a_line_are_found_with_no_more_edits_than_that_needs(tmp_path: Path) -> None:
    found = cross(tmp_path, 14, [11, 12, 13])
    assert outcome(found[0]) == "LOUD"
    assert found[0] == ["rules = [Needed(Either('b', 'c'), loud=True)]", "check(rules, {'a': 1})"]


def test_the_same_programs_are_found_each_time(tmp_path: Path) -> None:
    rows = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        rows.append(cross(tmp_path / name, 14, [11, 12, 13]))
    assert rows[0] == rows[1]
