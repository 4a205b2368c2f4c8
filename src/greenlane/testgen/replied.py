"""What the body of an answer to a request has to hold, told by what the code reads of it. Pure; for `unanswered.py`.

rows = session.get(url).json()                                [{"name": "abc", "tags": ["abc"]}]
return [(row["name"], list(row["tags"])) for row in rows]
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set
from typing import Any

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.records import asked_for

_ASKING = re.compile(r"(.*_)?(get|post|put|patch|delete|request|fetch|send|query|call|api)(_.*)?")
_ITERATING = frozenset({"list", "sorted", "set", "tuple", "enumerate", "iter", "reversed", "map", "filter"})
_NUMBER = re.compile(r"(.*_)?(id|count|total|page|pages|size|offset|limit|number|status|code|version|amount|next)")
_DEEP, _MOST_KEYS = 5, 12
_TEXT, _COUNT = "abc", 1


def body_of_answer(function: FunctionNode) -> Any:
    """A JSON value with the keys and items that the function reads of what was answered; None where it reads none."""
    asked = {
        ast.unparse(node)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _asks(node.func)
    }
    return _shape(_names_of(asked, function), function, "", 0)


def _asks(func: ast.Attribute) -> bool:
    return func.attr == "json" or _ASKING.fullmatch(func.attr.lower()) is not None


def _names_of(texts: Set[str], function: ast.AST) -> frozenset[str]:
    """With the names that are given to what these say."""
    found = set(texts)
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign | ast.NamedExpr):
            continue
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if ast.unparse(value) in texts:
            found |= {ast.unparse(one) for one in (node.targets if isinstance(node, ast.Assign) else [node.target])}
    return frozenset(found)


def _shape(texts: Set[str], function: ast.AST, key: str, depth: int) -> Any:
    if depth > _DEEP:
        return _TEXT
    keys: dict[str, set[str]] = {}
    for name, text in _keys(texts, function):
        keys.setdefault(name, set()).add(text)
    if keys:
        rows = list(keys.items())[:_MOST_KEYS]
        held = {name: _shape(_names_of(own, function), function, name, depth + 1) for name, own in rows}
        return {name: _leaf(name) if value is None else value for name, value in held.items()}
    items = set(_items(texts, function))
    if items:
        inside = _shape(_names_of({item for item in items if item}, function), function, key, depth + 1)
        return [_leaf(key) if inside is None else inside]
    return None


def _leaf(key: str) -> str | int:
    return _COUNT if _NUMBER.fullmatch(key.lower()) else _TEXT


def _keys(texts: Set[str], function: ast.AST) -> Iterator[tuple[str, str]]:
    """(key, how it is looked up) of what these say."""
    for node in ast.walk(function):
        pair = asked_for(node)
        held = ast.unparse(pair[0]) if pair is not None else ""
        if pair is not None and held in texts:
            yield pair[1], f"{held}[{pair[1]!r}]"
            yield pair[1], ast.unparse(node)


def _items(texts: Set[str], function: ast.AST) -> Iterator[str]:
    """The names of items, empty where they have none."""
    for node in ast.walk(function):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            held, target = node.iter, node.target
            if isinstance(held, ast.Call) and getattr(held.func, "id", "") in _ITERATING and held.args:
                numbered = getattr(held.func, "id", "") == "enumerate" and isinstance(target, ast.Tuple)
                target = target.elts[-1] if numbered and isinstance(target, ast.Tuple) else target
                held = held.args[-1]
            if ast.unparse(held) in texts:
                yield target.id if isinstance(target, ast.Name) else ""
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) in texts:
            if isinstance(node.slice, ast.Slice) or isinstance(getattr(node.slice, "value", None), int):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _ITERATING:
            yield from ("" for argument in node.args if ast.unparse(argument) in texts)
