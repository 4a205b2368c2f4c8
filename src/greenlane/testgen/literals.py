"""Texts and numbers that stand in a piece of code. Pure; for the hunt, which exchanges them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.fixed import fixed_nodes

MAX_TEXT = 400
Value: TypeAlias = str | bytes | int | float


def literals(tree: ast.AST, longest: int = MAX_TEXT) -> Iterator[tuple[ast.expr, Value]]:
    """Texts and numbers that may be exchanged, with their nodes; none of f-strings, docstrings and patterns. What is
    put together of texts (`"\\n".join(["a", "b"])`) is one text. No text is longer than `longest`."""
    hidden = {id(n) for f in ast.walk(tree) if isinstance(f, ast.pattern) for n in ast.walk(f)} | fixed_nodes(tree)
    for holder in ast.walk(tree):
        if isinstance(holder, FunctionNode | ast.ClassDef | ast.Module) and len(getattr(holder, "body", [])) > 1:
            hidden |= {
                id(s.value) for s in holder.body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
            }
    for node in list(ast.walk(tree)):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Call | ast.BinOp):
            joined = joined_text(node)
            if joined is not None and len(joined) <= longest:
                hidden |= {id(part) for part in ast.walk(node)}
                yield node, joined
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            hidden.add(id(node.operand))
            number = node.operand.value
            if isinstance(number, int | float):
                yield node, -number
        elif isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            value = node.value
            if isinstance(value, int | float) or (isinstance(value, str | bytes) and len(value) <= longest):
                yield node, value


def joined_text(node: ast.Call | ast.BinOp) -> str | None:
    """The text that texts are joined to, or added up to; None for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
        rows = node.args[0] if len(node.args) == 1 and not node.keywords else None
        sign, parts = node.func.value, rows.elts if isinstance(rows, ast.List | ast.Tuple) else []
    elif isinstance(node, ast.BinOp):
        sign, parts = ast.Constant(value=""), [*_added(node)]
    else:
        return None
    texts = [part.value for part in (sign, *parts) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return texts[0].join(texts[1:]) if parts and len(texts) == 1 + len(parts) else None


def _added(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from (*_added(node.left), *_added(node.right))
    else:
        yield node
