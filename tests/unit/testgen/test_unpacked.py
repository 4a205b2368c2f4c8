"""What is given where items are taken apart."""

from __future__ import annotations

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.uses import told_by_uses


@pytest.mark.parametrize(
    ("body", "samples"),
    [
        ("for name, level in given: print(name, level.upper())", ("[('a', 'b')]", "[(1, 'b')]")),
        ("for name, level in given: print(isinstance(level, str))", ("[('a', 'b')]", "[(1, 'b')]")),
        ("for name, level in given.items(): print(level - 1)", ("{'a': 1}",)),
        ("for name, (left, right) in given.items(): pass", ("{'a': ('b', 'c')}", "{'a': (1, 1)}")),
        ("for place, (left, right) in enumerate(sorted(given)): pass", ("[('a', 'b')]", "[(1, 1)]")),
        ("host, port = given; return port * 2", ("('a', 1)", "(1, 1)")),
        ("first, *others = given", ("('a', 'b')", "(1, 1)")),
        ("for row in given: left, right = row", ("[('a', 'b')]", "[(1, 1)]")),
        ("return dict(pair.split(sign, 1) for pair in given)", ("['a=1']",)),
        (
            "for name, found in given: print(name.error, name.hint, found.start(), found.string)",
            ("[(SimpleNamespace(error=1, hint=1), re.search('b', 'abc'))]",),
        ),
        ("for key, part in given: part.shut(key)", ("[('a', MagicMock())]", "[(1, MagicMock())]")),
        ("for mark, values in given: print(mark == 'x', [v for v in values])", ("[('x', ['a'])]",)),
    ],
)
def test_a_row_has_as_many_places_as_it_is_taken_apart_into(body: str, samples: tuple[str, ...]) -> None:
    tree = parse_source(f"def f(given, sign='='):\n    {body}\n")
    assert told_by_uses(list_functions(tree, "a.py", "a"), tree)[0].params[0].samples == samples
