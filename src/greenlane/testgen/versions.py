"""Constants that a module holds against literals: a version of something that is installed, a mode. Each side of such a
comparison is a way that the world can be. Pure; for `circumstances.py`.

    from web import VERSION                      monkeypatch.setattr("shop.compat.VERSION", (3, 1))
    def driver():                        ->      driver()
        if VERSION is None or VERSION < (3, 2):
            return "old"
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MOST = 5


def versions_of(tree: ast.Module, node: ast.AST, module: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """By dotted name the values to try of what a function compares so: those that it is compared with, then their
    neighbours."""
    bound = set(_bound(tree.body))
    met: dict[str, list[ast.expr]] = {}
    for part in ast.walk(node):
        sides = [part.left, *part.comparators] if isinstance(part, ast.Compare) else []
        for side in sides:
            if isinstance(side, ast.Name) and side.id.isupper() and len(side.id) > 1 and side.id in bound:
                met.setdefault(side.id, []).extend(other for other in sides if other is not side)
    for name, others in met.items():
        values = [value for other in others for value in _literal(other)]
        near = [value for one in values for value in _near(one)]
        told = dict.fromkeys(repr(value) for value in (*values, *near))
        if values:
            yield f"{module}.{name}", tuple(told)[:_MOST]


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """What the module imports or binds, also where it first asks what is there."""
    for node in body:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.If | ast.Try):
            inner = [*node.body, *node.orelse, *(n for h in getattr(node, "handlers", []) for n in h.body)]
            yield from _bound(inner)


def _literal(node: ast.expr) -> list[object]:
    """The value of a literal; of several that a name may be in, each."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return []
    several = isinstance(value, list | set | frozenset) or (
        isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    )
    return sorted(value, key=repr) if several else [value]


def _near(value: object) -> list[object]:
    if isinstance(value, tuple) and value and type(value[-1]) is int:
        return [(*value[:-1], last) for last in (value[-1] - 1, value[-1] + 1) if last >= 0]
    if type(value) is int:
        return [value - 1, value + 1]
    return ["other"] if isinstance(value, str) else []
