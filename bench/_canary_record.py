"""A simulated canary as the ledger keeps it, judged again as `greenlane replay` does. For `canary_judge.py`."""

from __future__ import annotations

from greenlane.domain import events as e
from greenlane.domain.change import Recorded
from greenlane.domain.delivery import Artifact, CanaryJudgement, Instance, Tick, Verdict
from greenlane.policy.canary_plan import JUDGE_VERSION, Phase, Plan, Rules
from greenlane.policy.counting import add_up
from greenlane.policy.replay import replay_canaries

CHECKPOINT = 100
"""Looks from one observation to the next."""
_ARTIFACT = Artifact(digest="sha256:" + "0" * 64, service="shop", commit="c" * 40, location="none")
_STABLE = Instance(deployment_id="stable", service="shop", artifact=_ARTIFACT, host="127.0.0.1", port=1)
_WHY = e.Reasoning(decision="simulated", rationale="simulated")


class Recorder:
    """Takes down every look of one canary; the events pass through their stored bytes."""

    def __init__(self, rules: Rules, plan: Plan) -> None:
        self._weights = {Phase.WARM_UP: plan.weight_percent, Phase.WATCH: plan.weight_percent}
        self._steps = iter(plan.steps_percent)
        self._events: list[e.AnyEvent] = [
            e.CanaryStarting(
                deployment_id="canary", service="shop", candidate=_ARTIFACT, stable=_STABLE,
                weight_percent=plan.weight_percent, steps_percent=plan.steps_percent, watch_s=rules.watch_s,
                warmup_s=rules.warmup_s, step_s=rules.step_s, error_rate_limit=rules.error_rate_limit,
                p99_limit_ms=rules.p99_limit_ms, catastrophic_error_rate=rules.catastrophic_error_rate,
                min_requests=rules.min_requests, extend_max_factor=rules.extend_max_factor, alpha=rules.alpha,
                judge=JUDGE_VERSION, worse_than_stable=rules.worse_than_stable, over_not_proven=rules.over_not_proven,
                environment=rules.environment, spread_errors=rules.spread_errors, spread_slow=rules.spread_slow,
                attempt=1, why=_WHY,
            )
        ]  # fmt: skip
        self._phase_ticks: list[Tick] = []
        self._ticks: list[Tick] = []

    def note(self, phase: Phase, tick: Tick, judgement: CanaryJudgement) -> None:
        if not self._phase_ticks and phase is Phase.STEP:
            self._weights[phase] = next(self._steps)
        self._phase_ticks.append(tick)
        self._ticks.append(tick)
        ends = judgement.verdict is not Verdict.WAIT
        if not ends and len(self._ticks) < CHECKPOINT:
            return
        reading, ticks = add_up(self._phase_ticks), tuple(self._ticks)
        self._ticks.clear()
        if judgement.verdict in (Verdict.WAIT, Verdict.PASS):
            self._events.append(
                e.CanaryObserved(
                    deployment_id="canary", phase=phase, weight_percent=self._weights[phase], elapsed_s=tick.at_s,
                    reading=reading, judgement=judgement, ticks=ticks, why=_WHY,
                )
            )  # fmt: skip
        else:
            self._events.append(
                e.CanaryRollingBack(
                    deployment_id="canary", trigger="simulated", reading=reading, judgement=judgement, phase=phase,
                    ticks=ticks, why=_WHY,
                )
            )  # fmt: skip
        if ends:
            self._phase_ticks.clear()

    def replay(self) -> tuple[int, int]:
        """(Verdicts that were judged again, those of them that are not the same.)"""
        history = [
            Recorded(
                seq=seq, event_id=str(seq), agent="bench", timestamp="", event=e.decode_event(e.encode_event(event))
            )
            for seq, event in enumerate(self._events, start=1)
        ]
        found = replay_canaries(history)
        return len(found), sum(bool(each.differences) for each in found)
