"""The canary judge and its thresholds: counts in, verdict out. Called by the deployment agent at every tick.

Both limits are tests on (bad, total): errors against the error limit, and requests slower than the p99 limit against
1 %, because 'p99 over the limit' means that more than 1 % of requests took longer. While a phase runs, a limit is
broken only if a test says so that is valid at every look (`policy/sequential.py`); the chance of a false alarm is
split evenly over all tests of a canary. At the end of a phase the figures are held against the literal limits.
Counts that are absent, too few or inconsistent are never a success.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from greenlane.domain.delivery import CanaryJudgement, Counters, MetricJudgement, TrafficReading, Verdict
from greenlane.domain.events import CanaryStarting, Lane
from greenlane.domain.settings import Service, Settings
from greenlane.policy.sequential import compute_lower_bound, compute_upper_bound, detect_over

SLOW_SHARE_LIMIT = 0.01
"""What a 99th percentile is: one request in a hundred may take longer."""

FULL_PERCENT = 100.0


class Phase(StrEnum):
    """The parts of a canary: `warm-up` and `watch` at the first weight, then a `step` at each further one."""

    WARM_UP = "warm-up"
    WATCH = "watch"
    STEP = "step"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The figures that a canary is judged by. `alpha` is the chance of a false alarm of each single test."""

    watch_s: float
    step_s: float
    warmup_s: float
    error_rate_limit: float
    p99_limit_ms: float
    catastrophic_error_rate: float
    min_requests: int
    extend_max_factor: float
    alpha: float

    def duration_s(self, phase: Phase) -> float:
        return {Phase.WARM_UP: self.warmup_s, Phase.WATCH: self.watch_s, Phase.STEP: self.step_s}[phase]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A canary before it starts: the first weight, the further ones, and the rules."""

    weight_percent: float
    steps_percent: tuple[float, ...]
    rules: Rules


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge looks at. `reading` counts since the phase began (None: the counters went backwards); `passed` is
    the canary's sum over the judged phases before this one; `alive` is whether its process runs."""

    phase: Phase
    elapsed_s: float
    reading: TrafficReading | None
    passed: Counters = Counters()
    alive: bool = True


def resolve_thresholds(settings: Settings, service: Service, lane: Lane, services: int = 1) -> Plan:
    """The canary of a service in a lane: the tier's thresholds over the general ones, then what the lane changes.

    `services` is how many services the change brings to production: they share the chance of a false alarm.
    """
    general, tier, canary = settings.thresholds, getattr(settings.tiers, service.tier), settings.canary
    weight = tier.canary_traffic_initial_pct or general.canary_traffic_initial_pct
    minutes = tier.canary_monitoring_duration_min or general.canary_monitoring_duration_min
    errors = general.error_rate_threshold if tier.error_rate_threshold is None else tier.error_rate_threshold
    factor = settings.lanes.performance_canary_factor if lane is Lane.PERFORMANCE else 1.0
    if lane is Lane.INTEGRATION:
        weight, *later = settings.lanes.integration_steps_pct
        steps = _ascending(weight, tuple(later))
    else:
        steps = _ascending(weight, canary.steps_pct)
    tests = 1 + 2 * (1 + len(steps))  # the floor of the warm-up; errors and latency in the watch and in each step
    return Plan(
        weight_percent=weight,
        steps_percent=steps,
        rules=Rules(
            watch_s=minutes * 60 * factor,
            step_s=canary.step_duration_s,
            warmup_s=canary.warmup_s,
            error_rate_limit=errors / factor,
            p99_limit_ms=tier.p99_latency_threshold_ms or general.p99_latency_threshold_ms,
            catastrophic_error_rate=canary.catastrophic_error_rate,
            min_requests=canary.min_requests,
            extend_max_factor=canary.extend_max_factor,
            alpha=canary.false_alarm_rate / (tests * max(services, 1)),
        ),
    )


def _ascending(first: float, later: tuple[float, ...]) -> tuple[float, ...]:
    """The later weights that are higher than all before them; the last one is always 100."""
    steps: list[float] = []
    for weight in (*later, FULL_PERCENT):
        if weight > (steps[-1] if steps else first):
            steps.append(weight)
    return tuple(steps)


def rules_of(starting: CanaryStarting) -> Rules:
    """The rules that were written into the decision to start: a change of configuration does not move them."""
    return Rules(
        watch_s=starting.watch_s,
        step_s=starting.step_s,
        warmup_s=starting.warmup_s,
        error_rate_limit=starting.error_rate_limit,
        p99_limit_ms=starting.p99_limit_ms,
        catastrophic_error_rate=starting.catastrophic_error_rate,
        min_requests=starting.min_requests,
        extend_max_factor=starting.extend_max_factor,
        alpha=starting.alpha,
    )


