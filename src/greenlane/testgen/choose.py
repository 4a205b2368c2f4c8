"""Which observed calls become tests: the fewest that reach the open lines and branches and notice the mutants. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, bound_by
from greenlane.testgen.likeness import are_rows
from greenlane.testgen.looks import bare, sharpened, steady_looks
from greenlane.testgen.receivers import are_made_alike
from greenlane.testgen.targets import Target, Targets, is_fault, weigh

MAX_PARAMETERS = 6
FEW_PARAMETERS = 3
"""Inputs of one parametrised test: enough to pin a boundary from both sides, few enough to read; more than a few only
where each notices a fault that the others do not."""

_MOST_FOR_FAULTS = 6
"""Tests that run no open line, and are there for faults that no test notices."""
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
    if outcome.dated or _is_hidden(observed):
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


def is_silent(observed: Observed) -> bool:
    """It ended well, and there is nothing to be seen of it."""
    return observed.outcome.kind == "value" and not is_tellable(observed)


def _is_hidden(observed: Observed) -> bool:
    """Whether the value has a name that the test itself gives to something else: `as node` hides `shop.node`."""
    script, value = observed.case.script, observed.outcome.value
    names = {bound_by(pair) for pair in value.imports} if script is not None and value is not None else set[str]()
    return any(re.search(rf"\bas {name}\b|(?<![\w.]){name} = ", script.text) for name in names if script is not None)


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
    needed = _without_repetition(picked, wanted)
    calls = sharpened([one for one, _ in needed], wanted)
    taken = [(call, targets) for call, (_, targets) in zip(calls, needed, strict=True)]
    return _grouped(taken, useful, observed, wanted)[:most]


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
    plain = [bare(o) for o in observed]
    _add_rows(groups, plain, wanted)
    for _ in range(_MOST_FOR_FAULTS):
        one_more = _for_faults(groups, observed, wanted)
        if one_more is None:
            break
        groups.append([one_more])
        _add_rows(groups, plain, wanted)
    rest, chosen = [bare(o) for o in useful], []
    for group in groups:
        calls = [o for o, _ in group]
        covers: Targets = frozenset(target for _, targets in group for target in targets)
        chosen.append(Chosen(calls=(*calls, *_siblings(calls, rest, wanted)), covers=covers))
    return chosen


def _unnoticed(groups: list[list[tuple[Observed, Targets]]], wanted: Targets) -> Targets:
    faults = frozenset(target for target in wanted if is_fault(target))
    return faults - {target for group in groups for one, _ in group for target in one.reached}


def _for_faults(
    groups: list[list[tuple[Observed, Targets]]], observed: Sequence[Observed], wanted: Targets
) -> tuple[Observed, Targets] | None:
    """The call that notices most of the faults that are left, as a test of its own: a changed line may have been run
    before, and nothing been asserted of it."""
    left = _unnoticed(groups, wanted)
    told = [o for o in observed if o.reached & left and is_tellable(o)]
    if not told:
        return None
    best = max(told, key=lambda o: (len(o.reached & left) / _cost(o), *taste(o)))
    (call,) = sharpened([best], left)
    return call, call.reached & left


def _add_rows(groups: list[list[tuple[Observed, Targets]]], observed: Sequence[Observed], wanted: Targets) -> None:
    """Rows for faults that the groups do not notice yet. Such a call may run no open line: as a row of a test that
    runs one it holds a changed line that was run before, but of which nothing was asserted."""
    left = set(_unnoticed(groups, wanted))
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
    """Whether both can be rows of one test: the same call with other values, a plain value or the same error each."""
    return (
        _is_same_call(one.case, other.case)
        and one.outcome.kind == other.outcome.kind
        and (one.outcome.kind == "value" or (one.outcome.kind == "raises" and one.case.script is None))
        and one.outcome.error == other.outcome.error
        and other.outcome.listed == one.outcome.listed
        and other.outcome.called == one.outcome.called
        and other.outcome.view == one.outcome.view
        and other.outcome.decorated == one.outcome.decorated
        and other.outcome.warned is None
        and one.outcome.warned is None
        and not one.outcome.entered
        and not other.outcome.changes
        and not one.outcome.changes
        and not other.outcome.more
        and not one.outcome.more
        and not (_told_by_fixture(one) or _told_by_fixture(other))
    )


def _told_by_fixture(one: Observed) -> bool:
    """Whether what it gives is written with a fixture: `f"{tmp_path}/a"`. Rows are written where none is at hand."""
    value = one.outcome.value
    return value is not None and not one.case.fixtures.isdisjoint(re.findall(r"\w+", value.text))


def _differ_by_fixture(one: Case, other: Case) -> bool:
    """Whether a value that differs is made from a fixture: rows are written where none is at hand."""
    pairs = [(one.receiver or "", other.receiver or "")]
    pairs += [(mine, its) for (_, mine), (_, its) in zip(one.arguments, other.arguments, strict=True)]
    words = {word for mine, its in pairs if mine != its for text in (mine, its) for word in re.findall(r"\w+", text)}
    return bool(words & one.fixtures)


def _is_same_call(one: Case, other: Case) -> bool:
    if other.entry != one.entry or other.fixtures != one.fixtures:
        return False
    if one.script is not None and other.script is not None:
        return are_rows(one.script, other.script, one.entry)
    return (
        one.script is None
        and other.script is None
        and are_made_alike(one.receiver, other.receiver)
        and other.history == one.history
        and [n for n, _ in other.arguments] == [n for n, _ in one.arguments]
        and not _differ_by_fixture(one, other)
        and bool(one.arguments or other.receiver != one.receiver)
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
    script = observed.case.script
    hollow = script is not None and _HOLLOW.search(script.text) is not None
    return -hollow - sum(text == "None" or _HOLLOW.search(text) is not None for _, text in observed.case.arguments)


_HOLLOW = re.compile(r"(?<!\w)' ?'|xxxx")
"""An empty text, also within a value, or a long one of nothing."""


def _siblings(calls: Sequence[Observed], useful: Sequence[Observed], wanted: Targets) -> list[Observed]:
    """Further inputs of the same behaviour (the same lines) that give another result."""
    best, found = calls[0], list[Observed]()
    seen_more = best.outcome.changes or best.outcome.more
    if best.outcome.kind != "value" or seen_more or best.case.script is not None:
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


def steady(first: Iterable[Observed], again: Iterable[Observed]) -> list[Observed]:
    """The calls that showed the same when they were made again; without the further looks that did not."""
    after = {o.case.key: o for o in again}
    found = []
    for one in first:
        second = after.get(one.case.key)
        if second is not None and _first_look(one) == _first_look(second):
            found.append(steady_looks(one, second))
    return found


def _first_look(observed: Observed) -> Outcome:
    return msgspec.structs.replace(observed.outcome, case=0, more=(), given=())
