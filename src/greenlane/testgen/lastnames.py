"""Paths that lie in another folder each time, looked at by their last names, where those stay the same. Pure; for
`search.py`.

    save(mkdtemp())  gives  ['/tmp/tmpa1/b.png'], then ['/tmp/tmpc2/b.png']:
    [os.path.basename(path) for path in save(mkdtemp())] == ['b.png']
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.staged import as_script

_MOST = 8


def by_last_names(first: Sequence[Observed], again: Sequence[Observed]) -> list[Case]:
    """Looks at the names of the files in the paths that calls gave, in other folders when they were made again; a few,
    those that reach most first."""
    second = {o.case.key: o for o in again}
    found: dict[str, Case] = {}
    for one in sorted(first, key=lambda o: (-len(o.reached), o.case.plainness)):
        other = second.get(one.case.key)
        paths, others = _paths(one), _paths(other) if other is not None else []
        alike = len(paths) == len(others) and all(_last(a) == _last(b) for a, b in zip(paths, others, strict=True))
        case = _named(one) if paths and paths != others and alike and all(map(_last, paths)) else None
        if case is not None:
            found.setdefault(case.key, case)
    return list(found.values())[:_MOST]


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _paths(observed: Observed) -> list[str]:
    """The path that a call gave, or all of those in its list; none where it gave anything else."""
    value = _value(observed)
    found: list[object] = value if isinstance(value, list) else [value]
    paths = [one for one in found if isinstance(one, str) and one.startswith("/")]
    return paths if len(paths) == len(found) else []


def _value(observed: Observed) -> object:
    outcome = observed.outcome
    if outcome.kind != "value" or outcome.value is None or outcome.view:
        return None
    try:
        return ast.literal_eval(parse_expression(outcome.value.text))
    except (ValueError, SyntaxError, TypeError, UnreadableSourceError):
        return None


def _named(observed: Observed) -> Case | None:
    script = as_script(observed.case)
    try:
        parse_expression(script.look)
    except (SyntaxError, UnreadableSourceError):
        return None
    each = f"[os.path.basename(path) for path in {script.look}]"
    look = each if isinstance(_value(observed), list) else f"os.path.basename({script.look})"
    made = msgspec.structs.replace(script, look=look, imports=script.imports | {("os", "")})
    return observed.case.with_script(made)
