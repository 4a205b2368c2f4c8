"""How many calls a round may make where each takes long: the time of a search hangs on them. Pure; for `search.py`.

Where calls are quick, as nearly everywhere, nothing changes. The steps are wide: the machine hardly ever decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from greenlane.testgen.explore import Observed

_FEWEST = 60
_SLOW, _VERY_SLOW = 1.2, 3.0
"""Tenths of a second of processor time that a call takes in the middle."""


def at_this_pace(most: int, observed: Sequence[Observed]) -> int:
    """So many calls of `most`, after what these took: all, half or a third."""
    if len(observed) < _FEWEST:
        return most
    mean = sum(one.outcome.took for one in observed) / len(observed)
    return most // (3 if mean > _VERY_SLOW else 2 if mean > _SLOW else 1)
