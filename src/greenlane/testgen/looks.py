"""What a test looks at beside the first thing that a call shows: only what notices a fault that nothing else in the
tests notices. Pure; for `choose.py`.

A call shows a value, and it may also have set attributes, of its receiver, of what it gives, or of the error that it
raises. Each of these is a look; a trial of mutants says which faults each look sees (`Observed.by_look`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from greenlane.testgen.explore import Observed
from greenlane.testgen.targets import Target, Targets, is_fault

_MAX_LOOKS = 6
"""Further looks of one test: what a reader takes in together."""


def bare(observed: Observed) -> Observed:
    """With the first look alone, and what that reaches."""
    return _looking(observed, ())


def sharpened(picked: Iterable[Observed], wanted: Targets) -> list[Observed]:
    """The calls, each with those further looks that notice a wanted fault which none before them notices."""
    calls = list(picked)
    seen: set[Target] = {t for o in calls for t in bare(o).reached}
    found = []
    for one in calls:
        kept: list[int] = []
        order = sorted(range(1, len(one.by_look)), key=lambda n: (-len(one.by_look[n] & wanted), n))
        for number in order:
            if len(kept) < _MAX_LOOKS and (one.by_look[number] & wanted) - seen:
                kept.append(number)
                seen |= one.by_look[number]
        found.append(_looking(one, sorted(kept)))
    return found


def _looking(observed: Observed, kept: Iterable[int]) -> Observed:
    """With these of the further looks alone (by their place in `by_look`)."""
    if not observed.outcome.more:
        return observed
    numbers = list(kept)
    by_look = tuple(observed.by_look[number] for number in (0, *numbers)) if observed.by_look else ()
    more = tuple(observed.outcome.more[number - 1] for number in numbers)
    reached: Targets = frozenset(t for t in observed.reached if not is_fault(t)).union(*by_look)
    outcome = msgspec.structs.replace(observed.outcome, more=more)
    return msgspec.structs.replace(observed, outcome=outcome, reached=reached, by_look=by_look)


def steady_looks(first: Observed, again: Observed) -> Observed:
    """Without the further looks that showed something else when the call was made again."""
    same = [n for n, look in enumerate(first.outcome.more, 1) if look in again.outcome.more]
    return first if len(same) == len(first.outcome.more) else _looking(first, same)
