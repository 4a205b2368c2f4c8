"""Plain objects for what attributes are read of."""

from __future__ import annotations

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.uses import told_by_uses


def told(source: str) -> Function:
    tree = parse_source(source)
    return told_by_uses(list_functions(tree, "a.py", "a"), tree)[0]


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (
            "return given.last < 0 or given.code.rows[given.last]",
            "SimpleNamespace(last=0, code=SimpleNamespace(rows=[1, 2, 3]))",
        ),
        (
            "code = given.code\n    return code.size > 3, code.label",
            "SimpleNamespace(code=SimpleNamespace(size=3, label='a'))",
        ),
        ("return given.kind == 'new' and 'a' in given.parts", "SimpleNamespace(kind='new', parts=['a', 'b'])"),
        ("return given.place[1:] if given.ready else None", "SimpleNamespace(place=[1, 2, 3], ready=True)"),
        ("return given.name.upper(), given.rows.items()", "SimpleNamespace(name='a', rows={'a': 1})"),
        ("given.send(given.size + 1)", "MagicMock(size=0)"),
    ],
)  # fmt: skip
def test_each_part_holds_what_is_asked_of_it(body: str, first: str) -> None:
    entry = told(f"def f(given):\n    {body}\n")
    assert guess_values(entry.params[0], entry)[0] == first


def test_one_part_is_another_at_a_time() -> None:
    (given,) = told("def f(given):\n    return given.low > 1 and given.rows[0]\n").params
    assert given.samples[1:3] == ("SimpleNamespace(low=2, rows=[1, 2, 3])", "SimpleNamespace(low=1, rows='abc')")


@pytest.mark.parametrize("body", ["given.send(1)", "return given.a.b.c.d", "return given.upper()", "given.size = 1"])
def test_what_is_only_called_or_set_or_lies_deep_gets_none(body: str) -> None:
    assert not any("(" in text for text in told(f"def f(given):\n    {body}\n").params[0].samples)


def test_what_a_name_tells_comes_before_what_looks_like_it() -> None:
    entry = told("def f(sig):\n    return [one.kind for one in sig.parameters.values()]\n")
    first, second, *_ = guess_values(entry.params[0], entry)
    assert first.startswith("signature(")
    assert second.startswith("SimpleNamespace(")


@pytest.mark.parametrize(
    ("body", "samples"),
    [
        ("return given != 'return'", ("'return'",)),
        ("return 2 == given or given is not None", ("2", "None")),
        ("return given in ('r', 'w')", ("'r'", "'w'")),
        ("return given < 3 or 'a' in other", ()),
    ],
)
def test_a_value_that_it_is_held_against_comes_first(body: str, samples: tuple[str, ...]) -> None:
    assert told(f"def f(given):\n    {body}\n").params[0].samples == samples
