"""What a function with `**options` takes by name: keys that it reads from them, and whom it hands them on to. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from keyword import iskeyword

_READS = frozenset({"get", "pop", "setdefault"})
_ANY = ("name", "other")
"""What an option is called that may be called anything."""


def is_name(text: str) -> bool:
    """Whether an argument may be called so."""
    return text.isidentifier() and not iskeyword(text)


def read_by_name(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    """The keys that it looks up in its `**options`, with the default as text (`None` where it names none); of options
    that it takes under any name, and hands on to nobody, one."""
    found: dict[str, str] = {}
    rest = node.args.kwarg.arg if node.args.kwarg else None
    for part in ast.walk(node) if rest else ():
        for key, default in _looked_up(part, rest or ""):
            if is_name(key) and found.get(key, "None") == "None":
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


# ------------------------------------------------------------------ what it takes by its place


def named_places(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, ...]:
    """What each further place of its `*args` is called, as far as the code asks for places: what `args[0]` or `a, b =
    args` is assigned to, or the name of them all; two where it asks for none, and nothing where it takes none, or only
    hands them on."""
    rest = node.args.vararg.arg if node.args.vararg else None
    if rest is None or not _is_looked_at(node, rest):
        return ()
    names: dict[int, str] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign) and len(part.targets) == 1:
            target, value = part.targets[0], part.value
            if _is(value, rest) and isinstance(target, ast.Tuple | ast.List):
                names |= {n: one.id for n, one in enumerate(target.elts) if isinstance(one, ast.Name)}
            elif isinstance(value, ast.Subscript) and _is(value.value, rest) and isinstance(target, ast.Name):
                place = value.slice.value if isinstance(value.slice, ast.Constant) else None
                names |= {place: target.id} if isinstance(place, int) else {}
    asked = [n for n in _lengths(node, rest) if n <= _MOST_PLACES]
    count = min(max([*(place + 1 for place in names), *asked], default=2), _MOST_PLACES)
    return tuple(names.get(place, rest) for place in range(max(count, 1)))


_MOST_PLACES = 4


def _is_looked_at(node: ast.AST, rest: str) -> bool:
    """Whether more is done with them than `f(*args)`."""
    handed = {id(n.value) for n in ast.walk(node) if isinstance(n, ast.Starred)}
    return any(isinstance(n, ast.Name) and n.id == rest and id(n) not in handed for n in ast.walk(node))


def _lengths(node: ast.AST, rest: str) -> Iterator[int]:
    """What `len(args)` is held against."""
    for part in ast.walk(node):
        if isinstance(part, ast.Compare) and ast.unparse(part.left) == f"len({rest})":
            values = (n.value for other in part.comparators for n in ast.walk(other) if isinstance(n, ast.Constant))
            yield from (value for value in values if isinstance(value, int) and not isinstance(value, bool))
