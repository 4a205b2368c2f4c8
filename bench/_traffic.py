"""Traffic for `bench/canary_judge.py`: what a proxy would count of a canary and of stable, second by second.

Each scenario says how many requests come in and how they fail; each trial of it draws its own. Requests arrive as a
Poisson process and are routed by weight, each by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from greenlane.domain.delivery import Spread
from greenlane.policy.spread import SpreadMeter

WEIGHT = 0.05
HICCUP_EVERY_S = 300.0
HICCUP_S = 3.0
HICCUP_ERRORS = 0.3
"""A burst: a dependency that fails three requests in ten for three seconds (on average), every five minutes."""
DAY_S = 1200.0
"""A day's ups and downs, in the time of one canary."""
HISTORY_S = 3 * 780
"""Seconds of the three earlier canaries of the service, of which the ledger knows the ticks."""

Counts = np.ndarray
"""Trials x seconds x (stable requests, errors, slow; canary requests, errors, slow)."""


@dataclass(frozen=True)
class Scenario:
    """`traffic` names scenarios with the same arrivals: a judge that errs in one of them errs for that service.

    Rates are shares of requests, of stable and of the candidate. `rps` is what the canary gets at 5 %.
    """

    name: str
    traffic: str
    bad: bool
    rps: float = 5.0
    errors: tuple[float, float] = (0.001, 0.001)
    slow: tuple[float, float] = (0.001, 0.001)
    error_limit: float = 0.005
    shape: str = "flat"
    onset_s: float = 0.0
    """From when on the candidate is as bad as `errors` and `slow` say; before, it is like stable."""
    bursts: str = ""
    """`common`: both versions fail at the same moments; `own`: each by itself."""
    history: bool = False
    cluster: int = 1
    """Failures come this many at once."""
    late_s: int = 0
    """So many seconds later than the requests their latencies are counted."""
    told: bool = True
    """False: nothing that can be known tells this from a bad release; shown, and not held against the goals."""
    degraded: tuple[float, float] = (0.0, 0.0)
    """From second so and so on, both versions fail with this share more."""
    no_data: bool = False
    never_pass: bool = False


_NEAR = (0.004, 0.004)
_LIMIT = (0.005, 0.005)

SCENARIOS: tuple[Scenario, ...] = (
    # healthy, 5 requests/s at the canary
    Scenario("healthy: far below the limits", "5/s", False),
    Scenario("healthy: near the limits", "5/s", False, errors=_NEAR, slow=(0.008, 0.008)),
    Scenario("healthy: exactly at the error limit", "5/s", False, errors=_LIMIT),
    Scenario("healthy: exactly at the latency limit", "5/s", False, slow=(0.01, 0.01)),
    Scenario("healthy: within the limit, 3 times worse than stable", "5/s", False, errors=(0.001, 0.003)),
    Scenario("bad: 1 % errors", "5/s", True, errors=(0.001, 0.01)),
    Scenario("bad: 2 % errors", "5/s", True, errors=(0.001, 0.02)),
    Scenario("bad: 5 % errors", "5/s", True, errors=(0.001, 0.05)),
    Scenario("bad: 20 % errors", "5/s", True, errors=(0.001, 0.2)),
    Scenario("bad: latency shifted (30 % slow)", "5/s", True, slow=(0.001, 0.3)),
    Scenario("bad: a tail of latency (3 % slow)", "5/s", True, slow=(0.001, 0.03)),
    Scenario("bad: 5 % errors from minute 5 on", "5/s", True, errors=(0.001, 0.05), onset_s=300),
    # 1,000 requests/s
    Scenario("healthy: 1,000/s, near the limits", "1,000/s", False, rps=50, errors=_NEAR, slow=(0.008, 0.008)),
    Scenario("healthy: 1,000/s, exactly at both limits", "1,000/s", False, rps=50, errors=_LIMIT, slow=(0.01, 0.01)),
    Scenario("bad: 1,000/s, 1 % errors", "1,000/s", True, rps=50, errors=(0.001, 0.01)),
    Scenario("bad: 1,000/s, 5 % errors", "1,000/s", True, rps=50, errors=(0.001, 0.05)),
    Scenario("bad: 1,000/s, 2 % slow", "1,000/s", True, rps=50, slow=(0.001, 0.02)),
    # little traffic
    Scenario("healthy: 1/s, near the limits", "1/s", False, rps=1, errors=_NEAR, slow=(0.008, 0.008)),
    Scenario("bad: 1/s, 5 % errors", "1/s", True, rps=1, errors=(0.001, 0.05)),
    Scenario("bad: 1/s, 20 % errors", "1/s", True, rps=1, errors=(0.001, 0.2)),
    Scenario("healthy: 0.2/s, near the limits", "0.2/s", False, rps=0.2, errors=_NEAR, never_pass=True),
    Scenario("bad: 0.2/s, 20 % errors", "0.2/s", True, rps=0.2, errors=(0.001, 0.2), never_pass=True),
    # bursts
    Scenario("healthy: bursts that hit both versions", "bursts of both", False, bursts="common", history=True),
    Scenario("bad: bursts of both, and 5 % errors", "bursts of both", True, errors=(0.001, 0.051), bursts="common",
             history=True),
    Scenario("healthy: bursts of each version by itself", "bursts of each", False, bursts="own", history=True),
    Scenario("bad: bursts of each, and 5 % errors", "bursts of each", True, errors=(0.001, 0.051), bursts="own",
             history=True),
    Scenario("healthy: bursts of each, first canary ever", "unknown bursts", False, bursts="own",
             told=False),
    Scenario("healthy: failures come 8 at once", "8 at once", False, errors=(0.003, 0.003), cluster=8),
    Scenario("bad: 5 % errors, 8 at once", "8 at once", True, errors=(0.003, 0.05), cluster=8),
    # traffic that changes
    Scenario("healthy: diurnal, near the limits", "diurnal", False, errors=_NEAR, shape="diurnal"),
    Scenario("bad: diurnal, 5 % errors", "diurnal", True, errors=(0.001, 0.05), shape="diurnal"),
    Scenario("healthy: ramping from 1/s to 20/s, at the limit", "ramping", False, errors=_LIMIT, shape="ramp"),
    Scenario("bad: ramping, 5 % errors", "ramping", True, errors=(0.001, 0.05), shape="ramp"),
    # the environment, and data that is late or absent
    Scenario("healthy: the environment degrades (3 % for both)", "degrading", False, degraded=(200, 0.03)),
    Scenario("bad: the environment degrades, the candidate far more", "degrading", True, errors=(0.001, 0.12),
             onset_s=200, degraded=(200, 0.03)),
    Scenario("healthy: latencies counted 4 s late", "late", False, slow=(0.008, 0.008), late_s=4),
    Scenario("bad: latencies counted 4 s late, 30 % slow", "late", True, slow=(0.001, 0.3), late_s=4),
    Scenario("healthy: a wide limit of 5 %", "wide limit", False, errors=(0.03, 0.03), error_limit=0.05),
    Scenario("bad: 4 % errors under a wide limit, stable 0.1 %", "wide limit", True, errors=(0.001, 0.04),
             error_limit=0.05),
    Scenario("no data", "no data", False, no_data=True, never_pass=True),
)  # fmt: skip


