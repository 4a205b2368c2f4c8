"""A word is left out of a text in all places where the text stands."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
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


def test_what_went_another_way_through_an_open_function_loses_a_word_as_well() -> None:
    tree = ast.parse("def parse(text, form):\n    if 'z' in form:\n        return 1\n    return 2\n")
    (entry,) = list_functions(tree, "shop.py", "shop")
    gap = Gap(path="shop.py", lines=frozenset({4}))
    source = Source(path="shop.py", module="shop", tree=tree, gap=gap, entries=(), functions=(entry,), constructors={})
    script = Script(imports=frozenset(), setup=("text = show('%d %z')",), look="parse(text, '%d %z')")
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({2, 3})})
    found = together([seen], source, frozenset({("shop.py", 4)}))
    assert [one.script.look for one in found if one.script] == ["parse(text, '%z')", "parse(text, '%d')"]
    assert not together([seen], source, frozenset())
