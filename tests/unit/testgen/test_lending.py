"""Values that become what is asked of them: which calls get them, and what is found with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case
from greenlane.testgen.lending import filled, list_templates
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from tests.support.insides import search

RULES = """\
def rule_of(result, run):
    index = result.get("index")
    rules = run.get("tool", {}).get("rules", [])
    if index is not None and 0 <= index < len(rules):
        return rules[index]
    for rule in rules:
        if rule["id"] == result["id"]:
            return rule
    return None


def level_of(result, run, levels={}):
    rule = rule_of(result, run)
    if rule and rule.get("level", "note") not in ("note", "none"):
        return levels[rule["level"]].name.upper()
    if "name" in result and result["name"].startswith("x-"):
        return result["name"].split(":")[1]
    return "plain"


def outlined(shape: "Shape", size: int, session, plain):
    session.post(shape.name)
    return size + plain


def value_of(node):
    if node.get("name") is None or node.tag != "input":
        return None
    return "needed" in node.attrib


def kind_of(rows):
    for row in rows:
        if row[1] & 0x0F == 9 and (row[0] - 2) * 3 == 12:
            return "nine"


class Table:
    def __init__(self, rows):
        self.rows, self._rows, self.size = [], rows, 0

    def summed(self, start=0):
        for place, row in enumerate(self.rows):
            if row["count"] + start == 7:
                yield place, self.size


def read_from(store):
    row = store.load("a")
    return row["b"]["c"] if row["b"] else None


def checked(row):
    known = {name: value for name, value in row.items() if name in ("size", "name")}
    return made(**known) if row.get("ready") else None


def made(size, name):
    return f"{name} {size}"


def sorted_out(row):
    if row["kind"] in ("audio", "embed", "iframe", "img", "source", "track", "video"):
        return 1
    return row["kind"]


def forward(result: dict, run):
    return level_of(result, run=run)
