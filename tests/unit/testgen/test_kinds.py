"""Literals of another kind, where the code tells kinds apart."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.kinds import of_other_kinds, scripts_of_other_kinds
from greenlane.testgen.recast import recast
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap


@pytest.mark.parametrize(
    ("kinds", "changed"),
    [
        (("set",), [["first = {'a': {1, 2}}", "list(diff(first, {'a': {1}}, 3))"]]),
        (("tuple", "Shop"), [["first = {'a': (1, 2)}", "list(diff(first, {'a': (1,)}, 3))"]]),
        (("float",), [["first = {'a': [1.0, 2.0]}", "list(diff(first, {'a': [1.0]}, 3.0))"]]),
        (("list", "bytes", "Shop", "dict"), []),
    ],
)
def test_all_literals_are_made_of_the_kind_that_the_code_asks_for(
    kinds: tuple[str, ...], changed: list[list[str]]
) -> None:
    texts = ["first = {'a': [1, 2]}", "list(diff(first, {'a': [1]}, 3))"]
    assert list(of_other_kinds(texts, kinds)) == changed


def test_what_holds_another_display_is_no_set_and_what_is_taken_apart_stays() -> None:
    assert list(of_other_kinds(["[a, b] = [[1], [2]]", "rows['x']", "f'{[1]}'"], ["set"])) == [
        ["[a, b] = [{1}, {2}]", "rows['x']", "f'{[1]}'"]
    ]
    assert list(of_other_kinds(["f('a', b'c')"], ["bytes"])) == [["f(b'a', b'c')"]]


def test_where_the_fields_of_a_record_are_asked_for_a_dict_is_one() -> None:
    (found,) = of_other_kinds(["rows = [{'name': 'a', 'of': (1, 2)}, {1: 2}]", "'%s' % (1,)"], ["namedtuple"])
    assert found == [
        "rows = [namedtuple('Row', ['name', 'of'])(name='a', of=namedtuple('Row', ['a', 'b'])(a=1, b=2)), {1: 2}]",
        "'%s' % (1,)",
    ]


def test_one_kind_of_record_has_a_name_in_a_script() -> None:
    script = Script(imports=frozenset(), setup=("rows = [{'name': 'a'}, {'name': 'b'}]",), look="pick(rows, 'name')")
    (found,) = scripts_of_other_kinds(script, ["make_dataclass"])
    assert found.setup == ("Row = make_dataclass('Row', ['name'])", "rows = [Row(name='a'), Row(name='b')]")
    assert found.imports == {("dataclasses", "make_dataclass")}


TEXT = """
def pick(row, name):
    if isinstance(row, dict):
        return row[name]
    if isinstance(row, tuple) and hasattr(row, "_fields"):
        return getattr(row, name)
"""
TREE = ast.parse(TEXT)
(PICK,) = list_functions(TREE, "shop.py", "shop")


def test_what_goes_another_way_long_before_is_recast_too() -> None:
    case = Case(
        entry=PICK, receiver=None, arguments=((None, "{'a': 1}"), (None, "'a'")), imports=frozenset(),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip
    gap = Gap(path="shop.py", lines=frozenset({6}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=(PICK,), constructors={})
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({3, 4})})
    (found,) = recast([seen], source, frozenset({("shop.py", 6)}))
    assert found.arguments == ((None, "namedtuple('Row', ['a'])(a=1)"), (None, "'a'"))
    assert found.imports == {("collections", "namedtuple")}
    assert not recast([seen], source, frozenset({("shop.py", 4)}))
