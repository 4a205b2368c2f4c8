"""Functions of a library: what callers of one could do at the base and can't any more, beyond its parameter list.

griffe compares names, kinds and order of parameters. Here: whether the call has to be awaited, whether it is bound to
an instance, and annotations, where one side provably allows less. An annotation alone runs nothing: where the body is
the same on both sides it was only put right. Called by `library.py`.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

import griffe
import msgspec

from greenlane.analyzers.api_package import Pair
from greenlane.domain.findings import Severity

_AWAITABLE = re.compile(r"\b(Awaitable|Coroutine|Future|Task|Deferred|Async\w+)\b")
_ASYNC_DECORATOR = re.compile(r"coroutine|inlineCallbacks|async", re.IGNORECASE)
_TYPING = re.compile(r"\b(typing_extensions|typing|te|t|collections\.abc|builtins)\.")
_ANYTHING = frozenset({"Any", "object"})


class Broken(msgspec.Struct, frozen=True):
    """A promise of `node` that is not kept: the object it is told of stands at the base or the head."""

    rule: str
    severity: Severity
    message: str
    node: griffe.Object | griffe.Alias
    at_base: bool = False


def function_breaks(pair: Pair) -> Iterator[Broken]:
    old, new = pair.old, pair.new
    if not isinstance(old, griffe.Function) or not isinstance(new, griffe.Function):
        return
    yield from _awaiting(pair.path, old, new)
    yield from _binding(pair.path, old, new)
    if not old.overloads and not new.overloads:
        yield from _annotations(pair.path, old, new)


def _awaiting(path: str, old: griffe.Function, new: griffe.Function) -> Iterator[Broken]:
    was, now = _is_awaited(old), _is_awaited(new)
    if was != now and None not in (was, now):
        words = "has to be awaited now" if now else "can't be awaited any more"
        rule = "became-async" if now else "became-sync"
        yield Broken(rule, Severity.HIGH, f"{path}: a call of it {words}", new)


def _is_awaited(function: griffe.Function) -> bool | None:
    """Whether a call gives something to await; None if that can't be told."""
    if "async" in function.labels or (function.returns is not None and _AWAITABLE.search(str(function.returns))):
        return True
    return None if any(_ASYNC_DECORATOR.search(str(d.value)) for d in function.decorators) else False


def _binding(path: str, old: griffe.Function, new: griffe.Function) -> Iterator[Broken]:
    if old.parent is None or not old.parent.is_class:
        return
    for label in ("staticmethod", "classmethod"):
        if label in old.labels and not {"staticmethod", "classmethod"} & new.labels:
            message = f"{path}: it was a {label} and needs an instance now"
            yield Broken("became-instance-method", Severity.HIGH, message, new)


# ------------------------------------------------------------------ annotations


def _annotations(path: str, old: griffe.Function, new: griffe.Function) -> Iterator[Broken]:
    found = list(_narrowed(path, old, new))
    was, now = union_members(old.returns), union_members(new.returns)
    if was and now and was < now:
        added = ", ".join(sorted(now - was))
        message = f"{path}: it may return {added} now, which callers need not expect so far"
        found.append(Broken("return-widened", Severity.HIGH, message, new))
    if found and _same_body(old, new):
        found = [msgspec.structs.replace(f, severity=Severity.LOW) for f in found]
    yield from found


def _narrowed(path: str, old: griffe.Function, new: griffe.Function) -> Iterator[Broken]:
    now_by_name = {p.name: p for p in new.parameters}
    for parameter in old.parameters:
        if parameter.name not in now_by_name:
            continue
        was, now = union_members(parameter.annotation), union_members(now_by_name[parameter.name].annotation)
        if was and now and now < was:
            lost = ", ".join(sorted(was - now))
            message = f"{path}: the parameter {parameter.name} no longer takes {lost}"
            yield Broken("parameter-narrowed", Severity.HIGH, message, new)


def union_members(annotation: object) -> frozenset[str]:
    """The alternatives of a type; empty if it has none that can be compared (`Any`, no annotation, unreadable)."""
    if annotation is None:
        return frozenset()
    try:
        tree = ast.parse(_TYPING.sub("", str(annotation)).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    found = frozenset(_alternatives(tree))
    return frozenset() if found & _ANYTHING else found


def _alternatives(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            yield from _alternatives(left)
            yield from _alternatives(right)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            yield from _alternatives(inner)
            yield "None"
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=parts)):
            for part in parts:
                yield from _alternatives(part)
        case ast.Constant(value=str(text)):
            try:
                yield from _alternatives(ast.parse(_TYPING.sub("", text), mode="eval").body)
            except (SyntaxError, ValueError):
                yield "Any"
        case _:
            yield ast.unparse(node)


def _same_body(old: griffe.Function, new: griffe.Function) -> bool:
    was, now = _body(old), _body(new)
    return was is not None and was == now


def _body(function: griffe.Function) -> str | None:
    """What a function does, without its signature; None if its source can't be read."""
    start, end, file = function.lineno, function.endlineno, function.filepath
    if not start or not end or isinstance(file, list):
        return None
    try:
        lines = file.read_text("utf-8-sig").splitlines()[start - 1 : end]
        tree = ast.parse(textwrap.dedent("\n".join(lines)))
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError):
        return None
    first = tree.body[0] if tree.body else None
    if not isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    return "\n".join(ast.dump(statement) for statement in first.body)
