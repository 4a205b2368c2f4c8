"""What a parameter without annotation looks like: places, keys and items that its code asks for."""

from __future__ import annotations

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.guesses import guess_values, imports_for
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.uses import told_by_uses
from greenlane.testgen.vary import vary


def told(source: str) -> Function:
    tree = parse_source(source)
    return told_by_uses(list_functions(tree, "a.py", "a"), tree)[0]


@pytest.mark.parametrize(
    ("body", "kinds", "first"),
    [
        ("if given[0] != 0xFF: return given[1:3]", "list | str", "[255, 1]"),
        ("return given[1] == 2 and given[0] == 1", "list | str", "[1, 2, 2]"),
        ("return given[0] == '#'", "list | str", "['#', 'a']"),
        ("return given['app'], given['size'].split('x')", "dict", "{'app': 'a', 'size': 'ax1'}"),
        ("return groupby(given, lambda one: one.role.split('.'))", "list", "[SimpleNamespace(role='a.1')]"),
        ("return [one.kind == 'new' for one in given]", "list", "[SimpleNamespace(kind='new')]"),
        ("return [n for n, one in enumerate(given) if one.ready]", "list", "[SimpleNamespace(ready='a')]"),
    ],
)
def test_places_keys_and_items_tell_what_is_given(body: str, kinds: str, first: str) -> None:
    entry = told(f"def f(given):\n    {body}\n")
    assert entry.params[0].told == kinds
    assert guess_values(entry.params[0], entry)[0] == first


@pytest.mark.parametrize(
    "body",
    [
        "given['a'] = 1; return given['a']",  # it is set here
        "return [one.strip() for one in given]",  # any text has that
        "return [one.run() for one in given]",  # more than a plain object can do
        "return given[key]",
    ],
)
def test_where_the_code_asks_for_nothing_that_can_be_told_no_sample_is_made(body: str) -> None:
    assert told(f"def f(given):\n    {body}\n").params[0].samples == ()


def test_bytes_are_tried_where_numbers_of_that_size_are_asked_for_and_no_others() -> None:
    assert "b'\\xff\\x01'" in told("def f(given):\n    return given[0] == 255\n").params[0].samples
    assert not any("b'" in text for text in told("def f(given):\n    return given[0] == 256\n").params[0].samples)


def test_a_call_in_a_script_is_given_what_the_code_asks_for() -> None:
    entry = told("def render(people, options):\n    return [one.name for one in people], options['app']\n")
    script = Script(imports=frozenset({("a", "render")}), setup=(), look="render([], {'app': 'b'})")
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )
    looks = {one.script.look: one.script for one in vary(case, 60, {"render": entry.params}) if one.script}
    wanted = "render([SimpleNamespace(name='a')], {'app': 'b'})"
    assert wanted in looks
    assert ("types", "SimpleNamespace") in looks[wanted].imports
    assert imports_for("SimpleNamespace(name='a')", "") == {("types", "SimpleNamespace")}


def test_what_a_variation_needs_no_more_is_not_imported() -> None:
    entry = told("def render(people):\n    return [one.name for one in people]\n")
    given = ((None, "[SimpleNamespace(name='a')]"),)
    imports = frozenset({("types", "SimpleNamespace")})
    case = Case(entry=entry, receiver=None, arguments=given, imports=imports, fixtures=frozenset(), carved=False)
    (empty,) = (one for one in vary(case, 60) if one.arguments == ((None, "[]"),))
    assert empty.imports == frozenset()
