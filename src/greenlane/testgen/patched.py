"""What a test changes outside of itself and sets back after it, as changes that pytest takes back. Pure; for
`scripts.py`.

    settings.DEBUG = True                monkeypatch.setattr(settings, 'DEBUG', True)
    os.environ["HOME"] = "/h"    ->      monkeypatch.setitem(os.environ, 'HOME', '/h')
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set

from greenlane.testgen.opened import is_around

_FIXTURE = "monkeypatch"


_PATCHING = "greenlane_patching"


def both_ways(
    statements: Sequence[ast.stmt], arguments: Set[str], outside: Set[str]
) -> list[tuple[list[ast.stmt], Set[str]]]:
    """The statements of a test with what it is given: first with what they assign to parts of these names made in a way
    that pytest takes back, where they do, then as they are."""
    assigned = [part for node in statements if isinstance(node, ast.Assign) for part in altered(node)]
    plain: list[tuple[list[ast.stmt], Set[str]]] = [([*statements], arguments)]
    patched = _taken_back(statements, outside) if any(root_of(part) in outside for part in assigned) else None
    return [(patched, arguments | {_FIXTURE}), *plain] if patched is not None else plain


def keep_unseen(node: ast.stmt) -> None:
    """Marks what comes after it may need unseen."""
    setattr(node, _PATCHING, True)


def is_patch(node: ast.stmt) -> bool:
    """Whether it is one of the statements that `both_ways` makes, or was marked: what comes after it may need it
    unseen."""
    return bool(getattr(node, _PATCHING, False))


def _taken_back(statements: Sequence[ast.stmt], outside: Set[str]) -> list[ast.stmt] | None:
    """The statements with what they assign to parts of these names made so; None where one changes such a name in
    another way."""
    found: list[ast.stmt] = []
    bound = {n.id for node in statements for n in ast.walk(node) if isinstance(n, ast.Name)}
    for node in _flat(statements):
        if not any(root_of(part) in outside for part in altered(node)):
            found.append(node)
            continue
        made = _patches(node, outside, bound) if isinstance(node, ast.Assign) else None
        if made is None:
            return None
        found += made
    return found


def _flat(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements with those of a block whose clean-up only gives back to attributes what they held."""
    for node in statements:
        if is_around(node) and isinstance(node, ast.Try) and all(map(_sets_back, node.finalbody)):
            yield from _flat(node.body)
        else:
            yield node


def _sets_back(node: ast.stmt) -> bool:
    """`os.environ = environ_before`."""
    return isinstance(node, ast.Assign) and all(isinstance(target, ast.Attribute) for target in node.targets)


def _patches(node: ast.Assign, outside: Set[str], bound: Set[str]) -> list[ast.stmt] | None:
    """Several targets share one object, which gets a name of its own."""
    value, first = node.value, list[ast.stmt]()
    if len(node.targets) > 1:
        named = next((t.id for t in node.targets if isinstance(t, ast.Name)), None)
        name = named or next((t.attr.lower() for t in node.targets if isinstance(t, ast.Attribute)), "")
        name = f"new_{name}" if named is None and name in bound | outside else name
        if not name.isidentifier() or (named is None and name in bound | outside):
            return None
        first = [ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=value)]
        value = ast.Name(id=name, ctx=ast.Load())
    calls = []
    for target in node.targets:
        if isinstance(target, ast.Name):
            continue
        call = _patch(target, value) if root_of(target) in outside else None
        if call is None:
            return None
        calls.append(ast.Expr(value=call))
    for one in calls:
        keep_unseen(one)
    return [ast.fix_missing_locations(ast.copy_location(one, node)) for one in (*first, *calls)]


def _patch(target: ast.expr, value: ast.expr) -> ast.expr | None:
    holder = target.value if isinstance(target, ast.Attribute | ast.Subscript) else None
    if holder is None or any(not isinstance(n, ast.Name | ast.Attribute | ast.Load) for n in ast.walk(holder)):
        return None
    part = ast.Constant(target.attr) if isinstance(target, ast.Attribute) else getattr(target, "slice", None)
    setter = "setattr" if isinstance(target, ast.Attribute) else "setitem"
    if part is None or isinstance(part, ast.Slice):
        return None
    func = ast.Attribute(value=ast.Name(id=_FIXTURE, ctx=ast.Load()), attr=setter, ctx=ast.Load())
    return ast.Call(func=func, args=[holder, part, value], keywords=[])


def altered(node: ast.stmt) -> list[ast.expr]:
    """The parts of something that a statement sets or removes."""
    parts = [n for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Subscript)]
    return [part for part in parts if not isinstance(part.ctx, ast.Load)]


def root_of(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
