"""Runs inside the sandbox: which values meet in the conditions of a file, as it runs.

Sides of `==`, `in`, `<`, `startswith`, a `match` and their like are looked at again in the frame that is about to
evaluate them, if that can have no effect: names, attributes, items, literals and a few methods of texts. A key that is
looked up meets the keys that are there: an input that gave those may give this one as well.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Any

_PURE = frozenset(
    {"upper", "lower", "strip", "lstrip", "rstrip", "split", "casefold", "title", "get", "rpartition", "partition"}
)
_EDGES = frozenset({"startswith", "endswith"})
_LOOKUPS = frozenset({"get", "pop", "setdefault"})
_MAX_WANTED = 24
_MAX_VALUE = 200
_NODES = (
    ast.Name, ast.Attribute, ast.Constant, ast.Subscript, ast.Tuple, ast.List, ast.Set, ast.UnaryOp, ast.Slice,
    ast.Load, ast.USub, ast.Dict,
)  # fmt: skip


class Comparison:
    """Two expressions that a condition compares, and the line where it does."""

    def __init__(self, line: int, left: ast.expr, right: ast.expr) -> None:
        self.line = line
        self._left, self._right = _compiled(left), _compiled(right)

    def look(self, frame: Any) -> Iterator[tuple[Any, Any]]:
        """The pairs of plain values that meet; of a collection each of its items, of two rows each part with its
        own."""
        try:
            left = eval(self._left, frame.f_globals, frame.f_locals)
            right = eval(self._right, frame.f_globals, frame.f_locals)
        except Exception:  # a name that is not bound yet, an attribute that is not there
            return
        rows = list(_rows_that_meet(left, right))
        for one in _plain(left) if not rows else ():
            for other in _plain(right):
                yield one, other
        for row, other_row in rows:
            for one, other in zip(row, other_row, strict=True):
                if isinstance(one, str) and isinstance(other, str) and max(len(one), len(other)) <= _MAX_VALUE:
                    yield one, other


def _rows_that_meet(left: Any, right: Any) -> Iterator[tuple[Any, Any]]:
    """`token == ("DELIM", "+")`, or `token in [("DELIM", "+"), ...]`."""
    if isinstance(left, tuple) and isinstance(right, (tuple, list, set, frozenset)) and len(right) <= _MAX_WANTED:
        others = sorted(right, key=str) if isinstance(right, (set, frozenset)) else list(right)
        rows: list[Any] = [other for other in others if isinstance(other, tuple)] or [right]
        yield from ((left, row) for row in rows if isinstance(row, tuple) and len(row) == len(left))


def _plain(value: Any) -> list[Any]:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return [value] if not isinstance(value, str) or len(value) <= _MAX_VALUE else []
    if isinstance(value, bytes):
        return [value.decode("latin-1")] if len(value) <= _MAX_VALUE else []
    if isinstance(value, (list, tuple, set, frozenset, dict)) and len(value) <= _MAX_WANTED:
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        return [item for item in items if isinstance(item, str) and len(item) <= _MAX_VALUE]
    return []


def comparisons_of(tree: ast.Module) -> Iterator[Comparison]:
    for node in ast.walk(tree):
        for line, left, right in _pairs(node):
            if _is_pure(left) and _is_pure(right):
                yield Comparison(line, left, right)


def _pairs(node: ast.AST) -> Iterator[tuple[int, ast.expr, ast.expr]]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, right in itertools.pairwise(sides):
            yield node.lineno, left, right
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _EDGES and len(node.args) == 1:
            yield node.lineno, node.func.value, node.args[0]
        elif node.func.attr in _LOOKUPS and node.args:
            yield node.lineno, node.args[0], node.func.value
    elif isinstance(node, ast.Match):
        for case in node.cases:
            for part in ast.walk(case.pattern):
                if isinstance(part, ast.MatchValue):
                    yield node.lineno, node.subject, part.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_key(node.slice):
        yield node.lineno, node.slice, node.value  # a table: its keys


def _is_key(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_pure(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        method = node.func
        if not isinstance(method, ast.Attribute) or method.attr not in _PURE or node.keywords:
            return False
        return _is_pure(method.value) and all(isinstance(argument, ast.Constant) for argument in node.args)
    return isinstance(node, _NODES) and all(
        _is_pure(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)
    )


def _compiled(node: ast.expr) -> Any:
    return compile(ast.fix_missing_locations(ast.Expression(body=node)), "<compared>", "eval")
