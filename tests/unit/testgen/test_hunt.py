"""The hunt for texts and numbers: slots in calls, texts from texts, and a search that finds its way through states."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import msgspec
import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import list_functions
from greenlane.testgen.guesses import guess_options
from greenlane.testgen.hunt import called_in, filled, slotted
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.inside import greenlane_texts
from greenlane.testgen.mutants import mutants_of
from greenlane.testgen.quarry import list_texts
from greenlane.testgen.trial import encode_mutant
from greenlane.testgen.uses import with_uses
from tests.support.insides import search

BLOCKS = """\
def blocks(text):
    stack, found = [], 0
    for word in text.lower().split():
        if word == "begin":
            stack.append("begin")
        elif "begin" in stack and word == "loop":
            stack.append("loop")
        elif word == "endloop":
            if stack and stack[-1] == "loop":
                stack.pop()
                found += 1
    return found


def width(text, size):
    if size == 1723:
        return -1
    return len(text)


def shown(text):
    given = dict(pair.split("=") for pair in text.split(","))
    poster = given.get("poster_image")
    if given["source"] and poster:
        return poster
    return ""


def section(text):
    if len({line.strip("[]") for line in text.splitlines()} & {"extra"}) == 1:
        return text
    return ""


def matched(text):
    hours, _, day = text.split(" ")
    if not day.isalpha():
        return "number" if hours.count("1") > 1 else ""
    if hours.count("1") > 1:
        return "both"
    return day


def declared(fields, computed):
    for name in computed:
        if name in fields and name in ("price", "total"):
            return name
    return ""


def rows(text):
    before = ""
    for row in text.splitlines():
        if before == "head" and row == "mode 100":
            return row
        before = row


def undone(text):
    known = {}
    for line in text.splitlines():
        word, _, name = line.strip().partition(" ")
        if word == "define":
            known[name] = 1
        elif word == "undo":
            if name in known:
                return name
    return ""
