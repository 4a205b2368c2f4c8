"""An attribute that no constructor takes is set on the object, where a condition before something open asks for it."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.switched import switched
from greenlane.testgen.targets import Gap

TEXT = """
class Reader:
    depth = 1

    def __init__(self, name=None):
        self.strict = False
        self.name = name
        self._seen = False

    def read(self, text):
        if self.strict and self.depth > 1 and not self._seen:
            return text.strip()
        if self.name:
            return self.name
        return text

    columns = {}
    _rows = []

    def cells(self, line):
        for name, place in self.columns.items():
            yield name, line[place - 1]
        for row in self._rows:
            yield row
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
READ = next(f for f in FUNCTIONS if f.name == "read")
CALL = Case(
    entry=READ, receiver="Reader('a')", arguments=((None, "'b'"),), imports=frozenset({("shop", "Reader")}),
    fixtures=frozenset(), carved=True,
)  # fmt: skip


def shown(case: Case, line: int) -> list[list[str]]:
    gap = Gap(path="shop.py", lines=frozenset({line}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({11, 13, 21, 23})})
    found = switched([seen], source, frozenset({("shop.py", line)}))
    return [[*one.script.setup, one.script.look] for one in found if one.script]


def test_a_call_is_made_on_an_object_with_the_attribute_set() -> None:
    made = "reader = Reader('a')"
    assert shown(CALL, 12) == [
        [made, "reader.strict = True", "reader.read('b')"],
        [made, "reader.depth = 2", "reader.read('b')"],
        [made, "reader.depth = 0", "reader.read('b')"],
    ]


def test_in_a_script_it_is_set_once_the_object_is_made() -> None:
    setup = ("text = 'b'", "one = Reader()", "one.name")
    script = Script(imports=frozenset({("shop", "Reader")}), setup=setup, look="one.read(text)")
    case = msgspec.structs.replace(CALL, script=script, receiver=None, arguments=())
    assert shown(case, 12)[0] == ["text = 'b'", "one = Reader()", "one.strict = True", "one.name", "one.read(text)"]


def test_what_is_handed_to_the_object_is_left_to_its_constructor() -> None:
    assert shown(CALL, 14) == [["reader = Reader('a')", "reader.strict = True", "reader.read('b')"]] or not [
        row for row in shown(CALL, 14) if ".name" in row[1]
    ]


def test_what_is_empty_and_gone_over_gets_something_in_it() -> None:
    case = msgspec.structs.replace(CALL, entry=next(f for f in FUNCTIONS if f.name == "cells"))
    assert ["reader = Reader('a')", "reader.columns = {'a': 1}", "reader.cells('b')"] in shown(case, 22)
    assert not shown(case, 24)  # nobody sets what is private
