"""Paths in another folder each time are looked at by their last names."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.lastnames import by_last_names

(SAVE,) = list_functions(ast.parse("def save(name):\n    return name\n"), "shop.py", "shop")


def looks(one: str, other: str) -> list[str]:
    script = Script(imports=frozenset(), setup=("folder = mkdtemp()",), look="save(folder)")
    case = Case(
        entry=SAVE, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )
    first, again = (
        Observed(case=case, outcome=Outcome(case=0, kind="value", value=Description(text)), lines={})
        for text in (one, other)
    )
    made = [case.script for case in by_last_names([first], [again]) if case.script is not None]
    assert all(("os", "") in script.imports for script in made)
    return [script.look for script in made]


def test_the_names_of_files_are_looked_at_where_their_folder_is_another_one() -> None:
    assert looks("'/tmp/a1/b.png'", "'/tmp/c2/b.png'") == ["os.path.basename(save(folder))"]
    each = ["[os.path.basename(path) for path in save(folder)]"]
    assert looks("['/tmp/a1/b.png', '/tmp/a1/c']", "['/tmp/c2/b.png', '/tmp/c2/c']") == each


@pytest.mark.parametrize(
    ("one", "other"),
    [("'/tmp/a1'", "'/tmp/c2'"), ("'/a/b'", "'/a/b'"), ("['/a/b']", "['/c/b', '/c/d']"), ("1", "2"), ("[]", "['/a']")],
)
def test_what_is_named_otherwise_as_well_is_left_out(one: str, other: str) -> None:
    assert looks(one, other) == []
