"""What is given where its items are taken apart: pairs and longer rows, and texts that are cut at a sign. Pure; for
`uses.py`.

for name, level in given: level.upper()            [('a', 'b')]
for name, (left, right) in given.items(): ...      {'a': ('b', 'c')}
host, port = given; port + 1                       ('a', 1)
dict(pair.split("=") for pair in given)            ['a=1']
"""

from __future__ import annotations

import ast
import datetime
import io
import pathlib
import re
from collections.abc import Iterator, Set

from greenlane.testgen.belongings import plain_objects
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.shapes import is_one, text_for

_LETTERS = "abcdefgh"
_FEWEST, _MOST = 2, len(_LETTERS)
_PASSING = frozenset({"list", "sorted", "tuple", "reversed", "iter"})
"""Calls that give what they are given, item by item."""
_CUTTING = frozenset({"split", "rsplit", "partition", "rpartition"})
_COUNTED = (ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow)
_OF_KIND = {
    "int": "1", "float": "0.5", "bool": "True", "dict": "{'a': 1}", "list": "['a']", "tuple": "('a', 'b')",
    "bytes": "b'a'", "set": "{'a'}",
}  # fmt: skip


_HAVING: tuple[tuple[str, type], ...] = (
    ("{'a': 1}", dict), ("['a', 'b']", list), ("re.search('b', 'abc')", re.Match), ("{1, 2}", set), ("b'abc'", bytes),
    ("datetime(2020, 1, 31)", datetime.datetime), ("Path('a')", pathlib.Path), ("StringIO('abc')", io.StringIO),
)  # fmt: skip
_STAND_IN = "MagicMock"


def unpacked(names: Set[str], holder: ast.AST) -> tuple[str, ...]:
    """Expressions for what goes by one of these names and is taken apart as a whole, or item by item."""
    found = dict[str, None]()
    for node in ast.walk(holder) if names else ():
        if isinstance(node, ast.Assign) and is_one(node.value, names):
            found |= {row: None for target in node.targets for row in _rows(target, holder)}
        elif isinstance(node, ast.For | ast.comprehension):
            found |= dict.fromkeys(_of_loop(node.iter, node.target, names, holder))
    return tuple(found)


def _of_loop(held: ast.expr, target: ast.expr, names: Set[str], holder: ast.AST) -> Iterator[str]:
    while isinstance(held, ast.Call) and name_of(held) in {*_PASSING, "enumerate"} and len(held.args) == 1:
        if name_of(held) == "enumerate":
            if not isinstance(target, ast.Tuple) or len(target.elts) != _FEWEST:
                return
            target = target.elts[1]
        held = held.args[0]
    if is_one(held, names):
        yield from (f"[{row}]" for one in (target, *_parts(target, holder)) for row in _rows(one, holder))
        if isinstance(target, ast.Name):
            cut = text_for({target.id}, holder)
            yield from [f"[{cut!r}]"] if len(cut) > 1 and _is_cut(target.id, holder) else ()
    elif _is_items(held, names) and isinstance(target, ast.Tuple) and len(target.elts) == _FEWEST:
        yield from (f"{{{key}: {value}}}" for key, value in _pairs(target, holder))


def _is_items(held: ast.expr, names: Set[str]) -> bool:
    """`given.items()`"""
    func = held.func if isinstance(held, ast.Call) else None
    return isinstance(func, ast.Attribute) and func.attr == "items" and is_one(func.value, names)


def _parts(target: ast.expr, holder: ast.AST) -> Iterator[ast.expr]:
    """What a name is taken apart into by an assignment."""
    if isinstance(target, ast.Name):
        for node in ast.walk(holder):
            if isinstance(node, ast.Assign) and _is(node.value, target.id):
                yield from node.targets


def _pairs(target: ast.Tuple, holder: ast.AST) -> Iterator[tuple[str, str]]:
    key = _value(target.elts[0], holder, iter(_LETTERS), "'a'")
    for other in ("", "1"):
        yield key, _value(target.elts[1], holder, iter(_LETTERS[1:]), other)


def _rows(target: ast.expr, holder: ast.AST) -> Iterator[str]:
    """The row with a text where nothing tells what stands there, and with a number."""
    if isinstance(target, ast.Tuple | ast.List) and _FEWEST <= len(target.elts) <= _MOST:
        for other in ("", "1"):
            yield _value(target, holder, iter(_LETTERS), other)


def _value(target: ast.expr, holder: ast.AST, letters: Iterator[str], other: str) -> str:
    """What a name, or a row of them, is given; `other` instead of a letter where nothing is told of a name."""
    target = target.value if isinstance(target, ast.Starred) else target
    if isinstance(target, ast.Tuple | ast.List):
        inside = [_value(one, holder, letters, other) for one in target.elts]
        return f"({', '.join(inside)}{',' * (len(inside) == 1)})"
    letter = next(letters, "a")
    name = target.id if isinstance(target, ast.Name) else ""
    return _told(name, holder, letter) or other or repr(letter)


def _with_attributes(name: str, holder: ast.AST, letter: str) -> str:
    """What has all the attributes that are read of a name; empty where none is."""
    read = {n.attr for n in ast.walk(holder) if isinstance(n, ast.Attribute) and _is(n.value, name)}
    if not read:
        return ""
    if all(hasattr(str, attribute) for attribute in read):
        return repr(text_for({name}, holder, letter))
    fitting = [text for text, kind in _HAVING if all(hasattr(kind, attribute) for attribute in read)]
    objects = plain_objects({name}, holder, _STAND_IN) if not fitting else ()
    return next(iter((*fitting, *objects)), f"{_STAND_IN}()")


def _told(name: str, holder: ast.AST, letter: str) -> str:
    """What the code tells of a name; empty where it tells nothing."""
    if name and (having := _with_attributes(name, holder, letter)):
        return having
    for node in ast.walk(holder) if name else ():
        if isinstance(node, ast.Call) and len(node.args) == 2 and ast.unparse(node.func) == "isinstance":
            asked = (
                {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)} if _is(node.args[0], name) else set()
            )
            if "str" in asked:
                return repr(letter)
            if known := [kind for kind in _OF_KIND if kind in asked]:
                return _OF_KIND[known[0]]
        elif (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, _COUNTED)
            and any(_is(side, name) for side in (node.left, node.right))
        ):
            return "1"
        elif isinstance(node, ast.For | ast.comprehension) and _is(node.iter, name):
            row = next(_rows(node.target, holder), "'a'")
            return f"[{row}]"
    told = text_for({name}, holder)
    return repr(told) if told != "a" else ""


def _is_cut(name: str, holder: ast.AST) -> bool:
    """Whether a text of this name is cut at a sign."""
    methods = (n.func for n in ast.walk(holder) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute))
    return any(_is(method.value, name) and method.attr in _CUTTING for method in methods)


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
