"""Entries of dicts that code looks at one by one: the conditions before something open say how such an entry is called,
what it holds, and what stands beside it. Pure; for `nearby.py`.

    for key, value in fields.items():                       Record({"id": 1})
        if key in LISTS and isinstance(value[0], dict)
                and fields.get(f"{key}_type") == "tag":     Record({"id": 1, "peers": [{"a": 1}], "peers_type": "tag"})
            ...

So with what comes as `**fields`, which a call is given by name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, nodes_of, parse_expression, parse_source
from greenlane.testgen.code import FunctionNode, enclosing
from greenlane.testgen.constants import class_constants, module_constants
from greenlane.testgen.exchanged import Exchanging, merged
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import guards_of, what_holds
from greenlane.testgen.inputs import Case
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.records import looked_up
from greenlane.testgen.rest import is_name
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_KEYS, _DICTS, _CALLS, _MOST = 3, 3, 12, 80
_DEEPEST = 3
_SAMPLES = {
    "str": "'a'", "int": "1", "float": "1.5", "bool": "True", "bytes": "b'a'", "dict": "{'a': 1}", "list": "['a']",
    "tuple": "('a',)", "set": "{'a'}", "Mapping": "{'a': 1}", "Sequence": "['a']", "Iterable": "['a']",
}  # fmt: skip
_PLAIN = "'a'"

Entries = Mapping[str, str]
"""Keys, and expressions for what stands under them."""


def itemwise(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What ran such a loop, with the entries that lead on to what is open; scripts and what is plainest first."""
    rows: dict[tuple[tuple[str, str], ...], list[Case]] = {}
    named = _named(source.tree)
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        for loop in _loops(source.tree, line) if function is not None else ():
            near = [o.case for o in observed if loop.lineno in o.lines.get(source.path, frozenset())]
            near.sort(key=lambda case: case.plainness)
            called = function.called if function is not None and _taken_by_name(source.tree, loop) else ""
            for entries in _entries(source.tree, loop, line, named):
                made = (other for case in near for other in _with(case, entries, called))
                row = rows.setdefault(tuple(entries.items()), [])
                row += [other for other, _ in zip(made, range(_CALLS - len(row)), strict=False)]
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _named(tree: ast.Module) -> dict[str, Sequence[object]]:
    named: dict[str, Sequence[object]] = {**module_constants(tree)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            named |= class_constants(node)
    return named


# ------------------------------------------------------------------ what is asked


def _loops(tree: ast.Module, line: int) -> Iterator[ast.For]:
    """The loops around a line that take what they go over entry by entry."""
    for node in nodes_of(tree):
        if isinstance(node, ast.For) and node.lineno < line <= (node.end_lineno or line) and _names(node) is not None:
            yield node


def _names(loop: ast.For) -> tuple[str, str, str] | None:
    """How a loop calls a key and what stands under it, and what it goes over."""
    held, target = loop.iter, loop.target
    while isinstance(held, ast.Call) and name_of(held) in {"list", "sorted", "tuple"} and held.args:
        held = held.args[0]
    if isinstance(held, ast.Call) and name_of(held) in {"items", "iteritems"} and isinstance(held.func, ast.Attribute):
        if isinstance(target, ast.Tuple) and len(target.elts) == 2:
            key, value = target.elts
            if isinstance(key, ast.Name) and isinstance(value, ast.Name):
                return key.id, value.id, ast.unparse(held.func.value)
    elif isinstance(target, ast.Name) and isinstance(held, ast.Name | ast.Attribute):
        value_text = f"{ast.unparse(held)}[{target.id}]"
        if any(isinstance(n, ast.Subscript) and ast.unparse(n) == value_text for n in ast.walk(loop)):
            return target.id, value_text, ast.unparse(held)
    return None


def _entries(
    tree: ast.Module, loop: ast.For, line: int, named: Mapping[str, Sequence[object]]
) -> Iterator[dict[str, str]]:
    names = _names(loop)
    guards = [guard for guard in guards_of(tree, line) if guard.met and guard.line > loop.lineno]
    asked = [parse_expression(guard.test).body for guard in guards if not guard.test.startswith("except ")]
    tests = [one for test in asked for one, met in what_holds(test, True) if met]
    if names is None or not tests:
        return
    key, value, held = names
    for name in list(dict.fromkeys(_keys(key, tests, named)))[:_KEYS] or ["a"]:
        found = {name: _sample(value, tests, named)}
        for node in (n for test in tests for n in ast.walk(test)):
            beside = _beside(node, held, key, name)
            if beside is not None and beside != name:
                found[beside] = _sample(ast.unparse(node), tests, named)
        yield found


def _keys(key: str, tests: Sequence[ast.expr], named: Mapping[str, Sequence[object]]) -> Iterator[str]:
    for test in tests:
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            if ast.unparse(test.left) == key and isinstance(test.ops[0], ast.Eq | ast.In):
                yield from (value for value in _constants(test.comparators[0], named) if isinstance(value, str))
            elif isinstance(test.ops[0], ast.In) and ast.unparse(test.comparators[0]) == key:
                yield from (value for value in _constants(test.left, named) if isinstance(value, str))
        elif isinstance(test, ast.Call) and len(test.args) == 1 and ast.unparse(test.func).startswith(f"{key}."):
            texts = [value for value in _constants(test.args[0], named) if isinstance(value, str)]
            at_end = name_of(test) == "endswith"
            yield from (f"a{text}" if at_end else f"{text}a" for text in texts)


def _constants(node: ast.expr, named: Mapping[str, Sequence[object]]) -> list[object]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)] or list(named.get(ast.unparse(node), ()))


