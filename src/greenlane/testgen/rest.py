"""What a function with `**options` takes by name: keys that it reads from them, and whom it hands them on to. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_READS = frozenset({"get", "pop", "setdefault"})
_ANY = ("name", "other")
"""What an option is called that may be called anything."""


def read_by_name(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    """The keys that it looks up in its `**options`, with the default as text (`None` where it names none); of options
    that it takes under any name, and hands on to nobody, one."""
    found: dict[str, str] = {}
    rest = node.args.kwarg.arg if node.args.kwarg else None
    for part in ast.walk(node) if rest else ():
        for key, default in _looked_up(part, rest or ""):
            if key.isidentifier() and found.get(key, "None") == "None":
                found[key] = default
    named = {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    if rest and not found and not handed_to(node) and _is_of_use(node, rest):
        found = dict.fromkeys([key for key in _ANY if key not in named][:1], "None")
    return {key: default for key, default in found.items() if key not in named}


def handed_to(node: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """The last names of what it calls with all of its `**options`."""
    rest = node.args.kwarg.arg if node.args.kwarg else None
    calls = [part for part in ast.walk(node) if rest and isinstance(part, ast.Call)]
    given = [c.func for c in calls if any(k.arg is None and _is(k.value, rest or "") for k in c.keywords)]
    return frozenset(ast.unparse(called).rpartition(".")[2] for called in given)


def _is_of_use(node: ast.FunctionDef | ast.AsyncFunctionDef, rest: str) -> bool:
    """Whether something is done with its `**options`, or nothing with anything: then another method does it."""
    idle = all(
        isinstance(one, ast.Pass) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in node.body
    )
    return idle or any(isinstance(part, ast.Name) and part.id == rest for part in ast.walk(node))


def _looked_up(part: ast.AST, rest: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and _is(part.func.value, rest):
        if part.func.attr in _READS and part.args:
            yield from _key(part.args[0], ast.unparse(part.args[1]) if len(part.args) > 1 else "None")
    elif isinstance(part, ast.Subscript) and _is(part.value, rest):
        yield from _key(part.slice, "None")
    elif isinstance(part, ast.Compare) and any(_is(other, rest) for other in part.comparators):
        yield from _key(part.left, "None")


def _key(node: ast.expr, default: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, default


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