"""


def lent(folder: Path, function: str, slots: int, goals: list[int], given: tuple[Any, ...] = ()) -> list[list[Any]]:
    """What was found for a function, values of its parameters."""
    module = folder / "rules.py"
    module.write_text(RULES)
    asked = {
        "path": str(module), "goals": goals, "first": {}, "near": goals, "words": ["note", "none"],
        "tries": 1_500, "calls": 10**7, "seconds": 20,
    }  # fmt: skip
    template = {
        "id": 0, "module": "rules", "function": function, "receiver": None, "attribute": False, "void": False,
        "observers": [], "arguments": [[None, f"greenlane_slot_{n}"] for n in range(slots)], "imports": [],
        "asynchronous": False, "history": [], "script": None, "slots": [*given, *[None] * (slots - len(given))],
    }  # fmt: skip
    return [row["texts"] for row in search(folder, "lend", {"lend": asked, "groups": [[template]]})]


@pytest.mark.parametrize(
    ("function", "goal", "texts"),
    [
        ("rule_of", 5, ["{'index': 0}", "{'tool': {'rules': ['a']}}"]),
        ("rule_of", 8, ["{'id': 'a'}", "{'tool': {'rules': [{'id': 'a'}]}}"]),
        ("level_of", 17, ["{'name': 'x-a:1'}", "{}", "{}"]),
    ],
)
def test_what_is_asked_of_a_value_becomes_true_of_a_small_one(
    tmp_path: Path, function: str, goal: int, texts: list[str]
) -> None:
    found = lent(tmp_path, function, len(texts), [goal])
    assert texts in found


def test_what_a_dict_holds_is_asked_in_the_functions_that_get_it_and_attributes_of_plain_objects(
    tmp_path: Path,
) -> None:
    texts = lent(tmp_path, "level_of", 3, [15])[0]
    assert "SimpleNamespace(name='" in texts[2]
    assert eval(texts[1])["tool"]["rules"][0]["level"] in texts[2]


def test_what_has_attributes_beside_the_methods_of_a_dict_is_an_object_with_these(tmp_path: Path) -> None:
    texts = lent(tmp_path, "value_of", 1, [28])
    assert any(text.startswith("SimpleNamespace(tag='input', attrib={'needed': ") for (text,) in texts)


def test_what_comes_of_a_number_tells_what_it_was(tmp_path: Path) -> None:
    assert ["[[6, 9]]"] in lent(tmp_path, "kind_of", 1, [35])


def test_what_a_method_of_it_gives_is_lent_too(tmp_path: Path) -> None:
    texts = [text for (text,) in lent(tmp_path, "read_from", 1, [50])]
    assert any(text.startswith("SimpleNamespace(load=MagicMock(return_value={'b': {'c': ") for text in texts)


def test_a_dict_holds_what_an_error_names_where_it_is_gone_through_or_what_a_test_gives(tmp_path: Path) -> None:
    texts = [text for (text,) in lent(tmp_path, "checked", 1, [59])]
    assert any(eval(text).keys() >= {"size", "name", "ready"} for text in texts)
    texts = [text for (text,) in lent(tmp_path, "checked", 1, [59], ({"size": 3, "name": "b"},))]
    assert any(eval(text).items() > {"size": 3, "name": "b"}.items() and "ready" in text for text in texts)


def test_each_of_many_words_that_one_condition_asks_for_is_turned_down(tmp_path: Path) -> None:
    assert any(eval(text) in ({"kind": "a"}, {"kind": "b"}) for (text,) in lent(tmp_path, "sorted_out", 1, [65]))


def test_the_same_is_found_each_time(tmp_path: Path) -> None:
    rows = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        rows.append(lent(tmp_path / name, "level_of", 3, [15, 17]))
    assert rows[0] == rows[1]


def rules_open_at(line: int) -> Source:
    tree, gap = parse_source(RULES), Gap(path="rules.py", lines=frozenset({line}))
    functions = list_functions(tree, "rules.py", "rules")
    return Source(path="rules.py", module="rules", tree=tree, gap=gap, entries=(), functions=functions, constructors={})


def case_of(name: str, *arguments: tuple[str | None, str]) -> Case:
    entry = next(f for f in list_functions(parse_source(RULES), "rules.py", "rules") if f.name == name)
    return Case(entry=entry, receiver=None, arguments=arguments, imports=frozenset(), fixtures=frozenset(), carved=True)


@pytest.mark.parametrize(
    ("case", "slots", "arguments"),
    [
        (
            case_of("level_of", (None, "{}"), ("run", "{'a': 1}")),
            3,
            ((None, "greenlane_slot_0"), ("run", "greenlane_slot_1"), ("levels", "greenlane_slot_2")),
        ),
        (
            case_of("forward", (None, "{}"), (None, "1")),
            2,
            ((None, "greenlane_slot_0"), (None, "greenlane_slot_1")),
        ),
        (
            case_of("outlined", (None, "1"), (None, "2"), (None, "3"), (None, "4")),
            None,
            (),
        ),
    ],
)
def test_what_the_code_looks_into_is_lent(
    case: Case, slots: int | None, arguments: tuple[tuple[str | None, str], ...]
) -> None:
    found = [(one.slots, one.case.arguments) for one in list_templates([case], rules_open_at(5))]
    assert found == ([(slots, arguments)] if slots is not None else [])


def test_public_attributes_that_a_method_looks_into_are_set_on_its_object() -> None:
    source = rules_open_at(5)
    entry = next(f for f in source.functions if f.name == "summed")
    case = Case(
        entry=entry, receiver="Table([1])", arguments=(), imports=frozenset({("rules", "Table")}),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip
    lent_part, template = list_templates([case], source)
    assert (lent_part.case.receiver, lent_part.slots) == ("Table(greenlane_slot_0)", 1)
    script = template.case.script
    assert script is not None
    assert (script.setup, script.look) == (("table = Table([1])", "table.rows = greenlane_slot_0"), "table.summed()")
    made = filled(template, ["[{'count': 7}]"])
    assert made is not None
    assert made.script is not None
    assert made.script.setup[1] == "table.rows = [{'count': 7}]"
    assert filled(template, ["__import__('os')"]) is None
    assert (text := filled(lent_part, ["'a'"])) is not None
    assert text.receiver == "Table('a')"


CACHE = """class Cache:
    def __init__(self):
        self.rows = {}

    def forget(self, key):
        if key + "_x" in self.rows:
            del self.rows[key + "_x"]
"""


def test_what_a_method_without_a_result_changes_is_looked_at() -> None:
    tree, gap = parse_source(CACHE), Gap(path="cache.py", lines=frozenset({7}))
    functions = list_functions(tree, "cache.py", "cache")
    source = Source(
        path="cache.py", module="cache", tree=tree, gap=gap, entries=(), functions=functions, constructors={}
    )
    entry = next(f for f in functions if f.name == "forget")
    proposed = [
        Case(entry=entry, receiver="Cache()", arguments=((None, text),), imports=frozenset(), fixtures=frozenset(),
             carved=False, steps=steps)
        for text, steps in (("'a'", 2), ("[1]", 1))
    ]  # fmt: skip
    first, _ = list_templates(proposed, source)  # in the order in which they were proposed
    assert first.case.script is not None
    assert (first.case.script.setup, first.case.script.look) == (
        ("cache = Cache()", "cache.rows = greenlane_slot_0", "cache.forget('a')"),
        "cache.rows",
    )


def test_a_text_alone_is_written_as_one() -> None:
    (template,) = list_templates([case_of("value_of", (None, "1"))], rules_open_at(29))
    made = filled(template, ["'a'"])
    assert made is not None
    assert made.arguments == ((None, "'a'"),)
