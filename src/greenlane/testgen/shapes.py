"""What a parameter without annotation looks like, told by the places, keys and items that code asks of it. Pure; for
`uses.py`.

def read(message, options, people):
    if message[0] != 0xFF: ...                           [255, 1, 2], b'\\xff\\x01\\x02'
    name = options["name"]                               {"name": "a"}
    groupby(people, lambda one: one.role.split("."))     [SimpleNamespace(role="a.b")]
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from greenlane.testgen.inside.greenlane_edits import name_of

NAMESPACE = "SimpleNamespace"
_LONGEST, _MOST_ATTRIBUTES, _MOST_KEYS = 12, 6, 8
_KNOWN_METHODS = frozenset(name for kind in (str, bytes, dict, list, int, set) for name in dir(kind))
_SPLITTING = frozenset({"split", "rsplit", "partition", "rpartition", "startswith", "endswith", "find", "index"})
_ITERATING = frozenset(
    {"list", "sorted", "set", "tuple", "enumerate", "iter", "reversed", "groupby", "map", "filter", "sum", "any", "all",
     "chain", "islice", "zip", "Counter", "deque", "frozenset", "min", "max"}
)  # fmt: skip


def kinds_by_shape(names: Set[str], holder: ast.AST) -> Iterator[str]:
    """The kinds of what is looked up by a key, or by a place."""
    for node in ast.walk(holder) if names else ():
        if isinstance(node, ast.Subscript) and is_one(node.value, names):
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                yield "dict"
            elif isinstance(node.slice, ast.Slice) or _place(node.slice) is not None:
                yield from () if _is_stored(node) else ("list", "str")
        elif isinstance(node, ast.For | ast.comprehension) and is_one(node.iter, names):
            yield "list"
        elif isinstance(node, ast.Call) and name_of(node) in _ITERATING:
            yield from ("list" for argument in node.args if is_one(argument, names))


def samples(names: Set[str], holder: ast.AST) -> tuple[str, ...]:
    """Expressions for what has the places, the keys or the items that are asked for; most telling first."""
    found = [*_dicts(names, holder), *_sequences(names, holder), *_items(names, holder)]
    return tuple(dict.fromkeys(found)) if names else ()


# -------------------------------------------------------------- keys


def _dicts(names: Set[str], holder: ast.AST) -> Iterator[str]:
    """A dict with the keys that are read before they could have been set, each with a text, or with a number."""
    keys, set_here = dict[str, str](), set[str]()
    parts = [n for n in ast.walk(holder) if isinstance(n, ast.Subscript) and is_one(n.value, names)]
    for node in sorted(parts, key=lambda n: (n.lineno, n.col_offset)):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(key, str):
            if _is_stored(node):
                set_here.add(key)
            elif key not in set_here:
                keys.setdefault(key, ast.unparse(node))
    if not keys or len(keys) > _MOST_KEYS:
        return
    asked = {key: repr(text_for({text}, holder)) for key, text in keys.items()}
    for values in (asked, dict.fromkeys(keys, "1")):
        yield "{" + ", ".join(f"{key!r}: {values[key]}" for key in keys) + "}"


# -------------------------------------------------------------- places


def _sequences(names: Set[str], holder: ast.AST) -> Iterator[str]:
    """Items with those that are compared in their places, as a list and, if they fit, as bytes or a text."""
    asked = dict(_compared_places(names, holder))
    if not asked:
        return
    last = max(asked)
    texts = any(isinstance(value, str) for value in asked.values())
    for more in (2, 1, 4):
        items = [asked.get(place, "a" if texts else place) for place in range(last + more)]
        yield repr(items)
        if all(isinstance(item, str) and len(item) == 1 for item in items):
            yield repr("".join(str(item) for item in items))
        elif all(isinstance(item, int) and 0 <= item < 256 for item in items) and more == 2:
            yield repr(bytes(int(item) for item in items))


def _compared_places(names: Set[str], holder: ast.AST) -> Iterator[tuple[int, int | str]]:
    for node in ast.walk(holder):
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            continue
        for one, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
            held = one if isinstance(one, ast.Subscript) and is_one(one.value, names) else None
            place = _place(held.slice) if held is not None else None
            values = [n.value for n in ast.walk(other) if isinstance(n, ast.Constant)]
            for value in values[:1]:
                plain = isinstance(value, int | str) and not isinstance(value, bool)
                if place is not None and 0 <= place < _LONGEST and plain:
                    yield place, value  # type: ignore[misc]  # of one of these kinds


def _place(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


# -------------------------------------------------------------- items


def _items(names: Set[str], holder: ast.AST) -> Iterator[str]:
    """Lists of plain objects with the attributes that are read of the items; none where more is asked of them."""
    items = set(_names_of_items(names, holder))
    read: dict[str, str] = {}
    called = {id(n.func) for n in ast.walk(holder) if isinstance(n, ast.Call)}
    for node in ast.walk(holder):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in items:
            if id(node) in called or node.attr.startswith("_") or not isinstance(node.ctx, ast.Load):
                return
            read.setdefault(node.attr, ast.unparse(node))
    if not read or len(read) > _MOST_ATTRIBUTES or read.keys() <= _KNOWN_METHODS:
        return
    rows: list[dict[str, str]] = []
    for word in ("a", "b"):
        texts = {name: {f"{item}.{name}" for item in items} for name in read}
        rows.append({name: repr(text_for(texts[name], holder, word)) for name in read})
    one, other = (f"{NAMESPACE}({', '.join(f'{n}={v}' for n, v in row.items())})" for row in rows)
    yield from (f"[{one}]", f"[{one}, {other}]", "[]")


def _names_of_items(names: Set[str], holder: ast.AST) -> Iterator[str]:
    for node in ast.walk(holder):
        if isinstance(node, ast.For | ast.comprehension):
            held, target = node.iter, node.target
            if isinstance(held, ast.Call) and name_of(held) in _ITERATING and held.args:
                second = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else target
                target = second if name_of(held) == "enumerate" else target
                held = held.args[0]
            if is_one(held, names) and isinstance(target, ast.Name):
                yield target.id
        elif isinstance(node, ast.Call) and any(is_one(argument, names) for argument in node.args):
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(given, ast.Lambda) and len(given.args.args) == 1 and name_of(node) in _ITERATING:
                    yield given.args.args[0].arg


# -------------------------------------------------------------- texts


def text_for(texts: Set[str], holder: ast.AST, word: str = "a") -> str:
    """A text with the sign that it is cut at, or that it begins or ends with; what it is compared with, if it is."""
    for node in ast.walk(holder):
        if isinstance(node, ast.Compare) and ast.unparse(node.left) in texts and word == "a":
            values = [n.value for n in ast.walk(node.comparators[0]) if isinstance(n, ast.Constant)]
            told = next((value for value in values if isinstance(value, str) and value), None)
            if told is not None:
                return told
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            sign = _constant(node.args[0], holder)
            if node.func.attr in _SPLITTING and isinstance(sign, str) and ast.unparse(node.func.value) in texts:
                return _with_sign(node.func.attr, sign, word)
    return word


def _constant(node: ast.expr, holder: ast.AST) -> object:
    """A literal; of a parameter its default, if that is one."""
    if isinstance(node, ast.Name) and isinstance(holder, ast.FunctionDef | ast.AsyncFunctionDef):
        given = holder.args
        optional = [*given.posonlyargs, *given.args][-len(given.defaults) :] if given.defaults else []
        known = [*zip(optional, given.defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
        return next((d.value for p, d in known if p.arg == node.id and isinstance(d, ast.Constant)), None)
    return node.value if isinstance(node, ast.Constant) else None


def _with_sign(method: str, sign: str, word: str) -> str:
    match method:
        case "startswith":
            return sign + word
        case "endswith":
            return word + sign
        case _:
            return f"{word}{sign}1"


# -------------------------------------------------------------- parts of the tree


def is_one(node: ast.expr, names: Set[str]) -> bool:
    """Whether it is one of these names, or attributes of a name."""
    short = isinstance(node.value if isinstance(node, ast.Attribute) else node, ast.Name)
    return short and ast.unparse(node) in names


def _is_stored(node: ast.Subscript) -> bool:
    return not isinstance(node.ctx, ast.Load)
