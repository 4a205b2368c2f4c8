"""Rows of parametrised tests, and a test with one of them filled in. Pure; for `scripts.py`."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence

MAX_ROWS = 3


def rows_of(decorators: Sequence[ast.expr], named: Mapping[str, ast.expr]) -> list[dict[str, ast.expr]]:
    """The first rows of a test that is parametrised by these decorators, by name (of several side by side); one empty
    row for any other test, none if the parameters can't be read. `named` are values of names of its file."""
    found: list[dict[str, ast.expr]] = [{}]
    for decorator in decorators:
        called = isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] == "parametrize"
        if not called or not isinstance(decorator, ast.Call) or len(decorator.args) < 2:
            continue
        rows = _read_rows(decorator, named)
        if not rows:
            return []
        count = max(len(found), len(rows))
        found = [found[n % len(found)] | rows[n % len(rows)] for n in range(count)]
    return found


def _read_rows(decorator: ast.Call, named: Mapping[str, ast.expr]) -> list[dict[str, ast.expr]]:
    try:
        given = ast.literal_eval(decorator.args[0])
    except (ValueError, TypeError, SyntaxError):
        return []
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
    rows, found = decorator.args[1], []
    if isinstance(rows, ast.Name):
        rows = named.get(rows.id, rows)
    for item in rows.elts if isinstance(rows, ast.List | ast.Tuple) else []:
        values = values_of(item, len(names))
        if len(values) == len(names):
            found.append(dict(zip(names, values, strict=True)))
    return found[:MAX_ROWS]


def values_of(item: ast.expr, count: int) -> list[ast.expr]:
    """The values of a row, also of `pytest.param(...)` without marks."""
    if isinstance(item, ast.Call) and ast.unparse(item.func).split(".")[-1] == "param":
        return [] if any(keyword.arg == "marks" for keyword in item.keywords) else item.args
    return item.elts if count > 1 and isinstance(item, ast.Tuple | ast.List) else [item]


def assignment(name: str, value: ast.expr) -> ast.stmt:
    assigned = ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=copy.deepcopy(value))
    return ast.fix_missing_locations(assigned)


class _Filling(ast.NodeTransformer):
    def __init__(self, row: Mapping[str, ast.expr]) -> None:
        self._row = row

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._row.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return copy.deepcopy(value) if value is not None else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """`("one", 1)[0]` is `"one"`, and so is `{"name": "one"}["name"]`."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Dict) and isinstance(node.slice, ast.Constant):
            pairs = zip(node.value.keys, node.value.values, strict=True)
            held = {key.value: value for key, value in pairs if isinstance(key, ast.Constant)}
            whole = len(held) == len(node.value.keys)
            return held.get(node.slice.value, node) if whole else node
        row, number = node.value, node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(row, ast.Tuple | ast.List) and isinstance(number, int) and number < len(row.elts):
            return row.elts[number]
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """`f"{kind}_source"` with a text in place of `kind` is a plain text; beside other values a part of the text, as
        `ast` can't write every text between braces."""
        self.generic_visit(node)
        node.values = [_as_text(part) for part in node.values]
        if not all(isinstance(part, ast.Constant) for part in node.values):
            return node
        text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        return ast.copy_location(ast.Constant(value=text), node)


def _as_text(part: ast.expr) -> ast.expr:
    plain = isinstance(part, ast.FormattedValue) and part.conversion == -1 and part.format_spec is None
    inner = part.value if plain and isinstance(part, ast.FormattedValue) else None
    return inner if isinstance(inner, ast.Constant) and isinstance(inner.value, str) else part


def filled(nodes: Sequence[ast.stmt], row: Mapping[str, ast.expr]) -> list[ast.stmt]:
    return [_Filling(row).visit(copy.deepcopy(node)) for node in nodes] if row else list(nodes)


def filled_expression(node: ast.expr, row: Mapping[str, ast.expr]) -> ast.expr:
    filled = _Filling(row).visit(copy.deepcopy(node)) if row else node
    assert isinstance(filled, ast.expr)
    return filled
