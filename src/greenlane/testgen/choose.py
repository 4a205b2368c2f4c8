"""Which observed calls become tests: the fewest that reach the open lines, told apart by what they show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from greenlane.testgen.explore import Observed

MAX_PARAMETERS = 3
"""Inputs of one parametrised test: enough to pin a boundary from both sides, few enough to read."""

Lines = frozenset[tuple[str, int]]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A test to be: calls that show one behaviour, and the open lines that it is written for."""

    calls: tuple[Observed, ...]
    covers: Lines


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
            return bool(outcome.changes) or not is_none or entry.returns_value
        case "opaque":
            return bool(outcome.changes or outcome.attributes)
        case _:
            return False


def reached(observed: Observed, open_lines: Lines) -> Lines:
    """The open lines that a call ran."""
    return frozenset(pair for pair in open_lines if pair[1] in observed.lines.get(pair[0], frozenset()))


def choose_tests(observed: Sequence[Observed], open_lines: Lines) -> list[Chosen]:
    """A small set of tests that reaches what can be reached of the open lines (greedy set cover, Chvatal 1979)."""
    useful = [o for o in observed if is_tellable(o) and reached(o, open_lines)]
    left, chosen = open_lines, []
    while left:
        best = max(useful, key=lambda o: (len(reached(o, left)), *_taste(o)), default=None)
        if best is None or not reached(best, left):
            break
        covers = reached(best, left)
        chosen.append(Chosen(calls=(best, *_siblings(best, useful, open_lines)), covers=covers))
        left -= covers
    return _without_repetition(chosen, useful, open_lines)


def _taste(observed: Observed) -> tuple[float, ...]:
    """Larger is better: the function that one would call first, a value rather than an error, what an existing test
    did, few steps from it, few fixtures, short. The order of the cases settles the rest."""
    case, outcome = observed.case, observed.outcome
    return (
        -case.rank,
        outcome.kind == "value",
        -len(case.fixtures),
        -case.steps,
        _plainness(observed),
        -case.length,
    )


def _plainness(observed: Observed) -> float:
    """Inputs that a person would write rather than odd ones; where only the odd one gets there, it is taken."""
    odd = sum(text in {"None", "''", "' '"} or "xxxx" in text for _, text in observed.case.arguments)
    return -odd


def _siblings(best: Observed, useful: Sequence[Observed], open_lines: Lines) -> list[Observed]:
    """Further inputs of the same behaviour (same lines, same kind of outcome) that give another result."""
    found: list[Observed] = []
    if best.outcome.kind != "value" or best.outcome.changes:
        return found
    same = reached(best, open_lines)
    seen = {_result(best)}
    for other in sorted(useful, key=_taste, reverse=True):
        if len(found) + 1 >= MAX_PARAMETERS:
            break
        alike = (
            other.case.entry == best.case.entry
            and other.case.receiver == best.case.receiver
            and other.case.fixtures == best.case.fixtures
            and [n for n, _ in other.case.arguments] == [n for n, _ in best.case.arguments]
            and other.outcome.kind == "value"
            and other.outcome.listed == best.outcome.listed
            and not other.outcome.changes
            and other.lines == best.lines
            and reached(other, open_lines) == same
        )
        if alike and _result(other) not in seen:
            seen.add(_result(other))
            found.append(other)
    return found


def _result(observed: Observed) -> str:
    return observed.outcome.value.text if observed.outcome.value else ""


def _without_repetition(chosen: list[Chosen], useful: Sequence[Observed], open_lines: Lines) -> list[Chosen]:
    """Drop a test whose lines the others reach anyway (a greedy cover may hold one)."""
    del useful
    kept = list(chosen)
    for test in reversed(chosen):
        others: set[tuple[str, int]] = set()
        for other in kept:
            if other is not test:
                others |= reached(other.calls[0], open_lines)
        if test.covers <= others and len(kept) > 1:
            kept.remove(test)
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
