"""Existing tests under other circumstances: with an environment variable, a flag or a command line that the function of
an open line asks for. Pure; for `search.py`.

    main(["a.py"])       ->      monkeypatch.setenv("GITHUB_ACTIONS", "true")
                                 main(["a.py"])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from greenlane.testgen.circumstances import World, imports_of, world_of
from greenlane.testgen.code import Function
from greenlane.testgen.commandlines import FILE
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn
from greenlane.testgen.under import ENVIRONMENT, Placed, under

_CALLS, _MOST = 3, 60


def surrounded(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """Scripts that came into the function of something open, under each of the circumstances that it asks for and they
    do not set themselves; those first that came nearest to it, then the plainest. (Made-up calls are staged so from the
    beginning: `staged.py`.)"""
    rows: dict[tuple[Function, Placed], list[Case]] = {}
    for line, function, node in open_functions(source, left):
        before = frozenset(range(node.body[0].lineno, line))
        came = [(max(o.lines.get(source.path, frozenset()) & before, default=0), o.case) for o in observed]
        ran = [(at, case) for at, case in came if at and case.script is not None and case.carved]
        near = [case for _, case in sorted(ran, key=lambda pair: (-pair[0], pair[1].plainness))]
        for placed in _asked(world_of(source.tree, function)) if near else ():
            named = placed.key or placed.place
            free = [case for case in near if case.script is not None and repr(named) not in case.script.text]
            made = (under(case, placed, unittest=unittest) for case in free[:_CALLS])
            rows.setdefault((function, placed), [case for case in made if case is not None])
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _asked(world: World) -> Iterator[Placed]:
    for name, texts in world.variables:
        yield from (Placed(place=ENVIRONMENT, key=name, value=repr(text)) for text in texts)
    for place, values in world.places:
        yield from (Placed(place=place, value=one, imports=imports_of(one)) for one in values if FILE not in one)
