"""Regression: the candidate against the current version under the same load. Called by the validation agent.

Latency: three quantiles by their ratio, with the paired block test of `policy.paired`. CPU: by the ratio of what both
used. Failed requests: by Newcombe's interval of the difference of shares (Statistics in Medicine 17, 1998, method 10).
The chance of a false alarm is split over these and over the looks at a load that goes on (Bonferroni over looks whose
shares grow with the load, after Lan and DeMets, Biometrika 70, 1983), so it holds for the whole comparison however
often it is looked at. Nothing is drawn at random: the same samples give the same answer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import msgspec

from greenlane.domain.delivery import Comparison, Samples, Verdict, Watched
from greenlane.domain.settings import Validation
from greenlane.policy.paired import (
    RatioInterval,
    Series,
    compare_quantile,
    compare_sums,
    compute_slope,
    count_blocks,
    make_series,
)

QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
_LATENCIES = frozenset(f"{name}_ms" for name, _ in QUANTILES)
SHARES = {"p50": 1 / 6, "p95": 1 / 6, "p99": 2 / 6, "errors": 1 / 6, "cpu": 1 / 6}
"""How the chance of a false alarm is split: the rarest answers get the most, since they need it."""
_ABSOLUTE_LEVEL = 0.025
"""Chance at each end of an interval that is only told, where there is no current version."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a load that may go on: the load that was sent so far, and the share of all chances that this look may
    spend. The shares of all looks make 1."""

    load_s: float
    spends: float
    last: bool


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: PASS, FAIL (a regression), INCONCLUSIVE, or WAIT (more load would tell), and every reason."""

    verdict: Verdict
    reasons: tuple[str, ...]


def plan_looks(limits: Validation) -> tuple[Look, ...]:
    """After 1, 2, 4, ... stretches of `load_duration_s`, the last at the most load there may be."""
    most = max(1, round(limits.load_extend_max_factor))
    rounds, n = [], 1
    while n < most:
        rounds.append(n)
        n *= 2
    rounds.append(most)
    before = [0, *rounds]
    return tuple(
        Look(load_s=limits.load_duration_s * n, spends=(n - earlier) / most, last=n == most)
        for earlier, n in zip(before, rounds, strict=False)
    )


def compute_samples_needed(quantile: float, limits: Validation) -> int:
    """Answers without which no slowdown of this quantile could be proved at the first look, however bad."""
    name = next(name for name, share in QUANTILES if share == quantile)
    alpha = limits.false_alarm_rate * SHARES[name] * plan_looks(limits)[0].spends
    return math.ceil(math.log2(1 / alpha) / (2 * (1 - quantile)))


# ------------------------------------------------------------------ comparing


def compare_latency(current: Samples, candidate: Samples, look: Look, limits: Validation) -> tuple[Comparison, ...]:
    """p50, p95 and p99 of the candidate against the current version.

    A regression is a whole interval over `latency_ratio_max` with a difference over `latency_floor_ms`. `low` can be
    wrong with the chance that this look spends of `false_alarm_rate`, `high` likewise of `miss_rate`.
    """
    if not current.latencies_ms or not candidate.latencies_ms:
        return ()
    blocks = count_blocks(look.load_s)
    a, b = (_series(samples, look.load_s, blocks) for samples in (current, candidate))
    found = []
    for name, quantile in QUANTILES:
        interval = compare_quantile(
            a,
            b,
            quantile,
            alpha=limits.false_alarm_rate * SHARES[name] * look.spends,
            beta=limits.miss_rate * look.spends,
            blocks=blocks,
        )
        over = interval.candidate - interval.current > limits.latency_floor_ms
        found.append(_comparison(f"{name}_ms", interval, limits.latency_ratio_max, noticeable=over))
    return tuple(found)


def _series(samples: Samples, span_s: float, blocks: int) -> Series:
    count = len(samples.latencies_ms)
    at_s = samples.at_s or tuple(span_s * i / count for i in range(count))
    return make_series(samples.latencies_ms, at_s, span_s, blocks)


