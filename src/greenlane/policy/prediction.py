"""What production will show: its baseline, times what staging measured, times what past releases taught.

The factor of a service and metric is learned from log(shown / (baseline x ratio)) of past releases: where they lie (M-
estimate of Huber, Annals of Mathematical Statistics 35, 1964) and how far they spread (winsorised standard deviation,
at least the median absolute deviation; Wilcox, Introduction to Robust Estimation, 3rd ed., 3.3), so that one release
that went its own way moves neither much. The interval is one for the next release, by Student's t: spread times
sqrt(1 + 1/n). Shown is what the canary had in its phase with the most traffic, and production in the hour after it.

Staging's ratio is believed as far as it was measured exactly: its logarithm counts u**2 / (u**2 + s**2), where u is how
much releases usually change and s its standard error (the posterior mean of a normal prior; Efron and Morris, Journal
of the American Statistical Association 70, 1975). A p99 of a few hundred answers on a busy machine may well be measured
twice as high as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Comparison, Counters, Samples
from greenlane.domain.production import SLOT_S, TrafficSlot
from greenlane.policy.baseline import Baseline, compute_histogram_quantile, detect_switches, merge_histograms
from greenlane.policy.paired import compute_student_t

P99 = "p99_ms"
ERROR_RATE = "error_rate"
METRICS = (P99, ERROR_RATE)
COVERAGE = 0.90
"""Of the interval of a prediction: a twentieth of the releases is to lie over its upper end."""
RELEASES_MAX = 50
"""Newer releases say more of how things are now."""
SHOWN_MIN = 100
"""Fewer requests of a canary show no 99th percentile."""
SHOWN_FOR = timedelta(hours=1)
"""How long production counts as what a release showed: the next hours of the day are no more those of its baseline."""
_INTERVAL_MIN = 3
"""Releases under which there is no interval at all."""
_HUBER = 1.345
"""The usual tuning: 95 % as exact as the mean where nothing is unusual."""
_PRIOR = 2
"""Releases without a surprise that are counted besides: one or two releases alone make no factor."""
_WINSOR = 3.5
"""Far-off releases count as if they lay here. Nearer in, 90 % intervals of a tail like Student's t3 hold 87 %."""
_SPREAD_MIN = 0.02
"""No two releases are measured more exactly than 2 %."""
_PSEUDO_FAILURES = 0.5
"""Added to both counts of failed requests in staging: none at all has no logarithm."""
_USUAL_CHANGE = {P99: 0.2, ERROR_RATE: 0.5}
"""How much a release usually changes a metric (standard deviation on the log scale)."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction that was made, and what was shown: `bad` of `requests` failed."""

    run: str
    at: str
    prediction: e.Prediction
    shown: float
    requests: int
    bad: int = 0

    @property
    def surprise(self) -> float:
        """log(shown / expected without a factor); for error rates with half a failure added to both counts."""
        raw = self.prediction.baseline * self.prediction.ratio
        if self.prediction.metric == ERROR_RATE:
            return math.log((self.bad + 0.5) / (self.requests * raw + 0.5))
        return math.log(self.shown / raw)

    @property
    def held(self) -> bool | None:
        """Whether what was shown lies in the interval that was given; None if there was none."""
        p = self.prediction
        if p.low is None or p.high is None:
            return None
        raw = p.baseline * p.ratio
        return math.log(p.low / raw) - 1e-9 <= self.surprise <= math.log(p.high / raw) + 1e-9


