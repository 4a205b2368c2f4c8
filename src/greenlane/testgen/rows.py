"""Rows of parametrised tests, and a test with one of them filled in. Pure; for `scripts.py`."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from greenlane.suite.lines import parse_expression
from greenlane.testgen.inputs import CarvedRow, Import, bound_by

MAX_ROWS = 3
_SEEN = "greenlane_seen"
Rows: TypeAlias = list[dict[str, ast.expr]]


def row_in(name: str) -> tuple[str, str]:
    """The name of a test, and what pytest calls the row of its parameters; empty for none."""
    plain, _, told = name.partition("[")
    return plain, told.removesuffix("]")


def rows_of(decorators: Sequence[ast.expr], named: Mapping[str, ast.expr], told: str = "") -> list[dict[str, ast.expr]]:
    """The row that pytest calls so (`told`), else the first rows, of a test that is parametrised by these decorators,
    by name (of several side by side); one empty row for any other test, none if the parameters can't be read. `named`
    are values of names of its file."""
    tables = []
    for decorator in decorators:
        called = isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] == "parametrize"
        if called and isinstance(decorator, ast.Call) and len(decorator.args) >= 2:
            tables.append(_read_rows(decorator, named))
    if not all(tables):
        return []
    meant = _row_called(told, tables[::-1]) if told else None
    if meant is not None:
        return [meant]
    found: list[dict[str, ast.expr]] = [{}]
    for rows in tables:
        first = [row for row, _ in rows[:MAX_ROWS]]
        found = [found[n % len(found)] | first[n % len(first)] for n in range(max(len(found), len(first)))]
    return found


def rows_seen(
    seen: Sequence[CarvedRow], name: str, told: str, known: Mapping[str, Import]
) -> tuple[Rows, dict[str, Import]]:
    """The row that pytest calls so, else the first ones, of a test as it was seen, and what its values import; none
    that takes a name for something else than its file (`known`)."""
    found: Rows = []
    imports: dict[str, Import] = {}
    for row in seen:
        called = row.test.partition("::")[2]
        if called == f"{name}[{told}]" or (not told and called.startswith(f"{name}[")):
            needs = {bound_by(pair): pair for _, value in row.values for pair in value.imports}
            fits = not any(value.fixtures for _, value in row.values)
            if fits and all(known.get(one, pair) == pair for one, pair in needs.items()):
                found.append({key: _as_seen(value.text) for key, value in row.values})
                imports |= needs
    return found[:MAX_ROWS], imports


def _as_seen(text: str) -> ast.expr:
    value = parse_expression(text).body
    setattr(value, _SEEN, isinstance(value, ast.Call))
    return value


def keeps_name(value: ast.expr) -> bool:
    """Whether it keeps its name in a script: what is made, and may stand in several places."""
    return bool(getattr(value, _SEEN, False))


_Row: TypeAlias = tuple[dict[str, ast.expr], str]
"""Values by name, and the pattern of what pytest calls the row."""


def _read_rows(decorator: ast.Call, named: Mapping[str, ast.expr]) -> list[_Row]:
    try:
        given = ast.literal_eval(decorator.args[0])
    except (ValueError, TypeError, SyntaxError):
        return []
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
    rows, found = decorator.args[1], list[_Row]()
    if isinstance(rows, ast.Name):
        rows = named.get(rows.id, rows)
    ids = next((k.value for k in decorator.keywords if k.arg == "ids"), None)
    texts = ids.elts if isinstance(ids, ast.List | ast.Tuple) else []
    for number, item in enumerate(rows.elts if isinstance(rows, ast.List | ast.Tuple) else []):
        values = values_of(item, len(names))
        if len(values) == len(names):
            own = [k.value for k in item.keywords if k.arg == "id"] if isinstance(item, ast.Call) else []
            said = [*own, *texts[number : number + 1]][:1]
            plain = (_called(name, value, number) for name, value in zip(names, values, strict=True))
            found.append((dict(zip(names, values, strict=True)), _called("", said[0], 0) if said else "-".join(plain)))
    return found


def _called(name: str, value: ast.expr, number: int) -> str:
    """A pattern of what pytest calls a value: a plain one as it is printed, a class or a function by its name, any
    other by the parameter's and a number."""
    ways = [f"{name}{number}"]
    try:
        plain = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        ways += [ast.unparse(value), ast.unparse(value).rpartition(".")[2]]
    else:
        if isinstance(plain, str | bytes):
            text = plain if isinstance(plain, str) else plain.decode("latin-1")
            ways = [text.encode("unicode_escape").decode("ascii"), text]
        elif plain is None or isinstance(plain, int | float | complex):
            ways = [str(plain)]
    return f"(?:{'|'.join(map(re.escape, dict.fromkeys(ways)))})"


def _row_called(told: str, tables: Sequence[Sequence[_Row]]) -> dict[str, ast.expr] | None:
    """The values of the row that is called so: a name of each table, joined."""
    if not tables:
        return {} if not told else None
    for row, pattern in tables[0]:
        match = re.match(f"{pattern}(?:-(?=.)|$)" if len(tables) > 1 else f"{pattern}$", told, re.DOTALL)
        others = _row_called(told[match.end() :], tables[1:]) if match is not None else None
        if others is not None:
            return others | row
    return None


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
