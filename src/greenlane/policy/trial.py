"""The evidence of a canary so far: every tick that was seen, held against the hypothesis that the candidate is fine.

For each metric (failed requests; requests over the latency limit) four games are played (`policy/wagers.py`):

- `over`: is the canary's share over the limit?
- `worse`: is it higher than the share of stable, which has traffic at the same time? Of what is bad in a tick, a
  candidate that is no worse has no more than its part of the requests, whatever the environment does meanwhile.
- `far_worse`: is it over a multiple of what stable shows, and over a part of the limit, though perhaps not over it?
- `stable_over`: is stable itself over the limit? Then something else is wrong.

And once, at the end of the watch, `over` is asked again with a plain test of the sum: one look at a time that was set
before sees more than a test that may be asked at every tick.

A candidate is only blamed if two of them agree: over the limit (or far worse), *and* worse than stable at the same
time. If it is fine, at least one of the two is false, so each pair is wrong with a chance of at most alpha, without
splitting alpha between the two.
"""

from __future__ import annotations

import math

import msgspec

from greenlane.domain.delivery import Spread, Tick
from greenlane.policy.spread import SpreadMeter
from greenlane.policy.wagers import AT_ONCE, BETS, Wager

FAR_WORSE_PART = 0.2
"""Part of a limit under which nobody minds how a candidate compares: a fifth of it."""


class Hypotheses(msgspec.Struct, frozen=True, kw_only=True):
    """What is tested for one metric: the limit of its share, and the ratio to stable from which it is far worse."""

    limit: float
    far_worse: float | None
    alpha: float


class MetricTrial:
    """One metric. Counts of a tick are bad requests and all requests; what came late is carried over."""

    __slots__ = (
        "_alpha", "_bad", "_far", "_kept", "_limit", "_needed", "_requests", "_stable", "far_worse", "meter", "over",
        "over_at_end", "stable_over", "worse",
    )  # fmt: skip

    def __init__(self, hypotheses: Hypotheses, known: Spread | None, bets: tuple[float, ...] = BETS) -> None:
        self._limit = hypotheses.limit
        self._far = hypotheses.far_worse
        self._alpha = hypotheses.alpha
        self._needed = 1.0 / hypotheses.alpha
        self._kept = (0, 0)
        self._requests = self._bad = self._stable = 0
        self.meter = SpreadMeter(known)
        self.over = Wager(bets)
        self.worse = Wager(bets)
        self.far_worse = Wager(bets)
        self.stable_over = Wager(bets)
        self.over_at_end = False

    def play(self, canary: int, canary_bad: int, stable: int, stable_bad: int, joining: float) -> None:
        """A stretch in which the canary had at least one request."""
        canary_bad, stable_bad = canary_bad + self._kept[0], stable_bad + self._kept[1]
        self._kept = (max(0, canary_bad - canary), max(0, stable_bad - stable))
        canary_bad, stable_bad = min(canary_bad, canary), min(stable_bad, stable)
        self._requests += canary
        self._bad += canary_bad
        self._stable += stable
        slowness, limit = self.meter.slowness, self._limit
        share = canary_bad / canary
        self.over.play(share / limit, slowness, joining)
        if self._far is not None:
            far = max(limit * FAR_WORSE_PART, self._far * self.meter.high_share) if canary_bad else 1.0
            self.far_worse.play(share / far, slowness, joining)
        if stable:
            self.stable_over.play(stable_bad / stable / limit, slowness, joining)
        bad = canary_bad + stable_bad
        if bad:
            self.worse.play(canary_bad / bad * (canary + stable) / canary, 1.0, joining)

    def close(self) -> None:
        """The watch is at its end: the sum, once. Clusters are counted, not requests (quasi-likelihood: Wedderburn,
        Biometrika 61, 1974), of the size that stable's bursts have in the canary's part of the traffic."""
        if not self._requests:
            return
        size = 1.0 + (self.meter.dispersion - 1.0) * self._requests / max(self._stable, self._requests)
        clusters, mean = self._bad / size, self._limit * self._requests / size
        self.over_at_end = self._bad > self._limit * self._requests and _chance_from(clusters, mean) <= self._alpha

    @property
    def proven_over(self) -> bool:
        return self.over_at_end or self.over.has(self._needed)

    @property
    def proven_worse(self) -> bool:
        return self.worse.has(self._needed)

    @property
    def proven_far_worse(self) -> bool:
        return self.far_worse.has(self._needed)

    @property
    def may_tell(self) -> bool:
        """Whether anything is proven that may end a canary before its phase does."""
        return self.proven_over or self.proven_far_worse

    @property
    def proven_stable_over(self) -> bool:
        return self.stable_over.has(self._needed)


