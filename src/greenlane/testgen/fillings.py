"""Pieces for writing out a helper where a test calls it: names that are filled in, one expression in the place of
another. Pure; for `checkers.py`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence
from typing import Any

SELF = "self"
_NOT_ALWAYS = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.IfExp, ast.BoolOp)


class Filling(ast.NodeTransformer):
    """Names of parameters, and `self.NAME` of constants, as what they stand for."""

    def __init__(self, values: Mapping[str, ast.expr], constants: Mapping[str, ast.expr]) -> None:
        self._values, self._constants = values, constants

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._values.get(node.id)
        return copy.deepcopy(value) if value is not None else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        own = isinstance(node.value, ast.Name) and node.value.id == SELF and is_read(node)
        if own and node.attr in self._constants:
            return copy.deepcopy(self._constants[node.attr])
        return self.generic_visit(node)


def made_first(node: ast.AST) -> list[ast.AST]:
    """The parts of a statement that it comes to once and in any case, what is inside first."""
    found: list[ast.AST] = []
    for part in ast.iter_child_nodes(node):
        found += [] if isinstance(part, _NOT_ALWAYS) else [*made_first(part), part]
    return found


class Exchanging:
    """A copy with another expression in place of one."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> Any:
        if node is self._old:
            return self._new
        made = copy.copy(node)
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(made, field, [self.visit(one) if isinstance(one, ast.AST) else one for one in value])
            elif isinstance(value, ast.AST):
                setattr(made, field, self.visit(value))
        return made


def is_read(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load)


def is_short(value: ast.expr) -> bool:
    """A name, or a literal that holds nothing: it may be read in several places."""
    if isinstance(value, ast.Constant):
        return not isinstance(value.value, str | bytes) or not value.value
    return isinstance(value, ast.Name) or (isinstance(value, ast.Dict | ast.Tuple) and not list(_parts(value)))


def _parts(value: ast.expr) -> Sequence[ast.AST]:
    return [n for n in ast.iter_child_nodes(value) if isinstance(n, ast.expr)]


def constants_of(node: ast.ClassDef) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for part in node.body:
        value = part.value if isinstance(part, ast.Assign | ast.AnnAssign) else None
        if value is None or any(isinstance(n, ast.Name | ast.Call) for n in ast.walk(value)):
            continue
        targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
        found |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return found
