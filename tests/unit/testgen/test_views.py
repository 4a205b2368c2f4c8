"""How a call is written: operators as operators, with brackets where a reader needs them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import greenlane.testgen
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Effect, Outcome
from greenlane.testgen.views import as_raised, as_statement, as_written, looked_at, operand, viewed

NAMES = ("__and__", "__invert__", "__contains__", "__getitem__", "__repr__", "__call__", "plain")
SOURCE = "class Query:\n" + "".join(f"    def {name}(self, other): ...\n" for name in NAMES)
FUNCTIONS = {f.name: f for f in list_functions(ast.parse(SOURCE), "a.py", "a")}


@pytest.mark.parametrize(
    ("name", "given", "written"),
    [
        ("__and__", ["b == 2"], "((a == 1) & (b == 2))"),
        ("__and__", ["b"], "((a == 1) & b)"),
        ("__invert__", [], "(~(a == 1))"),
        ("__contains__", ["not b"], "((not b) in (a == 1))"),
        ("__getitem__", ["1 + 1"], "(a == 1)[1 + 1]"),
        ("__repr__", [], "repr(a == 1)"),
        ("__call__", ["key=f(1)"], "(a == 1)(key=f(1))"),
        ("plain", [], ""),
    ],
)
def test_an_operand_with_a_sign_of_its_own_stands_in_brackets(name: str, given: list[str], written: str) -> None:
    assert as_written(FUNCTIONS[name], "a == 1", given) == written


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("Till(1).__setitem__('a', [1])", "Till(1)['a'] = [1]"),
        ("(a | b).__delitem__(1 + 1)", "del (a | b)[1 + 1]"),
        ("till.__setitem__('a', value=1)", "till.__setitem__('a', value=1)"),
        ("till.add('a', 1)", "till.add('a', 1)"),
    ],
)
def test_a_call_that_nobody_looks_at_is_a_statement_where_everybody_writes_one(call: str, written: str) -> None:
    assert as_statement(call) == written


def test_a_plain_operand_stands_as_it_is() -> None:
    assert [operand(text) for text in ("a.b", "f(1)[2]", "(a | b)", "'x'")] == ["a.b", "f(1)[2]", "(a | b)", "'x'"]


def test_objects_that_a_generator_gave_are_seen_by_their_attribute() -> None:
    outcome = Outcome(case=0, kind="value", listed=True, view="each key")
    assert looked_at(outcome, "parts(a)", set()) == "[item.key for item in parts(a)]"
    assert looked_at(msgspec.structs.replace(outcome, view=""), "parts(a)", set()) == "list(parts(a))"


@pytest.mark.parametrize(
    ("how", "look", "written"),
    [
        ({"listed": True}, "iter(view)", "list(iter(view))"),
        ({"called": 1}, "make('a')", "make('a')(1)"),
        ({}, "make('a')", "make('a')"),
        ({"listed": True}, "with a() as b:\n    inside = b", "with a() as b:\n    b"),
    ],
)
def test_an_error_that_comes_late_is_asked_for(how: dict[str, Any], look: str, written: str) -> None:
    assert as_raised(Outcome(case=0, kind="raises", **how), look) == written


SHOWN = """
from greenlane_looks import describe_value
from greenlane_values import Describer

class Rule:
    def __init__(self, *parts):
        self._parts = frozenset(parts)

    def __repr__(self):
        return f"Rule({self._parts!r})"

print([describe_value(Rule(*parts), Describer()).get("view") for parts in (("a",), ("a", "b"))])
"""


def test_what_shows_the_order_of_a_set_is_not_looked_at() -> None:
    inside = Path(greenlane.testgen.__file__).with_name("inside")
    environment = {"PATH": os.defpath, "PYTHONPATH": str(inside), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", SHOWN], env=environment, check=True, capture_output=True, text=True)
    assert ast.literal_eval(run.stdout) == ["repr", "type"]


LEAVING = """
import pathlib
from greenlane_explore import _observe

def seen(*setup):
    case = {"script": [[("pathlib", "Path")], list(setup), "Path('a.txt').name"]}
    return _observe(case, {})["kind"], pathlib.Path("a.txt").exists()

