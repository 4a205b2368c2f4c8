"""Loops of a test over a table, as the statements for its first rows, and `with self.subTest(...)` as what it holds.
Pure; for `scripts.py`.

    for text, expected in [("1 EUR", 1), ("2 EUR", 2)]:
        assert price(text) == expected          ->      assert price("1 EUR") == 1; assert price("2 EUR") == 2
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.rows import filled

_ROWS = 3
_SUBTESTS = frozenset({"self.subTest", "subtests.test"})


def unrolled(test: FunctionNode, named: Mapping[str, ast.expr]) -> FunctionNode:
    """The test without such loops; `named` are values of names of its file, and of `self.NAME` of its class."""
    known = dict(named)
    body: list[ast.stmt] = []
    for node in _without_subtests(test.body):
        rows = _rows_of(node, known) if isinstance(node, ast.For) else []
        if rows and isinstance(node, ast.For):
            body += [one for row in rows for one in filled(_without_subtests(node.body), row)]
        else:
            body.append(node)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = node.value
    if len(body) == len(test.body) and all(one is other for one, other in zip(body, test.body, strict=True)):
        return test
    made = copy.copy(test)
    made.body = body
    return made


def _without_subtests(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        head = node.items[0].context_expr if isinstance(node, ast.With) else None
        inner = isinstance(head, ast.Call) and ast.unparse(head.func) in _SUBTESTS
        found += _without_subtests(node.body) if inner and isinstance(node, ast.With) else [node]
    return found


def _rows_of(loop: ast.For, known: Mapping[str, ast.expr]) -> list[dict[str, ast.expr]]:
    """What the names of the loop stand for in its first rows; none if they can't be told, or the loop does more than
    to ask the same of each."""
    items = _items(loop.iter, known)
    names = [loop.target] if isinstance(loop.target, ast.Name) else getattr(loop.target, "elts", [])
    plain = [name.id for name in names if isinstance(name, ast.Name)]
    ways = (ast.Break, ast.Continue, ast.Return, ast.Yield, ast.Await)
    stored = {
        n.id for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
    }
    leaves = any(isinstance(n, ways) for s in loop.body for n in ast.walk(s))
    if not plain or len(plain) != len(names) or leaves or loop.orelse or stored & set(plain):
        return []
    rows = []
    for item in items[:_ROWS]:
        values = [item] if isinstance(loop.target, ast.Name) else getattr(item, "elts", [])
        if len(values) != len(plain):
            return []
        rows.append(dict(zip(plain, values, strict=True)))
    return rows


def _items(table: ast.expr, known: Mapping[str, ast.expr]) -> list[ast.expr]:
    """The items of a list, a tuple, or `{...}.items()`, or of a name for one."""
    table = known.get(ast.unparse(table), table) if isinstance(table, ast.Name | ast.Attribute) else table
    if isinstance(table, ast.List | ast.Tuple | ast.Set):
        return [] if any(isinstance(item, ast.Starred) for item in table.elts) else table.elts
    func = table.func if isinstance(table, ast.Call) and not table.args else None
    held = func.value if isinstance(func, ast.Attribute) and func.attr == "items" else None
    held = known.get(ast.unparse(held)) if isinstance(held, ast.Name | ast.Attribute) else held
    if isinstance(held, ast.Dict):
        pairs = zip(held.keys, held.values, strict=True)
        return [ast.Tuple(elts=[key, value], ctx=ast.Load()) for key, value in pairs if key is not None]
    return []
