"""A word is left out of a text in all places where the text stands."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.together import scripts_with_less, together


def test_a_template_and_what_is_read_by_it_lose_the_same_word() -> None:
    script = Script(
        imports=frozenset(), setup=("text = show('%d  %m %z')", "other = 'a b'"), look="parse(text, '%d  %m %z')"
    )
    found = [(one.setup[0], one.look) for one in scripts_with_less(script)]
    assert found == [
        ("text = show('%m %z')", "parse(text, '%m %z')"),
        ("text = show('%d  %z')", "parse(text, '%d  %z')"),
        ("text = show('%d  %m')", "parse(text, '%d  %m')"),
    ]
    assert all(one.setup[1] == "other = 'a b'" for one in scripts_with_less(script))


def test_scripts_that_name_what_they_are_about_lose_a_word() -> None:
    tree = ast.parse("def parse(text, form):\n    return 1\ndef show(form):\n    return form\n")
    parse, show = list_functions(tree, "shop.py", "shop")
    script = Script(imports=frozenset(), setup=("text = write('%d %z')",), look="parse(text, '%d %z')")
    case = Case(
        entry=show, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )
    found = together([case], [show, parse])
    assert [(one.entry.name, one.script.look) for one in found if one.script] == [
        ("parse", "parse(text, '%z')"), ("parse", "parse(text, '%d')"),
    ]  # fmt: skip
    assert not together([case], [show])