def _chance_from(count: float, mean: float) -> float:
    """P(Poisson(mean) >= count), for a count that need not be whole: rounded down, which is the safe side."""
    least = math.floor(count)
    if least <= 0:
        return 1.0
    # The terms fall at least as quickly as a geometric series from `least` on, which is over the mean.
    term = math.exp(least * math.log(mean) - mean - math.lgamma(least + 1))
    total, k = 0.0, least
    while term > total * 1e-12 and k < least + 10_000:
        total += term
        k += 1
        term *= mean / k
    return min(1.0, total)


class Trial:
    """All metrics. `horizon_s` is how long the canary may take at most: later beginnings of a game share the stake."""

    __slots__ = (
        "_canary", "_horizon_s", "_last_s", "_pending", "_played_s", "_stable", "errors", "seconds", "slow",
        "trouble_s",
    )  # fmt: skip

    def __init__(self, errors: MetricTrial, slow: MetricTrial | None, horizon_s: float) -> None:
        self.errors = errors
        self.slow = slow
        self._horizon_s = max(horizon_s, 1.0)
        self._pending = [0, 0, 0, 0]
        self._canary = 0
        self._stable = 0
        self._last_s = 0.0
        self._played_s = 0.0
        self.seconds = 0.0
        """For how long was looked, over all phases."""
        self.trouble_s: float | None = None
        """Since when canary and stable are both proven over a limit, without a break."""

    def begin_phase(self) -> None:
        """The clock of a phase begins at 0; the evidence goes on."""
        self._last_s = 0.0

    def add(self, tick: Tick) -> None:
        """One more look. What was counted while the canary had no request is put to the next one that it has."""
        self.seconds += max(0.0, tick.at_s - self._last_s)
        self._last_s = tick.at_s
        self.measure(tick)
        self._canary += tick.canary_requests
        self._stable += tick.stable_requests
        pending = self._pending
        pending[0] += tick.canary_errors
        pending[1] += tick.stable_errors
        pending[2] += tick.canary_over
        pending[3] += tick.stable_over
        if not self._canary:
            return
        joining = (1.0 - AT_ONCE) * (self.seconds - self._played_s) / self._horizon_s
        self._played_s = self.seconds
        self.errors.play(self._canary, pending[0], self._stable, pending[1], joining)
        troubled = self.errors.proven_stable_over and self.errors.proven_over
        if self.slow is not None:
            self.slow.play(self._canary, pending[2], self._stable, pending[3], joining)
            troubled = troubled or (self.slow.proven_stable_over and self.slow.proven_over)
        self._canary = self._stable = 0
        self._pending = [0, 0, 0, 0]
        self.trouble_s = (self.seconds if self.trouble_s is None else self.trouble_s) if troubled else None

    def close(self) -> None:
        """The end of the watch, which was set before it began."""
        self.errors.close()
        if self.slow is not None:
            self.slow.close()

    def measure(self, tick: Tick) -> None:
        """Only how stable's failures hang together: also of ticks that are left out of the judgement."""
        self.errors.meter.add(tick.stable_requests, tick.stable_errors)
        if self.slow is not None:
            self.slow.meter.add(tick.stable_requests, tick.stable_over)
