"""Calls after another method of the same object was called, where no test calls the two one after the other: what the
first one leaves in a file, a database or another object, no condition of the code says. Pure; for `search.py`.

    queue = Queue(tmp_path / "a")                queue = Queue(tmp_path / "a")
    queue.pop()                                  queue.push(b"a")
                                         ->      queue.pop()
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from greenlane.testgen.choose import taste
from greenlane.testgen.code import Function
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case, Step
from greenlane.testgen.siblings import bases_of, family_of
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_BASES, _EARLIER, _MOST = 3, 6, 48


def sequels(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """The plainest calls of methods that something is open in, each with a call of another method before it that ended
    well: one that gave nothing before one that did, one of each method before a second."""
    rows: dict[str, list[Case]] = {}
    for _, function, _ in open_functions(source, left):
        if function.owner is None or function.kind != "method" or function.qualified in rows:
            continue
        ended = [o for o in observed if _has_object(o) and o.outcome.kind in {"value", "opaque"}]
        ended.sort(key=taste, reverse=True)
        bases = [o.case for o in ended if o.case.entry == function and not o.case.history][:_BASES]
        earlier = _earlier(ended, function, source) if bases else []
        made = [[_after(case, one) for case in bases] for one in earlier]
        rows[function.qualified] = list(in_turn(made))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _has_object(one: Observed) -> bool:
    return one.case.script is None and one.case.receiver is not None and not one.case.entry.asynchronous


def _earlier(ended: Sequence[Observed], function: Function, source: Source) -> list[Case]:
    """Calls of the other methods that such an object has."""
    owners = {*family_of(source.tree, function.owner), *bases_of(source.tree, function.owner or "")}
    by_method: dict[str, list[Observed]] = {}
    for one in ended:
        entry = one.case.entry
        if entry.owner in owners and entry.kind == "method" and entry.name != function.name and not _is_special(entry):
            by_method.setdefault(entry.name, []).append(one)
    rows = sorted(by_method.values(), key=lambda row: not _gives_nothing(row[0]))
    return [one.case for one in itertools.islice(in_turn(rows), _EARLIER)]


def _is_special(entry: Function) -> bool:
    return entry.name.startswith("_") or bool(entry.runs_at)


def _gives_nothing(one: Observed) -> bool:
    return one.outcome.value is not None and one.outcome.value.text == "None"


def _after(case: Case, earlier: Case) -> Case:
    """The call on its own object, with the earlier one made on that before."""
    return msgspec.structs.replace(
        case,
        history=(Step(earlier.entry.name, earlier.arguments),),
        imports=case.imports | earlier.imports,
        fixtures=case.fixtures | earlier.fixtures,
        carved=False,
        steps=case.steps + 1,
    )
