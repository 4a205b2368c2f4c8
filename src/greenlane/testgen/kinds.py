"""Literals of another kind, where the code tells kinds apart: `diff({"a": [1]}, {"a": [2]})` becomes
`diff({"a": {1}}, {"a": {2}})` for `isinstance(first, set) and isinstance(second, set)`. Pure; for `vary.py`.

All of them at once, since what asks for one kind on both sides is met by no change of one of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.inputs import Case

_SETS = dict.fromkeys(("set", "Set", "MutableSet", "AbstractSet", "frozenset"), "set")
_KINDS = {**_SETS, "tuple": "tuple", "list": "list", "bytes": "bytes", "bytearray": "bytes", "float": "float"}


def of_other_kinds(texts: Sequence[str], kinds: Sequence[str]) -> Iterator[list[str]]:
    """Statements, or expressions, with each literal that could as well be of a kind made one of it: one result for each
    kind, as far as anything changes."""
    for kind in dict.fromkeys(_KINDS[name] for name in kinds if name in _KINDS):
        try:
            changed = [ast.unparse(_Changing(_MAKERS[kind]).visit(parse_source(text))) for text in texts]
        except (UnreadableSourceError, ValueError):
            continue
        if changed != [ast.unparse(parse_source(text)) for text in texts]:
            yield changed


def with_other_kinds(case: Case) -> Iterator[Case]:
    """The same call with all literals of its arguments of another kind, where the code tells kinds apart."""
    for texts in of_other_kinds([text for _, text in case.arguments], case.entry.kinds):
        arguments = tuple((name, text) for (name, _), text in zip(case.arguments, texts, strict=True))
        yield msgspec.structs.replace(case, arguments=arguments, carved=False, steps=case.steps + 1)


class _Changing(ast.NodeTransformer):
    """Displays and constants, from the inside out. What stands in a pattern, an f-string or a subscript stays, and so
    do the keys of dicts and what is assigned to."""

    def __init__(self, made: Callable[[ast.expr], ast.expr | None]) -> None:
        self._made = made

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.JoinedStr | ast.pattern | ast.Subscript):
            return node
        if isinstance(node, ast.Dict):
            node.values = [self._seen(value) for value in node.values]
            return node
        if isinstance(node, ast.Tuple | ast.List) and not isinstance(node.ctx, ast.Load):
            return node
        self.generic_visit(node)
        made = self._made(node) if isinstance(node, ast.expr) else None
        return node if made is None else ast.copy_location(made, node)

    def _seen(self, node: ast.expr) -> ast.expr:
        seen = self.visit(node)
        assert isinstance(seen, ast.expr)
        return seen


def _as_set(node: ast.expr) -> ast.expr | None:
    if not isinstance(node, ast.List) or not node.elts or not all(isinstance(item, ast.Constant) for item in node.elts):
        return None
    return ast.Set(elts=node.elts)


def _as_tuple(node: ast.expr) -> ast.expr | None:
    return ast.Tuple(elts=node.elts, ctx=ast.Load()) if isinstance(node, ast.List | ast.Set) else None


def _as_list(node: ast.expr) -> ast.expr | None:
    return ast.List(elts=node.elts, ctx=ast.Load()) if isinstance(node, ast.Tuple | ast.Set) else None


def _as_bytes(node: ast.expr) -> ast.expr | None:
    text = node.value if isinstance(node, ast.Constant) else None
    return ast.Constant(value=text.encode("utf-8", "replace")) if isinstance(text, str) else None


def _as_float(node: ast.expr) -> ast.expr | None:
    number = node.value if isinstance(node, ast.Constant) else None
    whole = isinstance(number, int) and not isinstance(number, bool) and abs(number) < 1e15
    return ast.Constant(value=float(number)) if whole and isinstance(number, int) else None


_MAKERS: dict[str, Callable[[ast.expr], ast.expr | None]] = {
    "set": _as_set, "tuple": _as_tuple, "list": _as_list, "bytes": _as_bytes, "float": _as_float,
}  # fmt: skip
