"""Rows of parametrised tests, and a test with one of them filled in. Pure; for `scripts.py`."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence

from greenlane.testgen.code import FunctionNode

_MAX_ROWS = 3


def rows_of(test: FunctionNode) -> list[dict[str, ast.expr]]:
    """The first rows of a parametrised test, by name (of several decorators side by side); one empty row for any
    other test, none if the parameters can't be read."""
    found: list[dict[str, ast.expr]] = [{}]
    for decorator in test.decorator_list:
        called = isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.parametrize")
        if not called or not isinstance(decorator, ast.Call) or len(decorator.args) < 2:
            continue
        rows = _read_rows(decorator)
        if not rows:
            return []
        count = max(len(found), len(rows))
        found = [found[n % len(found)] | rows[n % len(rows)] for n in range(count)]
    return found


def _read_rows(decorator: ast.Call) -> list[dict[str, ast.expr]]:
    try:
        given = ast.literal_eval(decorator.args[0])
    except (ValueError, TypeError, SyntaxError):
        return []
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
    rows, found = decorator.args[1], []
    for item in rows.elts if isinstance(rows, ast.List | ast.Tuple) else []:
        values = item.elts if len(names) > 1 and isinstance(item, ast.Tuple | ast.List) else [item]
        if len(values) == len(names) and not any("pytest.param" in ast.unparse(v) for v in values):
            found.append(dict(zip(names, values, strict=True)))
    return found[:_MAX_ROWS]


def assignment(name: str, value: ast.expr) -> ast.stmt:
    assigned = ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=copy.deepcopy(value))
    return ast.fix_missing_locations(assigned)


class _Filling(ast.NodeTransformer):
    def __init__(self, row: Mapping[str, ast.expr]) -> None:
        self._row = row

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._row.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return copy.deepcopy(value) if value is not None else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """`f"{kind}_source"` with a text in place of `kind` is a plain text."""
        self.generic_visit(node)
        inner = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
        plain = all(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in inner)
        shaped = any(isinstance(p, ast.FormattedValue) and (p.format_spec or p.conversion != -1) for p in node.values)
        if not plain or shaped:
            return node
        text = "".join(str(part.value) for part in inner if isinstance(part, ast.Constant))
        return ast.copy_location(ast.Constant(value=text), node)


def filled(nodes: Sequence[ast.stmt], row: Mapping[str, ast.expr]) -> list[ast.stmt]:
    return [_Filling(row).visit(copy.deepcopy(node)) for node in nodes] if row else list(nodes)


def filled_expression(node: ast.expr, row: Mapping[str, ast.expr]) -> ast.expr:
    filled = _Filling(row).visit(copy.deepcopy(node)) if row else node
    assert isinstance(filled, ast.expr)
    return filled
