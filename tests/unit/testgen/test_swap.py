"""A function that no test calls yet is called the way that the tests call its kin."""

from __future__ import annotations

import ast

from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.swap import swap_calls

FUNCTIONS = list_functions(
    ast.parse(
        """
class Query:
    def one_of(self, items): ...
    def fragment(self, document: Mapping): ...
    @property
    def plain(self): ...
    def __repr__(self): ...

class Kept:
    def __call__(self, value): ...
    @property
    def store(self): ...

def once(func): ...
def twice(func): ...
def handle(source: StringIO): ...
"""
    ),
    "shop/query.py",
    "shop.query",
)


def function(name: str) -> Function:
    return next(f for f in FUNCTIONS if f.name == name)


def swapped(name: str, *setup: str, look: str, imports: frozenset[tuple[str, str]] = frozenset()) -> list[Script]:
    found = FoundScript(test="t", script=Script(imports, setup, look))
    return [one.script for one in swap_calls(found, function(name), FUNCTIONS)]


def test_a_new_method_takes_the_place_of_a_sibling_with_values_of_its_own_kind() -> None:
    texts = [s.text for s in swapped("fragment", "query = Query().val.one_of([1])", look="query({'val': 1})")]
    assert "query = Query().val.fragment([1])\nquery({'val': 1})" in texts, "what stands there"
    assert "query = Query().val.fragment({'val': 1})\nquery({'val': 1})" in texts, "a mapping of the script"
    assert "query = Query().val.fragment({})\nquery({'val': 1})" in texts, "a guess"


def test_a_property_is_read() -> None:
    assert "Query().plain" in [s.look for s in swapped("plain", look="Query().one_of([1])")]


def test_a_method_takes_the_place_of_a_property() -> None:
    texts = [s.text for s in swapped("one_of", "text = Query().plain.upper()", look="text")]
    assert "text = Query().one_of([1, 2, 3]).upper()\ntext" in texts


def test_a_text_is_not_taken_apart_like_items() -> None:
    assert {s.look for s in swapped("__repr__", look="list(Query().one_of([1]))")} == {"repr(Query())"}


def test_a_function_is_imported_in_place_of_its_kin() -> None:
    (script, *_) = swapped("twice", look="once(work)", imports=frozenset({("shop.query", "once")}))
    assert (script.look, script.imports) == ("twice(work)", {("shop.query", "twice")})


def test_a_function_is_not_swapped_for_a_method() -> None:
    assert swapped("twice", look="Query().one_of([1])") == []


def test_an_object_that_is_called_like_a_function_is_taken_by_its_calls() -> None:
    looks = [s.look for s in swapped("store", "shop = Shop()", look="shop.price(1)")]
    assert looks == ["shop.price.store"]
    imported = frozenset({("shop", "prices")})
    assert swapped("store", look="prices.price(1)", imports=imported) == [], "a function of a module"


def test_a_property_that_is_set_stays_as_it_is() -> None:
    texts = [s.text for s in swapped("one_of", "query.plain = 4", look="query.plain")]
    assert texts
    assert all(text.startswith("query.plain = 4\n") for text in texts)


def test_the_last_call_is_swapped_first_since_all_that_the_script_makes_is_there_then() -> None:
    first = swapped("fragment", "query = Query()", "query.one_of([1])", look="query.one_of([2])")[0]
    assert first.setup == ("query = Query()", "query.one_of([1])")
    assert first.look.startswith("query.fragment(")


def test_values_that_are_made_up_bring_what_they_import() -> None:
    found = [s for s in swapped("handle", look="once(len)") if s.look.startswith("handle(StringIO(")]
    assert [one.imports for one in found[:1]] == [{("shop.query", "handle"), ("io", "StringIO")}]
