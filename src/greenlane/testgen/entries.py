"""What a dict has to hold on the way to a line, told by the conditions before it and by what is looked up there. Pure;
for `keyed.py`.

def peer(row):
    if row["type"] == "node": ...
    elif row["type"] == "tag":               {"type": "tag", "tag": {"name": "a"}}
        made.tag = row["tag"]["name"]
        if (inner := row.get("peers")) is not None:
            made.peers = list(map(peer, inner))     {"type": "tag", ..., "peers": ["a"]}
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from greenlane.suite.lines import nodes_of, parse_expression
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.exchanged import merged
from greenlane.testgen.guards import guards_of, what_holds
from greenlane.testgen.inlined import own_nodes
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.parsed import texts_read
from greenlane.testgen.records import asked_for
from greenlane.testgen.shapes import text_for

_DEEPEST, _NAMES, _MOST_KEYS = 4, 4, 12
_WORDS = ("'a'", "'b'", "'c'", "'d'", "'e'", "None", "'other'")
_NUMBERS = tuple(map(str, range(100)))
_SAMPLES = {
    "str": "'a'", "int": "1", "float": "1.5", "bool": "True", "bytes": "b'a'", "dict": "{'a': 'b'}", "list": "['a']",
    "tuple": "('a',)", "Mapping": "{'a': 'b'}", "Sequence": "['a']", "Iterable": "['a']", "Decimal": "'1.5'",
}  # fmt: skip
_ITEMS = frozenset({"list", "sorted", "tuple", "set", "enumerate", "iter", "reversed", "map", "filter", "join"})

Way = Literal["set", "other", "there", "true"]
"""Whether a value has to be this one, none of these, or only there, or there and true."""
_ORDER: Sequence[Way] = ("set", "other", "true", "there")
Guards = frozenset[tuple[str, bool]]


class Entries(msgspec.Struct, frozen=True):
    """What is asked under each key, and how; `known` are all keys that the code looks up in such a dict."""

    asked: Mapping[str, tuple[Way, ast.expr]]
    known: frozenset[str]

    def likeness(self, node: ast.Dict) -> int:
        """How many of its keys are those that the code looks up."""
        return len(self.known & _keys(node))

    def changes_of(self, node: ast.Dict) -> dict[str, ast.expr]:
        """What is to be put into such a dict."""
        held = {key.value: v for key, v in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)}
        found: dict[str, ast.expr] = {}
        for key, (way, value) in self.asked.items():
            other = _changed(held.get(key), way, value)
            if other is not None:
                found[key] = other
        return found


def _keys(node: ast.Dict) -> frozenset[object]:
    return frozenset(key.value for key in node.keys if isinstance(key, ast.Constant))


def _changed(held: ast.expr | None, way: Way, value: ast.expr) -> ast.expr | None:
    """What stands in the place of what is held; None where that may stay."""
    same = held is not None and ast.unparse(held) == ast.unparse(value)
    if way == "other":
        refused = [ast.unparse(one) for one in value.elts] if isinstance(value, ast.Tuple) else []
        return _another(refused) if held is None or ast.unparse(held) in refused else None
    if held is None or way == "set":
        return None if same else value
    if isinstance(value, ast.Dict) and isinstance(held, ast.Dict):
        asked = {k.value: ("there", v) for k, v in zip(value.keys, value.values, strict=True)
                 if isinstance(k, ast.Constant)}  # fmt: skip
        changes = Entries(asked, frozenset()).changes_of(held)  # type: ignore[arg-type]
        return merged(held, changes) if changes else None
    literal = isinstance(held, ast.Constant)
    of_no_use = literal and (isinstance(value, ast.Dict | ast.List) or getattr(held, "value", 1) is None)
    is_false = (literal and not getattr(held, "value", 1)) or ast.unparse(held) in {"[]", "{}"}
    return value if of_no_use or (way == "true" and is_false) else None


def _another(refused: Sequence[str]) -> ast.expr:
    number = refused[0].isdecimal()
    return parse_expression(next(one for one in (_NUMBERS if number else _WORDS) if one not in refused)).body


# -------------------------------------------------------------- what is asked


def function_at(tree: ast.Module, line: int) -> FunctionNode | None:
    """The innermost function in whose body a line stands."""
    around = [n for n in nodes_of(tree) if isinstance(n, FunctionNode) and _is_inside(n, line)]
    return max(around, key=lambda node: node.lineno, default=None)


def _is_inside(node: FunctionNode, line: int) -> bool:
    return node.body[0].lineno <= line <= (node.end_lineno or node.lineno)


def entries_asked(tree: ast.Module, node: FunctionNode, line: int) -> Iterator[Entries]:
    """For each dict that the function knows by a name and looks something up in on the way to this line."""
    reading = _Reading(tree, node, _guards(tree, line))
    by_name = _looked_up_in(node)
    for keys in list(by_name.values())[:_NAMES]:
        asked = {key: wanted for key, parts in keys.items() if (wanted := reading.wanted(parts)) is not None}
        if asked and len(asked) <= _MOST_KEYS:
            yield Entries(asked, frozenset(keys))


def entries_named(tree: ast.Module, node: FunctionNode, line: int, trees: Sequence[ast.Module]) -> Iterator[Entries]:
    """For attributes that the conditions before this line ask to be there: the dicts in which the files of the change
    look up keys of their names, which is mostly where they come from."""
    reading = _Reading(tree, node, _guards(tree, line))
    wanted = reading.attributes()
    seen: set[frozenset[str]] = set()
    for holder in (n for one in trees if wanted for n in nodes_of(one) if isinstance(n, FunctionNode)):
        for keys in _looked_up_in(holder).values():
            asked: dict[str, tuple[Way, ast.expr]] = {k: ("true", v) for k, v in wanted.items() if k in keys}
            if asked and frozenset(keys) not in seen:
                seen.add(frozenset(keys))
                yield Entries(asked, frozenset(keys))


def _looked_up_in(node: FunctionNode) -> dict[str, dict[str, list[ast.expr]]]:
    """By the name of a dict, and by key, the places of this function that look it up."""
    found: dict[str, dict[str, list[ast.expr]]] = {}
    for part in sorted((n for n in own_nodes(node) if isinstance(n, ast.expr)), key=_position):
        name, key = _looked_up(part)
        if name:
            found.setdefault(name, {}).setdefault(key, []).append(part)
    return found


def _looked_up(node: ast.AST) -> tuple[str, str]:
    """The name of a dict and the key in `row["key"]`, `row.get("key")` and `"key" in row`; empty for anything else."""
    pair = asked_for(node)
    if pair is None:
        return "", ""
    held, key = pair
    named = isinstance(held, ast.Name) or (isinstance(held, ast.Attribute) and isinstance(held.value, ast.Name))
    return (ast.unparse(held), key) if named else ("", "")


@functools.lru_cache(maxsize=512)
def _guards(tree: ast.Module, line: int) -> Guards:
    return frozenset((one.test, one.met) for one in guards_of(tree, line) if not one.test.startswith("except "))


class _Reading:
    """How a function goes on with what it looks up, on the way that these conditions lead."""

    def __init__(self, tree: ast.Module, node: FunctionNode, way: Guards, depth: int = 0) -> None:
        self._tree, self._node, self._way, self._depth = tree, node, way, depth
        self._parts = sorted(ast.walk(node), key=_position)
        self._bound = list(_bound(self._parts))
        self._tests = [pair for test, met in sorted(way) for pair in what_holds(parse_expression(test).body, met)]

    def wanted(self, parts: Sequence[ast.expr]) -> tuple[Way, ast.expr] | None:
        """What has to be under a key that is looked up in these places; None where the way asks for nothing there."""
        names = self._names({ast.unparse(part) for part in parts if not isinstance(part, ast.Compare)})
        looks = {ast.unparse(part) for part in parts}
        told = [one for test, met in self._tests if (one := _told(test, met, names, looks)) is not None]
        if told:
            way, value = min(told, key=lambda one: _ORDER.index(one[0]))
            if way == "other":
                value = ast.Tuple(elts=[one for _, one in told if one is not None], ctx=ast.Load())
            return way, self.sample(names) if value is None else value
        read = (part for part in parts if isinstance(part, ast.Subscript))
        if any(_guards(self._tree, part.lineno) <= self._way for part in read):
            return "there", self.sample(names)
        return None

    def attributes(self) -> dict[str, ast.expr]:
        """The attributes that have to be there, and true, with what the code does all with them."""
        found: dict[str, ast.expr] = {}
        for test, met in self._tests:
            sized = isinstance(test, ast.Call) and name_of(test) == "len" and len(test.args) == 1
            asked = test.args[0] if isinstance(test, ast.Call) and sized else test
            if met and isinstance(asked, ast.Attribute) and not asked.attr.startswith("_"):
                value = self.sample({ast.unparse(asked)})
                found[asked.attr] = ast.List(elts=[value], ctx=ast.Load()) if sized and _is_text(value) else value
        return found

    def _below(self) -> _Reading:
        """The same of what is inside."""
        below = copy.copy(self)
        below._depth += 1
        return below

    def _names(self, texts: set[str]) -> set[str]:
        """With the local names that what is called so is given."""
        found = set(texts)
        for value, bound in self._bound:
            found |= bound if value in found else set()
        return found

    def sample(self, names: set[str]) -> ast.expr:
        """What does all that is done here with what goes by these names."""
        names = self._names(names)
        read = texts_read(names, self._node)
        if read:
            return parse_expression(read[0]).body
        found = self._dict(names) or self._items(names) or self._handed_on(names)
        if found is not None:
            return found
        asked = [k for part in self._parts for k in _kinds(part, names) if k in _SAMPLES]
        return parse_expression(_SAMPLES[asked[0] if asked else "str"]).body

    def _dict(self, names: set[str]) -> ast.expr | None:
        keys: dict[str, set[str]] = {}
        for part in self._parts if self._depth < _DEEPEST else ():
            pair = asked_for(part) if isinstance(part, ast.Subscript) else None
            if pair is None or not isinstance(part, ast.Subscript) or ast.unparse(pair[0]) not in names:
                continue
            if _guards(self._tree, part.lineno) <= self._way:
                keys.setdefault(pair[1], set()).add(ast.unparse(part))
        if not keys or len(keys) > _MOST_KEYS:
            return None
        below = self._below()
        return ast.Dict(keys=[ast.Constant(key) for key in keys], values=[below.sample(t) for t in keys.values()])

    def _items(self, names: set[str]) -> ast.expr | None:
        """A list with one item as the loop over it asks for it."""
        loops = (part for part in self._parts if isinstance(part, ast.For | ast.comprehension))
        targets = (loop.target for loop in loops if _gone_over(loop.iter) in names)
        item = next((target.id for target in targets if isinstance(target, ast.Name)), None)
        if item is None or self._depth == _DEEPEST:
            return None
        return ast.List(elts=[self._below().sample({item})], ctx=ast.Load())

    def _handed_on(self, names: set[str]) -> ast.expr | None:
        """As a function of this file asks for it that is given it."""
        for part in self._parts if self._depth < _DEEPEST else ():
            if not isinstance(part, ast.Call):
                continue
            places = [number for number, one in enumerate(part.args) if ast.unparse(one) in names]
            options = [one.arg for one in part.keywords if one.arg and ast.unparse(one.value) in names]
            taking = _function_called(self._tree, part) if places or options else None
            if taking is None:
                continue
            taken = [one.arg for one in (*taking.args.posonlyargs, *taking.args.args)]
            taken = taken[1:] if taken[:1] in (["self"], ["cls"]) else taken
            called = options[:1] or [taken[n] for n in places if n < len(taken)]
            if called:
                return _Reading(self._tree, taking, frozenset(), self._depth + 1).sample({called[0]})
        return None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _bound(parts: Sequence[ast.AST]) -> Iterator[tuple[str, set[str]]]:
    """What is given a local name, with that: `row.get("a")` of `a = row.get("a") or 1`."""
    for part in parts:
        if isinstance(part, ast.Assign | ast.NamedExpr):
            value = part.value.values[0] if isinstance(part.value, ast.BoolOp) else part.value
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            names = {one.id for one in targets if isinstance(one, ast.Name)}
            if names and isinstance(value, ast.Name | ast.Subscript | ast.Call):
                yield ast.unparse(value), names


def _function_called(tree: ast.Module, call: ast.Call) -> FunctionNode | None:
    own = isinstance(call.func, ast.Name) or (
        isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in {"self", "cls"}
    )
    name = name_of(call) if own else ""
    named = (n for n in nodes_of(tree) if isinstance(n, FunctionNode) and n.name == name)
    return next(named, None) if name else None


def _gone_over(node: ast.expr) -> str:
    while isinstance(node, ast.Call) and name_of(node) in _ITEMS and node.args:
        node = node.args[0]
    return ast.unparse(node.values[0] if isinstance(node, ast.BoolOp) else node)


def _told(test: ast.expr, met: bool, names: set[str], looks: set[str]) -> tuple[Way, ast.expr | None] | None:
    """What a condition says of what goes by these names; `looks` are the places that look the key up."""
    if isinstance(test, ast.NamedExpr):
        test = test.value
    if ast.unparse(test) in looks and isinstance(test, ast.Compare):
        is_there = isinstance(test.ops[0], ast.In) == met
        return ("there", None) if is_there else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(test, met, names)
    if ast.unparse(test) in names:
        return ("true", None) if met else ("set", ast.Constant(None))
    if isinstance(test, ast.Call) and met and test.args:
        if name_of(test) == "isinstance" and ast.unparse(test.args[0]) in names:
            kinds = [k for k in _kinds(test, names) if k in _SAMPLES]
            return ("set", parse_expression(_SAMPLES[kinds[0]]).body) if kinds else ("there", None)
        if isinstance(test.func, ast.Attribute) and ast.unparse(test.func.value) in names:
            asked = text_for(names, test)
            return ("set", ast.Constant(asked)) if asked != "a" else None
    return None


def _compared(test: ast.Compare, met: bool, names: set[str]) -> tuple[Way, ast.expr | None] | None:
    sides = [test.left, test.comparators[0]]
    sides = [side.value if isinstance(side, ast.NamedExpr) else side for side in sides]
    held = next((number for number, side in enumerate(sides) if ast.unparse(side) in names), None)
    if held is None:
        return None
    other, op = sides[1 - held], test.ops[0]
    values = [n for n in ast.walk(other) if isinstance(n, ast.Constant)]
    equal = isinstance(op, ast.Eq | ast.Is) or (isinstance(op, ast.In) and held == 0)
    if not values or not (equal or isinstance(op, ast.NotEq | ast.IsNot | ast.NotIn)):
        return None
    if values[0].value is None:
        return ("set", values[0]) if equal == met else ("there", None)
    return ("set", values[0]) if equal == met else ("other", values[0])


def _kinds(node: ast.AST, names: set[str]) -> Iterator[str]:
    """The kinds that are asked for of what goes by these names, or that it is made into."""
    if not isinstance(node, ast.Call) or not node.args or ast.unparse(node.args[0]) not in names:
        return
    if name_of(node) == "isinstance" and len(node.args) == 2:
        yield from (n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name))
    elif name_of(node) in {"int", "float", "Decimal"}:
        yield name_of(node)
