"""What the program inside the sandbox tells of a call: an end by SystemExit, a wait for a terminal, a hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.insides import INSIDE

TOOL = """
import sys
import time


def doze():
    for _ in range(3):
        time.sleep(1.5)
    return "awake"


def leave(code):
    sys.exit(code)


def ask():
    try:
        return sys.stdin.read()
    except OSError:
        return "none"


def spin():
    while True:
        pass


def count(number):
    return sum(range(number))


def read(text):
    try:
        return int(text)
    except ValueError as error:
        error.text = text
        raise
    except TypeError as error:
        raise error


def call(action):
    return action()


class Mute(Exception):
    def __str__(self):
        return self.args[0].name


def speak(name):
    raise Mute(name)


def together(text):
    raise ExceptionGroup(text, [ValueError()])


def program():
    return sys.argv[0].replace("\\\\", "/").split("/")[-1], len(sys.argv)


def crash(text):
    try:
        return int(text)
    except KeyError:
        raise


class Price:
    cents, kinds = 5, {"a": 1}

    def is_below(self, other):
        try:
            return self.cents < other.cents
        except AttributeError:
            return self.cents < other

    __lt__ = is_below

    def __getitem__(self, key):
        return self.kinds[key]

    def __truediv__(self, other):
        return self.cents / other

    def __add__(self, other):
        return self.cents + other.cents

    def named(self, key):
        return self[key]


def fill(name):
    exec(compile("\\n" + name + "()", __file__.replace("tool.py", "page.txt"), "exec"))


class Item:
    def __init__(self, name, size):
        self.name, self.size = name, size


def items(text):
    for name in text:
        yield Item(name, 1)


def tree(text):
    from xml.etree import ElementTree

    return ElementTree.fromstring(text)


def mark(text):
    import kit

    return kit.Marked(text)


def point(x):
    import kit

    return kit.Point(x)


def find(path):
    if not (path / "a.txt").exists():
        raise ValueError(f"there is no {path}/a.txt, as {object()!r} says")


def below(path):
    return [f"{path}/a.txt", str(path), path / "b"]


_known, _kinds, _last = set(), {"a": 1}, None


class Shelf:
    items = []
    most = 2

    def __init__(self):
        self.names = {}


shelf = Shelf()


def put(name):
    shelf.names[name] = 1
    shelf.last = name
    return len(vars(shelf)), len(shelf.names)


def remember(name):
    global _last
    _known.add(name)
    _kinds[name] = 2
    _kinds.pop("a", None)
    Shelf.items.append(name)
    Shelf.most, Shelf.added = 9, name
    _last = name


def remembered():
    return len(_known), list(_kinds), Shelf.items, _last, Shelf.most, hasattr(Shelf, "added")
"""
KIT = """
import dataclasses

import tool

tool._kinds["kit"] = 1


class Marked(str):
    pass


@dataclasses.dataclass
class Point:
    x: int
"""
PROBE = """
import greenlane_explore
import pytest


@pytest.mark.parametrize("case", greenlane_explore.cases(0), ids=lambda case: str(case["id"]))
def test_probe(case, tmp_path):
    greenlane_explore.run(case, {"tmp_path": tmp_path} if case["function"] in ("find", "below") else {})
