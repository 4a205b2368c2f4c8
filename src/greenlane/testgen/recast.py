"""Calls and scripts with all literals of the kind that a condition before something open asks for. Pure; for
`search.py`.

`vary.py` does so with what came to that very condition; a list of dicts goes another way long before, and is what has
the names that a named tuple is asked for: `pick([{"name": "a"}], "name")` becomes
`pick([namedtuple("Row", ["name"])(name="a")], "name")`.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import nodes_of
from greenlane.testgen.code import enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import guards_of
from greenlane.testgen.inputs import MAX_EXPRESSION, MAX_STATEMENT, Case
from greenlane.testgen.kinds import kinds_told_apart, scripts_of_other_kinds, with_other_kinds
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn
from greenlane.testgen.vary import whole

_CALLS, _MOST = 24, 120


def recast(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What ran something of an open function, with its literals of a kind that is asked for there; scripts and what is
    plainest first."""
    rows: dict[tuple[str, str], list[Case]] = {}
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        words = set(_words_before(source.tree, line)) if function is not None else set()
        for kind in kinds_told_apart(function, words) if function is not None else ():
            if function is None or (function.qualified, kind) in rows:
                continue
            inside = range(function.first + 1, function.last + 1)
            near = [o.case for o in observed if not o.lines.get(source.path, frozenset()).isdisjoint(inside)]
            near.sort(key=lambda case: case.plainness)
            made = (other for case in near for other in recast_as(case, kind))
            rows[function.qualified, kind] = list(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _words_before(tree: ast.Module, line: int) -> Iterator[str]:
    """The words of the conditions on the way to a line, and on it."""
    tests = [guard.test for guard in guards_of(tree, line) if guard.met]
    tests += [
        ast.unparse(n.test) for n in nodes_of(tree) if isinstance(n, ast.If | ast.IfExp) and n.test.lineno == line
    ]
    yield from (word for test in tests for word in re.findall(r"\w+", test))


def recast_as(case: Case, kind: str) -> Iterator[Case]:
    """The case with all its literals that could as well be of this kind made so."""
    if case.script is None:
        yield from (whole(one) for one in with_other_kinds(case, [kind]) if _is_short(one))
        return
    for script in scripts_of_other_kinds(case.script, [kind]):
        if all(len(text) <= MAX_STATEMENT for text in (*script.setup, script.look)):
            yield msgspec.structs.replace(case, script=script, carved=False, steps=case.steps + 1)


def _is_short(case: Case) -> bool:
    return all(len(text) <= MAX_EXPRESSION for text in (case.receiver or "", *(text for _, text in case.arguments)))
