"""What a module remembers between calls, and the limits that it holds: set anew in a test, so that a call finds them as
they are at first, or full. Pure; for `circumstances.py`.

    _seen = {}                                   monkeypatch.setattr("shop.cache._seen", {})
    _MOST = 1000                                 monkeypatch.setattr("shop.cache._MOST", 0)
    def remember(key):                   ->      remember("a")
        if len(_seen) >= _MOST:
            _seen.clear()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from greenlane.suite.lines import nodes_of
from greenlane.testgen.code import FunctionNode

_FRESH = {"dict": "{}", "list": "[]", "set": "set()", "OrderedDict": "{}", "defaultdict": "{}"}
_FILLED = {"{}": "{'a': 1}", "set()": "{'a'}"}
_CHANGING = frozenset(
    {"add", "append", "extend", "insert", "update", "setdefault", "pop", "popitem", "remove", "discard", "clear"}
)
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_SMALL = 20
"""A limit up to here is met by what a test can write down."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """By dotted name: `held` are the containers that the function fills or empties, each as it is at first (empty) and
    with something in it; `places` are limits and the like, with values to try."""

    held: tuple[tuple[str, tuple[str, ...]], ...] = ()
    places: tuple[tuple[str, tuple[str, ...]], ...] = ()


def memory_of(tree: ast.Module, node: ast.AST, module: str) -> Memory:
    """What the function reads of the module's memory, itself or in a function of the module that it calls."""
    bodies = [node, *_called(tree, node)]
    read = {n.id for body in bodies for n in ast.walk(body) if isinstance(n, ast.Name)}
    set_anew = {name for n in nodes_of(tree) if isinstance(n, ast.Global) for name in n.names}
    limits = {name for body in bodies for name in _limits(body)}
    filled = {name for body in bodies for name in _filled(body)}
    held: list[tuple[str, tuple[str, ...]]] = []
    places: list[tuple[str, tuple[str, ...]]] = []
    for name, value in _bound(tree):
        place, fresh = f"{module}.{name}", _fresh(value, wholly=name in filled)
        if name not in read:
            continue
        if fresh and name in filled:
            held.append((place, (fresh, *([_FILLED[fresh]] if fresh in _FILLED else []))))
        elif fresh:
            places.append((place, (fresh,)))
        elif name in limits and _is_large(value):
            places.append((place, ("0", "1")))
        elif name in set_anew:
            places.append((place, ("None",)))
    return Memory(held=tuple(held), places=tuple(places))


def _bound(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if value is not None:
            yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))


def _called(tree: ast.Module, node: ast.AST) -> list[ast.AST]:
    names = {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return [member for member in tree.body if isinstance(member, FunctionNode) and member.name in names]


def _filled(node: ast.AST) -> Iterator[str]:
    """Names of containers that it puts something into, or takes something out of."""
    for part in ast.walk(node):
        holder: ast.AST | None = None
        if isinstance(part, ast.Subscript) and not isinstance(part.ctx, ast.Load):
            holder = part.value
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _CHANGING:
            holder = part.func.value
        if isinstance(holder, ast.Name):
            yield holder.id


def _fresh(value: ast.expr, *, wholly: bool) -> str:
    """An empty container, written anew; nothing for another value. `wholly`: also of one that is not empty."""
    if isinstance(value, ast.Dict | ast.List | ast.Set):
        inner = value.keys if isinstance(value, ast.Dict) else value.elts
        made = "{}" if isinstance(value, ast.Dict) else "[]" if isinstance(value, ast.List) else "set()"
        return made if wholly or not inner else ""
    called = ast.unparse(value.func).split(".")[-1] if isinstance(value, ast.Call) else ""
    plain = isinstance(value, ast.Call) and (wholly or not value.args)
    return _FRESH.get(called, "") if plain else ""


def _is_large(value: ast.expr) -> bool:
    """Whether it is a number, and one that no short test comes to."""
    numbers = [n.value for n in ast.walk(value) if isinstance(n, ast.Constant)]
    calculated = all(isinstance(n, ast.Constant | ast.BinOp | ast.operator) for n in ast.walk(value))
    return (
        calculated
        and all(isinstance(n, int) for n in numbers)
        and max((int(n) for n in numbers if isinstance(n, int)), default=0) > _SMALL
    )


def _limits(node: ast.AST) -> Iterator[str]:
    """Names that a size or a count is held against: far from what one call makes."""
    for part in ast.walk(node):
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.ops[0], _ORDER):
            sides = (part.left, part.comparators[0])
            yield from (side.id for side in sides if isinstance(side, ast.Name) and side.id.isupper())