"""


def explore(folder: Path, *calls: tuple[str, str], check: bool = True, again: bool = False) -> list[dict[str, Any]]:
    (folder / "tool.py").write_text(TOOL)
    (folder / "test_probe.py").write_text(PROBE)
    (folder / "kit.py").write_text(KIT)
    kit = [["kit", ""]]
    cases = [
        {"id": n, "module": "tool", "function": name, "receiver": None, "attribute": False, "void": False,
         "observers": [], "arguments": [[None, text]] if text else [], "imports": [], "asynchronous": False,
         "history": [], "script": None if name else [[["tool", ""], *kit * ("kit." in text)], [], text]}
        for n, (name, text) in enumerate(calls)
    ]  # fmt: skip
    given = {"groups": [cases], "project": str(folder), "tests": str(folder / "tests"), "modules": ["tool"]}
    given["again"] = again
    (folder / "input").write_text(json.dumps(given))
    environment = {
        "GREENLANE_INPUT": str(folder / "input"), "GREENLANE_OUTPUT": str(folder / "output"), "PATH": os.defpath,
        "PYTHONPATH": f"{INSIDE}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_probe.py"]
    subprocess.run(command, env=environment, cwd=folder, check=check, timeout=60, capture_output=True)
    rows = [json.loads(line) for line in (folder / "output").read_text().splitlines()]
    return [row for row in rows if "begun" not in row] if check else rows


def test_what_ends_the_program_is_an_error_that_is_meant_and_what_waits_for_the_terminal_is_of_no_use(
    tmp_path: Path,
) -> None:
    left, asked = explore(tmp_path, ("leave", "3"), ("ask", ""))
    assert (left["kind"], left["error"], left["deliberate"], left["message"]) == (
        "raises", ["builtins", "SystemExit"], True, "3",
    )  # fmt: skip
    assert asked["kind"] == "unusable"


def test_a_call_that_no_signal_ends_ends_the_process_and_was_said_to_have_begun(tmp_path: Path) -> None:
    first, done, last = explore(tmp_path, ("count", "3"), ("count", "10**17"), ("count", "4"), check=False)
    assert (first, done["value"]["text"], last) == ({"begun": 0}, "3", {"begun": 1})


def test_the_command_line_of_this_very_run_is_another_one_the_second_time(tmp_path: Path) -> None:
    (first,) = explore(tmp_path, ("program", ""))
    (tmp_path / "output").unlink()
    (again,) = explore(tmp_path, ("program", ""), again=True)
    assert first["value"]["text"] == "('__main__.py', 5)"
    assert again["value"]["text"] == "('greenlane-again', 1)"


def test_a_statement_shows_something_only_by_the_error_that_it_raises(tmp_path: Path) -> None:
    found = explore(tmp_path, ("", "if True:\n    tool.leave(2)"), ("", "if True:\n    tool.remembered()"))
    assert [one["kind"] for one in found] == ["raises", "unusable"]


def test_an_error_that_is_caught_and_goes_on_is_meant_and_one_that_nobody_asked_for_is_not(tmp_path: Path) -> None:
    found = explore(tmp_path, ("read", "'x'"), ("read", "None"), ("crash", "'x'"))
    assert [one["error"][1] for one in found] == ["ValueError", "TypeError", "ValueError"]
    assert [one["deliberate"] for one in found] == [True, True, False]


def test_what_a_function_of_the_test_raises_on_purpose_is_meant(tmp_path: Path) -> None:
    own = "if True:\n    def fails():\n        raise ValueError('a')\n    tool.call(fails)"
    told = "if True:\n    from unittest.mock import Mock\n    tool.call(Mock(side_effect=KeyError))"
    found = explore(tmp_path, ("", own), ("", told), ("", "tool.call(lambda: 1 / 0)"))
    assert [one["deliberate"] for one in found] == [True, True, False]


def test_how_the_language_says_that_an_operator_has_no_answer_is_meant(tmp_path: Path) -> None:
    looks = ("() < 'a'", "().is_below('a')", "()['b']", "() / 'a'", "() / 0", "() + 'a'", "().named('b')")
    found = explore(tmp_path, *(("", f"tool.Price{look}") for look in looks))
    assert [(one["error"][1], one["deliberate"]) for one in found] == [
        ("TypeError", True), ("TypeError", True), ("KeyError", True), ("TypeError", True), ("ZeroDivisionError", True),
        ("AttributeError", False), ("KeyError", False),
    ]  # fmt: skip


def test_what_speaks_of_a_folder_of_this_run_is_written_with_the_fixture_that_it_is(tmp_path: Path) -> None:
    lost, below = explore(tmp_path, ("find", "tmp_path"), ("below", "tmp_path"))
    assert (lost["message"], lost["dated"]) == ("there is no …, as <object object at …> says", False)
    assert below["value"]["text"] == "[f'{tmp_path}/a.txt', str(tmp_path), tmp_path / 'b']"
    assert (below["value"]["fixtures"], below["dated"]) == (["tmp_path"], False)


def test_a_call_that_would_sleep_for_long_is_not_waited_for(tmp_path: Path) -> None:
    before = time.monotonic()
    found = explore(tmp_path, *[("doze", "")] * 4)
    assert [one["kind"] for one in found] == ["timeout"] * 4
    assert time.monotonic() - before < 4 * 4.5


def test_an_error_of_a_template_that_is_no_python_is_told_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("Hello,\n{{ name }}\n")
    (found,) = explore(tmp_path, ("fill", "'missing'"))
    assert (found["kind"], found["error"][1], found["deliberate"]) == ("raises", "NameError", False)
    assert found["at"] == ["page.txt", 2]


def test_objects_that_a_generator_gives_are_seen_by_one_attribute_first_and_then_by_the_others(tmp_path: Path) -> None:
    (found,) = explore(tmp_path, ("items", "'ab'"))
    assert (found["view"], found["value"]["text"], found["listed"]) == ("each name", "['a', 'b']", True)
    assert [[*look[:2], look[2]["text"], look[3]] for look in found["more"]] == [["result", "", "[1, 1]", "each size"]]


def test_elements_that_are_not_written_in_python_are_seen_by_what_their_class_keeps(tmp_path: Path) -> None:
    (found,) = explore(tmp_path, ("tree", "'<a><b>1</b><c>1</c></a>'"))
    assert (found["view"], found["value"]["text"]) == ("each tag", "['b', 'c']")
    assert ["result", "", "['1', '1']", "each text"] in [
        [*look[:2], look[2]["text"], look[3]] for look in found["more"]
    ]


def test_an_error_that_fails_at_saying_what_it_is_stays_an_error(tmp_path: Path) -> None:
    found, group = explore(tmp_path, ("speak", "None"), ("together", "'two'"))
    assert (found["kind"], found["error"][1], found["deliberate"], found["message"]) == ("raises", "Mute", True, "")
    assert group["message"] == "two", "pytest takes the number of errors off before it compares"


def test_calls_of_what_hangs_get_less_time_each(tmp_path: Path) -> None:
    before = os.times()
    found = explore(tmp_path, *[("spin", "")] * 8)
    after = os.times()
    assert [one["kind"] for one in found] == ["timeout"] * 8
    assert after.children_user - before.children_user < 6.0


def test_no_call_is_seen_in_the_light_of_what_another_one_left_behind(tmp_path: Path) -> None:
    found = explore(tmp_path, ("remember", "'b'"), ("remembered", ""), ("remember", "'c'"), ("remembered", ""))
    assert [one["value"]["text"] for one in found[1::2]] == ["(0, ['a'], [], None, 2, False)"] * 2


def test_an_object_of_a_module_is_for_each_call_as_it_was_made(tmp_path: Path) -> None:
    found = explore(tmp_path, ("put", "'b'"), ("put", "'c'"))
    assert [one["value"]["text"] for one in found] == ["(2, 1)"] * 2


def test_what_was_imported_from_a_folder_that_is_on_the_path_for_a_while_is_no_more(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/spare.py").write_text("KIND = 'a'\n")
    look = "(sys.path.append('more') or __import__('spare').KIND)".replace("sys", "__import__('sys')")
    there, missing, kit = explore(
        tmp_path, ("", look), ("", "__import__('spare').KIND"), ("", "__import__('kit').__name__")
    )
    assert (there["value"]["text"], missing["error"][1], kit["value"]["text"]) == (
        "'a'",
        "ModuleNotFoundError",
        "'kit'",
    )


def test_what_a_module_enters_in_a_register_as_it_is_imported_stays_there(tmp_path: Path) -> None:
    found = explore(tmp_path, ("", "(kit.Point(1).x, list(tool._kinds))"), ("remember", "'b'"), ("remembered", ""))
    assert found[0]["value"]["text"] == "(1, ['a', 'kit'])"
    assert found[2]["value"]["text"] == "(0, ['a', 'kit'], [], None, 2, False)"


def test_an_object_of_a_module_that_no_test_may_import_is_looked_at_from_a_side(tmp_path: Path) -> None:
    marked, point = explore(tmp_path, ("mark", "'<a>'"), ("point", "3"))
    assert (marked["view"], marked["value"]["text"]) == ("str", "'<a>'")
    assert (point["kind"], point["attributes"][0][0], point["attributes"][0][1]["text"]) == ("opaque", "x", "3")


def test_a_file_of_the_project_that_a_call_changes_is_as_it_was_for_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("a")
    (tmp_path / "same.txt").write_text("b")
    changed, removed, same, read = explore(
        tmp_path,
        ("", "open('rows.txt', 'w').write('b')"),
        ("", "__import__('os').remove('rows.txt')"),
        ("", "open('same.txt', 'w').write('b')"),
        ("", "open('rows.txt').read()"),
    )
    assert [(one["kind"], one["message"]) for one in (changed, removed)] == [("unusable", "changes rows.txt")] * 2
    assert (same["kind"], read["value"]["text"]) == ("value", "'a'")
