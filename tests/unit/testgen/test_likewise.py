"""A look that tests have at an object of such a name elsewhere."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Script
from greenlane.testgen.likewise import habits_of, with_other_methods
from greenlane.testgen.scripts import FoundScript, script_case

FUNCTION = list_functions(ast.parse("def plugin(md): ..."), "shop.py", "shop")[0]


def script(*lines: str) -> Script:
    return Script(frozenset(), lines[:-1], lines[-1])


def test_what_a_look_calls_is_called_as_other_tests_call_it() -> None:
    elsewhere = [
        script("md = Markdown()", "md.render('a')"),
        script("md.disable('b')", "md.render('c')"),
        script("md.use('d', now=True)", "shop.open('e')"),
        script("md.reset()", "md.parse('f')"),
    ]
    case = script_case(
        FUNCTION, FoundScript(test="t", script=script("md = Markdown().use(plugin)", "len(md.parse('~'))"))
    )
    found = [c.script for c in with_other_methods(case, habits_of(elsewhere))]
    assert [(s.setup, s.look) for s in found if s] == [
        (("md = Markdown().use(plugin)",), "len(md.render('~'))"),
        (("md = Markdown().use(plugin)",), "len(md.disable('~'))"),
    ]


def test_a_script_that_is_about_two_functions_is_one_test() -> None:
    other = msgspec.structs.replace(FUNCTION, name="other")
    one, two = (script_case(f, FoundScript(test="t", script=script("plugin(1)"))) for f in (FUNCTION, other))
    assert one.key != two.key
    assert one.made == two.made