print([seen("Path('a.txt').write_text('a')"), seen("Path('a.txt').parent")])
"""


def test_a_script_that_leaves_a_file_where_it_is_run_makes_no_test(tmp_path: Path) -> None:
    inside = Path(greenlane.testgen.__file__).with_name("inside")
    (tmp_path / "input").write_text(f'{{"project": "{tmp_path}", "tests": "{tmp_path}/tests", "groups": []}}')
    environment = {
        "PATH": os.defpath, "PYTHONPATH": str(inside), "PYTHONDONTWRITEBYTECODE": "1",
        "GREENLANE_INPUT": str(tmp_path / "input"), "GREENLANE_OUTPUT": str(tmp_path / "output"),
    }  # fmt: skip
    command = [sys.executable, "-c", LEAVING]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert ast.literal_eval(run.stdout) == [("unusable", False), ("value", False)]


EACH = """
import time
from greenlane_further import further_looks
from greenlane_looks import Listed, describe_value, looks_at_each
from greenlane_values import Describer

class Token:
    def __init__(self, kind, text, level=0):
        self.kind, self.text, self.level, self._private = kind, text, level, 1

class Slotted:
    __slots__ = ("kind", "unset")

    def __init__(self, kind):
        self.kind = kind

tokens = [Token("word", "a"), Token("sign", "b"), Token("word", "c")]
seen = describe_value(tokens, Describer())
print([
    (seen["view"], seen["value"]["text"]),
    [(look[3], look[2]["text"]) for look in further_looks(seen, tokens, Describer(), "/nowhere")],
    describe_value(Listed([Slotted("x"), Slotted("y")]), Describer())["view"],
    describe_value([Slotted(None)], Describer())["view"],
    describe_value([Token("word", object()), Slotted("word")], Describer())["view"],
    describe_value([(object(), 1, "a"), (object(), 1, "b")], Describer())["view"],
    describe_value([{"id": 1, "made": time.time()}, {"id": 2, "made": time.time()}], Describer())["view"],
    [one[0] for one in looks_at_each({"id": 1, "made": time.time(), "name": "abc", 3: 4}, Describer())],
    looks_at_each({"id": 1}, Describer()),
])
"""


def test_of_a_list_of_objects_or_tuples_the_part_is_seen_in_which_they_differ_most() -> None:
    inside = Path(greenlane.testgen.__file__).with_name("inside")
    environment = {"PATH": os.defpath, "PYTHONPATH": str(inside), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", EACH], env=environment, check=True, capture_output=True, text=True)
    assert ast.literal_eval(run.stdout) == [
        ("each text", "['a', 'b', 'c']"),
        [("each kind", "['word', 'sign', 'word']"), ("each level", "[0, 0, 0]")],
        "each kind",
        "len",
        "each kind",
        "each 2",
        "each [id]",
        ["part [name]", "part [id]"],
        [],
    ]


def test_an_attribute_of_each_item_is_written_as_a_comprehension() -> None:
    assert viewed(Outcome(case=0, kind="value", view="each kind"), "lex('a b')", set()) == (
        "[item.kind for item in lex('a b')]"
    )
    assert viewed(Outcome(case=0, kind="value", view="each 1"), "rows", set()) == "[item[1] for item in rows]"
    assert viewed(Outcome(case=0, kind="value", view="each [id]"), "rows", set()) == "[item['id'] for item in rows]"
    assert viewed(Outcome(case=0, kind="value", view="part [id]"), "a or b", set()) == "(a or b)['id']"


def test_a_view_that_names_no_attribute_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'["result", "", ["1"], "each kind for item in evil()"]', type=Effect)


CHANGED = """
import threading
from greenlane_looks import changes_of, state_of
from greenlane_values import Describer

class Register:
    def __init__(self):
        self.kinds, self.locks = {"a": threading.Lock()}, [threading.Lock()]

register = Register()
before = state_of(register, Describer(), wholly=False)
register.kinds["b"] = ("b", int)
register.kinds[3] = 4
register.locks += register.locks
after = state_of(register, Describer(), wholly=False)
found = changes_of({"receiver": before}, {"receiver": after})
print([(attribute, view, shown["text"]) for _, attribute, shown, view in found])
"""


def test_of_a_container_that_cannot_be_written_down_one_sees_how_much_there_is() -> None:
    inside = Path(greenlane.testgen.__file__).with_name("inside")
    environment = {"PATH": os.defpath, "PYTHONPATH": str(inside), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", CHANGED], env=environment, check=True, capture_output=True, text=True)
    found = ast.literal_eval(run.stdout)
    assert sorted(found) == [("kinds", "len", "3"), ("locks", "len", "2")]
