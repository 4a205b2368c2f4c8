"""Enumerations of a module. Pure."""

from __future__ import annotations

import ast

_ENUMS = ("Enum", "Flag")


def enumerations(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """The members of the module's enumerations, by their names."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(_ENUMS) for base in node.bases):
            names = [t.id for a in node.body if isinstance(a, ast.Assign) for t in a.targets if isinstance(t, ast.Name)]
            found[node.name] = tuple(f"{node.name}.{name}" for name in names if not name.startswith("_"))
    return found


def values_of(tree: ast.Module) -> dict[str, ast.expr]:
    """By the name of an enumeration the values of its members, as one row: it is called with one of them."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(_ENUMS) for base in node.bases):
            values = [one.value for one in node.body if isinstance(one, ast.Assign)]
            found[node.name] = ast.Tuple(elts=values, ctx=ast.Load())
    return found
