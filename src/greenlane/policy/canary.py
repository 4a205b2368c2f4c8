"""The canary judge: ticks in, verdict out. Called by the deployment agent at every tick, and again by `replay`.

Both limits are tests on (bad, total): errors against the error limit, and requests slower than the p99 limit against
1 %, because 'p99 over the limit' means that more than 1 % of requests took longer. While a phase runs, a candidate is
rolled back only on proof that is valid at every look (`policy/trial.py`); the chance of a false alarm is split evenly
over all tests of a canary. At the end of a phase the figures are held against the literal limits; what is over without
proof, and what hits stable alike, is handled as configured. Counts that are absent, too few or inconsistent are never a
success.
"""

from __future__ import annotations

import msgspec

from greenlane.domain.delivery import CanaryJudgement, Counters, MetricJudgement, Tick, TrafficReading, Verdict
from greenlane.policy.canary_plan import (
    SLOW_SHARE_LIMIT,
    Phase,
    Rules,
    compute_requests_needed,
    resolve_thresholds,
)
from greenlane.policy.trial import Hypotheses, MetricTrial, Trial
from greenlane.policy.wagers import LARGE_BETS

__all__ = ["Evidence", "Moment", "Phase", "PhaseJudge", "Rules", "judge_canary", "resolve_thresholds"]

SETTLE_S = 40.0
"""For how long canary and stable must both be proven over a limit until it counts as the environment: a candidate that
is worse than a troubled stable is told from it within that time."""

_LEAST_LIMIT = 1e-6
"""A limit of 0 is tested as this: one failure in any number of requests that a canary sees is over it."""


class Evidence:
    """Everything that was seen of a canary: a fold over its ticks. The same ticks make the same verdict.

    The warm-up has a trial of its own, which knows the catastrophic floor only.
    """

    __slots__ = ("_is_closed", "_phase", "_watch_s", "judged", "warming")

    def __init__(self, rules: Rules) -> None:
        error_limit = max(rules.error_rate_limit, _LEAST_LIMIT)
        floor = Hypotheses(limit=max(rules.floor, _LEAST_LIMIT), far_worse=None, alpha=rules.alpha)
        errors = Hypotheses(limit=error_limit, far_worse=rules.worse_than_stable, alpha=rules.alpha)
        slow = Hypotheses(limit=SLOW_SHARE_LIMIT, far_worse=rules.worse_than_stable, alpha=rules.alpha)
        self.warming = Trial(MetricTrial(floor, rules.spread_errors, LARGE_BETS), None, rules.warmup_s)
        self.judged = Trial(
            MetricTrial(errors, rules.spread_errors), MetricTrial(slow, rules.spread_slow), rules.horizon_s
        )
        self._phase = Phase.WARM_UP
        self._watch_s = rules.watch_s
        self._is_closed = False

    def begin(self, phase: Phase) -> None:
        self._phase = phase
        self.trial(phase).begin_phase()

    def add(self, tick: Tick) -> None:
        """One tick of the phase that was begun last."""
        if not tick.readable:
            return
        if self._phase is Phase.WARM_UP:
            self.warming.add(tick)
            self.judged.measure(tick)
            return
        self.judged.add(tick)
        if self._phase is Phase.WATCH and not self._is_closed and tick.at_s >= self._watch_s:
            self._is_closed = True
            self.judged.close()

    def trial(self, phase: Phase) -> Trial:
        return self.warming if phase is Phase.WARM_UP else self.judged


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge looks at. `reading` counts since the phase began (None: the counters went backwards); `passed` is
    the canary's sum over the judged phases before this one; `alive` is whether its process runs."""

    phase: Phase
    elapsed_s: float
    reading: TrafficReading | None
    evidence: Evidence
    passed: Counters = Counters()
    alive: bool = True


