"""Literals of another kind, where the code tells kinds apart."""

from __future__ import annotations

import pytest

from greenlane.testgen.kinds import of_other_kinds


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
