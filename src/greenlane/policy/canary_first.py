"""The canary judge of version 1, as it was: what it judged is judged again by it. Called by `replay` only.

It looked at the sums since a phase began, not at ticks. New canaries are judged by `policy/canary.py`.
"""

from __future__ import annotations

import msgspec

from greenlane.domain.delivery import CanaryJudgement, Counters, MetricJudgement, TrafficReading, Verdict
from greenlane.policy.canary_plan import SLOW_SHARE_LIMIT, Phase, Rules, compute_requests_needed
from greenlane.policy.counting import compute_sum
from greenlane.policy.sequential import compute_lower_bound, compute_upper_bound, detect_over


class FirstMoment(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge looks at. `reading` counts since the phase began (None: the counters went backwards); `passed` is
    the canary's sum over the judged phases before this one; `alive` is whether its process runs."""

    phase: Phase
    elapsed_s: float
    reading: TrafficReading | None
    passed: Counters = Counters()
    alive: bool = True


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


def judge_by_first(rules: Rules, moment: FirstMoment) -> CanaryJudgement:
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


def _shares(rules: Rules, moment: FirstMoment, reading: TrafficReading) -> tuple[_Share, ...]:
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


def _judge_too_few(rules: Rules, moment: FirstMoment, running: tuple[MetricJudgement, ...], needed: int) -> CanaryJudgement:
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
    verdict: Verdict, reason: str, metrics: tuple[MetricJudgement, ...], moment: FirstMoment, needed: int
) -> CanaryJudgement:
    requests = moment.reading.canary.requests if moment.reading else 0
    return CanaryJudgement(verdict=verdict, reason=reason, metrics=metrics, requests=requests, needed=needed)
