"""Regression: the candidate against the current version under the same load. Called by the validation agent.

Latency is compared by the ratio of quantiles. Each quantile's interval comes from order statistics (David and
Nagaraja, Order Statistics, 3rd ed., 7.1), widened by a design effect from the means of consecutive batches, because
slow answers come in bursts on a busy machine and are no independent draws (batch means: Law and Kelton, Simulation
Modeling and Analysis, 9.5). Both intervals are joined on the log scale by MOVER (Zou and Donner, Statistics in
Medicine 27, 2008). Shares of failed requests are compared by Newcombe's interval (Statistics in Medicine 17, 1998,
method 10). Nothing is drawn at random: the same samples give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, median

import msgspec

from greenlane.domain.delivery import Comparison, Samples, Usage, Verdict

QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
CONFIDENCE = 0.95
"""Of all intervals of one comparison together (Bonferroni over the quantiles)."""
_BATCHES = 10
"""Batches for the design effect: few and long (the literature says 10 to 30), so that a stall of a second or two fits
into one; more and shorter ones called 12 % of comparisons of a version with itself a regression when it stalled."""
_SMALLEST_MS = 0.001
"""Latencies below a microsecond are the clock's grain; keeps logarithms finite."""


class _Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A quantile in ms with its interval; an end is None where the samples don't reach far enough to bound it."""

    value: float
    low: float | None
    high: float | None


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a comparison: PASS, FAIL (a regression) or INCONCLUSIVE, and every reason in words."""

    verdict: Verdict
    reasons: tuple[str, ...]


def compute_samples_needed(quantile: float) -> int:
    """Answers without which the interval of a quantile has no upper end, even if all were independent."""
    return math.ceil(math.log(_level()) / math.log(quantile))


def compare_latency(
    current: Sequence[float], candidate: Sequence[float], *, ratio_max: float, floor_ms: float
) -> tuple[Comparison, ...]:
    """p50, p95 and p99 of the candidate against the current version; latencies in ms, in order of arrival.

    A regression is a whole interval over `ratio_max` with a difference over `floor_ms`, that shows in most of the run:
    the median ratio over its batches is over `ratio_max` too. A stall of one of the two, which a busy machine gives to
    either, is none; what stalls for real now and then is left to the canary. Where an interval is open at the side that
    would prove a regression, `low` is 0; where it is open above, `high` comes from the largest latency.
    """
    if not current or not candidate:
        return ()
    found = []
    for name, quantile in QUANTILES:
        a, b = _interval(current, quantile), _interval(candidate, quantile)
        compared = _compare_quantile(name, a, b, ratio_max, max(candidate))
        regressed = (
            compared.low > ratio_max
            and b.value - a.value > floor_ms
            and _typical_ratio(current, candidate, quantile) > ratio_max
        )
        found.append(msgspec.structs.replace(compared, regressed=regressed))
    return tuple(found)


def _typical_ratio(current: Sequence[float], candidate: Sequence[float], quantile: float) -> float:
    """The median over the batches of a run of the ratio of both quantiles in that batch."""
    sizes = (len(current) // _BATCHES, len(candidate) // _BATCHES)
    if min(sizes) < 1:
        return 1.0
    ratios = []
    for i in range(_BATCHES):
        a, b = (
            sorted(max(x, _SMALLEST_MS) for x in series[i * size : (i + 1) * size])[math.ceil(size * quantile) - 1]
            for series, size in zip((current, candidate), sizes, strict=True)
        )
        ratios.append(b / a)
    return median(ratios)


def _compare_quantile(
    name: str, current: _Interval, candidate: _Interval, ratio_max: float, slowest: float
) -> Comparison:
    log_ratio = math.log(candidate.value / current.value)
    low = 0.0
    if candidate.low is not None and current.high is not None:
        down = math.hypot(math.log(candidate.value / candidate.low), math.log(current.high / current.value))
        low = math.exp(log_ratio - down)
    highest = max(slowest, candidate.value) if candidate.high is None else candidate.high
    lowest = current.value if current.low is None else current.low
    up = math.hypot(math.log(highest / candidate.value), math.log(current.value / lowest))
    return Comparison(
        metric=f"{name}_ms",
        current=current.value,
        candidate=candidate.value,
        ratio=math.exp(log_ratio),
        low=low,
        high=math.exp(log_ratio + up),
        limit=ratio_max,
        regressed=False,
    )


def _interval(latencies: Sequence[float], quantile: float) -> _Interval:
    count = len(latencies)
    ordered = sorted(max(x, _SMALLEST_MS) for x in latencies)
    value = ordered[min(count - 1, math.ceil(count * quantile) - 1)]
    effective = max(1, int(count / _design_effect(latencies, value)))
    low_rank, high_rank = _rank_bounds(effective, quantile, _level())
    low = math.floor(low_rank * count / effective)
    high = math.ceil(high_rank * count / effective)
    return _Interval(
        value=value,
        low=ordered[low - 1] if low >= 1 else None,
        high=ordered[high - 1] if high_rank <= effective else None,
    )


def _rank_bounds(count: int, quantile: float, level: float) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics that the quantile is under, or over, with a chance of at most `level`.

    Exact by the binomial distribution; a rank of 0 or `count` + 1 means that there is none.
    """
    spread = 12 * math.sqrt(count * quantile * (1 - quantile)) + 12
    first = max(0, math.floor(count * quantile - spread))
    last = min(count, math.ceil(count * quantile + spread))
    chances = [_binomial(k, count, quantile) for k in range(first, last + 1)]
    low, below = first, 0.0
    for k, chance in enumerate(chances, start=first):
        below += chance
        if below > level:
            break
        low = k + 1
    high, above = last + 1, 0.0
    for k, chance in zip(range(last, first - 1, -1), reversed(chances), strict=True):
        above += chance
        if above > level:
            break
        high = k
    return low, high


