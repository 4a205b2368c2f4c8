"""Constants that a module borrows of the project's others, as if it bound them itself: what a condition asks for is
often written down elsewhere. Pure, but for the modules that `read` gives; for `source.py`.

    from shop.signs import HEADER                HEADER = re.compile("^head (\\d+)$")
    from shop import signs                       signs.HEADER = re.compile("^head (\\d+)$")
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Iterator

from greenlane.testgen.classes import ReadModule, absolute_module

_MOST, _MAX_HOPS = 80, 3
_LITERAL = (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Call, ast.BinOp, ast.UnaryOp)


def borrowed_constants(tree: ast.Module, path: str, module: str, read: ReadModule) -> tuple[ast.Assign, ...]:
    """Those that the module names, on a line before its first."""
    read = functools.cache(read)
    package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    dotted = {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)}
    found: dict[str, ast.Assign] = {}
    for node in [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]:
        home = absolute_module(node, package)
        for alias in node.names if home is not None else ():
            name = alias.asname or alias.name
            if name in used and (value := _value_of(home or "", alias.name, read, 0)) is not None:
                found.setdefault(name, _bound(name, value))
            inner = f"{home}.{alias.name}" if home else alias.name
            for whole in sorted(text for text in dotted if text.startswith(f"{name}.")):
                if (value := _value_of(inner, whole.partition(".")[2], read, 0)) is not None:
                    found.setdefault(whole, _bound(whole, value))
    return tuple(found.values())[:_MOST]


def _value_of(home: str, name: str, read: ReadModule, hops: int) -> ast.expr | None:
    """What a module of the project binds to a name, or passes on."""
    found = read(home) if home and hops <= _MAX_HOPS else None
    if found is None:
        return None
    path, tree = found
    for node in _flat(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, _LITERAL):
            if any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
                return node.value
        elif isinstance(node, ast.ImportFrom):
            package = home if path.endswith("__init__.py") else home.rpartition(".")[0]
            passed_on = [alias.name for alias in node.names if (alias.asname or alias.name) == name]
            source = absolute_module(node, package) if passed_on else None
            if source:
                return _value_of(source, passed_on[0], read, hops + 1)
    return None


def _flat(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        yield node
        yield from node.body if isinstance(node, ast.If | ast.Try) else ()


def _bound(name: str, value: ast.expr) -> ast.Assign:
    node = ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=copy.deepcopy(value))
    for part in ast.walk(node):
        part.lineno, part.end_lineno, part.col_offset, part.end_col_offset = 0, 0, 0, 0  # type: ignore[attr-defined]
    return node