def compute_requests_needed(rules: Rules, phase: Phase) -> int:
    """Canary requests without which a phase can't pass. A step needs its part of the watch's number, by time."""
    if phase is Phase.WARM_UP:
        return 0
    if phase is Phase.WATCH or rules.watch_s <= 0:
        return rules.min_requests
    return max(1, math.ceil(rules.min_requests * min(1.0, rules.step_s / rules.watch_s)))


def compute_since(start: TrafficReading, now: TrafficReading) -> TrafficReading | None:
    """What was counted between two readings; None if a counter went backwards or contradicts another."""
    parts = [_minus(now.stable, start.stable), _minus(now.canary, start.canary)]
    if any(min(p.requests, p.errors, p.over_limit, p.requests - p.errors) < 0 for p in parts):
        return None
    if any(p.over_limit > p.requests for p in parts):
        return None
    return TrafficReading(stable=parts[0], canary=parts[1])


def detect_lag(start: TrafficReading, now: TrafficReading) -> bool:
    """Whether more slow requests than requests were counted: the proxy fills its histogram a moment after it counted.

    Where the reading before was taken in such a moment, what was slow then is added to what was slow since.
    """
    parts = [_minus(now.stable, start.stable), _minus(now.canary, start.canary)]
    return any(part.over_limit > part.requests >= 0 for part in parts)


def compute_sum(first: Counters, second: Counters) -> Counters:
    """Both together, without the histogram."""
    return Counters(
        requests=first.requests + second.requests,
        errors=first.errors + second.errors,
        over_limit=first.over_limit + second.over_limit,
    )


def _minus(now: Counters, start: Counters) -> Counters:
    before = dict(start.histogram)
    return Counters(
        requests=now.requests - start.requests,
        errors=now.errors - start.errors,
        over_limit=now.over_limit - start.over_limit,
        histogram=tuple((bound, count - before.get(bound, 0)) for bound, count in now.histogram),
    )


class _Share(msgspec.Struct, frozen=True, kw_only=True):
    """One metric as the judge sees it: bad of total, for the canary, for stable, and for the canary's whole judgement
    so far (earlier phases and this one)."""

    metric: str
    words: str
    limit: float
    bad: int
    total: int
    stable_bad: int
    stable_total: int
    whole_bad: int
    whole_total: int

    @property
    def value(self) -> float:
        return self.bad / self.total if self.total else 0.0

    @property
    def stable_is_over(self) -> bool:
        return self.stable_bad > self.limit * self.stable_total

    @property
    def figures(self) -> str:
        seen = f"{self.bad} of {self.total} canary requests {self.words} ({self.value:.2%}, limit {self.limit:.2%})"
        if self.stable_total:
            seen += f"; stable: {self.stable_bad} of {self.stable_total} ({self.stable_bad / self.stable_total:.2%})"
        return seen

    def answer(self, verdict: Verdict, reason: str) -> MetricJudgement:
        return MetricJudgement(
            metric=self.metric, value=self.value, limit=self.limit, verdict=verdict, reason=f"{self.figures}: {reason}"
        )


def judge_canary(rules: Rules, moment: Moment) -> CanaryJudgement:
    """The verdict now. PASS ends the phase well; WAIT lets it go on; FAIL and INCONCLUSIVE end the canary."""
    if not moment.alive:
        return CanaryJudgement(verdict=Verdict.FAIL, reason="the canary's process is gone")
    if moment.reading is None:
        return CanaryJudgement(
            verdict=Verdict.INCONCLUSIVE, reason="the proxy's counters went backwards: what was seen can't be told"
        )
    shares = _shares(rules, moment, moment.reading)
    running = tuple(_judge_running(share, rules.alpha) for share in shares)
    needed = compute_requests_needed(rules, moment.phase)
    broken = _worst(running)
    if broken.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        return _answer(broken.verdict, broken.reason, running, moment, needed)
    duration = rules.duration_s(moment.phase)
    requests = moment.reading.canary.requests
    if moment.elapsed_s < duration:
        reason = f"{moment.elapsed_s:.0f} of {duration:.0f} s, {requests} requests" + (
            f" of {needed}" if needed else ""
        )
        return _answer(Verdict.WAIT, reason, running, moment, needed)
    if moment.phase is Phase.WARM_UP:
        return _answer(Verdict.PASS, "the warm-up is over; its requests are left out", running, moment, needed)
    if requests < needed:
        return _judge_too_few(rules, moment, running, needed)
    ended = tuple(_judge_ended(share) for share in shares)
    worst = _worst(ended)
    if worst.verdict is Verdict.PASS:
        reason = f"every figure is at or under its limit after {moment.elapsed_s:.0f} s and {requests} canary requests"
        return _answer(Verdict.PASS, reason, ended, moment, needed)
    return _answer(worst.verdict, worst.reason, ended, moment, needed)