class PhaseJudge:
    """One phase while it is watched: each look goes in, a verdict comes out. The watch, `replay` and the benchmark all
    judge through it. `passed` is the canary's sum over the judged phases before."""

    __slots__ = ("_canary", "_evidence", "_passed", "_phase", "_rules", "_stable", "_tick")

    def __init__(self, rules: Rules, evidence: Evidence, phase: Phase, passed: Counters) -> None:
        self._rules, self._evidence, self._phase, self._passed = rules, evidence, phase, passed
        self._stable = (0, 0, 0)
        self._canary = (0, 0, 0)
        self._tick = Tick(0.0)
        evidence.begin(phase)

    def look(self, tick: Tick) -> CanaryJudgement:
        self.take(tick)
        return self.judge()

    def take(self, tick: Tick) -> None:
        """One look, not judged yet."""
        self._evidence.add(tick)
        requests, errors, over = self._stable
        self._stable = requests + tick.stable_requests, errors + tick.stable_errors, over + tick.stable_over
        requests, errors, over = self._canary
        self._canary = requests + tick.canary_requests, errors + tick.canary_errors, over + tick.canary_over
        self._tick = tick

    @property
    def may_end(self) -> bool:
        """Whether the verdict on the last look may be another one than to wait: cheaper than the verdict itself."""
        tick, trial = self._tick, self._evidence.trial(self._phase)
        if tick.at_s >= self._rules.duration_s(self._phase) or not (tick.alive and tick.readable):
            return True
        return trial.errors.may_tell or (trial.slow is not None and trial.slow.may_tell)

    def judge(self) -> CanaryJudgement:
        """The verdict on all looks so far."""
        tick = self._tick
        reading = TrafficReading(stable=_counters(self._stable), canary=self.canary)
        moment = Moment(
            phase=self._phase,
            elapsed_s=tick.at_s,
            reading=reading if tick.readable else None,
            evidence=self._evidence,
            passed=self._passed,
            alive=tick.alive,
        )
        return judge_canary(self._rules, moment)

    @property
    def canary(self) -> Counters:
        """What was counted of the canary in this phase."""
        return _counters(self._canary)


def _counters(counts: tuple[int, int, int]) -> Counters:
    return Counters(requests=counts[0], errors=counts[1], over_limit=counts[2])


class _Metric(msgspec.Struct, frozen=True):
    """One metric as the judge sees it: bad of total, for the canary, for stable, and for the canary's whole judgement
    so far (earlier phases and this one)."""

    name: str
    words: str
    limit: float
    bad: int
    total: int
    stable_bad: int
    stable_total: int
    whole_bad: int
    whole_total: int
    trial: MetricTrial

    @property
    def stable_is_over(self) -> bool:
        return self.stable_bad > self.limit * self.stable_total

    @property
    def is_compared(self) -> bool:
        """Stable is held against the canary while it has at least as many requests; with fewer it says too little."""
        return self.stable_total >= self.total

    def answer(self, verdict: Verdict, reason: str) -> MetricJudgement:
        value = self.bad / self.total if self.total else 0.0
        seen = f"{self.bad} of {self.total} canary requests {self.words} ({value:.2%}, limit {self.limit:.2%})"
        if self.stable_total:
            seen += f"; stable: {self.stable_bad} of {self.stable_total} ({self.stable_bad / self.stable_total:.2%})"
        return MetricJudgement(
            metric=self.name, value=value, limit=self.limit, verdict=verdict, reason=f"{seen}: {reason}"
        )


def judge_canary(rules: Rules, moment: Moment) -> CanaryJudgement:
    """The verdict now. PASS ends the phase well; WAIT lets it go on; FAIL and INCONCLUSIVE end the canary."""
    if not moment.alive:
        return CanaryJudgement(verdict=Verdict.FAIL, reason="the canary's process is gone")
    reading = moment.reading
    if reading is None:
        return CanaryJudgement(
            verdict=Verdict.INCONCLUSIVE, reason="the proxy's counters went backwards: what was seen can't be told"
        )
    metrics = _metrics(rules, moment, reading)
    requests, needed = reading.canary.requests, compute_requests_needed(rules, moment.phase)
    running = tuple([_judge_running(rules, moment, metric) for metric in metrics])
    broken = _worst(running)
    if broken.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        return _answer(broken.verdict, broken.reason, running, requests, needed)
    duration = rules.duration_s(moment.phase)
    if moment.elapsed_s < duration:
        enough = f" of {needed}" if needed else ""
        reason = f"{moment.elapsed_s:.0f} of {duration:.0f} s, {requests} requests{enough}"
        return _answer(Verdict.WAIT, reason, running, requests, needed)
    if moment.phase is Phase.WARM_UP:
        return _answer(Verdict.PASS, "the warm-up is over; its requests are left out", running, requests, needed)
    if requests < needed:
        return _judge_too_few(rules, moment, running, requests, needed)
    ended = tuple([_judge_ended(rules, moment, metric) for metric in metrics])
    worst = _worst(ended)
    if worst.verdict is Verdict.PASS:
        reason = f"every figure is at or under its limit after {moment.elapsed_s:.0f} s and {requests} canary requests"
        return _answer(Verdict.PASS, reason, ended, requests, needed)
    return _answer(worst.verdict, worst.reason, ended, requests, needed)


def _metrics(rules: Rules, moment: Moment, reading: TrafficReading) -> tuple[_Metric, ...]:
    canary, stable, passed = reading.canary, reading.stable, moment.passed
    total, stable_total, whole_total = canary.requests, stable.requests, passed.requests + canary.requests
    warming = moment.phase is Phase.WARM_UP
    trial = moment.evidence.trial(moment.phase)
    errors = _Metric(
        "error_rate", "failed", rules.floor if warming else rules.error_rate_limit,
        canary.errors, total, stable.errors, stable_total, passed.errors + canary.errors, whole_total, trial.errors,
    )  # fmt: skip
    if trial.slow is None:
        return (errors,)
    slow = _Metric(
        "p99_latency", f"took over {rules.p99_limit_ms:g} ms", SLOW_SHARE_LIMIT,
        canary.over_limit, total, stable.over_limit, stable_total, passed.over_limit + canary.over_limit, whole_total,
        trial.slow,
    )  # fmt: skip
    return (errors, slow)


