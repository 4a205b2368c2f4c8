"""Edits of a small program: one expression exchanged for another, wrapped, cut, called otherwise, an item more. Pure.

Runs on both sides of the sandbox: inside, where very many are tried, and outside, where what was found is made anew
from the numbers of its edits, so that no text from inside is ever written down.

Crossing programs over at their expressions is how genetic programming varies them (Koza 1992); taking the parts from
the tests of a project makes it speak that project's language without a grammar (LangFuzz: Holler et al., "Fuzzing with
Code Fragments", 2012).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

MAX_TEXT = 600
"""Characters of a statement."""
_PARTS = (ast.Call, ast.List, ast.Tuple, ast.Set, ast.Dict)
_HIDDEN = {"annotation", "returns", "type_params", "bases", "type_comment", "targets", "target", "finalbody"}
"""Among these a clean-up: what was done before it has to be taken back."""


class Edit(NamedTuple):
    """`statement` and `place` in it say where; `number` says which fragment, option or value, `more` which hole."""

    statement: int
    place: int
    kind: str
    number: int
    more: int = 0


class Place:
    """Where an expression stands: a field of its holder, or an item of it."""

    __slots__ = ("field", "holder", "item", "node")

    def __init__(self, holder: ast.AST, field: str, item: int | None, node: ast.expr) -> None:
        self.holder, self.field, self.item, self.node = holder, field, item, node

    def put(self, node: ast.expr) -> None:
        if self.item is None:
            setattr(self.holder, self.field, node)
        else:
            getattr(self.holder, self.field)[self.item] = node


class Stock:
    """What edits put in: `fragments` are expressions, `options` are (name of what is called, keyword, value),
    `values` are constants, `entries` of dicts are (key, value, the keys beside it)."""

    def __init__(
        self,
        fragments: list[str],
        options: list[tuple[str, str, str]],
        values: list[Any],
        entries: Sequence[tuple[str, str, Sequence[str]]] = (),
    ) -> None:
        self.fragments = [_expression(text) for text in fragments]
        self.options = [(called, name, _expression(value)) for called, name, value in options]
        self.values = [_expression(repr(value)) for value in values]
        self.entries = [
            (repr(key), _expression(value), {repr(one) for one in beside}) for key, value, beside in entries
        ]
        self.holes = [_holes(fragment) for fragment in self.fragments]


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _holes(fragment: ast.expr) -> int:
    return len(fragment.args) if isinstance(fragment, ast.Call) else 0


def places(statement: ast.AST) -> list[Place]:
    """Where a value stands in a statement, from the outside to the inside."""
    found: list[Place] = []
    left: list[ast.AST] = [statement]
    for holder in left:  # it grows
        if isinstance(holder, (ast.JoinedStr, ast.pattern, ast.arguments)):
            continue
        for field, value in ast.iter_fields(holder):
            if field in _HIDDEN:
                continue
            for item, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(node, ast.AST) or (field == "decorator_list" and not isinstance(node, ast.Call)):
                    continue  # of a decorator only what it is given is exchanged
                left.append(node)
                called = isinstance(holder, ast.Call) and field == "func"
                stored = isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del))
                if isinstance(node, ast.expr) and not (called or stored or isinstance(node, ast.Starred)):
                    found.append(Place(holder, field, item, node))
    return found


def changed(node: ast.expr, edit: Edit, stock: Stock) -> ast.expr | None:
    """What an edit puts in place of an expression; None if it does not fit there."""
    if edit.kind == "put":
        return copy.deepcopy(stock.fragments[edit.number])
    if edit.kind == "value":
        return copy.deepcopy(stock.values[edit.number]) if isinstance(node, ast.Constant) else None
    if edit.kind == "wrap":
        outer = copy.deepcopy(stock.fragments[edit.number])
        if not isinstance(outer, ast.Call) or edit.more >= len(outer.args):
            return None
        outer.args[edit.more] = node
        return outer
    if edit.kind == "option":
        return _with_option(node, *stock.options[edit.number])
    if edit.kind == "entry":
        key, value, _ = stock.entries[edit.number]
        if not isinstance(node, ast.Dict) or key in _keys(node):
            return None
        return ast.Dict(keys=[*node.keys, _expression(key)], values=[*node.values, copy.deepcopy(value)])
    if edit.kind == "call":
        other = stock.fragments[edit.number]
        if (
            not isinstance(node, ast.Call)
            or not isinstance(other, ast.Call)
            or ast.dump(other.func) == ast.dump(node.func)
        ):
            return None
        return ast.Call(func=copy.deepcopy(other.func), args=node.args, keywords=node.keywords)
    if edit.kind == "item":
        return _with_item(node, stock.fragments[edit.number])
    if edit.kind == "cut":
        return _cut(node, edit.number)
    return None


def _with_option(node: ast.expr, called: str, name: str, value: ast.expr) -> ast.expr | None:
    if not isinstance(node, ast.Call) or name_of(node) != called or any(k.arg == name for k in node.keywords):
        return None
    keyword = ast.keyword(arg=name, value=copy.deepcopy(value))
    return ast.Call(func=node.func, args=node.args, keywords=[*node.keywords, keyword])


def _with_item(node: ast.expr, item: ast.expr) -> ast.expr | None:
    if not _takes(node, item):
        return None
    return ast.List(elts=[*getattr(node, "elts", ()), copy.deepcopy(item)], ctx=ast.Load())


def _takes(node: ast.expr, item: ast.expr) -> bool:
    """Whether it is a list of such things, of more than plain values; into an empty one goes what is called."""
    if not isinstance(node, ast.List):
        return False
    kinds = {type(one) for one in node.elts if not isinstance(one, ast.Constant)}
    return isinstance(item, tuple(kinds)) if node.elts else isinstance(item, ast.Call)


def _keys(node: ast.Dict) -> set[str]:
    return {ast.unparse(key) for key in node.keys if key is not None}


def _cut(node: ast.expr, number: int) -> ast.expr | None:
    """Without one of its parts."""
    if isinstance(node, ast.Call):
        args, keywords = list(node.args), list(node.keywords)
        if number >= len(args) + len(keywords):
            return None
        del (args if number < len(args) else keywords)[number if number < len(args) else number - len(args)]
        return ast.Call(func=node.func, args=args, keywords=keywords)
    if isinstance(node, ast.Dict):
        if number >= len(node.keys):
            return None
        rest = [n for n in range(len(node.keys)) if n != number]
        return ast.Dict(keys=[node.keys[n] for n in rest], values=[node.values[n] for n in rest])
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        elements = [element for n, element in enumerate(node.elts) if n != number]
        if number >= len(node.elts) or (not elements and isinstance(node, ast.Set)):
            return None
        return type(node)(elts=elements, ctx=ast.Load()) if not isinstance(node, ast.Set) else ast.Set(elts=elements)
    return None


def name_of(call: ast.expr) -> str:
    """The last name of what is called; empty for what is no call by a name."""
    if not isinstance(call, ast.Call):
        return ""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def edits(statements: list[ast.stmt], stock: Stock) -> Iterator[Iterator[Edit]]:
    """All edits of a program, a stream of each kind, the most telling first in each; the last statements first."""
    there = [
        (number, place, node.node)
        for number in reversed(range(len(statements)))
        for place, node in enumerate(places(statements[number]))
    ]
    last = len(statements) - 1
    whole, there = (
        there,
        [one for one in there if one[:2] != (last, 0) or not isinstance(statements[last], ast.Expr)],
    )  # nobody asks
    parts = [one for one in there if isinstance(one[2], _PARTS)]
    calls = [one for one in whole if isinstance(one[2], ast.Call)]
    fragments = range(len(stock.fragments))
    heads = {ast.dump(f.func): n for n, f in reversed(list(enumerate(stock.fragments))) if isinstance(f, ast.Call)}
    yield (
        Edit(s, p, "option", n)
        for n, option in enumerate(stock.options)
        for s, p, node in calls
        if name_of(node) == option[0]
    )
    yield (
        Edit(s, p, "entry", n)
        for n, (key, _, beside) in enumerate(stock.entries)
        for s, p, node in whole
        if isinstance(node, ast.Dict) and key not in _keys(node) and beside & _keys(node)
    )
    yield (Edit(s, p, "put", n) for n in fragments for s, p, _ in there)
    yield (Edit(s, p, "item", n) for n in fragments for s, p, node in parts if _takes(node, stock.fragments[n]))
    yield (Edit(s, p, "wrap", n, hole) for n in fragments for hole in range(stock.holes[n]) for s, p, _ in there)
    yield (
        Edit(s, p, "value", n)
        for n in range(len(stock.values))
        for s, p, node in there
        if isinstance(node, ast.Constant)
    )
    yield (Edit(s, p, "cut", n) for n in range(6) for s, p, _ in parts)
    yield (Edit(s, p, "call", n) for n in sorted(heads.values()) for s, p, _ in calls)


def applied(texts: list[str], made: list[Edit], stock: Stock) -> list[str] | None:
    """The statements of a program after these edits; None if one of them does not fit, or makes too long a text."""
    statements = [parsed(text) for text in texts]
    for edit in made:
        if not 0 <= edit.statement < len(statements):
            return None
        there = places(statements[edit.statement])
        if not 0 <= edit.place < len(there) or edit.number < 0 or edit.more < 0:
            return None
        try:
            node = changed(there[edit.place].node, edit, stock)
        except IndexError:
            return None
        if node is None:
            return None
        there[edit.place].put(node)
    found = [ast.unparse(ast.fix_missing_locations(statement)) for statement in statements]
    return found if all(len(text) <= MAX_TEXT for text in found) else None


def parsed(text: str) -> ast.stmt:
    """One statement. Raises SyntaxError, or ValueError for more or fewer."""
    (statement,) = ast.parse(text).body
    return statement
