"""Objects that differ in what they were made with alone: the rows of one test. Pure; for `choose.py` and `render.py`.

Only what was given differs from row to row. The object itself is made in the test, so that a fault in the making of it
is seen there.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType

from greenlane.suite.lines import parse_expression

_MOST = 2
Columns = list[tuple[str, list[str]]]


def are_made_alike(one: str | None, other: str | None) -> bool:
    """Whether both are the same, or calls of the same thing with a part or two that differ."""
    if one == other:
        return True
    if one is None or other is None:
        return False
    first, second = _call(one), _call(other)
    if first is None or second is None or _shape(first) != _shape(second):
        return False
    differing = sum(a != b for a, b in zip(_parts(first), _parts(second), strict=True))
    return 0 < differing <= _MOST


def with_columns(
    receivers: Sequence[str], taken: Container[str], makers: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> tuple[str, Columns]:
    """The one expression for receivers that are made alike, with names where they differ, and the values of each name.
    A name is that of a keyword, or of a parameter of what makes them (`makers`), or says that it was given."""
    if not receivers:
        return "", []
    calls = [call for text in receivers if (call := _call(text)) is not None]
    if len(set(receivers)) == 1 or len(calls) < len(receivers):
        return receivers[0], []
    first, columns = calls[0], Columns()
    params = makers.get(ast.unparse(first.func), ())
    for number, values in enumerate(zip(*map(_parts, calls), strict=True)):
        if len(set(values)) == 1:
            continue
        place = number - len(first.args)
        known_as = params[number] if number < len(params) else "given"
        name = (first.keywords[place].arg or "") if place >= 0 else known_as
        while name in taken or name in {known for known, _ in columns}:
            name += "_too"
        columns.append((name, list(values)))
        if place >= 0:
            first.keywords[place].value = ast.Name(id=name)
        else:
            first.args[number] = ast.Name(id=name)
    return ast.unparse(first), columns


def _call(text: str) -> ast.Call | None:
    """The call that an expression is; None for anything else, and where not all parts stand by themselves."""
    node = parse_expression(text).body
    if not isinstance(node, ast.Call) or any(k.arg is None for k in node.keywords):
        return None
    return None if any(isinstance(part, ast.Starred) for part in node.args) else node


def _shape(call: ast.Call) -> tuple[str, int, tuple[str | None, ...]]:
    return ast.unparse(call.func), len(call.args), tuple(keyword.arg for keyword in call.keywords)


def _parts(call: ast.Call) -> list[str]:
    return [ast.unparse(part) for part in (*call.args, *(keyword.value for keyword in call.keywords))]
