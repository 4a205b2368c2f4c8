"""Which observed calls become tests: the fewest that reach the open lines and branches and notice the mutants. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from greenlane.testgen.explore import Observed
from greenlane.testgen.targets import Target, Targets, is_fault, weigh

MAX_PARAMETERS = 6
FEW_PARAMETERS = 3
"""Inputs of one parametrised test: enough to pin a boundary from both sides, few enough to read; more than a few only
where each notices a fault that the others do not."""


_EASY = 100
"""Characters of a call with its setup that are read at a glance."""
_A_LOT = 300
"""Characters of a call with its setup: each so many weigh more than a fixture or a step."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A test to be: calls that show one behaviour, and what it is written for."""

    calls: tuple[Observed, ...]
    covers: Targets


def is_tellable(observed: Observed) -> bool:
    """Whether a careful colleague could assert something about this call: a value that can be written down, a visible
    effect, or an error that the code raises on purpose. A crash by the way is no behaviour to pin."""
    outcome, entry = observed.outcome, observed.case.entry
    if outcome.dated:
        return False
    match outcome.kind:
        case "raises":
            return outcome.deliberate and outcome.importable
        case "value":
            is_none = outcome.value is not None and outcome.value.text == "None"
            return bool(outcome.changes) or not is_none or entry.returns_value or outcome.warned is not None
        case "opaque":
            return bool(outcome.changes or outcome.attributes)
        case _:
            return False


def reached(observed: Observed, wanted: Targets) -> Targets:
    """What a call ran, or notices, of the wanted lines, branches and mutants."""
    return wanted & observed.reached


def choose_tests(observed: Sequence[Observed], wanted: Targets, *, most: int = 99) -> list[Chosen]:
    """A small set of tests that reaches what can be reached of the wanted lines, branches and mutants: greedy set
    cover by weight and cost (Chvatal 1979), calls of one behaviour put together as parameters of one test."""
    useful = [o for o in observed if is_tellable(o) and any(not is_fault(t) for t in reached(o, wanted))]
    left, picked = wanted, list[tuple[Observed, Targets]]()
    while left:
        best = max(useful, key=lambda o: (weigh(reached(o, left)) / _cost(o), *taste(o)), default=None)
        if best is None or not reached(best, left):
            break
        picked.append((best, reached(best, left)))
        left -= picked[-1][1]
    return _grouped(_without_repetition(picked, wanted), useful, observed, wanted)[:most]


def _cost(observed: Observed) -> float:
    """What a call costs a reader: a long one has to close as much more."""
    return max(observed.case.length / _EASY, 1.0)


