"""What tests do with an object of such a name elsewhere: another of its methods, given the same. Pure; for `search.py`.

`md.parse(text)` shows a list of tokens, and tests of a neighbour look at `md.render(text)`: that sees other faults.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.inputs import Case, Script

_METHODS = 3
Habits = Mapping[tuple[str, int], tuple[str, ...]]
"""By the name of an object and the number of arguments, the methods that tests call with so many, the usual first."""


def habits_of(scripts: Iterable[Script]) -> Habits:
    """What these scripts call on what has a name."""
    found: dict[tuple[str, int], Counter[str]] = {}
    for text in dict.fromkeys(text for script in scripts for text in (*script.setup, script.look)):
        for call in calls_in(text):
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and not call.keywords:
                counts = found.setdefault((call.func.value.id, len(call.args)), Counter())
                counts[call.func.attr] += 1
    return {key: tuple(name for name, _ in counts.most_common()) for key, counts in found.items()}


def with_other_methods(case: Case, habits: Habits) -> Iterator[Case]:
    """The script with another method in the place of one that its look calls."""
    if case.script is None:
        return
    for number, call in enumerate(calls_in(case.script.look)):
        if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name) or call.keywords:
            continue
        own = call.func.attr
        others = [name for name in habits.get((call.func.value.id, len(call.args)), ()) if name != own]
        for name in others[:_METHODS]:
            script = msgspec.structs.replace(case.script, look=_called_as(case.script.look, number, name))
            yield msgspec.structs.replace(case, script=script, carved=False, steps=case.steps + 1)


def calls_in(text: str) -> list[ast.Call]:
    """None of what can't be read."""
    try:
        return [node for node in ast.walk(parse_source(text)) if isinstance(node, ast.Call)]
    except UnreadableSourceError:
        return []


def _called_as(look: str, number: int, name: str) -> str:
    tree = parse_source(look)
    call = [node for node in ast.walk(tree) if isinstance(node, ast.Call)][number]
    assert isinstance(call.func, ast.Attribute)
    call.func.attr = name
    return ast.unparse(tree)
