"""What a dict holds under the keys that code looks up in it, told by what is done with it there. Pure; for `code.py`.

`sizes = options["sizes"]`, then `isinstance(sizes, list)`, and `size not in ("S", "M")` for each of them, ask for
`{"sizes": ["S"]}`, and, to see what else is done, for `{"sizes": []}`, `{"sizes": ["a"]}` and `{"sizes": 1}`. Where
keys are looked up in what is under a key, that is a dict with those: `float(row["cost"]["total"])` asks for
`{"cost": {"total": "1.5"}}`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set

_LOOKED_UP = frozenset({"get", "pop", "setdefault"})
_OF_TEXTS = frozenset(
    {"split", "strip", "lower", "upper", "startswith", "endswith", "encode", "replace", "splitlines", "casefold"}
)
_ITEMS = {"str": ("'a'",), "int": ("1",), "float": ("0.5",), "dict": ("{}",), "list": ("[]",), "bytes": ("b'a'",)}
_VALUES = {
    "str": ("'a'", "''"), "int": ("1", "0", "-1"), "float": ("0.5",), "bool": ("True", "False"), "dict": ("{}",),
    "tuple": ("()", "(1, 2)"), "set": ("set()", "{1}"), "bytes": ("b'a'",),
}  # fmt: skip
_OTHER_ITEMS = ("'a'", "1")
_READ = {"float": ("'1.5'", "1"), "int": ("'1'", "2"), "Decimal": ("'1.5'", "1")}
"""What a number is read from."""
_AT_BEGIN, _AT_END = frozenset({"startswith", "removeprefix"}), frozenset({"endswith", "removesuffix"})
_BETWEEN = frozenset({"split", "rsplit", "partition", "rpartition"})
_LONGEST, _A_SIGN = 60, 3
_MAX_VALUES, _MAX_CONSTANTS, _MAX_DICTS = 8, 3, 12

Held = tuple[tuple[str, tuple[str, ...]], ...]
"""By key, expressions for what may stand under it, most telling first."""


def held_by_keys(function: ast.AST, named: Mapping[str, Sequence[object]]) -> Held:
    """For the keys of which the code tells something; `named` are the constants of the module and the class by the
    name under which the function finds them."""
    found: dict[str, tuple[str, ...]] = {}
    places = _places(function)
    for key, texts in places.items():
        values = tuple(dict.fromkeys(_values(function, texts, named)))
        if values:
            found[key] = values[:_MAX_VALUES]
    pairs = (_by_text(looked_up(node)) for node in ast.walk(function))
    looked = [(pair[1], ast.unparse(pair[0])) for pair in pairs if pair is not None and pair[1]]
    for key, texts in reversed(places.items()):  # what stands inside first
        inside = list(dict.fromkeys(other for other, text in looked if text in texts and other != key))
        if inside:
            found[key] = (*_dicts(inside, found), *found.get(key, ()))[:_MAX_DICTS]
    return tuple(found.items())


def looked_up(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """What something is looked up in here, and by which key: `row["key"]`, `row.get("key", ...)`; else None."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return node.value, node.slice
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LOOKED_UP:
        return (node.func.value, node.args[0]) if node.args else None
    return None


def asked_for(node: ast.AST) -> tuple[ast.expr, str] | None:
    """The same, or `"key" in row`, where the key is a text."""
    pair = looked_up(node)
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        pair = node.comparators[0], node.left
    return _by_text(pair)


def _by_text(pair: tuple[ast.expr, ast.expr] | None) -> tuple[ast.expr, str] | None:
    if pair is None or not isinstance(pair[1], ast.Constant) or not isinstance(pair[1].value, str):
        return None
    return pair[0], pair[1].value


