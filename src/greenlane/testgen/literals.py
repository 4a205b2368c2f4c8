"""Texts and numbers that stand in a piece of code. Pure; for the hunt, which exchanges them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.fixed import fixed_nodes

MAX_TEXT = 400
Value: TypeAlias = str | bytes | int | float


def literals(tree: ast.AST) -> Iterator[tuple[ast.expr, Value]]:
    """Texts and numbers that may be exchanged, with their nodes; none of f-strings, docstrings and patterns."""
    hidden = {id(n) for f in ast.walk(tree) if isinstance(f, ast.pattern) for n in ast.walk(f)} | fixed_nodes(tree)
    for holder in ast.walk(tree):
        if isinstance(holder, FunctionNode | ast.ClassDef | ast.Module) and len(getattr(holder, "body", [])) > 1:
            hidden |= {
                id(s.value) for s in holder.body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
            }
    for node in list(ast.walk(tree)):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            hidden.add(id(node.operand))
            number = node.operand.value
            if isinstance(number, int | float):
                yield node, -number
        elif isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            value = node.value
            if isinstance(value, int | float) or (isinstance(value, str | bytes) and len(value) <= MAX_TEXT):
                yield node, value