class Draw:
    """All trials of a block at once: counts for a stretch of time at a weight."""

    def __init__(self, scenario: Scenario, trials: int, seed: int) -> None:
        self._scenario = scenario
        self._trials = trials
        self._random = np.random.default_rng(seed)

    def counts(self, seconds: int, weight: float, from_s: int) -> Counts:
        """What is counted in each second from second `from_s` of the canary on."""
        s, draw = self._scenario, self._random
        shape = (self._trials, seconds)
        total = s.rps / WEIGHT * _rate(s.shape, from_s + np.arange(seconds))
        stable = draw.poisson(np.broadcast_to(total * (1 - weight), shape))
        canary = draw.poisson(np.broadcast_to(total * (0.0 if s.no_data else weight), shape))
        errors = self._errors(seconds, from_s)
        slow = self._by_time(s.slow, seconds, from_s)
        columns = [stable, self._failed(stable, errors[0]), self._slow(stable, slow[0])]
        columns += [canary, self._failed(canary, errors[1]), self._slow(canary, slow[1])]
        return np.stack(columns, axis=-1)

    def _by_time(self, shares: tuple[float, float], seconds: int, from_s: int) -> tuple[np.ndarray, np.ndarray]:
        stable, canary = shares
        since = from_s + np.arange(seconds)
        later = np.where(since >= self._scenario.onset_s, canary, stable)
        return np.full((1, seconds), stable), later[None, :]

    def _errors(self, seconds: int, from_s: int) -> tuple[np.ndarray, np.ndarray]:
        s = self._scenario
        stable, canary = self._by_time(s.errors, seconds, from_s)
        if s.degraded[1]:
            more = np.where(from_s + np.arange(seconds) >= s.degraded[0], s.degraded[1], 0.0)[None, :]
            stable, canary = stable + more, canary + (more if not s.bad else 0.0)
        if s.bursts:
            both = self._hiccups(seconds)
            own = both if s.bursts == "common" else self._hiccups(seconds)
            stable, canary = np.minimum(1.0, stable + both), np.minimum(1.0, canary + own)
        return stable, canary

    def _hiccups(self, seconds: int) -> np.ndarray:
        """Share of errors that bursts add, per trial and second."""
        hit = np.zeros((self._trials, seconds))
        on = self._random.random(self._trials) < HICCUP_S / HICCUP_EVERY_S
        for second in range(seconds):
            dice = self._random.random(self._trials)
            on = np.where(on, dice >= 1 / HICCUP_S, dice < 1 / HICCUP_EVERY_S)
            hit[:, second] = on * HICCUP_ERRORS
        return hit

    def _failed(self, requests: np.ndarray, share: np.ndarray) -> np.ndarray:
        size = self._scenario.cluster
        if size == 1:
            return self._random.binomial(requests, share)
        return np.minimum(requests, size * self._random.poisson(requests * share / size))

    def _slow(self, requests: np.ndarray, share: np.ndarray) -> np.ndarray:
        slow = self._random.binomial(requests, share)
        late = self._scenario.late_s
        if late:
            slow = np.concatenate([np.zeros((self._trials, late), dtype=slow.dtype), slow[:, :-late]], axis=1)
        return slow

    def known(self) -> list[tuple[Spread, Spread] | None]:
        """What earlier canaries of each trial's service showed of stable; None: there were none."""
        if not self._scenario.history:
            return [None] * self._trials
        seen = self.counts(HISTORY_S, WEIGHT, 0)
        known: list[tuple[Spread, Spread] | None] = []
        for trial in seen:
            errors, slow = SpreadMeter(), SpreadMeter()
            for row in trial.tolist():
                errors.add(row[0], row[1])
                slow.add(row[0], row[2])
            known.append((errors.known(), slow.known()))
        return known


def _rate(shape: str, seconds: np.ndarray) -> np.ndarray:
    """How much of the average comes in at these seconds."""
    if shape == "diurnal":
        return 1.0 + 0.8 * np.sin(2 * np.pi * seconds / DAY_S)
    if shape == "ramp":
        return np.minimum(4.0, 0.2 + 3.8 * seconds / 600.0)
    return np.ones(len(seconds))
