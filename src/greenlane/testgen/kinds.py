"""Literals of another kind, where the code tells kinds apart: `diff({"a": [1]}, {"a": [2]})` becomes
`diff({"a": {1}}, {"a": {2}})` for `isinstance(first, set) and isinstance(second, set)`. Pure; for `vary.py`.

All of them at once, since what asks for one kind on both sides is met by no change of one of them. A dict stands for
a record: where the code asks for the fields of one, `{"name": "a"}` becomes `namedtuple("Row", ["name"])(name="a")`.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator, Sequence, Set

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.guesses import imports_for
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.rest import is_name

_SETS = dict.fromkeys(("set", "Set", "MutableSet", "AbstractSet", "frozenset"), "set")
_KINDS = {**_SETS, "tuple": "tuple", "list": "list", "bytes": "bytes", "bytearray": "bytes", "float": "float"}
_RECORDS = {
    "_fields": "namedtuple", "_asdict": "namedtuple", "_replace": "namedtuple", "is_dataclass": "make_dataclass",
    "__dataclass_fields__": "make_dataclass", "asdict": "make_dataclass", "SimpleNamespace": "SimpleNamespace",
}  # fmt: skip
"""By what is asked of a record, what makes one."""


def kinds_told_apart(entry: Function, words: Set[str] | None = None) -> list[str]:
    """Kinds that a function asks for, records by what it asks of them; of those that are among some words, if any are
    given."""
    asked = [*entry.kinds, *(kind for word, kind in _RECORDS.items() if word in entry.asks)]
    named = [*words, *(kind for word, kind in _RECORDS.items() if word in words)] if words is not None else asked
    return [kind for kind in dict.fromkeys(asked) if kind in named]


def of_other_kinds(texts: Sequence[str], kinds: Sequence[str]) -> Iterator[list[str]]:
    """Statements, or expressions, with each literal that could as well be of a kind made one of it: one result for each
    kind, as far as anything changes."""
    known = _KINDS | {kind: kind for kind in _RECORDS.values()}
    for kind in dict.fromkeys(known[name] for name in kinds if name in known):
        try:
            changed = [_text(_Changing(_MAKERS[kind]).visit(parse_source(text))) for text in texts]
        except (UnreadableSourceError, ValueError):
            continue
        if changed != [_text(parse_source(text)) for text in texts]:
            yield changed


def with_other_kinds(case: Case, kinds: Sequence[str]) -> Iterator[Case]:
    """The same call with all literals of its arguments, and of its object, of another kind, where the code tells kinds
    apart."""
    own = [case.receiver] if case.receiver else []
    for texts in of_other_kinds([*own, *(text for _, text in case.arguments)], kinds):
        given = zip(case.arguments, texts[len(own) :], strict=True)
        yield msgspec.structs.replace(
            case,
            receiver=texts[0] if own else case.receiver,
            arguments=tuple((name, text) for (name, _), text in given),
            carved=False,
            steps=case.steps + 1,
        )


def scripts_of_other_kinds(script: Script, kinds: Sequence[str]) -> Iterator[Script]:
    """The same of a script, with what the new literals import."""
    for rows in of_other_kinds([*script.setup, script.look], kinds):
        imports = script.imports | imports_for("\n".join(rows), script.text)
        setup, look = [*rows[:-1]], rows[-1]
        made = set(_MADE.findall("\n".join(rows)))
        if len(made) == 1 and _ROW not in script.text:  # one kind of record: it gets a name
            (kind,) = made
            setup, look = [f"{_ROW} = {kind}", *(text.replace(kind, _ROW) for text in setup)], look.replace(kind, _ROW)
        yield msgspec.structs.replace(script, setup=tuple(setup), look=look, imports=imports)


class _Changing(ast.NodeTransformer):
    """Displays and constants, from the inside out. What stands in a pattern, an f-string or a subscript stays, and so
    do the keys of dicts and what is assigned to."""

    def __init__(self, made: Callable[[ast.expr], ast.expr | None]) -> None:
        self._made = made

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.JoinedStr | ast.pattern | ast.Subscript) or _is_filled(node):
            return node
        if isinstance(node, ast.Dict):
            node.values = [self._seen(value) for value in node.values]
            record = self._made(node)
            return node if record is None else ast.copy_location(record, node)
        if isinstance(node, ast.Tuple | ast.List) and not isinstance(node.ctx, ast.Load):
            return node
        self.generic_visit(node)
        made = self._made(node) if isinstance(node, ast.expr) else None
        return node if made is None else ast.copy_location(made, node)

    def _seen(self, node: ast.expr) -> ast.expr:
        seen = self.visit(node)
        assert isinstance(seen, ast.expr)
        return seen


def _text(tree: ast.AST) -> str:
    """A text by itself is one, and no docstring."""
    (only,) = tree.body if isinstance(tree, ast.Module) and len(tree.body) == 1 else (None,)
    return ast.unparse(only.value if isinstance(only, ast.Expr) else tree)


def _is_filled(node: ast.AST) -> bool:
    """Whether it is `"%s of %s" % (one, other)`."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.right, ast.Tuple)


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


def _as_record(maker: str, node: ast.expr) -> ast.expr | None:
    """A record with the keys of a dict for its fields, made where it is needed; of a tuple one with plain names."""
    values: list[ast.expr] = []
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        names = [key for key in keys if isinstance(key, str) and is_name(key)]
        values = node.values if len(names) == len(keys) and not any(name.startswith("_") for name in names) else []
    elif isinstance(node, ast.Tuple) and 0 < len(node.elts) <= len(_FIELDS):
        values = [] if any(isinstance(item, ast.Starred) for item in node.elts) else node.elts
        names = [*_FIELDS[: len(values)]]
    if not values:
        return None
    given = [ast.keyword(arg=name, value=value) for name, value in zip(names, values, strict=True)]
    if maker == "SimpleNamespace":
        return ast.Call(func=ast.Name(id=maker), args=[], keywords=given)
    fields = ast.List(elts=[ast.Constant(value=name) for name in names], ctx=ast.Load())
    made = ast.Call(func=ast.Name(id=maker), args=[ast.Constant(value=_ROW), fields], keywords=[])
    return ast.Call(func=made, args=[], keywords=given)


_FIELDS = "abcdef"
_ROW = "Row"
_MADE = re.compile(rf"\b(?:namedtuple|make_dataclass)\('{_ROW}', \[[\w', ]*\]\)(?=\()")
_MAKERS: dict[str, Callable[[ast.expr], ast.expr | None]] = {
    "set": _as_set, "tuple": _as_tuple, "list": _as_list, "bytes": _as_bytes, "float": _as_float,
    **{kind: functools.partial(_as_record, kind) for kind in _RECORDS.values()},
}  # fmt: skip
