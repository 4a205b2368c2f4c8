"""How well a score ranks: the area under the ROC curve, and the difference of two scores on the same cases.

The variances are those of DeLong, DeLong and Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver
Operating Characteristic Curves" (Biometrics 44, 1988), computed by midranks, so that ties count half. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from greenlane.policy.shares import Z95

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its two-sided 95 % interval."""

    value: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Areas of two scores on the same cases; `gain` is new less old, with the interval of the paired difference."""

    old: Estimate
    new: Estimate
    gain: Estimate
    cases: int
    positive: int


def compare_scores(old: Sequence[float], new: Sequence[float], positive: Sequence[bool]) -> Comparison:
    """Raises ValueError unless there are at least two cases of either kind."""
    truth = np.asarray(positive, dtype=np.bool_)
    m, n = int(truth.sum()), int((~truth).sum())
    if m < 2 or n < 2:
        raise ValueError(f"{m} positive and {n} negative cases: at least two of each are needed")
    parts = [_components(np.asarray(scores, dtype=np.float64), truth) for scores in (old, new)]
    cov = np.cov(np.stack([p[0] for p in parts])) / m + np.cov(np.stack([p[1] for p in parts])) / n
    areas = [float(p[0].mean()) for p in parts]
    spread = math.sqrt(max(0.0, float(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])))
    first, second = (_estimate(area, math.sqrt(max(0.0, float(cov[i, i]))), low=0.0) for i, area in enumerate(areas))
    gain = _estimate(areas[1] - areas[0], spread, low=-1.0)
    return Comparison(old=first, new=second, gain=gain, cases=m + n, positive=m)


def area_under(scores: Numbers, positive: Flags) -> float:
    """The chance that a positive case has a higher score than a negative one; 0.5 if either kind is missing."""
    if not positive.any() or positive.all():
        return 0.5
    return float(_components(scores, positive)[0].mean())


def _components(scores: Numbers, positive: Flags) -> tuple[Numbers, Numbers]:
    """For each positive case the share of negative ones under it, and for each negative the share of positives over."""
    good, bad = scores[~positive], scores[positive]
    every, own_bad, own_good = _midranks(scores), _midranks(bad), _midranks(good)
    return (every[positive] - own_bad) / len(good), 1.0 - (every[~positive] - own_good) / len(bad)


def _midranks(values: Numbers) -> Numbers:
    """Ranks from 1 on; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Numbers = np.cumsum(counts) - (counts - 1) / 2.0
    return middle[place]


def _estimate(value: float, spread: float, low: float) -> Estimate:
    return Estimate(
        value=round(value, 4),
        low=round(max(low, value - Z95 * spread), 4),
        high=round(min(1.0, value + Z95 * spread), 4),
    )