def _beside(node: ast.AST, held: str, key: str, name: str) -> str | None:
    """The other key that is looked up here in what the loop goes over, where the loop's own key is `name`."""
    pair = looked_up(node)
    found = _text(pair[1], key, name) if pair is not None and ast.unparse(pair[0]) == held else None
    return found if found else None


def _text(node: ast.expr, key: str, name: str) -> str | None:
    """A text that is put together of the loop's key and others."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return name if node.id == key else None
    if isinstance(node, ast.JoinedStr):
        parts = [_text(n.value if isinstance(n, ast.FormattedValue) else n, key, name) for n in node.values]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_text(node.left, key, name), _text(node.right, key, name)]
    else:
        return None
    return None if None in parts else "".join(part for part in parts if part is not None)


def _sample(text: str, tests: Sequence[ast.expr], named: Mapping[str, Sequence[object]], depth: int = 0) -> str:
    """An expression for what stands there, as the conditions ask for it."""
    nodes = [node for test in tests for node in ast.walk(test)]
    known = next((repr(value) for node in nodes for value in _compared(node, text, named)), None)
    if known is not None:
        return known
    ways = dict(pair for node in nodes for pair in _inside(node, text))
    below = {key: _sample(way, tests, named, depth + 1) for key, way in ways.items()} if depth < _DEEPEST else {}
    keys = [f"{key!r}: {value}" for key, value in below.items() if key is not None]
    if below:
        return "{" + ", ".join(keys) + "}" if keys else f"[{below[None]}]"
    kinds = [kind for node in nodes for kind in _kinds(node, text)]
    return next((_SAMPLES[kind] for kind in kinds if kind in _SAMPLES), _PLAIN)


def _compared(node: ast.AST, text: str, named: Mapping[str, Sequence[object]]) -> list[object]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.In):
        return _constants(node.comparators[0], named)[:1] if ast.unparse(node.left) == text else []
    return []


def _inside(node: ast.AST, text: str) -> Iterator[tuple[str | None, str]]:
    """What is looked up in it: the key, None for a place, and how the code calls what is there."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and isinstance(node.left, ast.Constant):
        if ast.unparse(node.comparators[0]) == text and isinstance(node.left.value, str):
            yield node.left.value, f"{text}[{node.left.value!r}]"
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == text:
        key = getattr(node.slice, "value", None)
        yield key if isinstance(key, str) else None, ast.unparse(node)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == f"{text}.get" and node.args:
        key = getattr(node.args[0], "value", None)
        yield from [(key, ast.unparse(node))] if isinstance(key, str) else []


def _kinds(node: ast.AST, text: str) -> Iterator[str]:
    if isinstance(node, ast.Call) and ast.unparse(node).startswith(f"isinstance({text}, "):
        yield from (n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name))


# ------------------------------------------------------------------ what is given


def _taken_by_name(tree: ast.Module, loop: ast.For) -> bool:
    """Whether the loop goes over what its function takes as `**options`."""
    names = _names(loop)
    around = [
        n for n in nodes_of(tree) if isinstance(n, FunctionNode) and n.lineno <= loop.lineno <= (n.end_lineno or 0)
    ]
    rest = around[-1].args.kwarg if around else None
    return names is not None and rest is not None and rest.arg == names[2]


def _with(case: Case, entries: Entries, called: str) -> Iterator[Case]:
    """The case with these entries in one of its dicts; if something is `called` with them by name, in such a call."""
    if called and case.script is None:
        known = {name for name, _ in case.arguments}
        more = tuple((name, text) for name, text in entries.items() if name not in known and is_name(name))
        yield msgspec.structs.replace(case, arguments=(*case.arguments, *more), carved=False, steps=case.steps + 1)
        return
    for place, text in enumerate(case.texts):
        for other in _others(text, entries, called):
            made = case.with_text(place, other)
            if made is not None:
                yield made


def _others(text: str, entries: Entries, called: str) -> Iterator[str]:
    """The text with the entries in one of its dicts, or in a call of what is `called`; the outermost first."""
    try:
        tree = parse_source(text)
    except UnreadableSourceError:
        return
    wanted = ast.Call if called else ast.Dict
    nodes = [node for node in ast.walk(tree) if isinstance(node, wanted)]
    for node in [node for node in nodes if not called or name_of(node) == called][:_DICTS]:
        yield ast.unparse(ast.fix_missing_locations(Exchanging(node, _with_more(node, entries)).visit(tree)))


def _with_more(node: ast.Dict | ast.Call, entries: Entries) -> ast.expr:
    values = {name: parse_expression(text).body for name, text in entries.items()}
    if isinstance(node, ast.Call):
        kept = [keyword for keyword in node.keywords if keyword.arg not in values]
        more = [ast.keyword(arg=name, value=value) for name, value in values.items() if is_name(name)]
        return ast.Call(func=node.func, args=node.args, keywords=[*kept, *more])
    return merged(node, values)
