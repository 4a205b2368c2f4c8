"""A copy of a piece of code with other expressions, or other names, in it. Pure; for `checkers.py`."""

from __future__ import annotations

import ast
import copy
from collections.abc import Container, Mapping, Sequence
from typing import Any

from greenlane.suite.lines import parse_source
from greenlane.testgen.inputs import Import

_SELF = "self"


class Filling(ast.NodeTransformer):
    """Names of parameters, and `self.NAME` of constants, as what they stand for."""

    def __init__(self, values: Mapping[str, ast.expr], constants: Mapping[str, ast.expr]) -> None:
        self._values, self._constants = values, constants

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._values.get(node.id)
        return copy.deepcopy(value) if value is not None else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        own = isinstance(node.value, ast.Name) and node.value.id == _SELF and is_read(node)
        if own and node.attr in self._constants:
            return copy.deepcopy(self._constants[node.attr])
        return self.generic_visit(node)


class Exchanging:
    """A copy with another node in place of one."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
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


def merged(node: ast.Dict, changes: Mapping[str, ast.expr]) -> ast.Dict:
    """A dict with these entries in it, behind those that stay."""
    kept = [(k, v) for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", None) not in changes]
    pairs = [*kept, *((ast.Constant(key), value) for key, value in changes.items())]
    return ast.Dict(keys=[key for key, _ in pairs], values=[value for _, value in pairs])


class Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(id=self._names.get(node.id, node.id), ctx=node.ctx), node)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """A piece of code as text, with other names in it; `UnreadableSourceError` where it can't be read."""
    return ast.unparse(Renaming(names).visit(parse_source(text)))


def is_read(node: ast.Name | ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def without_imports(
    statements: Sequence[ast.stmt], known: Mapping[str, Import], own: Container[str]
) -> tuple[list[ast.stmt], dict[str, Import]]:
    """Statements without what they import for themselves, and these imports: those of names that mean nothing else
    among what the file imports (`known`) and defines (`own`)."""
    kept: list[ast.stmt] = []
    taken: dict[str, Import] = {}
    for node in statements:
        pairs: dict[str, Import] = {}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                whole = f"{name.name} as {name.asname}" if name.asname else name.name
                pairs[name.asname or name.name] = (node.module, whole)
        if pairs and all(known.get(name, pair) == pair and name not in own for name, pair in pairs.items()):
            taken |= pairs
        else:
            kept.append(node)
    return kept, taken
