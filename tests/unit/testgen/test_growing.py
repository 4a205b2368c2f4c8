"""Existing tests that go on with further calls: tests as programs, calls from them, and a search for a history."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.growing import Act, Found, asked_of, asking_acts, encoded, harvested, made_case, wanted_acts
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.inside.greenlane_sequences import composed, shown, written
from greenlane.testgen.mutants import mutants_of
from greenlane.testgen.naming import seen_after
from greenlane.testgen.scripts import FoundScript, read_programs
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from tests.support.insides import INSIDE, search
from tests.support.projects import write_tree

DOORS = """\
class Door:
    def __init__(self):
        self.state = "open"
        self.visits = 0

    def close(self):
        self.state = "closed"

    def lock(self, key):
        if self.state != "closed":
            raise ValueError("it is open")
        self.state = key

    def reset(self):
        if self.state not in ("open", "closed"):
            self.visits += 1
            self.state = "open"

    def count(self):
        return self.visits * 2


def meet(one, other):
    return one.state == other.state


class House:
    def __init__(self):
        self.doors = {"front": Door()}
"""
TESTS = """
import pytest
from doors import Door, House

def test_lock():
    door = Door()
    assert door.state == "open"
    door.close()
    key = "k" + "1"
    door.lock("k2")
    assert door.state == "k2"
    with pytest.raises(ValueError):
        door.lock(key)

def test_house():
    house = House()
    assert house.doors["front"].close() is None
    assert house.doors

def test_parts():
    door = Door()
    door.close()
    assert door.state == "closed"
    door = Door()
    assert door.state == "open"
"""
MEETING = DOORS.splitlines().index("    return one.state == other.state") + 1
LAST = DOORS.splitlines().index('            self.state = "open"') + 1


@pytest.fixture
def programs(tmp_path: Path) -> list[FoundScript]:
    write_tree(tmp_path, {"doors.py": DOORS, "test_doors.py": TESTS})
    return read_programs(tmp_path, ["test_doors.py::test_lock", "test_doors.py::test_house"])


def source() -> Source:
    tree = parse_source(DOORS)
    lines = frozenset({LAST - 1, LAST})
    gap = Gap(path="doors.py", lines=lines, mutants=mutants_of(tree, "doors.py", "doors", lines), changed=lines)
    functions = list_functions(tree, "doors.py", "doors")
    return Source(path="doors.py", module="doors", tree=tree, gap=gap, entries=(), functions=functions, constructors={})


def test_a_test_without_what_it_asserts_is_a_program(programs: list[FoundScript]) -> None:
    assert [one.script.setup for one in programs] == [
        ("door = Door()", "door.close()", "key = 'k' + '1'", "door.lock('k2')"),
        ("house = House()", "house.doors['front'].close()"),
    ], "a call that was asserted on stays, what has to raise does not"


def test_a_test_that_begins_anew_is_two_programs(tmp_path: Path, programs: list[FoundScript]) -> None:
    assert programs
    found = read_programs(tmp_path, ["test_doors.py::test_parts"])
    assert [one.script.setup for one in found] == [("door = Door()",), ("door = Door()", "door.close()")]


def test_calls_of_tests_are_kept_with_the_object_that_they_are_made_on(programs: list[FoundScript]) -> None:
    acts = harvested(programs)
    assert [(act.text, act.origin) for act in acts] == [
        ("greenlane_it.close()", (0, 1, "door")),
        ("greenlane_it.lock('k2')", (0, 3, "door")),
    ], "the same on another object is no other act"


def test_numbers_that_mean_nothing_are_no_steps(programs: list[FoundScript]) -> None:
    assert composed([0, ["house", "doors", ["text", "front"]], []], [], ["greenlane_it.close()"]) == (
        "house.doors['front'].close()"
    )
    assert shown(["door", "state"], [], []) == "door.state"
    for path in (["door", "__class__"], ["door", "a b"], ["door", ["code", "x"]], ["import"], ["d" * 9, "_state"], []):
        with pytest.raises(ValueError, match="no "):
            written(path)
    acts = [Act(text="greenlane_it.lock(greenlane_given_0)")]
    for found in (
        Found(0, [9], ["door"], LAST), Found(7, [], ["door"], LAST), Found(0, [0], ["door"], 999),
        Found(0, [0, [0, ["door"], []]], ["door"], LAST), Found(0, ["x"], ["door"], LAST),
        Found(0, [0], "door", LAST),
    ):  # fmt: skip
        assert made_case(found, programs, acts, source()) is None


def grow(folder: Path, programs: list[FoundScript], own: Source | None = None) -> list[Case]:
    own = own or source()
    acts = [*wanted_acts(own, own.gap.covering, []), *asking_acts(own, own.gap.covering), *harvested(programs)]
    asked: dict[str, Any] = {
        "grow": asked_of(own, own.gap, own.gap.covering, acts),
        "groups": [[encoded(number, one.script) for number, one in enumerate(programs)]],
    }
    rows = search(folder, "grow", asked)
    cases = [made_case(Found(**row), programs, acts, own) for row in rows]
    return [case for case in cases if case is not None]


def test_calls_are_put_after_a_test_until_an_open_line_runs(tmp_path: Path, programs: list[FoundScript]) -> None:
    found = [case.script for case in grow(tmp_path, programs) if case.script]
    texts = [script.text for script in found]
    history = "door = Door()\ndoor.close()\ndoor.lock('k2')\ndoor.reset()"
    assert {f"{history}\ndoor.visits", f"{history}\ndoor.state"} <= set(texts), (
        "with what the call changed, and no more"
    )
    assert all(script.imports <= {("doors", "Door"), ("doors", "House")} for script in found)
    for script in found[:6]:
        names: dict[str, Any] = {}
        exec("\n".join([DOORS, *script.setup]), names)
        exec(script.look, names)
    assert texts == [case.script.text for case in grow(tmp_path, programs) if case.script], "the same each time"


SHELF = """\
class Shelf:
    def __init__(self):
        self.items = []

    def put(self, item):
        self.items.append(item)

    def clear(self):
        self.items.clear()
        self.items.extend([])
