"""Which conditions have to hold for a line to run. Pure: reads a parsed text, runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from greenlane.suite.lines import nodes_of, parse_expression
from greenlane.testgen.code import FunctionNode


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that has to hold for a line to run: its text, whether it is met or not, and where it stands."""

    test: str
    met: bool
    line: int


def guards_of(tree: ast.Module, line: int) -> tuple[Guard, ...]:
    """Conditions around a line, outermost first, within its function."""
    found: list[Guard] = []
    body: list[ast.stmt] = list(tree.body)
    while True:
        node = next((n for n in body if _first(n) <= line <= (n.end_lineno or n.lineno)), None)
        if node is None:
            return tuple(found)
        if isinstance(node, FunctionNode | ast.ClassDef):
            found, body = [], node.body
            continue
        found += _early_exits(body, node)
        inside = _block_of(node, line)
        if inside is None:
            return tuple(found)
        guard, body = inside
        found += [guard] if guard else []


def conditions_near(tree: ast.Module, line: int, most: int, *, met: bool = False) -> list[tuple[ast.AST, int]]:
    """The last conditions on the way to a line, so many at most (`met`: of those that have to
    hold), and those on it, parsed, each with its own line."""
    guards = [g for g in guards_of(tree, line) if (g.met or not met) and not g.test.startswith("except ")][-most:]
    tests: list[tuple[ast.AST, int]] = [(parse_expression(guard.test), guard.line) for guard in guards]
    asked = (n for n in nodes_of(tree) if isinstance(n, ast.If | ast.While | ast.IfExp))
    return [*tests, *((n.test, line) for n in asked if n.test.lineno == line)]


def what_holds(test: ast.expr, met: bool) -> Iterator[tuple[ast.expr, bool]]:
    """What has to hold, or must not, for a condition to be as it is: of what is one of several the first."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from what_holds(test.operand, not met)
    elif isinstance(test, ast.BoolOp):
        every = isinstance(test.op, ast.And) == met
        for value in test.values if every else test.values[:1]:
            yield from what_holds(value, met)
    else:
        yield test, met


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _early_exits(body: list[ast.stmt], until: ast.stmt) -> list[Guard]:
    """`if x: return` before a line means that x is not met there."""
    left = []
    for node in body:
        if node is until:
            break
        if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Return | ast.Raise):
            left.append(Guard(test=ast.unparse(node.test), met=False, line=node.lineno))
    return left


def _block_of(node: ast.stmt, line: int) -> tuple[Guard | None, list[ast.stmt]] | None:
    """The block of a compound statement that holds the line, and the condition that leads into it."""
    for name in ("body", "orelse", "finalbody", "handlers"):
        block = getattr(node, name, None)
        if not isinstance(block, list) or not block:
            continue
        if not block[0].lineno <= line <= (block[-1].end_lineno or block[-1].lineno):
            continue
        if name == "handlers":
            handler = next(h for h in block if h.lineno <= line <= (h.end_lineno or h.lineno))
            kind = ast.unparse(handler.type) if handler.type else "Exception"
            return Guard(test=f"except {kind}", met=True, line=handler.lineno), handler.body
        test = getattr(node, "test", None)
        guard = Guard(test=ast.unparse(test), met=name == "body", line=node.lineno) if test is not None else None
        return guard, block
    return None
