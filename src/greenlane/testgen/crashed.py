"""Calls that crashed on the way to something open, and what is made of them. Pure; for `amended.py` and
`unanswered.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from greenlane.testgen.code import Function
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source
from greenlane.testgen.turns import in_turn


def after_crashes(
    crashed: Sequence[Observed],
    source: Source,
    functions: Iterable[Function],
    made_of: Callable[[Observed], Iterator[Case]],
    *,
    alike: int,
    most: int,
) -> list[Case]:
    """What is made of those that came into one of the functions: what came furthest first, one crash as well as
    another; of one that many calls end in, so many (`alike`) say it all."""
    lines = {line for f in functions for line in range(f.first + 1, f.last + 1)}
    came = [(one, len(lines & one.lines.get(source.path, frozenset()))) for one in crashed]
    came = [(one, near) for one, near in came if near]
    came.sort(key=lambda pair: (-pair[1], pair[0].case.steps, pair[0].case.length, pair[0].case.key))
    rows: dict[tuple[object, ...], list[Iterator[Case]]] = {}
    for one, _ in came:
        row = rows.setdefault((one.outcome.at, one.outcome.message), [])
        row += [made_of(one)] if len(row) < alike else []
    found: dict[str, Case] = {}
    for case in in_turn([in_turn(row) for row in rows.values()]):
        found.setdefault(case.key, case)
        if len(found) == most:
            break
    return list(found.values())