def _comparison(metric: str, interval: RatioInterval, limit: float, *, noticeable: bool) -> Comparison:
    return Comparison(
        metric=metric,
        current=interval.current,
        candidate=interval.candidate,
        ratio=interval.ratio,
        low=interval.low,
        high=interval.high,
        limit=limit,
        regressed=noticeable and interval.low > limit,
        balanced=interval.balanced,
        error=interval.error,
    )


def compare_errors(current: Samples, candidate: Samples, look: Look, limits: Validation) -> Comparison:
    """The increase of the share of failed requests: `ratio`, `low` and `high` are differences of shares here."""
    level = limits.false_alarm_rate * SHARES["errors"] * look.spends
    a = _Wilson.of(candidate.errors, candidate.requests, level)
    b = _Wilson.of(current.errors, current.requests, level)
    difference = a.share - b.share
    low = difference - math.hypot(a.share - a.low, b.high - b.share)
    high = difference + math.hypot(a.high - a.share, b.share - b.low)
    return Comparison(
        metric="error_rate_increase",
        current=b.share,
        candidate=a.share,
        ratio=difference,
        low=low,
        high=high,
        limit=limits.error_rate_increase_max,
        regressed=low > limits.error_rate_increase_max,
    )


class _Wilson(msgspec.Struct, frozen=True):
    """A share with Wilson's score interval (Journal of the American Statistical Association 22, 1927)."""

    share: float
    low: float
    high: float

    @classmethod
    def of(cls, bad: int, total: int, level: float) -> _Wilson:
        """`level` is the chance at each end."""
        if total <= 0:
            return cls(0.0, 0.0, 1.0)
        z = NormalDist().inv_cdf(1 - level)
        share = bad / total
        middle = (share + z * z / (2 * total)) / (1 + z * z / total)
        half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
        return cls(share, max(0.0, middle - half), min(1.0, middle + half))


def compare_usage(
    current: Watched, candidate: Watched, requests: int, look: Look, limits: Validation
) -> tuple[Comparison, ...]:
    """CPU milliseconds a request, and growth of memory in MB a minute under load; of the whole process trees.

    CPU is judged like latency. Growth is only told: memory that fills a cache looks like memory that is lost, and a
    run of two minutes can't tell them apart.
    """
    found = []
    parts = tuple(_parts(w) for w in (current, candidate))
    alpha = limits.false_alarm_rate * SHARES["cpu"] * look.spends
    interval = compare_sums(parts[0], parts[1], alpha=alpha) if requests else None
    if interval is not None:
        per_request = msgspec.structs.replace(
            interval,
            current=interval.current * 1000 / requests,
            candidate=interval.candidate * 1000 / requests,
        )
        over = per_request.candidate - per_request.current > limits.latency_floor_ms
        found.append(_comparison("cpu_ms_per_request", per_request, limits.cpu_ratio_max, noticeable=over))
    if len(current.at_s) > 1 and len(candidate.at_s) > 1:
        slopes = [compute_slope([u.rss_mb for u in w.usage], w.at_s) * 60 for w in (current, candidate)]
        difference = slopes[1] - slopes[0]
        found.append(
            Comparison(
                metric="rss_growth_mb_per_min (advisory)",
                current=slopes[0],
                candidate=slopes[1],
                ratio=difference,
                low=difference,
                high=difference,
                limit=0.0,
                regressed=False,
            )
        )
    return tuple(found)


def _parts(watched: Watched) -> list[float]:
    """CPU seconds between each look and the one before."""
    used = [u.cpu_s for u in watched.usage]
    return [max(0.0, later - earlier) for earlier, later in itertools.pairwise(used)]


def compare_absolute(candidate: Samples, *, p99_limit_ms: float, error_rate_limit: float) -> tuple[Comparison, ...]:
    """The candidate alone, where nothing runs to compare it with: held against the limits of production."""
    errors = _Wilson.of(candidate.errors, candidate.requests, _ABSOLUTE_LEVEL)
    found = [
        Comparison(
            metric="error_rate (no current version)",
            current=error_rate_limit,
            candidate=errors.share,
            ratio=errors.share,
            low=errors.low,
            high=errors.high,
            limit=error_rate_limit,
            regressed=errors.share > error_rate_limit,
        )
    ]
    if candidate.latencies_ms:
        ordered = sorted(candidate.latencies_ms)
        value, low, high = (_value_at(ordered, shift) / p99_limit_ms for shift in (0.0, -1.0, 1.0))
        found.append(
            Comparison(
                metric="p99_ms (no current version)",
                current=p99_limit_ms,
                candidate=value * p99_limit_ms,
                ratio=value,
                low=low,
                high=high,
                limit=1.0,
                regressed=value > 1.0,
            )
        )
    return tuple(found)


