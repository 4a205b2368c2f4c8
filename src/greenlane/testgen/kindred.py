"""Words that a file asks for in the same way as for another one: an input that has one of them is nearly one that has
the other. Pure; for `quarry.py`.

    if config.has_section("options"): ...
    if config.has_section("extras"): ...             an input with "options" leads to an input with "extras"
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from greenlane.testgen.inside.greenlane_edits import name_of

_Role: TypeAlias = tuple[str, str]
_MOST, _LONGEST = 8, 40
_PLAIN = frozenset({"join", "format", "append", "replace", "print", "write", "encode", "decode", "split", "strip"})
"""Methods that are given texts of all kinds."""


def kin_of(tree: ast.Module, words: Sequence[str]) -> list[str]:
    """The other words of the file that are asked for as these are, those first that stand nearest to them."""
    roles, lines = _roles_of(tree)
    wanted = [word for word in words if word in roles]
    own = {role for word in wanted for role in roles[word]}
    places = [line for word in wanted for line in lines[word]]
    kin = [word for word, its in roles.items() if word not in wanted and its & own]
    return sorted(kin, key=lambda word: min(abs(a - b) for a in lines[word] for b in places))[:_MOST]


@functools.lru_cache(maxsize=2)  # it is asked for each thing that is open in a file
def _roles_of(tree: ast.Module) -> tuple[dict[str, set[_Role]], dict[str, list[int]]]:
    """By word what is done with it, and the lines that it stands on."""
    roles: dict[str, set[_Role]] = {}
    lines: dict[str, list[int]] = {}
    for role, node in _asked(tree):
        word = node.value
        if isinstance(word, str) and 0 < len(word) <= _LONGEST:
            roles.setdefault(word, set()).add(role)
            lines.setdefault(word, []).append(node.lineno)
    return roles, lines


def _asked(tree: ast.Module) -> Iterator[tuple[_Role, ast.Constant]]:
    """Constants, each with what is done with it: looked up, compared with something, given to a method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for one in sides:
                others = [side for side in sides if side is not one and not _constants(side)]
                yield from ((("meets", ast.unparse(other)), word) for other in others for word in _constants(one))
        elif isinstance(node, ast.Subscript):
            yield from ((("of", ast.unparse(node.value)), word) for word in _constants(node.slice))
        elif isinstance(node, ast.Call):
            called = name_of(node)
            for number, given in enumerate(node.args if called and called not in _PLAIN else ()):
                yield from (((called, str(number)), word) for word in _constants(given))
        elif isinstance(node, ast.Match):
            values = [part.value for case in node.cases for part in ast.walk(case.pattern)
                      if isinstance(part, ast.MatchValue)]  # fmt: skip
            yield from ((("meets", ast.unparse(node.subject)), word) for one in values for word in _constants(one))


def _constants(node: ast.expr) -> list[ast.Constant]:
    """The literal, or those of a row of literals."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return [part for part in parts if isinstance(part, ast.Constant)] if parts else []
