"""What a class method sets on its class."""

from __future__ import annotations

import ast

import msgspec
import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description
from greenlane.testgen.own_class import own_class
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
class Checker:
    most = 3

    @classmethod
    def configure(cls, options):
        cls.least = options[0]
        cls.most, cls._last = options

    @staticmethod
    def done(cls):
        cls.most = 1
"""
PATH, MODULE = "shop/check.py", "shop.check"
TREE = ast.parse(TEXT)
CONFIGURE, DONE = list_functions(TREE, PATH, MODULE)
SOURCE = Source(
    path=PATH, module=MODULE, tree=TREE, gap=Gap(path=PATH, lines=frozenset({8})), entries=(),
    functions=(CONFIGURE, DONE), constructors={},
)  # fmt: skip
CALL = Case(
    entry=CONFIGURE, receiver="Checker", arguments=((None, "(1, 2)"),), imports=frozenset({(MODULE, "Checker")}),
    fixtures=frozenset(), carved=False,
)  # fmt: skip
SILENT = Outcome(case=0, kind="value", value=Description("None"))


def seen(case: Case, outcome: Outcome = SILENT) -> Observed:
    return Observed(case=case, outcome=outcome, lines={PATH: frozenset({7, 8, 12})})


def test_what_a_class_method_sets_is_looked_at_on_a_class_that_inherits_from_its_own() -> None:
    found = own_class([seen(CALL)], SOURCE, frozenset({(PATH, 8)}))
    assert [(one.script.look, one.script.imports) for one in found if one.script] == [
        ("OwnChecker.most", CALL.imports),
        ("OwnChecker.least", CALL.imports),
    ]
    assert found[0].script is not None
    assert found[0].script.setup == ("class OwnChecker(Checker):\n    pass", "OwnChecker.configure((1, 2))")


@pytest.mark.parametrize(
    ("case", "outcome", "line"),
    [
        (CALL, Outcome(case=0, kind="value", value=Description("3")), 8),
        (msgspec.structs.replace(CALL, receiver="Other"), SILENT, 8),
        (msgspec.structs.replace(CALL, entry=DONE), SILENT, 12),
        (CALL, SILENT, 3),
    ],
)
def test_no_other_call_is_made_on_such_a_class(case: Case, outcome: Outcome, line: int) -> None:
    assert own_class([seen(case, outcome)], SOURCE, frozenset({(PATH, line)})) == []
