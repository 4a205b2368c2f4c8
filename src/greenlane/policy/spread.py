"""How long failures of a service hang together: over-dispersion, measured on its stable version. For the canary judge.

Requests that fail independently make counts whose variance is their mean. Bursts (a dependency that hiccups, a storm of
retries) make it larger, and the more so the longer the time over which is counted, until the time is longer than a
burst. How much larger at last, against one tick, is the number of ticks that count as one observation: the integrated
autocorrelation time. The variance of a long stretch is taken as its Allan factor (the mean squared difference of the
counts of neighbouring stretches over twice their mean: Allan, Proc. IEEE 54, 1966; Lowen and Teich, Fractal-Based Point
Processes, 2005): differences of neighbours leave out what changes slowly, as the time of day does. What a tick itself
holds needs no correction: the bets of `policy/wagers.py` assume nothing about it.
"""

from __future__ import annotations

import math

from greenlane.domain.delivery import Spread

SCALES = 6
"""Stretches of 1, 2, 4 ... ticks: the longest bursts that are looked for last about 2^(SCALES-1) ticks."""

_PRIOR_PAIRS = 6.0
"""As many pairs of stretches without bursts are taken as seen before: a few odd counts are no burst."""

_NOISE = 0.35
"""What the largest of the ratios exceeds 1 by where there are no bursts at all."""

_CAUTION = 1.5
"""By how much what exceeds 1 is taken larger: bursts differ in length, and the longest ones raise false alarms."""

_GRID = 4.0
"""The answer is rounded up to a multiple of 1/4: finer says nothing, and equal figures are computed once."""


class SpreadMeter:
    """Counts of a version, tick after tick. Begins with what earlier canaries of the service showed."""

    __slots__ = ("_bad", "_before", "_pairs", "_requests", "_squares", "_sums", "_ticks", "dispersion", "slowness")

    def __init__(self, known: Spread | None = None) -> None:
        self._requests = known.requests if known else 0
        self._bad = known.bad if known else 0
        self._ticks = known.ticks if known else 0
        self._squares = known.squares if known else 0.0
        self._sums = _padded(known.sums if known else ())
        self._pairs = [int(p) for p in _padded(known.pairs if known else ())]
        self._before: list[tuple[int, int] | None] = [None] * SCALES
        self.dispersion = 1.0
        """How many times its mean the variance of a count is, over the stretch where that is largest."""
        self.slowness = self._assess()
        """How many ticks in a row count as one observation; at least 1."""

    def add(self, requests: int, bad: int) -> None:
        """One tick of the stable version."""
        self._requests += requests
        self._bad += bad
        if requests:
            self._ticks += 1
            self._squares += bad * bad / requests
        dirty = False
        stretch = (requests, bad)
        for scale in range(SCALES):
            before = self._before[scale]
            if before is None:
                self._before[scale] = stretch
                break  # no longer stretch is complete
            self._before[scale] = None
            dirty |= self._compare(scale, before, stretch)
            stretch = (before[0] + stretch[0], before[1] + stretch[1])
        if dirty:
            self.slowness = self._assess()

    @property
    def high_share(self) -> float:
        """The share that the version shows, on the high side: no small number of requests proves that it is low."""
        if not self._requests:
            return 1.0
        return min(1.0, (self._bad + 2.0 * math.sqrt(self._bad * self.dispersion) + 2.0) / self._requests)

    def known(self) -> Spread:
        """What is known by now, for the next canary of the service."""
        return Spread(
            requests=self._requests,
            bad=self._bad,
            ticks=self._ticks,
            squares=self._squares,
            sums=tuple(self._sums),
            pairs=tuple(self._pairs),
        )

    def _compare(self, scale: int, first: tuple[int, int], second: tuple[int, int]) -> bool:
        """The squared difference of two shares, in units in which its mean is p (1 - p) if all fail independently."""
        (n1, k1), (n2, k2) = first, second
        if n1 and n2:
            self._pairs[scale] += 1
            if k1 or k2:
                self._sums[scale] += (k1 * n2 - k2 * n1) ** 2 / (n1 * n2 * (n1 + n2))
                return True
        return False

    def _assess(self) -> float:
        if not 0 < self._bad < self._requests or self._ticks < 2:
            return 1.0
        share = self._bad / self._requests
        unit = share * (1.0 - share)
        within = max(1.0, (self._squares - self._bad * share) / (self._ticks - 1) / unit)
        longest = 1.0
        for scale in range(1, SCALES):
            pairs = self._pairs[scale]
            if pairs:
                ratio = (self._sums[scale] / unit / within + _PRIOR_PAIRS) / (pairs + _PRIOR_PAIRS)
                longest = max(longest, min(ratio, 1 << scale))  # nothing hangs together for longer than the stretch
        self.dispersion = within * longest
        careful = 1.0 + _CAUTION * (longest - 1.0 - _NOISE)
        return math.ceil(careful * _GRID) / _GRID if careful > 1.0 else 1.0


def _padded(values: tuple[float, ...]) -> list[float]:
    return [*values[:SCALES], *[0.0] * (SCALES - len(values))]