class StagingRatio(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate over current version in staging, with its standard error on the log scale."""

    metric: str
    measured: float
    error: float

    @property
    def believed(self) -> float:
        usual = _USUAL_CHANGE[self.metric] ** 2
        return math.exp(math.log(self.measured) * usual / (usual + self.error**2))


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """The factor of a service and metric on the log scale, and half the width of the next release's interval (None: too
    few releases)."""

    log_factor: float = 0.0
    half: float | None = None
    releases: int = 0


def learn(surprises: Sequence[float]) -> Learned:
    """From what past releases showed, oldest first."""
    recent = list(surprises[-RELEASES_MAX:])
    if not recent:
        return Learned()
    middle = median(recent)
    mad = max(_SPREAD_MIN, 1.4826 * median(abs(x - middle) for x in recent))
    with_prior = [*recent, *[0.0] * _PRIOR]
    centre = _huber(with_prior, median(with_prior), mad)
    if len(recent) < _INTERVAL_MIN:
        return Learned(log_factor=centre, releases=len(recent))
    clipped = [min(max(x, centre - _WINSOR * mad), centre + _WINSOR * mad) for x in recent]
    spread = max(mad, math.sqrt(sum((x - centre) ** 2 for x in clipped) / (len(clipped) - 1)))
    t = compute_student_t(1 - (1 - COVERAGE) / 2, len(recent) - 1)
    return Learned(log_factor=centre, half=t * spread * math.sqrt(1 + 1 / len(recent)), releases=len(recent))


def _huber(values: Sequence[float], start: float, scale: float) -> float:
    """Huber's M-estimate of location with the scale fixed, by reweighting until it stands still."""
    centre = start
    for _ in range(50):
        weights = [min(1.0, _HUBER * scale / max(abs(x - centre), 1e-12)) for x in values]
        moved = sum(w * x for w, x in zip(weights, values, strict=True)) / sum(weights)
        if abs(moved - centre) < 1e-9:
            break
        centre = moved
    return centre


# ------------------------------------------------------------------ predicting


def predict(
    staging: StagingRatio,
    baseline: Baseline,
    past: Sequence[Release],
    *,
    limit: float,
    min_releases: int,
) -> e.Prediction | None:
    """None where the baseline has no such figure."""
    metric, ratio = staging.metric, staging.believed
    if metric == P99:
        base = baseline.p99_ms
    else:
        base = (baseline.errors + 0.5) / (baseline.requests + 1) if baseline.requests else None
    if base is None:
        return None
    taught = [r for r in past if r.prediction.metric == metric and r.prediction.service == baseline.service]
    learned = learn([r.surprise for r in taught])
    predicted = base * ratio * math.exp(learned.log_factor)
    half = learned.half
    return e.Prediction(
        service=baseline.service,
        metric=metric,
        baseline=base,
        scope=baseline.scope,
        ratio=ratio,
        factor=math.exp(learned.log_factor),
        predicted=predicted,
        low=None if half is None else predicted * math.exp(-half),
        high=None if half is None else predicted * math.exp(half),
        limit=limit,
        releases=learned.releases,
        missing=max(0, min_releases - learned.releases),
        learned_from=tuple(r.run for r in taught[-RELEASES_MAX:]),
        measured=staging.measured,
    )


def compute_error_ratio(current: Samples, candidate: Samples) -> StagingRatio:
    """Of the shares of failed requests; its error is that of two counts (the delta method)."""
    counts = [s.errors + _PSEUDO_FAILURES for s in (current, candidate)]
    a, b = (n / (s.requests + 2 * _PSEUDO_FAILURES) for n, s in zip(counts, (current, candidate), strict=True))
    return StagingRatio(metric=ERROR_RATE, measured=b / a, error=math.sqrt(sum(1 / n for n in counts)))


def compute_p99_ratio(comparisons: Iterable[Comparison]) -> StagingRatio | None:
    """The ratio at which neither version leans over the other; None if p99 was not compared so."""
    for c in comparisons:
        if c.metric == P99 and c.balanced is not None and c.error is not None:
            return StagingRatio(metric=P99, measured=c.balanced, error=c.error)
    return None


# ------------------------------------------------------------------ what became of it


def detect_releases(changes: Sequence[Change], service: str, slots: Sequence[TrafficSlot] = ()) -> tuple[Release, ...]:
    """Each prediction of these runs whose canary showed enough, oldest first. `slots`: production, as far as known."""
    found = []
    switches = detect_switches(changes, service)
    for change in changes:
        if change.validation is None:
            continue
        shown = _shown(change, service)
        if shown is None:
            continue
        shown = _and_then(shown, _slots_after(change, service, switches, slots))
        p99 = compute_histogram_quantile(shown.histogram, 0.99)
        for prediction in change.validation.predictions:
            if prediction.service != service or (prediction.metric == P99 and p99 is None):
                continue
            value = p99 if prediction.metric == P99 else shown.errors / shown.requests
            found.append(
                Release(
                    run=change.run,
                    at=change.history[-1].timestamp,
                    prediction=prediction,
                    shown=value or 0.0,
                    requests=shown.requests,
                    bad=shown.errors,
                )
            )
    return tuple(found)