def _value_at(ordered: Sequence[float], end: float) -> float:
    """The p99 (`end` 0), or the order statistic at an end (-1, 1) of its 95 % interval (David and Nagaraja, Order
    Statistics, 3rd ed., 7.1, by the normal approximation)."""
    count, share = len(ordered), 0.99
    z = NormalDist().inv_cdf(1 - _ABSOLUTE_LEVEL) * end
    rank = math.ceil(count * share + z * math.sqrt(count * share * (1 - share)))
    return ordered[max(0, min(count, rank) - 1)]


# ------------------------------------------------------------------ judging


def assess_comparisons(
    comparisons: Sequence[Comparison], samples: Mapping[str, Samples], look: Look, limits: Validation
) -> Validated:
    """The verdict over all comparisons of a service; `samples` by the name of the version, in words.

    FAIL as soon as a regression is proved. PASS once a slowdown of `latency_ratio_find` is ruled out, or the load is
    used up without a proof. Too few answers by then are inconclusive, which is never a success.
    """
    regressed = [c for c in comparisons if c.regressed]
    if regressed:
        return Validated(verdict=Verdict.FAIL, reasons=tuple(describe_comparison(c, limits) for c in regressed))
    needed = compute_samples_needed(0.95, limits)
    few = [
        f"the {name} gave {len(s.latencies_ms)} answers to {s.requests} requests, {needed} are needed to tell"
        for name, s in samples.items()
        if len(s.latencies_ms) < needed
    ]
    told = tuple(few) or tuple(describe_comparison(c, limits) for c in comparisons)
    if not look.last and (few or _may_hide(comparisons, limits)):
        return Validated(verdict=Verdict.WAIT, reasons=told)
    return Validated(verdict=Verdict.INCONCLUSIVE if few else Verdict.PASS, reasons=told)


def _may_hide(comparisons: Sequence[Comparison], limits: Validation) -> bool:
    """Whether a slowdown that is to be found may still be there: more load would tell."""
    find = max(limits.latency_ratio_find, limits.latency_ratio_max)
    latency = [c for c in comparisons if c.metric in _LATENCIES]
    return any(c.high >= find and c.current * (c.high - 1) > limits.latency_floor_ms for c in latency)


def is_over_unproven(c: Comparison, limits: Validation) -> bool:
    """Whether it is measured over its limit without a proof: of latencies, only what users would notice and what may
    be as slow as is to be found. Less is what two runs of one version differ by."""
    if c.regressed or c.ratio <= c.limit or "advisory" in c.metric:
        return False
    return c.metric not in _LATENCIES or (_may_hide((c,), limits) and c.candidate - c.current > limits.latency_floor_ms)


def describe_comparison(c: Comparison, limits: Validation) -> str:
    """One comparison in words, with both figures and the limit."""
    if c.metric.startswith("error_rate_increase"):
        return (
            f"failed requests {c.current:.2%} -> {c.candidate:.2%} "
            f"(increase {c.ratio:+.2%}, interval {c.low:+.2%} to {c.high:+.2%}, limit {c.limit:+.2%})"
        )
    if c.metric.startswith("error_rate"):
        return f"failed requests {c.candidate:.2%} (limit {c.limit:.2%}, no current version to compare with)"
    if c.metric.startswith("rss_growth"):
        return f"memory under load {c.current:+.1f} -> {c.candidate:+.1f} MB a minute (told, not judged)"
    name, _, _ = c.metric.partition(" ")
    floor = f" and {limits.latency_floor_ms:g} ms" if "(no current" not in c.metric else ""
    return (
        f"{name} {c.current:.2f} -> {c.candidate:.2f} "
        f"(ratio {c.ratio:.2f}, interval {c.low:.2f} to {c.high:.2f}, limit {c.limit:.2f}{floor})"
    )
