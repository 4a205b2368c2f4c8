"""Objects that tests make are put into blocks of their own, where what enters or leaves them is open."""

from __future__ import annotations

import ast

import msgspec
import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.managed import managed
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from tests.support.sources import source_at

TEXT = """
class Store:
    def __init__(self, name):
        self.name = name
        self.file = open(name)
        self._handle = 1

    @property
    def handle(self):
        return self._handle

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is KeyError:
            return True
        self.close()

    def close(self):
        self._handle = None
        self.file.close()
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
IMPORTS = frozenset({("shop", "Store")})
CLOSE = next(f for f in FUNCTIONS if f.name == "close")


def scripts(line: int, *seen: Case) -> list[Script]:
    gap = Gap(path="shop.py", lines=frozenset({line}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    observed = [Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={}) for case in seen]
    return [case.script for case in managed(observed, source, frozenset({("shop.py", line)})) if case.script]


def of_script(*setup: str, look: str) -> Case:
    script = Script(imports=IMPORTS, setup=setup, look=look)
    return Case(
        entry=CLOSE, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )


CALL = Case(
    entry=CLOSE, receiver="Store('a')", arguments=(), imports=IMPORTS, fixtures=frozenset(), carved=True
)  # fmt: skip
MADE = of_script("name = 'a'", "store = Store(name)", "store.close()", look="store.name")
PLAIN = "with store:\n    pass"


@pytest.mark.parametrize("seen", [MADE, of_script("name = 'a'", "store = Store(name)", look="store.name")])
def test_what_a_script_makes_is_left_right_after_it_and_looked_at(seen: Case) -> None:
    found = [one for one in scripts(18, seen) if PLAIN in one.setup]
    assert {one.setup for one in found} == {("name = 'a'", "store = Store(name)", PLAIN)}
    assert [one.look for one in found] == ["store.handle", "store.file.closed", "store.file", "store"]


def test_the_object_of_a_call_is_given_a_name_and_left() -> None:
    assert scripts(18, CALL)[0].setup == ("store = Store('a')", PLAIN)


def test_a_block_ends_with_an_error_that_the_method_speaks_of() -> None:
    ended = "with store:\n    raise KeyError('abc')"
    setups = [one.setup[-1] for one in scripts(17, MADE)]
    assert ended in setups
    assert "with suppress(ValueError):\n    with store:\n        raise ValueError('abc')" in setups


def test_what_is_entered_is_the_object_itself_or_not() -> None:
    first = scripts(13, MADE)[0]
    assert (first.setup[-1], first.look) == ("with store as entered:\n    pass", "entered is store")


def test_an_object_that_is_in_a_block_already_is_left_alone() -> None:
    assert not scripts(18, of_script("with Store('a') as store:\n    inside = store.name", look="inside"))


def test_nothing_is_said_of_other_methods() -> None:
    assert not scripts(22, MADE)


def test_an_object_never_takes_the_name_of_its_class() -> None:
    source = source_at(TEXT.replace("Store", "store"), 18)
    close = next(f for f in source.functions if f.name == "close")
    call = msgspec.structs.replace(CALL, entry=close, receiver="store('a')", imports=frozenset({("shop", "store")}))
    seen = Observed(case=call, outcome=Outcome(case=0, kind="value"), lines={})
    texts = [case.script.text for case in managed([seen], source, frozenset({("shop.py", 18)})) if case.script]
    assert texts[0].startswith("own_store = store('a')\nwith own_store:")
