"""What the ledger knows of one canary: its phases, each with the looks that were taken. Pure.

Read by the watch, which goes on where the ledger ends, and by `replay`, which judges all of it again: both see the
same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from greenlane.domain.change import Recorded
from greenlane.domain.delivery import Counters, Tick, Verdict
from greenlane.domain.events import CanaryObserved, CanaryPromoting, CanaryRollingBack
from greenlane.policy.canary import Evidence, PhaseJudge
from greenlane.policy.canary_plan import Phase, Rules
from greenlane.policy.counting import compute_sum

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


def begin_phase(rules: Rules, passed: Sequence[PassedPhase], phase: Phase) -> PhaseJudge:
    """The judge of the next phase, with all the evidence of those that passed."""
    evidence = Evidence(rules)
    for each in passed:
        evidence.begin(each.phase)
        for tick in each.ticks:
            evidence.add(tick)
    return PhaseJudge(rules, evidence, phase, sum_of_passed(passed))
