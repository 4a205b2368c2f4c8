"""A setter is met by an assignment, a deleter by `del`: neither is called by its name."""

from __future__ import annotations

import ast

from greenlane.testgen.assigned import as_assignments, is_assigned
from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case, Step

TEXT = """
class Client:
    @property
    def trust(self):
        return self._trust

    @trust.setter
    def trust(self, value):
        self._trust = value

    @trust.deleter
    def trust(self):
        del self._trust

    @cache.setter
    def other(self, value):
        return value
"""
READ, SET, DELETE, OTHER = list_functions(ast.parse(TEXT), "shop.py", "shop")


def shown(case: Case) -> list[list[str]]:
    return [[*one.script.setup, one.script.look] for one in as_assignments([case]) if one.script]


def test_only_setters_and_deleters_of_a_property_are_met_so() -> None:
    assert [is_assigned(one) for one in (READ, SET, DELETE, OTHER)] == [False, True, True, False]


def test_a_value_is_assigned_after_what_was_done_with_the_object() -> None:
    case = Case(
        entry=SET, receiver="Client('a')", arguments=(("value", "1"),), imports=frozenset({("shop", "Client")}),
        fixtures=frozenset(), carved=True, history=(Step("open", ()),),
    )  # fmt: skip
    assert shown(case) == [["client = Client('a')", "client.open()", "client.trust = 1", "client.trust"]]


def test_what_is_deleted_is_asked_for_after_it() -> None:
    case = Case(
        entry=DELETE, receiver="Client('a')", arguments=(), imports=frozenset({("shop", "Client")}),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip
    assert shown(case) == [["client = Client('a')", "del client.trust", "client.trust"]]