"""


def case_of(function: str, *setup: str, look: str) -> Case:
    entry = next(f for f in list_functions(parse_source(BLOCKS), "blocks.py", "blocks") if f.name == function)
    script = Script(imports=frozenset([("blocks", function)]), setup=setup, look=look)
    return Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )


def test_literals_of_a_script_become_slots_and_come_back() -> None:
    case = case_of("blocks", "size = -2", "text = f'{size} a'", look="width('some', size=size)[3]")
    template = slotted(case)
    assert template is not None
    assert template.row == (3, "some", -2)
    assert template.parts == (
        "size = greenlane_slot_2",
        "text = f'{size} a'",
        "width(greenlane_slot_1, size=size)[greenlane_slot_0]",
    )
    back = filled(template, [0, "it's", 7])
    assert back is not None
    assert back.script is not None
    assert back.script.text == "size = 7\ntext = f'{size} a'\nwidth(\"it's\", size=size)[0]"


def test_looks_at_parts_of_what_one_call_gave_are_of_one_kind() -> None:
    made = ("found = blocks('a b')",)
    templates = [slotted(case_of("blocks", *made, look=look)) for look in ("found[0]", "found.size", "width('a', 1)")]
    assert [called_in(one) for one in templates if one is not None] == ["blocks", "blocks", "width"]


def test_a_block_in_a_text_stays_one_and_the_indent_of_the_test_goes(tmp_path: Path) -> None:
    block, told = "def f():\n    return 1", "first\n    second"
    (tmp_path / "test_a.py").write_text(f"a.run({block!r}, {told!r})\n")
    assert list_texts(tmp_path, ["test_a.py"]) == [block, "first\nsecond"]


@pytest.mark.parametrize("values", [["a"], ["a", 1, float("inf")], ["x" * 500, 1, 2], ["a", 1, None]])
def test_what_no_one_could_write_is_not_filled_in(values: list[Any]) -> None:
    template = slotted(case_of("blocks", "size = -2", look="width('some', size=size)[3]"))
    assert template is not None
    assert filled(template, values) is None


def test_texts_of_test_files_are_taken_in_turn_without_docstrings(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text('"""About a."""\nimport a\nassert a.run("first", "second") == f"{1} no"\n')
    (tmp_path / "test_b.py").write_text('import b\nb.run("other")\n')
    assert list_texts(tmp_path, ["test_a.py", "test_b.py", "test_c.py"]) == ["first", "other", "second"]


def hunt(folder: Path, case: Case, goal: int, chain: list[int], words: list[str], **more: Any) -> list[list[Any]]:
    """The inputs that a hunt finds, for a call whose literals are its slots."""
    module = folder / "blocks.py"
    module.write_text(BLOCKS)
    template = slotted(case)
    assert template is not None
    script = [sorted(map(list, case.script.imports)), template.parts[:-1], template.parts[-1]] if case.script else None
    given = {
        "path": str(module), "beside": {}, "goals": [{"goal": goal, "chain": chain, "words": words}], "first": {},
        "near": chain[-1:], "ways": [], "words": words, "texts": [], "numbers": [], "mutants": [], "open": [],
        "tries": 4000, "calls": 10**7, "seconds": 20,
    }  # fmt: skip
    rows = {"id": 0, "script": script, "rows": [template.row], "imports": [], "arguments": [], "history": []}
    return [row["values"] for row in search(folder, "hunt", {"hunt": given | more, "groups": [[rows]]})]


def blocks(name: str) -> Any:
    names: dict[str, Any] = {}
    exec(BLOCKS, names)
    return names[name]


def blocks_in(text: str) -> int:
    return int(blocks("blocks")(text))


def test_a_hunt_finds_a_text_that_goes_through_several_states(tmp_path: Path) -> None:
    found = hunt(
        tmp_path, case_of("blocks", look="blocks('select it')"), 11, [4, 6, 8, 9], ["begin", "loop", "endloop"]
    )
    assert blocks_in(found[0][0]) == 1
    assert len(found[0][0].split()) == 3, "it is shortened"


def test_a_number_that_the_code_asks_for_is_found_by_what_is_compared(tmp_path: Path) -> None:
    found = hunt(tmp_path, case_of("width", look="width('abc', 5)"), 17, [16], [], tries=60)
    assert found[0][1] == 1723


def test_what_another_file_of_the_change_asks_for_is_found_as_well(tmp_path: Path) -> None:
    other = tmp_path / "tokens.py"
    other.write_text(
        "def tokens(text):\n    for sign, word in zip(text[::2], text[1::2]):\n"
        "        token = (sign, word)\n        if token in [('#', 'k'), ('%', 'q')]:\n            yield 'begin'\n"
        "            yield 'loop'\n"
    )
    case = case_of("blocks", look="blocks(' '.join(tokens('a-b-c-')))")
    assert case.script is not None
    script = msgspec.structs.replace(case.script, imports=case.script.imports | {("tokens", "tokens")})
    case = msgspec.structs.replace(case, script=script)
    found = hunt(tmp_path, case, 7, [4, 6], ["#", "k"], beside={str(other): [4]}, tries=400)
    assert any("#k" in values[-1] or "%q" in values[-1] for values in found)


def test_a_call_that_runs_nothing_of_the_file_is_begun_with_a_text_of_other_tests_that_does(tmp_path: Path) -> None:
    case = case_of("blocks", "text = '1, 2'", look="blocks(text) if text[:1] != '1' else 0")
    found = hunt(tmp_path, case, 6, [4], ["begin"], texts=["11", "2 begin"], tries=400)
    assert any("begin" in str(value).lower().split() for values in found for value in values)


def test_a_key_that_is_looked_up_is_put_in_the_place_of_one_that_is_there(tmp_path: Path) -> None:
    found = hunt(tmp_path, case_of("shown", look="shown('source=a,title=b')"), 25, [24], [], tries=60)
    assert found[0][0] == "source=a,poster_image=b"


def test_a_word_is_put_where_another_stands_that_the_code_asks_for_in_the_same_way(tmp_path: Path) -> None:
    goal = {"goal": 31, "chain": [30], "words": ["extra"], "kin": ["plain"]}
    found = hunt(tmp_path, case_of("section", look="section('[plain]')"), 31, [30], [], goals=[goal], tries=12)
    assert ["[extra]"] in found


def test_what_is_special_in_one_row_is_crossed_with_what_leads_another_one_further(tmp_path: Path) -> None:
    given = {"texts": ["11 3 2"], "tries": 60}
    found = hunt(tmp_path, case_of("matched", look="matched('5 3 sat')"), 40, [37, 39], [], **given)
    assert ["11 3 sat"] in found


def test_a_name_that_a_condition_asks_about_is_said_before_in_the_words_of_another_text(tmp_path: Path) -> None:
    line = next(n for n, text in enumerate(BLOCKS.splitlines(), 1) if text == "                return name")
    goal = {"goal": line, "chain": [line - 2, line - 1], "words": [], "kin": []}
    given = {"goals": [goal], "texts": ["define size\n"], "tries": 60}
    case = case_of("undone", look="undone('undo ab\\nthen')")
    found = hunt(tmp_path, case, line, goal["chain"], [], **given)
    assert found[0][0].split() == ["define", "undo"], "it is shortened"


def test_a_line_that_is_asked_for_is_put_between_those_of_a_text(tmp_path: Path) -> None:
    goal = {"goal": 55, "chain": [54], "words": ["mode 100"], "kin": []}
    found = hunt(tmp_path, case_of("rows", look="rows('head\\nfrom a\\nto b')"), 55, [54], [], goals=[goal], tries=40)
    assert any(blocks("rows")(values[0]) for values in found)


def test_what_takes_a_text_itself_is_begun_with_what_a_file_of_the_tests_holds(tmp_path: Path) -> None:
    goal = {"goal": 55, "chain": [54], "words": ["mode 100"], "kin": []}
    given = {"goals": [goal], "texts": ["head\nfrom a\n"], "tries": 60}
    found = hunt(tmp_path, case_of("rows", look="rows('')"), 55, [54], [], **given)
    assert any(blocks("rows")(values[0]) for values in found)


@pytest.mark.parametrize(
    ("text", "word", "other"),
    [
        ("[a]\nb = a", "a", None),  # a letter is no word
        ("[ab]\nb = ab", "ab", "[ab.c]\nb = ab"),
        ("[ab.c]", "ab", None),
        ("abc", "ab", None),
    ],
)
def test_a_word_is_exchanged_for_its_like_as_a_whole(text: str, word: str, other: str | None) -> None:
    assert greenlane_texts.with_kin(text, word, "ab.c") == other


def test_an_element_is_put_into_each_kind_of_element() -> None:
    text = '<a><b size="3">c</b><b/></a>'
    assert list(greenlane_texts.with_element(text, "i")) == [
        '<a><b size="3"><i>a</i>c</b><b/></a>', '<a><i>a</i><b size="3">c</b><b/></a>',
    ]  # fmt: skip
    assert list(greenlane_texts.with_element("a < b", "i")) == list(greenlane_texts.with_element(text, "a b")) == []


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("a: 1\nsize = 3\n", ["a: 1\nmode = slow\n"]),
        ('{"size": "3", "mode": 1}', ['{"size": "3", "mode": slow}', '{"mode": "slow", "mode": 1}']),
        ('<a><b size="3"/><b/></a>', ['<a><b mode="slow"/><b/></a>', '<a mode="slow"><b size="3"/><b/></a>',
                                      '<a><b mode="slow" size="3"/><b/></a>']),
        ("oversize=3", []),
    ],
)  # fmt: skip
def test_a_name_and_its_value_stand_where_another_pair_stood(text: str, others: list[str]) -> None:
    assert list(greenlane_texts.with_pair(text, "mode", "slow", ["size"])) == others


def test_rows_of_as_many_values_are_crossed() -> None:
    assert set(greenlane_texts.crossed("1 2", "a b")) == {"1 b", "a 2"}
    assert "1.9.3" in set(greenlane_texts.crossed("1.2.3", "8.9.7"))
    assert list(greenlane_texts.crossed("1 2", "a b c")) == list(greenlane_texts.crossed("text", "other")) == []


@pytest.mark.parametrize(
    ("part", "value", "whole"),
    [("alt", '<img alt="a">', True), ("p", "/path", False), ("[x]", "a [x] b", True), (7, 7, True), (7, "7", False)],
)
def test_a_word_of_an_input_is_exchanged_before_a_letter_of_one(part: Any, value: Any, whole: bool) -> None:
    assert greenlane_texts.stands_in(part, value) is whole


@pytest.mark.parametrize("look", ["declared({'kind': 1}, ['kind'])", "declared({'price': 1}, ['other'])"])
def test_a_name_that_is_given_in_two_places_is_changed_in_both_or_made_the_same(tmp_path: Path, look: str) -> None:
    found = hunt(tmp_path, case_of("declared", look=look), 47, [45, 46], [], tries=60)
    assert "price" in [value for values in found for value in values if values.count(value) == 2]


def test_a_hunt_looks_for_inputs_that_notice_a_fault(tmp_path: Path) -> None:
    mutants = mutants_of(parse_source(BLOCKS), "blocks.py", "blocks", frozenset({10}))
    left_out = next(mutant for mutant in mutants if "left out" in mutant.key)
    more = {"mutants": [encode_mutant(0, left_out)], "open": [0]}
    case = case_of("blocks", look="blocks('select it')")
    found = hunt(tmp_path, case, 10, [4, 6, 8, 9], ["begin", "loop", "endloop"], **more)
    counts = {blocks_in(text) - text.lower().split().count("endloop") for (text,) in found}
    assert min(counts) < 0, "only where there is one end too many does it matter that the stack was popped"


def test_what_a_class_asks_of_the_items_of_a_parameter_says_what_to_give() -> None:
    source = """
