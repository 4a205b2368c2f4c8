"""Plain values, and texts in other letters, where tests give something else."""

from __future__ import annotations

import msgspec
import pytest

from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.lettercase import in_other_case
from greenlane.testgen.peeled import peeled
from tests.support.sources import source_at

GRAMMAR = """
class Grammar:
    def __init__(self, grammar, most=1):
        if isinstance(grammar, (str, int)):
            grammar = wrapped(grammar)
        self.grammar = grammar
"""
NAMES = """
def find(names):
    for name in names:
        if name.lower().endswith("/record"):
            return name.rsplit("/", 1)[0]
"""


def scripts(text: str, line: int, setup: tuple[str, ...], look: str, find: object) -> list[str]:
    source = source_at(text, line)
    ((_, entry),) = source.entries
    script = Script(imports=frozenset(), setup=setup, look=look)
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({line - 1})})
    elsewhere = msgspec.structs.replace(seen, lines={"shop.py": frozenset({1})})
    assert callable(find)
    assert find([elsewhere], source, frozenset({("shop.py", line)})) == []
    return [one.script.text for one in find([seen], source, frozenset({("shop.py", line)}))]


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        ("Grammar(Sequence('A', 'B', 'C')).parse()", ["'A'", "'B'", "'abc'", "1"]),
        ("Grammar(most=2, grammar=Sequence(3)).parse()", ["'abc'", "3", "1"]),
        ("Grammar('A').parse()", []),
        ("Grammar(*given(1)).parse()", []),
        ("Other(Sequence('A')).parse()", []),
    ],
)
def test_what_is_asked_to_be_plain_is_given_something_plain(look: str, expected: list[str]) -> None:
    found = scripts(GRAMMAR, 5, (), look, peeled)
    places = ("Grammar({}).parse()", "Grammar(most=2, grammar={}).parse()")
    assert sorted(found) == sorted(places["most" in look].format(value) for value in expected)


def test_a_text_with_a_word_of_the_code_gets_other_letters_first() -> None:
    found = scripts(NAMES, 5, ("kept = ['A', f'x/{one}', 3]",), "find(['a/RECORD', *kept])", in_other_case)
    assert found[0] == "kept = ['A', f'x/{one}', 3]\nfind(['A/RECORD', *kept])"
    assert "kept = ['a', f'x/{one}', 3]\nfind(['a/RECORD', *kept])" in found
    assert not any("X/" in one for one in found)


def test_where_letters_are_told_apart_they_stay() -> None:
    assert scripts(NAMES.replace(".lower()", ""), 5, (), "find(['a/RECORD'])", in_other_case) == []
