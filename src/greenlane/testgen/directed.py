"""Calls with an option given that the code asks for right where something is open, wherever in the call it stands.
Pure; for `search.py`.

`if getattr(rule, "_error", None)` on the way to an open line, and a class `Rule(kind, error=None)`: of what was seen
near it, `check({Rule("a"): 1})` becomes `check({Rule("a", error="abc"): 1})`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import UnreadableSourceError, nodes_of, parse_expression, parse_source
from greenlane.testgen.code import Param
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import guards_of
from greenlane.testgen.guesses import guess_options, imports_for
from greenlane.testgen.inputs import Case, Constructors
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_NEAR = 2
"""So many of the conditions before an open line say what it asks for."""
_VALUES, _MOST = 2, 160


def directed(observed: Sequence[Observed], source: Source, left: Targets, scripts: Sequence[Case] = ()) -> list[Case]:
    """What ran close to what is open, each call in it with an option that is read there: what is called by turns, of
    each what came nearest and is plainest first. `scripts` are of tests that come near it."""
    rows: dict[str, list[Case]] = {}
    for line in sorted({line_of(target) for target in left}):
        names, before = read_near(source, line)
        taking = {called: params for called, params in source.constructors.items() if names & {p.name for p in params}}
        ran = [(len(before & o.lines.get(source.path, frozenset())), o.case) for o in observed] if names else []
        near = [(-count, case) for count, case in ran if count]
        near += [(0, case) for case in scripts if names and case.entry.first <= line <= case.entry.last]
        for _, case in sorted(near, key=lambda pair: (pair[0], pair[1].steps, pair[1].length, pair[1].key)):
            for called, one in with_options_read(case, names, taking):
                if len(rows.setdefault(called, [])) < _MOST:
                    rows[called].append(one)
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def read_near(source: Source, line: int) -> tuple[frozenset[str], frozenset[int]]:
    """The options that are read on a line and in the conditions right before it, and the lines of those."""
    guards = [guard for guard in guards_of(source.tree, line) if not guard.test.startswith("except ")][-_NEAR:]
    nodes: list[ast.AST] = [parse_expression(guard.test) for guard in guards]
    nodes += [n for n in nodes_of(source.tree) if isinstance(n, ast.stmt) and n.lineno == line and not _holds_others(n)]
    words: set[str] = set()
    for part in (part for node in nodes for part in ast.walk(node)):
        named = getattr(part, "attr", None) or getattr(part, "id", None) or getattr(part, "value", None)
        words |= {named.lstrip("_")} if isinstance(named, str) else set()
    options = {p.name for params in source.constructors.values() for p in params if p.default is not None}
    return frozenset(words & options), frozenset({line, *(guard.line for guard in guards)})


def _holds_others(node: ast.stmt) -> bool:
    return bool(getattr(node, "body", None))


def with_options_read(case: Case, names: frozenset[str], constructors: Constructors) -> Iterator[tuple[str, Case]]:
    """The case with one of these options given in one call of it that could take it, with what that calls."""
    for place, text in enumerate(case.texts):
        for called, other in _others(text, case, names, constructors):
            imports = imports_for(other, case.script.text) if case.script else ()
            one = case.with_text(place, other, imports)
            if one is not None:
                yield called, one


def _others(text: str, case: Case, names: frozenset[str], constructors: Constructors) -> Iterator[tuple[str, str]]:
    if not any(called in text for called in constructors):
        return
    try:
        tree = parse_source(text)
    except UnreadableSourceError:
        return
    for call in [n for n in ast.walk(tree) if isinstance(n, ast.Call)]:
        called = ast.unparse(call.func).split(".")[-1]
        given = {keyword.arg for keyword in call.keywords}
        for param in constructors.get(called, ()):
            if param.name in names and param.default is not None and param.name not in given and None not in given:
                for value in _values(param, case):
                    yield called, _with_option(tree, call, param.name, value)


def _values(param: Param, case: Case) -> list[str]:
    return guess_options(param, case.entry)[:_VALUES]


def _with_option(tree: ast.Module, call: ast.Call, name: str, value: str) -> str:
    made = ast.Call(
        func=call.func, args=call.args, keywords=[*call.keywords, ast.keyword(name, parse_expression(value).body)]
    )

    return ast.unparse(Exchanging(call, made).visit(tree))