def _grouped(
    picked: list[tuple[Observed, Targets]], useful: Sequence[Observed], observed: Sequence[Observed], wanted: Targets
) -> list[Chosen]:
    """Calls that differ in plain values only become one parametrised test; one alone gets a sibling or two."""
    groups: list[list[tuple[Observed, Targets]]] = []
    for one in picked:
        fitting = (
            group for group in groups if len(group) < MAX_PARAMETERS and all(_is_alike(one[0], o) for o, _ in group)
        )
        group = next(fitting, None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    _add_rows(groups, observed, wanted)
    chosen = []
    for group in groups:
        calls = [o for o, _ in group]
        covers: Targets = frozenset(target for _, targets in group for target in targets)
        chosen.append(Chosen(calls=(*calls, *_siblings(calls, useful, wanted)), covers=covers))
    return chosen


def _add_rows(groups: list[list[tuple[Observed, Targets]]], observed: Sequence[Observed], wanted: Targets) -> None:
    """Rows for faults that the groups do not notice yet. Such a call may run no open line: as a row of a test that
    runs one it holds a changed line that was run before, but of which nothing was asserted."""
    left = {target for target in wanted if is_fault(target)}
    left -= {target for group in groups for one, _ in group for target in one.reached}
    told = [o for o in observed if is_tellable(o) and o.reached & left]
    while left:
        fitting = [
            (o, group)
            for o in told
            if o.reached & left
            for group in groups
            if len(group) < MAX_PARAMETERS and all(_is_alike(o, other) for other, _ in group)
        ]
        if not fitting:
            return
        best, group = max(fitting, key=lambda pair: (len(pair[0].reached & left), *taste(pair[0])))
        group.append((best, frozenset(best.reached & left)))
        left -= best.reached


def _is_alike(one: Observed, other: Observed) -> bool:
    """Whether both can be rows of one test: the same call with other values, a plain value each."""
    return (
        other.case.entry == one.case.entry
        and other.case.script is None
        and other.case.receiver == one.case.receiver
        and other.case.history == one.case.history
        and other.case.fixtures == one.case.fixtures
        and [n for n, _ in other.case.arguments] == [n for n, _ in one.case.arguments]
        and bool(one.case.arguments)
        and one.outcome.kind == other.outcome.kind == "value"
        and other.outcome.listed == one.outcome.listed
        and other.outcome.called == one.outcome.called
        and other.outcome.view == one.outcome.view
        and other.outcome.decorated == one.outcome.decorated
        and other.outcome.warned is None
        and one.outcome.warned is None
        and not one.outcome.entered
        and not other.outcome.changes
        and not one.outcome.changes
    )


def taste(observed: Observed) -> tuple[float, ...]:
    """Larger is better: the function that one would call first, a value rather than an error, what an existing test
    did, few steps from it, few fixtures, short. The order of the cases settles the rest."""
    case, outcome = observed.case, observed.outcome
    return (
        -case.rank,
        outcome.kind == "value" and outcome.view != "type",
        -(case.length // _A_LOT),
        -len(case.fixtures),
        -case.steps,
        _plainness(observed),
        -case.length,
    )


def _plainness(observed: Observed) -> float:
    """Inputs that a person would write rather than odd ones; where only the odd one gets there, it is taken."""
    return -sum(text == "None" or _HOLLOW.search(text) is not None for _, text in observed.case.arguments)


_HOLLOW = re.compile(r"(?<!\w)' ?'|xxxx")
"""An empty text, also within a value, or a long one of nothing."""


def _siblings(calls: Sequence[Observed], useful: Sequence[Observed], wanted: Targets) -> list[Observed]:
    """Further inputs of the same behaviour (the same lines) that give another result."""
    best, found = calls[0], list[Observed]()
    if best.outcome.kind != "value" or best.outcome.changes:
        return found
    same = {t for t in reached(best, wanted) if not is_fault(t)}
    seen = {_result(o) for o in calls}
    for other in sorted(useful, key=taste, reverse=True):
        if len(calls) + len(found) >= FEW_PARAMETERS:
            break
        alike = _is_alike(best, other) and {t for t in reached(other, wanted) if not is_fault(t)} == same
        if alike and other.lines == best.lines and _result(other) not in seen:
            seen.add(_result(other))
            found.append(other)
    return found


def _result(observed: Observed) -> str:
    return observed.outcome.value.text if observed.outcome.value else ""


def _without_repetition(picked: list[tuple[Observed, Targets]], wanted: Targets) -> list[tuple[Observed, Targets]]:
    """Drop a call whose targets the others reach anyway (a greedy cover may hold one)."""
    kept = list(picked)
    for one in reversed(picked):
        others: set[Target] = set()
        for other, _ in kept:
            if other is not one[0]:
                others |= reached(other, wanted)
        if one[1] <= others and len(kept) > 1:
            kept.remove(one)
    return kept


def differing(first: Iterable[Observed], again: Iterable[Observed]) -> set[str]:
    """Keys of the cases whose outcome changed from one run to another, or that did not come back."""
    before: Mapping[str, Observed] = {o.case.key: o for o in first}
    after = {o.case.key: o.outcome for o in again}
    unlike = set()
    for key, observed in before.items():
        second = after.get(key)
        if second is None or msgspec.structs.replace(second, case=0) != msgspec.structs.replace(
            observed.outcome, case=0
        ):
            unlike.add(key)
    return unlike
