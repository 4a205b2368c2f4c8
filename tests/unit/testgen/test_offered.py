"""What tests type to a program, with an option that the change offers."""

from __future__ import annotations

import msgspec
import pytest

from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.offered import offered
from tests.support.sources import source_at

TEXT = """
import argparse

def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--never", action="store_true")
    parser.add_argument(
        "--label",
        help="A label",
    )
    args = parser.parse_args(argv)
    if args.never:
        return None
    return args.label
"""


def lines(changed: frozenset[int], setup: tuple[str, ...], look: str, ran: frozenset[int]) -> list[str]:
    source = source_at(TEXT, 13)
    source = msgspec.structs.replace(source, gap=msgspec.structs.replace(source.gap, changed=changed))
    ((_, entry),) = source.entries
    script = Script(imports=frozenset(), setup=setup, look=look)
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": ran})
    found = offered([seen], source, frozenset({("shop.py", 13)}), [])
    return [one.script.text for one in found if one.script is not None]


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        ("main(['a', path])", ["main(['a', path, '--never'])", "main(['--never', 'a', path])"]),
        ("main((path,))", ["main((path, '--never'))", "main(('--never', path))"]),
        ("run('pack', '-o')", ["run('pack', '-o', '--never')"]),
        ("main([1, 2])", []),
        ("sorted(['a'])", []),
    ],
)
def test_what_is_typed_gets_the_new_option(look: str, expected: list[str]) -> None:
    assert lines(frozenset({6}), (), look, frozenset({6, 7})) == expected


def test_a_value_follows_an_option_of_which_any_line_changed() -> None:
    found = lines(frozenset({8}), ("args = [path]",), "run('a', *args)", frozenset({7, 11}))
    assert found == [
        "args = [path, '--label', 'abc']\nrun('a', *args)",
        "args = ['--label', 'abc', path]\nrun('a', *args)",
    ]


def test_what_was_offered_before_is_not_typed() -> None:
    assert lines(frozenset({13}), (), "main(['a'])", frozenset({6})) == []