def _shares(rules: Rules, moment: Moment, reading: TrafficReading) -> tuple[_Share, ...]:
    canary, stable, whole = reading.canary, reading.stable, compute_sum(moment.passed, reading.canary)
    warming = moment.phase is Phase.WARM_UP
    errors = _Share(
        metric="error_rate",
        words="failed",
        limit=rules.catastrophic_error_rate if warming else rules.error_rate_limit,
        bad=canary.errors,
        total=canary.requests,
        stable_bad=stable.errors,
        stable_total=stable.requests,
        whole_bad=whole.errors,
        whole_total=whole.requests,
    )
    if warming:
        return (errors,)
    slow = _Share(
        metric="p99_latency",
        words=f"took over {rules.p99_limit_ms:g} ms",
        limit=SLOW_SHARE_LIMIT,
        bad=canary.over_limit,
        total=canary.requests,
        stable_bad=stable.over_limit,
        stable_total=stable.requests,
        whole_bad=whole.over_limit,
        whole_total=whole.requests,
    )
    return (errors, slow)


def _judge_running(share: _Share, alpha: float) -> MetricJudgement:
    """The test that may be asked at every tick. A stable version that is over the limit itself points to the
    environment: then the canary fails only if it is proven to be worse than stable, by confidence sequences that do
    not overlap; else nobody can tell, which is inconclusive."""
    if not detect_over(share.bad, share.total, share.limit, alpha):
        return share.answer(Verdict.WAIT, "not over the limit beyond doubt")
    if not share.stable_is_over:
        return share.answer(Verdict.FAIL, f"over the limit (chance of a false alarm under {alpha:.1e})")
    canary = compute_lower_bound(share.bad, share.total, alpha / 2)
    stable = compute_upper_bound(share.stable_bad, share.stable_total, alpha / 2)
    if canary > stable:
        return share.answer(
            Verdict.FAIL, f"over the limit, and worse than stable ({canary:.2%} > {stable:.2%} at best)"
        )
    return share.answer(Verdict.INCONCLUSIVE, "stable is over the limit as well, so it may be the environment")


def _judge_ended(share: _Share) -> MetricJudgement:
    """The literal limit, at the end of a phase, on all that was judged so far: over it is not promoted."""
    if share.whole_bad <= share.limit * share.whole_total:
        return share.answer(Verdict.PASS, "at or under the limit")
    whole = (
        f"{share.whole_bad} of {share.whole_total} ({share.whole_bad / share.whole_total:.2%}) since the watch began"
    )
    if share.stable_is_over:
        return share.answer(Verdict.INCONCLUSIVE, f"{whole} is over the limit, and so is stable: the environment?")
    return share.answer(Verdict.FAIL, f"{whole} is over the limit, though not beyond doubt: the safe side is back")


def _judge_too_few(rules: Rules, moment: Moment, running: tuple[MetricJudgement, ...], needed: int) -> CanaryJudgement:
    assert moment.reading is not None
    requests = moment.reading.canary.requests
    longest = rules.duration_s(moment.phase) * rules.extend_max_factor
    seen = f"{requests} canary requests in {moment.elapsed_s:.0f} s, {needed} are needed"
    if moment.elapsed_s < longest:
        return _answer(Verdict.WAIT, f"{seen}: extended up to {longest:.0f} s", running, moment, needed)
    return _answer(Verdict.INCONCLUSIVE, f"{seen}: too few to tell", running, moment, needed)


_ORDER = (Verdict.PASS, Verdict.WAIT, Verdict.INCONCLUSIVE, Verdict.FAIL)


def _worst(metrics: tuple[MetricJudgement, ...]) -> MetricJudgement:
    return max(metrics, key=lambda m: _ORDER.index(m.verdict))


def _answer(
    verdict: Verdict, reason: str, metrics: tuple[MetricJudgement, ...], moment: Moment, needed: int
) -> CanaryJudgement:
    requests = moment.reading.canary.requests if moment.reading else 0
    return CanaryJudgement(verdict=verdict, reason=reason, metrics=metrics, requests=requests, needed=needed)
