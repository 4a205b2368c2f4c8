"""Inputs that hold inputs: where a function hands what it finds inside of its argument to itself. Pure; for `vary.py`.

def names(node):
    for child in node["children"]:       names({"name": "a"})    ->    names({"children": [{"name": "a"}]})
        yield from names(child)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

import msgspec

from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.inputs import MAX_EXPRESSION, Case

_HOLE = "..."
_OWNERS = frozenset({"self", "cls"})
_SAME_ITEMS = frozenset({"list", "tuple", "sorted", "reversed", "iter", "set"})
_LOOKS_UP = frozenset({"get", "pop"})
_MOST = 4


def with_wrappings(function: Function, node: FunctionNode) -> Function:
    """The function with what is around a part of its argument with which it calls itself."""
    bound = function.kind in {"method", "class"}
    arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)][1 if bound else 0 :]
    handed = [call.args[0] for call in _calls_of_itself(node)]
    if not arguments or not handed:
        return function
    known = {arguments[0]: _HOLE}
    for name, text in _bound(node, known):
        known.setdefault(name, text)
    found = (_around(part, known) for part in handed)
    wrappings = dict.fromkeys(text for text in found if text not in {"", _HOLE})
    return msgspec.structs.replace(function, wrappings=tuple(wrappings)[:_MOST])


def wrapped(case: Case) -> Iterator[Case]:
    """The same call with its first argument inside of another."""
    if not case.arguments or not case.entry.wrappings:
        return
    (name, text), *others = case.arguments
    if name is not None and (not case.entry.params or name != case.entry.params[0].name):
        return
    for wrapping in case.entry.wrappings:
        made = wrapping.replace(_HOLE, text, 1)
        if len(made) <= MAX_EXPRESSION:
            yield msgspec.structs.replace(case, arguments=((name, made), *others), carved=False, steps=case.steps + 1)


def _calls_of_itself(node: FunctionNode) -> Iterator[ast.Call]:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and part.args:
            func = part.func
            owned = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in _OWNERS
            called = func.attr if isinstance(func, ast.Attribute) and owned else getattr(func, "id", "")
            if called == node.name:
                yield part


def _bound(node: FunctionNode, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names that stand for a part of the argument, in the order of the code; reads `known` as it grows."""
    bindings: list[tuple[ast.expr, ast.expr, bool]] = []
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            bindings.append((part.targets[0], part.value, False))
        elif isinstance(part, ast.For | ast.AsyncFor | ast.comprehension):
            bindings.append((part.target, part.iter, True))
    for target, value, is_loop in sorted(bindings, key=lambda row: (row[0].lineno, row[0].col_offset)):
        bound, text = _item(target, value, known) if is_loop else (target, _around(value, known))
        if isinstance(bound, ast.Name) and text:
            yield bound.id, text


def _item(target: ast.expr, held: ast.expr, known: Mapping[str, str]) -> tuple[ast.expr, str]:
    """What a loop binds to an item of the argument, or of a part of it, and what is around that item."""
    called = held.func if isinstance(held, ast.Call) else None
    of = called.value if isinstance(called, ast.Attribute) else None
    second = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else target
    if isinstance(called, ast.Attribute) and called.attr in {"values", "items"} and of is not None:
        return (second if called.attr == "items" else target), _put(_around(of, known), "{'a': ...}")
    if isinstance(called, ast.Name) and isinstance(held, ast.Call) and held.args:
        if called.id == "enumerate":
            return second, _put(_around(held.args[0], known), "[...]")
        if called.id in _SAME_ITEMS:
            return _item(target, held.args[0], known)
    return target, _put(_around(held, known), "[...]")


def _around(part: ast.expr, known: Mapping[str, str]) -> str:
    """An expression for the argument with `...` for this part of it; empty if it is none."""
    if isinstance(part, ast.Name):
        return known.get(part.id, "")
    if isinstance(part, ast.Subscript):
        held, key = part.value, part.slice
    elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _LOOKS_UP:
        held, key = part.func.value, part.args[0] if part.args else part
    else:
        return ""
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str | int):
        return ""
    return _put(_around(held, known), f"{{{key.value!r}: ...}}" if isinstance(key.value, str) else "[...]")


def _put(outer: str, inner: str) -> str:
    return outer.replace(_HOLE, inner, 1)