def _shown(change: Change, service: str) -> Counters | None:
    """The canary's counters in its phase with the most traffic, the last one of those; None if they are too few.

    A canary that was rolled back counts with what it showed until then.
    """
    canaries = {s.deployment_id for s in change.all_of(e.CanaryStarting) if s.service == service}
    best: tuple[float, Counters] | None = None
    weight = 0.0
    for recorded in change.history:
        event = recorded.event
        if isinstance(event, e.CanaryObserved) and event.deployment_id in canaries and event.phase in ("watch", "step"):
            weight, counters = event.weight_percent, event.reading.canary
        elif isinstance(event, e.CanaryRollingBack) and event.deployment_id in canaries:
            counters = event.reading.canary
        else:
            continue
        if counters.requests >= SHOWN_MIN and (best is None or weight >= best[0]):
            best = (weight, counters)
    return best[1] if best else None


def _slots_after(
    change: Change, service: str, switches: Sequence[datetime], slots: Sequence[TrafficSlot]
) -> list[TrafficSlot]:
    """Whole slots in which production ran this change's version, soon after it got all traffic."""
    mine = detect_switches((change,), service)
    if not mine:
        return []
    begins = mine[0]
    ends = min([begins + SHOWN_FOR, *(s for s in switches if s > begins)])
    return [s for s in slots if s.begins >= begins.timestamp() and s.begins + SLOT_S <= ends.timestamp()]


def _and_then(canary: Counters, slots: Sequence[TrafficSlot]) -> Counters:
    """Both together. A histogram without a common bound, or none, leaves that of the canary."""
    merged = merge_histograms([h for h in (canary.histogram, *(s.histogram for s in slots)) if h])
    return Counters(
        requests=canary.requests + sum(s.requests for s in slots),
        errors=canary.errors + sum(s.errors for s in slots),
        histogram=merged or canary.histogram,
    )


# ------------------------------------------------------------------ judging


class PredictionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What predictions say of going to production: `blocks` (even the lower end is over the limit), `asks` (the upper
    end is), and all in words."""

    blocks: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def assess_predictions(predictions: Iterable[e.Prediction]) -> PredictionVerdict:
    """Advisory until enough releases are known. Where production is over the limit already, that is told elsewhere and
    decides nothing here: the candidate did not bring it."""
    blocks, asks, told = [], [], []
    for p in predictions:
        text = describe_prediction(p)
        told.append(text)
        if p.missing or p.low is None or p.high is None or p.baseline > p.limit:
            continue
        if p.low > p.limit:
            blocks.append(text)
        elif p.high > p.limit:
            asks.append(text)
    return PredictionVerdict(blocks=tuple(blocks), asks=tuple(asks), told=tuple(told))


def describe_prediction(p: e.Prediction) -> str:
    """One prediction in words, with what it was made of."""

    def figure(value: float) -> str:
        return f"{value:.0f} ms" if p.metric == P99 else f"{value:.3%}"

    interval = "no interval yet" if p.low is None or p.high is None else f"90 %: {figure(p.low)} to {figure(p.high)}"
    measured = "" if p.measured is None or p.measured == p.ratio else f" (measured {p.measured:.2f})"
    more = f"; advisory, {p.missing} releases are missing until it decides" if p.missing else ""
    name = "p99" if p.metric == P99 else "failed requests"
    return (
        f"{p.service} in production: {name} {figure(p.predicted)} ({interval}; limit {figure(p.limit)}) = "
        f"baseline {figure(p.baseline)} ({p.scope}) x staging {p.ratio:.2f}{measured} x factor {p.factor:.2f} from "
        f"{p.releases} releases{more}"
    )
