"""Dicts in which the code looks several things up, given all of it at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from greenlane.testgen.entries import entries_asked, entries_named, function_at
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.fixtures import DataOfTests
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.keyed import keyed
from tests.support.projects import write_tree
from tests.support.sources import source_at

TEXT = """
class Mesh:
    def __init__(self, data):
        def peers_of(rows):
            return [peer_of(row) for row in rows]

        def peer_of(row):
            if row["type"] == "node":
                return row["node"]["id"]
            elif row["type"] == "tag":
                made = [row["tag"]["name"], float(row["weight"])]
                if (inner := row.get("peers")) is not None:
                    made += peers_of(inner)
                return made
            return None

        self.peers = peers_of(data.get("peers"))


def level(entry):
    kind = entry.get("kind")
    if kind == "a" or not entry["on"]:
        return 1
    if isinstance(entry["size"], int) and entry["name"].startswith("x-"):
        return 2
    for part in entry["parts"]:
        return part["at"]
"""
TAG = {"type": "'tag'", "tag": "{'name': 'a'}", "weight": "1.5"}


def asked(line: int) -> list[dict[str, str]]:
    tree = ast.parse(TEXT)
    node = function_at(tree, line)
    assert node is not None
    return [{k: ast.unparse(v) for k, (_, v) in one.asked.items()} for one in entries_asked(tree, node, line)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (9, {"type": "'node'", "node": "{'id': 'a'}"}),
        (11, TAG),
        (13, {**TAG, "peers": "[{'type': 'a'}]"}),
        (25, {"kind": "('a',)", "on": "'a'", "size": "1", "name": "'x-a'"}),
    ],
)
def test_the_conditions_and_what_is_looked_up_on_the_way_say_what_a_dict_holds(
    line: int, expected: dict[str, str]
) -> None:
    assert asked(line) == [expected]


def made(line: int, ran: int, look: str, data: DataOfTests, imports: tuple[tuple[str, str], ...] = ()) -> list[str]:
    source = source_at(TEXT, line)
    ((_, entry),) = source.entries
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(data.fixtures), carved=True,
        script=Script(imports=frozenset(imports), setup=(), look=look),
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({ran})})
    found = keyed([seen], source, frozenset({("shop.py", line)}), data)
    return [one.script.text for one in found if one.script is not None]


def test_an_attribute_that_has_to_be_there_is_asked_of_the_dicts_that_have_a_key_of_its_name() -> None:
    text = """
def dumped(label):
    found = {"text": label.text}
    if label.kinds and len(label.marks):
        found["marks"] = label.marks
    return found


def read(row):
    return Label(row["text"], row.get("marks", []), row.get("kinds"))


def other(row):
    return row["text"]
"""
    tree = ast.parse(text)
    node = function_at(tree, 5)
    assert node is not None
    (found,) = entries_named(tree, node, 5, [tree])
    assert {key: (way, ast.unparse(value)) for key, (way, value) in found.asked.items()} == {
        "kinds": ("true", "'a'"),
        "marks": ("true", "['a']"),
    }
    assert found.known == {"text", "marks", "kinds"}


def test_the_dict_that_is_most_like_it_gets_all_entries_at_once(tmp_path: Path) -> None:
    data = DataOfTests(tmp_path, ".")
    found = made(13, 8, "Mesh({'name': 'a', 'peers': [{'type': 'x', 'tag': None}]})", data)
    assert found[0] == (
        "Mesh({'name': 'a', 'peers': [{'type': 'tag', 'tag': {'name': 'a'}, 'weight': 1.5, 'peers': [{'type': 'a'}]}]})"
    )


def test_what_a_fixture_gives_is_changed_in_one_place(tmp_path: Path) -> None:
    fixture = (
        "import pytest\n\n@pytest.fixture()\ndef reply():\n"
        "    return {'mesh': {'peers': [{'type': 'node', 'node': {'id': 7}, 'weight': 2.5}]}}\n"
    )
    look = "Mesh(reply['mesh']).peers"
    changed = "reply['mesh']['peers'][0].update({'type': 'tag', 'tag': {'name': 'a'}})"
    own = DataOfTests(write_tree(tmp_path, {"conftest.py": fixture}), ".")
    assert made(11, 8, look, own) == [f"{changed}\n{look}"]
    shared = DataOfTests(write_tree(tmp_path, {"conftest.py": fixture.replace("()", "(scope='module')", 1)}), ".")
    assert made(11, 8, look, shared) == [f"reply = deepcopy(reply)\n{changed}\n{look}"]


def test_of_a_constant_of_another_file_of_the_tests_a_copy_is_changed(tmp_path: Path) -> None:
    files = {"tests/answers.py": "PEERS = [{'type': 'node', 'node': {'id': 7}, 'weight': 2.5}]\n"}
    data, imports = DataOfTests(write_tree(tmp_path, files), "tests/unit"), (("tests.answers", "PEERS"),)
    assert made(11, 8, "Mesh({'peers': PEERS}).peers", data, imports)[0] == (
        "own_peers = deepcopy(PEERS)\nown_peers[0].update({'type': 'tag', 'tag': {'name': 'a'}})\n"
        "Mesh({'peers': own_peers}).peers"
    )


def test_what_holds_all_that_is_asked_for_stays_as_it_is(tmp_path: Path) -> None:
    data = DataOfTests(tmp_path, ".")
    assert made(11, 8, "Mesh({'peers': [{'type': 'tag', 'tag': {'name': 'b'}, 'weight': 2}]})", data) == []
    assert made(25, 21, "level({'kind': 'b', 'on': True})", data) == [
        "level({'kind': 'b', 'on': True, 'size': 1, 'name': 'x-a'})"
    ]


def test_plain_data_of_fixtures_is_read_where_a_test_may_use_them(tmp_path: Path) -> None:
    files = {
        "tests/conftest.py": (
            "import pytest\n\n@pytest.fixture\ndef reply():\n    '''What is answered.'''\n    return {'a': [1]}\n\n"
            "@pytest.fixture(scope='session', name='rows')\ndef _rows():\n    found = [{'a': 1}]\n    yield found\n\n"
            "@pytest.fixture\ndef client(reply):\n    return Client(reply)\n"
        ),
        "tests/other/conftest.py": "import pytest\n\n@pytest.fixture\ndef other():\n    return {'b': 1}\n",
    }
    found = DataOfTests(write_tree(tmp_path, files), "tests/unit").fixtures
    told = {name: (ast.unparse(one.value), one.anew) for name, one in found.items()}
    assert told == {"reply": ("{'a': [1]}", True), "rows": ("[{'a': 1}]", False)}
