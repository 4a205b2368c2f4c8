"""A call that sets what a condition asks of an object is put between what makes the object and what asks."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.readied import readied
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
class Entry:
    def __init__(self):
        self._origin = None
        self._tags = []

    def origin(self, url=None):
        if url is not None:
            self._origin = {"url": url}
        return self._origin

    def tag(self, word):
        self._tags.append(word)

    @property
    def level(self):
        return self._level

    @level.setter
    def level(self, value):
        self._level = value

    def render(self):
        if self._origin:
            return self._origin["url"]
        tags = self._tags
        if tags:
            return tags[0]
        if self.level == 2:
            return "level"
        return ""
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
RENDER, ORIGIN = (next(f for f in FUNCTIONS if f.name == name) for name in ("render", "origin"))
CALL = Case(
    entry=RENDER, receiver="Entry()", arguments=(), imports=frozenset({("shop", "Entry")}), fixtures=frozenset(),
    carved=True,
)  # fmt: skip
ASKED = Observed(
    case=CALL, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({24, 26, 27, 29, 31})}
)  # fmt: skip


def found(line: int, *seen: Observed) -> list[Case]:
    gap = Gap(path="shop.py", lines=frozenset({line}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    return readied(seen, source, frozenset({("shop.py", line)}))


def steps(line: int, *seen: Observed) -> list[tuple[str, list[tuple[str | None, str]]]]:
    return [(s.name, [*s.arguments]) for case in found(line, *seen) for s in case.history]


def test_what_was_seen_to_set_it_is_called_before() -> None:
    case = msgspec.structs.replace(CALL, entry=ORIGIN, arguments=((None, "'http://a'"),))
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({8, 9, 10})})
    assert steps(25, ASKED, seen) == [("origin", [(None, "'http://a'")])]


def test_what_was_not_seen_is_called_with_guesses() -> None:
    names = {name for name, _ in steps(25, ASKED)}
    assert names == {"origin"}
    assert all(arguments[0][0] == "url" for _, arguments in steps(25, ASKED)[:1])


def test_a_local_name_stands_for_what_it_was_given() -> None:
    assert "tag" in {name for name, _ in steps(28, ASKED)}


def test_a_setter_is_assigned_to() -> None:
    scripts = [case.script for case in found(30, ASKED) if case.script]
    assert [*scripts[0].setup[:1], scripts[0].look] == ["entry = Entry()", "entry.render()"]
    assert all(script.setup[1].startswith("entry.level = ") for script in scripts)


def test_in_a_script_it_stands_after_the_last_use_of_the_object() -> None:
    script = Script(
        imports=frozenset(), setup=("feed = Feed()", "one = feed.add()", "one.tag('a')"), look="feed.text()"
    )
    case = msgspec.structs.replace(CALL, script=script, receiver=None)
    asked = msgspec.structs.replace(ASKED, case=case)
    (first, *_) = [one.script for one in found(25, asked) if one.script]
    assert first.setup[:3] == script.setup
    assert first.setup[3].startswith("one.origin(")


def test_without_a_condition_on_the_object_there_is_nothing() -> None:
    assert found(5, ASKED) == []


SHELF = """
class Shelf:
    def __init__(self):
        self._makers = {}

    def register(self, kind, maker=None):
        if maker is None:
            return lambda maker: self.register(kind, maker)
        self._makers[kind] = maker

    def forget(self):
        self._makers.clear()
"""


def test_before_something_is_taken_away_it_is_put_there_by_a_call_that_does_so_by_itself() -> None:
    tree = ast.parse(SHELF)
    functions = list_functions(tree, "shop.py", "shop")
    gap = Gap(path="shop.py", lines=frozenset({12}))
    source = Source(path="shop.py", module="shop", tree=tree, gap=gap, entries=(), functions=functions, constructors={})
    forget, register = (
        msgspec.structs.replace(CALL, entry=next(f for f in functions if f.name == name), receiver="Shelf()")
        for name in ("forget", "register")
    )
    asked = Observed(case=forget, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({12})})
    rows = [
        Observed(
            case=msgspec.structs.replace(register, arguments=arguments),
            outcome=Outcome(case=0, kind="value", called=called),
            lines={"shop.py": frozenset({7, 8, 9})},
        )
        for arguments, called in ((((None, "int"),), 1), (((None, "int"), (None, "str")), -1))
    ]
    made = readied([asked, *rows], source, frozenset({("shop.py", 12)}))
    assert [(step.name, step.arguments) for case in made for step in case.history] == [
        ("register", ((None, "int"), (None, "str")))
    ], "what it gives back was called as well, the first time"


def test_of_those_that_came_there_the_ones_with_room_for_the_call_are_taken() -> None:
    script = Script(imports=frozenset({("shop", "shown")}), setup=(), look="shown(1)")
    crowd = [
        msgspec.structs.replace(
            ASKED, case=CALL.with_script(msgspec.structs.replace(script, look=f"shown({n})")), outcome=ASKED.outcome
        )
        for n in range(100)
    ]
    assert {name for name, _ in steps(25, *crowd, ASKED)} == {"origin"}
