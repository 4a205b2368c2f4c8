"""What tests give by name: keyword arguments of calls, and entries of dicts. Pure; for `crossing.py`.

read({"name": "a", "tags": ["b"]}, strict=True)     read: strict=True; "name": "a" and "tags": ["b"], each beside
                                                    the other
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from greenlane.suite.lines import parse_source
from greenlane.testgen.inputs import Case, Import, Script, bound_by
from greenlane.testgen.inside.greenlane_edits import name_of

_LONGEST = 90
_VALUES = 2
_BESIDE = 12


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """`options` are (keyword, expression) by the name of what is called, `entries` are (key, expression, the keys
    beside it); `imports` says what an expression needs."""

    options: Mapping[str, tuple[tuple[str, str], ...]]
    entries: tuple[tuple[str, str, tuple[str, ...]], ...]
    imports: Mapping[str, frozenset[Import]]


def list_named(cases: Iterable[Case]) -> Named:
    """Of these scripts, in their order, what means the same anywhere; a few values of each name."""
    options: dict[str, dict[tuple[str, str], None]] = {}
    entries: dict[tuple[str, str], tuple[str, ...]] = {}
    imports: dict[str, frozenset[Import]] = {}
    for script in [case.script for case in cases if case.script is not None]:
        bound = {bound_by(pair): pair for pair in script.imports}
        for called, name, value, beside in _given(script):
            needs = needs_of(value, bound)
            if needs is None:
                continue
            text = ast.unparse(value)
            imports[text] = needs
            if called:
                options.setdefault(called, {}).setdefault((name, text))
            else:
                entries.setdefault((name, text), beside)
    return Named(
        options={called: tuple(_few(rows)) for called, rows in options.items()},
        entries=tuple((key, text, entries[key, text]) for key, text in _few(entries)),
        imports=imports,
    )


def _given(script: Script) -> Iterator[tuple[str, str, ast.expr, tuple[str, ...]]]:
    """(what is called, keyword, value, ()) of calls, (empty, key, value, the other keys) of dicts."""
    for text in (*script.setup, script.look):
        for node in ast.walk(parse_source(text)):
            if isinstance(node, ast.Call) and name_of(node):
                yield from ((name_of(node), k.arg, k.value, ()) for k in node.keywords if k.arg is not None)
            elif isinstance(node, ast.Dict):
                pairs = [
                    (k.value, v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)
                ]
                named = [(key, value) for key, value in pairs if isinstance(key, str)]
                for key, value in named:
                    yield "", key, value, tuple(other for other, _ in named if other != key)[:_BESIDE]


def needs_of(value: ast.expr, bound: Mapping[str, Import]) -> frozenset[Import] | None:
    """What a part of a script needs to mean the same anywhere, of what is `bound` by its imports; None for one that is
    too long, or names something else."""
    nodes = list(ast.walk(value))
    own = {n.arg for n in nodes if isinstance(n, ast.arg)}
    own |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    free = {n.id for n in nodes if isinstance(n, ast.Name)} - own
    if len(ast.unparse(value)) > _LONGEST or not all(name in bound or hasattr(builtins, name) for name in free):
        return None
    return frozenset(bound[name] for name in free if name in bound)


def _few(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The first values of each name, the first of every name before the second of any."""
    values: dict[str, list[str]] = {}
    for name, text in rows:
        values.setdefault(name, []).append(text)
    for number in range(_VALUES):
        yield from ((name, texts[number]) for name, texts in values.items() if number < len(texts))
