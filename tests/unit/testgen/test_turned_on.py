"""A flag that a condition asks of another object is set on that object, by the name that it has from outside."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from greenlane.testgen.turned_on import turned_on

BESIDE = """
class Client:
    def __init__(self, agent):
        self._trust = True
        self.level = 2
        self._hidden = False

    @property
    def trust(self):
        return self._trust

    @trust.setter
    def trust(self, value):
        self._trust = value
"""
TEXT = """
class Results:
    def __init__(self, client):
        self.client = client

    def first(self, limit):
        if self.client._trust:
            return 1
        if self.client.level > 3:
            return 2
        if self.client._hidden:
            return 3
        return 0
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
FIRST = FUNCTIONS[1]
CALL = Case(
    entry=FIRST, receiver="Client('a').search()", arguments=((None, "1"),),
    imports=frozenset({("shop.client", "Client")}), fixtures=frozenset(), carved=True,
)  # fmt: skip
SCRIPT = Script(imports=CALL.imports, setup=("d = Client('a')", "found = d.search()"), look="found.first(1)")


def source(text: str, path: str, line: int = 0) -> Source:
    tree = ast.parse(text)
    gap = Gap(path=path, lines=frozenset({line} - {0}))
    functions = list_functions(tree, path, path[:-3])
    return Source(path=path, module=path[:-3], tree=tree, gap=gap, entries=(), functions=functions, constructors={})


def shown(case: Case, line: int) -> list[list[str]]:
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({7, 9, 11, 13})})
    found = turned_on(
        [seen], source(TEXT, "shop.py", line), frozenset({("shop.py", line)}), [source(BESIDE, "client.py")]
    )
    return [[*one.script.setup, one.script.look] for one in found if one.script]


def test_a_private_flag_is_set_by_its_property_where_a_script_makes_the_object() -> None:
    case = msgspec.structs.replace(CALL, script=SCRIPT, receiver=None, arguments=())
    assert shown(case, 8) == [["d = Client('a')", "d.trust = False", "found = d.search()", "found.first(1)"]]


def test_a_call_is_made_after_it_was_set_by_the_way_to_it() -> None:
    made = "results = Client('a').search()"
    assert shown(CALL, 8) == [[made, "results.client.trust = False", "results.first(1)"]]
    assert shown(CALL, 10)[:1] == [[made, "results.client.trust = False", "results.first(1)"]]
    assert [made, "results.client.level = 3", "results.first(1)"] in shown(CALL, 10)


def test_what_nothing_sets_from_outside_is_left_alone() -> None:
    assert not [row for row in shown(CALL, 12) if "hidden" in row[1]]


KEPT = """
class Currency:
    def __init__(self, symbol: str, rate=None): ...

class Line:
    currency: Optional["Currency"] = None

def write(line):
    if line.currency is not None:
        return 1
    return 0
"""


def test_what_is_none_at_first_is_set_to_an_object_of_the_class_that_it_is_said_to_be_of() -> None:
    tree = ast.parse(KEPT)
    file = msgspec.structs.replace(source(KEPT, "shop.py", 10), constructors=list_constructors(tree))
    (write,) = (f for f in file.functions if f.name == "write")
    script = Script(
        imports=frozenset({("shop", "Line"), ("shop", "write")}), setup=("one = Line()",), look="write(one)"
    )
    case = msgspec.structs.replace(CALL, entry=write, script=script, receiver=None, arguments=())
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({9, 11})})
    first = turned_on([seen], file, frozenset({("shop.py", 10)}))[0].script
    assert first is not None
    assert first.setup == ("one = Line()", "one.currency = Currency('other')")
    assert ("shop", "Currency") in first.imports
