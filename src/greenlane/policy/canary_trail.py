"""What the ledger knows of one canary: its phases, each with the looks that were taken. Pure.

Read by the watch, which goes on where the ledger ends, and by `replay`, which judges all of it again: both see the
same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from greenlane.domain.change import Recorded
from greenlane.domain.delivery import Counters, Spread, Tick, Verdict
from greenlane.domain.events import CanaryObserved, CanaryPromoting, CanaryRollingBack, CanaryStarting
from greenlane.policy.canary import Evidence, PhaseJudge
from greenlane.policy.canary_plan import Phase, Rules
from greenlane.policy.counting import compute_sum
from greenlane.policy.spread import SpreadMeter

RESUMED = "resumed"
"""Another worker took the watch over: the phase that was on begins again."""
RESTARTED = "restarted"
"""Likewise, and the candidate was started again: the canary begins again from its first phase."""

CanaryStep = CanaryObserved | CanaryPromoting | CanaryRollingBack


class PassedPhase(msgspec.Struct, frozen=True, kw_only=True):
    """A phase that passed: the observation that ended it, and every look of it (none before judge version 2)."""

    observed: CanaryObserved
    ticks: tuple[Tick, ...]

    @property
    def phase(self) -> Phase:
        return Phase(self.observed.phase)


def steps_of(history: Iterable[Recorded], deployment_id: str) -> tuple[CanaryStep, ...]:
    """What was recorded of this canary's watch, oldest first."""
    return tuple(r.event for r in history if isinstance(r.event, CanaryStep) and r.event.deployment_id == deployment_id)


def find_passed(steps: Sequence[CanaryStep]) -> tuple[PassedPhase, ...]:
    """The phases that passed since the canary last began from its first one."""
    passed: list[PassedPhase] = []
    ticks: list[Tick] = []
    for step in steps:
        if not isinstance(step, CanaryObserved):
            continue
        if step.phase in (RESUMED, RESTARTED):
            ticks.clear()
            if step.phase == RESTARTED:
                passed.clear()
            continue
        ticks += step.ticks
        if step.judgement.verdict is Verdict.PASS:
            passed.append(PassedPhase(observed=step, ticks=tuple(ticks)))
            ticks.clear()
    return tuple(passed)


def sum_of_passed(passed: Iterable[PassedPhase]) -> Counters:
    """What the canary showed in the judged phases that passed."""
    total = Counters()
    for each in passed:
        if each.phase is not Phase.WARM_UP:
            total = compute_sum(total, each.observed.reading.canary)
    return total


KEPT = 5
"""Latest canaries of a service from which it is known how its failures hang together."""


class StableTrail(msgspec.Struct, frozen=True, kw_only=True):
    """What one canary showed of the stable version beside it, look after look."""

    service: str
    tick_s: float
    p99_limit_ms: float
    ticks: tuple[Tick, ...]


def trails_of(history: Sequence[Recorded]) -> tuple[StableTrail, ...]:
    """The looks of every canary of a run, oldest first, whatever became of it."""
    found = []
    for record in history:
        if isinstance(record.event, CanaryStarting):
            starting = record.event
            steps = steps_of(history, starting.deployment_id)
            ticks = [t for s in steps if not isinstance(s, CanaryPromoting) for t in s.ticks if t.readable]
            trail = StableTrail(
                service=starting.service, tick_s=starting.tick_s, p99_limit_ms=starting.p99_limit_ms, ticks=tuple(ticks)
            )
            found.append(trail)
    return tuple(found)


def learn_spread(trails: Sequence[StableTrail], p99_limit_ms: float | None = None) -> tuple[Spread, Spread] | None:
    """How failed and how slow requests of stable were spread over the latest of these canaries; None without any.

    Slow ones are those over this limit: of canaries with another one only the failed requests count. None: of all.
    """
    seen = [trail for trail in trails if trail.ticks]
    if not seen:
        return None
    errors, slow = SpreadMeter(), SpreadMeter()
    for trail in seen[-KEPT:]:
        for tick in trail.ticks:
            errors.add(tick.stable_requests, tick.stable_errors)
    for trail in [t for t in seen if p99_limit_ms in (None, t.p99_limit_ms)][-KEPT:]:
        for tick in trail.ticks:
            slow.add(tick.stable_requests, tick.stable_over)
    return errors.known(), slow.known()


def begin_phase(rules: Rules, passed: Sequence[PassedPhase], phase: Phase) -> PhaseJudge:
    """The judge of the next phase, with all the evidence of those that passed."""
    evidence = Evidence(rules)
    for each in passed:
        evidence.begin(each.phase)
        for tick in each.ticks:
            evidence.add(tick)
    return PhaseJudge(rules, evidence, phase, sum_of_passed(passed))