def _dicts(keys: Sequence[str], known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A dict with these keys and what each of them holds mostly, then with something else under one of them, or
    without it."""
    plain = {key: next(iter(known.get(key, ())), "1") for key in keys}
    yield _written(plain)
    most = max((len(known.get(key, ())) for key in keys), default=0)
    for number in range(1, most):
        yield from (_written(plain | {key: known[key][number]}) for key in keys if len(known.get(key, ())) > number)
        if number == 1:
            yield from (_written({k: v for k, v in plain.items() if k != key}) for key in keys)


def _written(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key!r}: {value}" for key, value in values.items()) + "}"


def _places(function: ast.AST) -> dict[str, set[str]]:
    """By key, the texts that stand for what is under it: the look-up itself, and names that it is given."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(function):
        key = _key(node)
        if key:
            found.setdefault(key, set()).add(ast.unparse(node))
    for node in ast.walk(function):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and isinstance(target, ast.Name):
            key = _key(value) if value is not None else ""
            if key:
                found[key].add(target.id)
    return found


def _key(node: ast.AST) -> str:
    """The text that is looked up here, in whatever; empty for anything else."""
    pair = _by_text(looked_up(node))
    return pair[1] if pair is not None else ""


def _values(function: ast.AST, texts: Set[str], named: Mapping[str, Sequence[object]]) -> Iterator[str]:
    kinds = list(_kinds(function, texts))
    constants = [repr(c) for c in _compared(function, texts, named)][:_MAX_CONSTANTS]
    loops = [n for n in ast.walk(function) if isinstance(n, ast.For | ast.comprehension) and _is(n.iter, texts)]
    items = {n.target.id for n in loops if isinstance(n.target, ast.Name)}
    if loops or "list" in kinds:
        yield from _lists(function, items, named)
    read = [value for name in _given_to(function, texts) for value in _READ.get(name, ())]
    yield from read
    yield from (repr(text) for text in _with_what_is_asked(function, texts))
    for kind in kinds:
        yield from _VALUES.get(kind, ())
    yield from constants
    if kinds or constants or loops:
        yield "1" if not {"int", "float", "bool"} & set(kinds) else "'a'"  # of a kind that is not asked for


def _given_to(function: ast.AST, texts: Set[str]) -> Iterator[str]:
    """The names of what is called with it alone."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and len(node.args) == 1 and _is(node.args[0], texts):
            yield ast.unparse(node.func).split(".")[-1]


def _with_what_is_asked(function: ast.AST, texts: Set[str]) -> Iterator[str]:
    """Texts that begin with, end with or hold what the code asks of it."""
    for node in ast.walk(function):
        called = node.func if isinstance(node, ast.Call) and node.args else None
        if isinstance(node, ast.Call) and isinstance(called, ast.Attribute) and _is(called.value, texts):
            given = getattr(node.args[0], "value", None)
            if isinstance(given, str) and 0 < len(given) <= _LONGEST:
                yield from _having(given, called.attr)


def _having(given: str, method: str) -> Iterator[str]:
    """A text that has what this method is given: a sign stands between others, longer texts begin it."""
    if method in _AT_END:
        yield f"a{given}"
    elif method in _BETWEEN and len(given) <= _A_SIGN:
        yield f"a{given}b"
    elif method in _AT_BEGIN | _BETWEEN:
        yield f"{given}a"


def _lists(function: ast.AST, items: Set[str], named: Mapping[str, Sequence[object]]) -> Iterator[str]:
    wanted = [repr(c) for c in _compared(function, items, named)][:_MAX_CONSTANTS]
    wanted += [text for kind in _kinds(function, items) for text in _ITEMS.get(kind, ())]
    yield from (f"[{text}]" for text in wanted[:1])
    yield "[]"
    yield from (f"[{text}]" for text in [*wanted[1:], *_OTHER_ITEMS])


def _kinds(function: ast.AST, texts: Set[str]) -> Iterator[str]:
    """The kinds that the code asks for, or whose methods it calls."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and len(node.args) == 2 and getattr(node.func, "id", "") == "isinstance":
            if _is(node.args[0], texts):
                yield from (n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Attribute) and node.attr in _OF_TEXTS and _is(node.value, texts):
            yield "str"


def _compared(function: ast.AST, texts: Set[str], named: Mapping[str, Sequence[object]]) -> Iterator[object]:
    """Constants that it is compared with, or that it must be among."""
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and _is(node.left, texts):
            (other,) = node.comparators
            values = [n.value for n in ast.walk(other) if isinstance(n, ast.Constant)]
            yield from (v for v in (*values, *named.get(ast.unparse(other), ())) if v is not None)


def _is(node: ast.AST, texts: Set[str]) -> bool:
    return ast.unparse(node) in texts