"""


def test_what_notices_a_fault_keeps_the_steps_that_it_needs(tmp_path: Path) -> None:
    test = (
        "from shelf import Shelf\n\ndef test_put():\n    shelf = Shelf()\n    shelf.put('a')\n    assert shelf.items\n"
    )
    write_tree(tmp_path, {"shelf.py": SHELF, "test_shelf.py": test})
    tree, lines = parse_source(SHELF), frozenset({9, 10})
    mutants = mutants_of(tree, "shelf.py", "shelf", lines)
    gap = Gap(path="shelf.py", lines=lines, mutants=mutants, changed=lines)
    functions = list_functions(tree, "shelf.py", "shelf")
    own = Source(path="shelf.py", module="shelf", tree=tree, gap=gap, entries=(), functions=functions, constructors={})
    found = grow(tmp_path, read_programs(tmp_path, ["test_shelf.py::test_put"]), own)
    texts = [case.script.text for case in found if case.script]
    assert "shelf = Shelf()\nshelf.put('a')\nshelf.clear()\nshelf.items" in texts


ALIVE = """
import greenlane_alive

class Bell:
    pass

class Bound:
    def __get__(self, holder, kind=None):
        return Bell()

class House:
    bell = Bound()

    def __init__(self):
        self.bells, self._own, self.rooms = {"front": Bell(), KEY: Bell()}, Bell(), [Bell()]

    @property
    def closed(self):
        raise ValueError

    @property
    def loudest(self):
        return self._own

KEY = object()
names = {"KEY": KEY, "house": House(), "House": House}
print([path for path, _ in greenlane_alive.alive_in(names, {"KEY": KEY}, (Bell,))])
"""


def test_objects_are_found_in_what_is_alive() -> None:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(INSIDE), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", ALIVE], env=environment, check=True, capture_output=True, text=True)
    assert ast.literal_eval(run.stdout) == [
        ("house",),
        ("house", "bells", ["text", "front"]),
        ("house", "bells", ["name", "KEY"]),
        ("house", "rooms", ["number", 0]),
        ("house", "bell"),
        ("house", "loudest"),
    ]


def test_what_was_changed_is_called_with_what_is_alive_and_objects_are_asked_what_shows_it() -> None:
    own = source()
    assert wanted_acts(own, frozenset({("doors.py", 1)}), []) == []
    assert [act.text for act in wanted_acts(own, own.gap.covering, [])] == ["greenlane_it.reset()"]
    pair = wanted_acts(own, frozenset({("doors.py", MEETING)}), [])
    assert pair[0].text == "meet(greenlane_given_0, greenlane_given_1)"
    assert pair[0].imports == {("doors", "meet")}
    assert [act.text for act in asking_acts(own, own.gap.covering)] == ["greenlane_it.count()"]


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        ("door.visits", ("visits", "reset", True)),
        ("door.lock('k')", ("lock", "reset", False)),
        ("door", ("door", "reset", True)),
        ("len(door.keys)", None),
        ("door.reset()", None),
    ],
)
def test_what_is_looked_at_after_a_call_has_its_name(look: str, seen: tuple[str, str, bool] | None) -> None:
    entry = next(f for f in source().functions if f.name == "reset")
    script = Script(imports=frozenset(), setup=("door = Door()", "door.reset()"), look=look)
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=False, script=script
    )
    assert seen_after(Observed(case=case, outcome=Outcome(case=0, kind="opaque"), lines={})) == seen


def test_items_are_set_and_removed_as_such() -> None:
    text = "class Labels(dict):\n    def __setitem__(self, key, value): ...\n    def __delitem__(self, key): ...\n"
    tree = parse_source(text)
    gap = Gap(path="labels.py", lines=frozenset({2, 3}))
    functions = list_functions(tree, "labels.py", "labels")
    own = Source(
        path="labels.py", module="labels", tree=tree, gap=gap, entries=(), functions=functions, constructors={}
    )
    acts = [act.text for act in wanted_acts(own, frozenset({("labels.py", 2), ("labels.py", 3)}), [])]
    assert "greenlane_it[greenlane_given_0] = greenlane_given_1" in acts
    assert "del greenlane_it['abc']" in acts
