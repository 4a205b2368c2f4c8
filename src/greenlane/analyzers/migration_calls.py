"""Reading the calls of a migration: names through imports, arguments by position or keyword, SQL that stands in full.

Used by `schema_django.py` and `schema_alembic.py`.
"""

from __future__ import annotations

import ast

import msgspec

from greenlane.analyzers.ddl_words import Effect


class Operation(msgspec.Struct, frozen=True):
    """One operation of a migration, and where it stands."""

    effect: Effect
    line: int


def imported_names(tree: ast.Module, home: str) -> dict[str, str]:
    """Local names of what comes from the package `home`, as dotted names: `m` of `from django.db import migrations as
    m` is `django.db.migrations`."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == home:
            found.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == home:
                    found[alias.asname or home] = alias.name if alias.asname else home
    return found


def full_name(node: ast.expr, imported: dict[str, str]) -> str:
    """The dotted name of what is called, its first part as imported; empty if it has none."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([imported.get(node.id, node.id), *reversed(parts)])


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    named = next((k.value for k in call.keywords if k.arg == keyword), None)
    return named if named is not None else call.args[position] if len(call.args) > position else None


def text_of(node: ast.expr | None) -> str:
    if isinstance(node, ast.Call) and node.args:  # op.f("ix_name")
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def is_sql(node: ast.expr | None, tree: ast.Module) -> bool:
    """SQL that stands in this file in full: a constant or the name of one, a list of them (in a pair with its
    parameters, for Django), or `sa.text` of one."""
    if isinstance(node, ast.Call) and name_of(node) == "text" and node.args:
        node = node.args[0]
    if isinstance(node, ast.Name):
        values = [
            n.value for n in tree.body
            if isinstance(n, ast.Assign) and any(getattr(t, "id", "") == node.id for t in n.targets)
        ]  # fmt: skip
        node = values[0] if len(values) == 1 else None
    if isinstance(node, ast.List | ast.Tuple):
        firsts = [e.elts[0] if isinstance(e, ast.Tuple) and e.elts else e for e in node.elts]
        return bool(firsts) and all(is_sql(e, tree) for e in firsts)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_value(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def rule_of(name: str) -> str:
    """`RunSQL` as `run-sql`, `add_column` as `add-column`."""
    words = name.replace("SQL", "Sql").replace("_", "-")
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in words).lstrip("-")