class Reader:
    def __init__(self, rules=None, name=None):
        self.rules = rules or ()

    def read(self):
        for rule in self.rules:
            if type(rule) is dict:
                yield rule
            elif isinstance(rule, (tuple, str)):
                yield rule[0]
"""
    tree = parse_source(source)
    (reader,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    rules, name = with_uses(list_constructors(tree)["Reader"], reader, {})
    assert (rules.annotation, name.annotation) == ("list[dict | tuple | str]", "")
    entry = list_functions(tree, "reader.py", "reader")[1]
    assert guess_options(rules, entry)[:2] == ["[{}]", "[()]"]


def test_a_text_that_is_a_whole_argument_is_written_as_a_plain_text() -> None:
    case = msgspec.structs.replace(case_of("blocks", look="1"), script=None, arguments=((None, "'a'"),))
    template = slotted(case)
    assert template is not None
    changed = filled(template, ["inf"])
    assert changed is not None
    assert changed.arguments == ((None, "'inf'"),)


def test_a_sign_that_is_asked_for_stands_between_a_line_and_a_word_or_the_next_line() -> None:
    found = list(greenlane_texts.with_sign("class A:\n    x = 1\n    y = 2\n", ";"))
    assert found[:4] == [
        "class A:\n    x = 1\n    a; y = 2\n",
        "class A:\n    x = 1\n    y = 2; a\n",
        "class A:\n    x = 1\n    a ; y = 2  # a\n",
        "class A:\n    x = 1\n    y = 2;a\n",
    ]
    assert "class A:\n    x = 1; y = 2\n" in found
