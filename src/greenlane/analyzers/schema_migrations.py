"""The operations of a migration (Django, Alembic), how dangerous each is, and what to do instead.

Two dangers: what the version that still runs needs is taken away or made to fail, and a lock on a large table that
stops all who write to it. Locks are those of PostgreSQL (its documentation of ALTER TABLE and CREATE INDEX); other
databases differ, mostly for the worse. An index or constraint on a table that the same migration creates locks nobody.
Called by `schema.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenlane.analyzers.files import PythonFile
from greenlane.analyzers.migration_calls import Operation, argument, name_of
from greenlane.analyzers.schema_alembic import read_alembic
from greenlane.analyzers.schema_django import read_django
from greenlane.analyzers.schema_earlier import Earlier


def read_operations(file: PythonFile, earlier: Earlier) -> Iterator[Operation]:
    yield from read_django(file, earlier)
    yield from read_alembic(file, upgrading(file))


def upgrading(file: PythonFile) -> list[ast.AST]:
    """The functions that an Alembic migration runs: `upgrade()`, those of several databases, and what they call of the
    same file; what `downgrade()` would do is not done. Of any other migration the whole file."""
    functions = {n.name: n for n in file.tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    reached: dict[str, ast.AST] = {}
    pending = [name for name in functions if name == "upgrade" or name.startswith("upgrade_")]
    if "upgrade" not in pending:
        return [file.tree]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached[name] = functions[name]
            called = (n.id for n in ast.walk(functions[name]) if isinstance(n, ast.Name))
            pending.extend(c for c in called if c in functions)
    constants = [n for n in file.tree.body if isinstance(n, ast.Assign | ast.AnnAssign)]
    return [*reached.values(), *constants]


def reversing_nodes(file: PythonFile) -> set[int]:
    """Ids of all nodes that only run when a migration is taken back."""
    undone: list[ast.AST] = []
    names = set()
    for call in (n for n in ast.walk(file.tree) if isinstance(n, ast.Call) and name_of(n) in ("RunSQL", "RunPython")):
        reverse = argument(call, 1, "reverse_sql" if name_of(call) == "RunSQL" else "reverse_code")
        if isinstance(reverse, ast.Name):
            names.add(reverse.id)
        elif reverse is not None:
            undone.append(reverse)
    undone += [n for n in file.tree.body if isinstance(n, ast.FunctionDef | ast.Assign) and names & set(_bound(n))]
    return {id(inner) for node in undone for inner in ast.walk(node)}


def _bound(node: ast.FunctionDef | ast.Assign) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    return [t.id for t in node.targets if isinstance(t, ast.Name)]