def _judge_running(rules: Rules, moment: Moment, metric: _Metric) -> MetricJudgement:
    """What may be asked at every tick: is it proven that the candidate itself is bad?"""
    trial = metric.trial
    if metric.is_compared and trial.proven_far_worse and trial.proven_worse:
        return metric.answer(
            Verdict.FAIL,
            f"more than {rules.worse_than_stable:g} times the share of stable (false alarm under {rules.alpha:.1e})",
        )
    if not trial.proven_over:
        return metric.answer(Verdict.WAIT, "not over the limit beyond doubt")
    if metric.is_compared and trial.proven_worse:
        return metric.answer(
            Verdict.FAIL, f"over the limit, and worse than stable (false alarm under {rules.alpha:.1e})"
        )
    if not metric.is_compared and not metric.stable_is_over:
        return metric.answer(Verdict.FAIL, f"over the limit (false alarm under {rules.alpha:.1e})")
    return _judge_environment(rules, moment, metric)


def _judge_environment(rules: Rules, moment: Moment, metric: _Metric) -> MetricJudgement:
    """The canary is proven over the limit, and not proven to be worse than stable."""
    whole = moment.evidence.trial(moment.phase)
    if metric.is_compared and (whole.trouble_s is None or whole.seconds - whole.trouble_s < SETTLE_S):
        return metric.answer(Verdict.WAIT, "over the limit; whether stable is as bad shows in a moment")
    reason = "stable is over the limit as well, so it is the environment"
    return metric.answer(_ENVIRONMENT[rules.environment], reason)


def _judge_ended(rules: Rules, moment: Moment, metric: _Metric) -> MetricJudgement:
    """The literal limit, at the end of a phase, on all that was judged so far."""
    if metric.whole_bad <= metric.limit * metric.whole_total:
        return metric.answer(Verdict.PASS, "at or under the limit")
    whole = f"{metric.whole_bad} of {metric.whole_total} ({metric.whole_bad / metric.whole_total:.2%}) since the watch"
    longest = rules.duration_s(moment.phase) * rules.extend_max_factor
    if metric.trial.proven_stable_over or (metric.stable_is_over and rules.over_not_proven == "roll_back"):
        verdict = _ENVIRONMENT[rules.environment]
        if verdict is Verdict.WAIT and moment.elapsed_s >= longest:
            verdict = Verdict.INCONCLUSIVE
        return metric.answer(verdict, f"{whole} is over the limit, and so is stable: the environment?")
    if rules.over_not_proven == "roll_back":
        return metric.answer(Verdict.FAIL, f"{whole} is over the limit, though not beyond doubt: the safe side is back")
    if rules.over_not_proven == "extend" and moment.elapsed_s < longest:
        return metric.answer(Verdict.WAIT, f"{whole} is over the limit, not beyond doubt: extended to {longest:.0f} s")
    return metric.answer(Verdict.INCONCLUSIVE, f"{whole} is over the limit, though not beyond doubt")


_ENVIRONMENT = {"ask": Verdict.INCONCLUSIVE, "hold": Verdict.WAIT, "roll_back": Verdict.FAIL}


def _judge_too_few(
    rules: Rules, moment: Moment, running: tuple[MetricJudgement, ...], requests: int, needed: int
) -> CanaryJudgement:
    longest = rules.duration_s(moment.phase) * rules.extend_max_factor
    seen = f"{requests} canary requests in {moment.elapsed_s:.0f} s, {needed} are needed"
    if moment.elapsed_s < longest:
        return _answer(Verdict.WAIT, f"{seen}: extended up to {longest:.0f} s", running, requests, needed)
    return _answer(Verdict.INCONCLUSIVE, f"{seen}: too few to tell", running, requests, needed)


_SEVERITY = {Verdict.PASS: 0, Verdict.WAIT: 1, Verdict.INCONCLUSIVE: 2, Verdict.FAIL: 3}


def _worst(metrics: tuple[MetricJudgement, ...]) -> MetricJudgement:
    return max(metrics, key=lambda m: _SEVERITY[m.verdict])


def _answer(
    verdict: Verdict, reason: str, metrics: tuple[MetricJudgement, ...], requests: int, needed: int
) -> CanaryJudgement:
    return CanaryJudgement(verdict=verdict, reason=reason, metrics=metrics, requests=requests, needed=needed)
