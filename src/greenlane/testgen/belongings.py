"""Plain objects for a parameter without annotation of which attributes are read: each holds what is asked of it. Pure;
for `uses.py`.

def ended(frame):
    if frame.f_lasti < 0: ...                    SimpleNamespace(f_lasti=0, f_code=SimpleNamespace(co_code=[1, 2, 3]))
    return frame.f_code.co_code[frame.f_lasti]
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set

import msgspec

from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.shapes import NAMESPACE, is_one

_MOST_PARTS, _MOST_ROWS, _DEPTH = 8, 5, 3
_ROWS_OF_ITEMS = ("[1, 2, 3]", "'abc'", "[]")
_OF_WORDS = ("['a', 'b']", "[]")
_MOST_COMPARED = 3
_ALIKE = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_FIRST = ("1", "'a'", "None", "0")
_WORDED = re.compile(r"name|text|path|title|label|key|message|word|kind|type|role|id$|url")
"""Names of what is mostly a text."""
_KNOWN: tuple[tuple[str, type], ...] = (("'a'", str), ("{'a': 1}", dict), ("['a', 'b']", list), ("{'a'}", set))
_ITERATING = frozenset({"list", "sorted", "set", "tuple", "enumerate", "iter", "reversed", "sum", "any", "all", "zip"})

_Path = tuple[str, ...]


class _Uses(msgspec.Struct, frozen=True):
    """What is done with the parts of an object: by path its values to try, and the paths that are called."""

    values: dict[_Path, tuple[str, ...]]
    called: frozenset[_Path]


def plain_objects(names: Set[str], holder: ast.AST, stand_in: str) -> tuple[str, ...]:
    """Expressions for an object with the attributes that are read of it, first those that code asks for in all places,
    then others in one place at a time; none where nothing but methods is asked for. Of what is called, the object is a
    stand-in."""
    uses = _uses(names, holder)
    plain = [path for path in uses.values if path not in uses.called]
    if not plain or len(plain) > _MOST_PARTS:
        return ()
    first = {path: uses.values[path][0] for path in plain}
    rows = [first]
    for number in range(1, max(len(uses.values[path]) for path in plain)):
        rows += [first | {path: uses.values[path][number]} for path in plain if number < len(uses.values[path])]
    made = [_made((), row, uses.called, stand_in) for row in rows[:_MOST_ROWS]]
    return tuple(dict.fromkeys(made))


def compared(names: Set[str], holder: ast.AST) -> tuple[str, ...]:
    """Constants that it is compared with as a whole: `event != "return"`, `value is None`, `mode in ("r", "w")`."""
    found: dict[str, None] = {}
    for node in ast.walk(holder) if names else ():
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], _ALIKE):
            sides = (node.left, node.comparators[0])
            held = [other for one, other in (sides, sides[::-1]) if is_one(one, names)]
            parts = [part for other in held for part in getattr(other, "elts", [other])]
            found |= {repr(part.value): None for part in parts if isinstance(part, ast.Constant)}
    return tuple(found)[:_MOST_COMPARED]


def _made(path: _Path, row: Mapping[_Path, str], called: Set[_Path], stand_in: str) -> str:
    """The part of an object at this path."""
    inside = dict.fromkeys(part[: len(path) + 1] for part in row if part[: len(path)] == path and part != path)
    if not inside:
        return row[path]
    kind = stand_in if any(part[:-1] == path for part in called) else NAMESPACE
    return f"{kind}({', '.join(f'{part[-1]}={_made(part, row, called, stand_in)}' for part in inside)})"


def _uses(names: Set[str], holder: ast.AST) -> _Uses:
    known = _aliases(names, holder)
    above = {id(child): node for node in ast.walk(holder) for child in ast.iter_child_nodes(node)}
    nodes = [n for n in ast.walk(holder) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)]
    found: dict[_Path, dict[str, None]] = {}
    called = set[_Path]()
    for node in sorted(nodes, key=lambda n: (n.lineno, n.col_offset)):
        path, parent = _path(node, names, known), above.get(id(node))
        if not path or len(path) > _DEPTH or any(part.startswith("__") for part in path):
            continue
        if isinstance(parent, ast.Attribute):
            continue  # its own parts say more
        if isinstance(parent, ast.Call) and parent.func is node:
            if len(path) > 1 and (kinds := [text for text, kind in _KNOWN if hasattr(kind, path[-1])]):
                found.setdefault(path[:-1], {}).update(dict.fromkeys(kinds))
            else:
                called.add(path)
            continue
        found.setdefault(path, {}).update(dict.fromkeys(_asked(node, parent)))
    whole = {part[:n] for part in (*found, *called) for n in range(1, len(part))}
    values = {path: tuple(dict.fromkeys((*asked, *_guessed(path[-1])))) for path, asked in found.items()}
    return _Uses({path: asked for path, asked in values.items() if path not in whole}, frozenset(called))


def _guessed(name: str) -> tuple[str, ...]:
    return tuple(sorted(_FIRST, key=lambda text: "'" not in text)) if _WORDED.search(name) else _FIRST


def _aliases(names: Set[str], holder: ast.AST) -> dict[str, _Path]:
    """Local names for parts of it: `code = frame.f_code`."""
    found: dict[str, _Path] = {}
    for node in ast.walk(holder):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            path = _path(node.value, names, found)
            if path:
                found[node.targets[0].id] = path
    return found


def _path(node: ast.expr, names: Set[str], known: Mapping[str, _Path]) -> _Path:
    """The attributes on the way from the object; nothing for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        if is_one(node, names):
            break
        parts.append(node.attr)
        node = node.value
    if is_one(node, names):
        return tuple(reversed(parts))
    return (*known[node.id], *reversed(parts)) if isinstance(node, ast.Name) and node.id in known and parts else ()


def _asked(node: ast.Attribute, parent: ast.AST | None) -> Iterator[str]:
    """Values that what is done with a part asks for."""
    if isinstance(parent, ast.Compare):
        sides = [parent.left, *parent.comparators]
        searched = isinstance(parent.ops[0], ast.In | ast.NotIn) and parent.comparators[0] is node
        for side in sides if not searched else ():
            for value in (n.value for n in ast.walk(side) if isinstance(n, ast.Constant)):
                yield repr(value)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    yield from (repr(value + 1), repr(value - 1))
        if searched:
            yield from _OF_WORDS
    elif isinstance(parent, ast.Subscript) and parent.value is node:
        key = parent.slice.value if isinstance(parent.slice, ast.Constant) else None
        yield from (f"{{{key!r}: 1}}",) if isinstance(key, str) else _ROWS_OF_ITEMS
    elif isinstance(parent, ast.Subscript | ast.BinOp):
        yield from ("0", "1", "-1")
    elif isinstance(parent, ast.For | ast.comprehension | ast.Call) and _iterates(parent, node):
        yield from _OF_WORDS
    elif isinstance(parent, ast.If | ast.IfExp | ast.UnaryOp | ast.BoolOp | ast.While):
        yield from ("True", "False")


def _iterates(parent: ast.For | ast.comprehension | ast.Call, node: ast.Attribute) -> bool:
    return name_of(parent) in _ITERATING if isinstance(parent, ast.Call) else parent.iter is node