def _binomial(k: int, count: int, share: float) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
    return math.exp(ways + k * math.log(share) + (count - k) * math.log1p(-share))


def _design_effect(latencies: Sequence[float], threshold: float) -> float:
    """How many times larger the variance of 'share over the threshold' is than with independent answers; at least 1."""
    size = len(latencies) // _BATCHES
    if size < 2:
        return 1.0
    means = [
        sum(x > threshold for x in latencies[i * size : (i + 1) * size]) / size for i in range(_BATCHES)
    ]  # fmt: skip
    mean = sum(means) / _BATCHES
    if not 0 < mean < 1:
        return 1.0
    variance = sum((m - mean) ** 2 for m in means) / (_BATCHES - 1)
    return max(1.0, size * variance / (mean * (1 - mean)))


def _level() -> float:
    """Chance at each end of one interval. The joint confidence is split over the quantiles, and made stricter as
    Student's t with the batches' degrees of freedom is wider than the normal (Fisher's expansion)."""
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / len(QUANTILES) / 2)
    v = _BATCHES - 1
    return 1 - NormalDist().cdf(z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2))


def compare_errors(current: Samples, candidate: Samples, *, increase_max: float) -> Comparison:
    """The increase of the share of failed requests: `ratio`, `low` and `high` are differences of shares here."""
    a, b = _Wilson.of(candidate.errors, candidate.requests), _Wilson.of(current.errors, current.requests)
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
        limit=increase_max,
        regressed=low > increase_max,
    )


class _Wilson(msgspec.Struct, frozen=True):
    """A share with Wilson's score interval (Journal of the American Statistical Association 22, 1927)."""

    share: float
    low: float
    high: float

    @classmethod
    def of(cls, bad: int, total: int) -> _Wilson:
        if total <= 0:
            return cls(0.0, 0.0, 1.0)
        z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)
        share = bad / total
        middle = (share + z * z / (2 * total)) / (1 + z * z / total)
        half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
        return cls(share, max(0.0, middle - half), min(1.0, middle + half))


def compare_usage(current: Usage, candidate: Usage, *, ratio_max: float) -> tuple[Comparison, ...]:
    """CPU seconds and resident memory under the same load. Advisory: one figure each has no interval, so neither is
    ever called a regression."""
    pairs = (
        ("cpu_s (advisory)", current.cpu_s, candidate.cpu_s),
        ("rss_mb (advisory)", current.rss_mb, candidate.rss_mb),
    )
    return tuple(
        Comparison(
            metric=metric, current=a, candidate=b, ratio=b / a, low=b / a, high=b / a, limit=ratio_max, regressed=False
        )
        for metric, a, b in pairs
        if a > 0
    )


def compare_absolute(candidate: Samples, *, p99_limit_ms: float, error_rate_limit: float) -> tuple[Comparison, ...]:
    """The candidate alone, where nothing runs to compare it with: held against the limits of production."""
    errors = _Wilson.of(candidate.errors, candidate.requests)
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
        p99 = _interval(candidate.latencies_ms, 0.99)
        ratio = p99.value / p99_limit_ms
        found.append(
            Comparison(
                metric="p99_ms (no current version)",
                current=p99_limit_ms,
                candidate=p99.value,
                ratio=ratio,
                low=ratio if p99.low is None else p99.low / p99_limit_ms,
                high=max(candidate.latencies_ms) / p99_limit_ms if p99.high is None else p99.high / p99_limit_ms,
                limit=1.0,
                regressed=ratio > 1.0,
            )
        )
    return tuple(found)


def assess_comparisons(
    comparisons: Sequence[Comparison], current: Samples | None, candidate: Samples, *, floor_ms: float
) -> Validated:
    """The verdict over all comparisons of a service. Too few answers are inconclusive, which is never a success."""
    regressed = [c for c in comparisons if c.regressed]
    if regressed:
        return Validated(verdict=Verdict.FAIL, reasons=tuple(describe_comparison(c, floor_ms) for c in regressed))
    needed = compute_samples_needed(0.95)
    targets = {"candidate": candidate} | ({"current version": current} if current is not None else {})
    few = [
        f"the {name} gave {len(s.latencies_ms)} answers to {s.requests} requests, {needed} are needed to tell"
        for name, s in targets.items()
        if len(s.latencies_ms) < needed
    ]
    if few:
        return Validated(verdict=Verdict.INCONCLUSIVE, reasons=tuple(few))
    return Validated(verdict=Verdict.PASS, reasons=tuple(describe_comparison(c, floor_ms) for c in comparisons))


def describe_comparison(c: Comparison, floor_ms: float) -> str:
    """One comparison in words, with both figures and the limit."""
    if c.metric.startswith("error_rate_increase"):
        return (
            f"failed requests {c.current:.2%} -> {c.candidate:.2%} "
            f"(increase {c.ratio:+.2%}, interval {c.low:+.2%} to {c.high:+.2%}, limit {c.limit:+.2%})"
        )
    if c.metric.startswith("error_rate"):
        return f"failed requests {c.candidate:.2%} (limit {c.limit:.2%}, no current version to compare with)"
    name, _, _ = c.metric.partition(" ")
    floor = f" and {floor_ms:g} ms" if name.endswith("_ms") else ""
    return (
        f"{name} {c.current:.2f} -> {c.candidate:.2f} "
        f"(ratio {c.ratio:.2f}, interval {c.low:.2f} to {c.high:.2f}, limit {c.limit:.2f}{floor})"
    )
