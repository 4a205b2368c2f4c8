"""Two versions that were asked side by side: how far apart are they, whatever the machine did meanwhile?

The run is cut into blocks of time. Both versions live through each block together, so what the machine does to both
drops out of the difference of the two in that block; what it does to one of them alone is as likely to hit the other.
So the signs of the differences are exchangeable between equal versions, and a test that flips them at random is exact
for blocks that are independent of each other. What is summed is signed ranks (F. Wilcoxon, Biometrics Bulletin 1,
1945): a stall of one version, however bad, is one block or two, and one block proves nothing and hides nothing.

The interval of a ratio holds the ratios that this test does not reject (test inversion; Lehmann and Romano, Testing
Statistical Hypotheses, 3rd ed., 5.4). The distribution under random signs is counted, not drawn: the same samples give
the same answer.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from statistics import NormalDist, median

import msgspec

BLOCKS_MIN = 24
BLOCKS_MAX = 40
BLOCK_S = 2.0
"""A run has 24 to 40 blocks, of 2 s where that fits: long enough for what stalls a process, short enough for a test
that has to reach one in a thousand (24 signs can reach 2**-24)."""
_SMALLEST_MS = 0.001
"""Latencies below a microsecond are the clock's grain; keeps logarithms finite."""
_STEPS = 17
"""Halvings of the search for an end of an interval: to a hundred thousandth of the range."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies of one version in ascending order, and the block in which each of them was asked."""

    values: tuple[float, ...]
    blocks: tuple[int, ...]


class RatioInterval(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles of both versions in ms, their ratio, and the ratios that were not rejected at either end.

    `low` is 0 where the samples can't prove a slowdown at all; `high` then ends where all samples are told apart.
    `balanced` is the ratio between the two ends at which the test leans neither way (Hodges and Lehmann, Annals of
    Mathematical Statistics 34, 1963), and `error` its standard error on the log scale, as the ends tell it.
    """

    current: float
    candidate: float
    ratio: float
    low: float
    high: float
    balanced: float | None = None
    error: float | None = None


def count_blocks(span_s: float) -> int:
    """Blocks of a run of so many seconds."""
    return max(BLOCKS_MIN, min(BLOCKS_MAX, int(span_s / BLOCK_S)))


def make_series(latencies_ms: Sequence[float], at_s: Sequence[float], span_s: float, blocks: int) -> Series:
    """Latencies in ms by the block of their planned moments `at_s` (0 to `span_s`)."""
    width = span_s / blocks
    pairs = sorted(
        (max(value, _SMALLEST_MS), min(blocks - 1, max(0, int(at / width))))
        for value, at in zip(latencies_ms, at_s, strict=True)
    )
    return Series(values=tuple(v for v, _ in pairs), blocks=tuple(b for _, b in pairs))


def compute_sign_chance(differences: Sequence[int]) -> float:
    """The chance that random signs give a rank sum as large as this one: small, and the differences lean to above 0.

    Counted over all 2**n signs by multiplying polynomials, whose coefficients stand side by side in one whole number.
    """
    ranks = _rank([d for d in differences if d])
    if not ranks:
        return 1.0
    sizes = [abs(rank) for rank in ranks]
    width = len(sizes) + 1
    product = 1
    for size in sizes:
        product += product << (size * width)
    reached = sum(rank for rank in ranks if rank > 0)
    total = sum(sizes)
    at_least, mask, rest = 0, (1 << width) - 1, product >> (reached * width)
    for _ in range(total - reached + 1):
        at_least += rest & mask
        rest >>= width
    return float(at_least / (1 << len(sizes)))


def _rank(differences: Sequence[int]) -> list[int]:
    """Twice the rank of each by its size, with its sign; equal ones share the mean of their ranks."""
    ordered = sorted(abs(d) for d in differences)
    twice = {size: bisect_left(ordered, size) + bisect_right(ordered, size) + 1 for size in set(ordered)}
    return [twice[abs(d)] if d > 0 else -twice[abs(d)] for d in differences]


def compare_quantile(
    current: Series, candidate: Series, quantile: float, *, alpha: float, beta: float, blocks: int
) -> RatioInterval:
    """The ratio of both quantiles. `alpha`: chance that a ratio at `low` seems higher; `beta`: likewise at `high`."""
    a, b = _quantile(current.values, quantile), _quantile(candidate.values, quantile)
    first = math.log(candidate.values[0] / current.values[-1])
    last = math.log(candidate.values[-1] / current.values[0])

    def leans_up(log_ratio: float) -> bool:
        return compute_sign_chance(_differences(current, candidate, quantile, math.exp(log_ratio), blocks)) <= alpha

    def leans_down(log_ratio: float) -> bool:
        differences = _differences(current, candidate, quantile, math.exp(log_ratio), blocks)
        return compute_sign_chance([-d for d in differences]) <= beta

    def lean(log_ratio: float) -> int:
        return sum(_rank([d for d in _differences(current, candidate, quantile, math.exp(log_ratio), blocks) if d]))

    middle = math.log(b / a)
    low = _edge(leans_up, first - 1e-6, middle)
    high = _edge(leans_down, last + 1e-6, middle)
    ends = [_edge(lambda x: lean(x) > 0, first - 1e-6, last), _edge(lambda x: lean(x) < 0, last + 1e-6, first)]
    balanced = sum(middle if end is None else end for end in ends) / 2
    ratio = b / a
    return RatioInterval(
        current=a,
        candidate=b,
        ratio=ratio,
        low=0.0 if low is None else min(ratio, math.exp(low)),
        high=max(ratio, math.exp(last if high is None else high)),
        balanced=math.exp(balanced),
        error=_error(balanced, low, last if high is None else high, alpha=alpha, beta=beta),
    )


def _error(balanced: float, low: float | None, high: float, *, alpha: float, beta: float) -> float:
    """The standard error of which the ends of an interval (log scale) are so many: by the wider side."""
    below, above = (NormalDist().inv_cdf(1 - chance) for chance in (alpha, beta))
    sides = [(high - balanced) / above] + ([] if low is None else [(balanced - low) / below])
    return max(0.0, *sides)


def _edge(rejects: Callable[[float], bool], far: float, near: float) -> float | None:
    """Where the test stops to reject, between `far` (rejected) and `near` (not rejected); None if it never does."""
    if not rejects(far):
        return None
    for _ in range(_STEPS):
        between = (far + near) / 2
        if rejects(between):
            far = between
        else:
            near = between
    return far


def _differences(current: Series, candidate: Series, quantile: float, ratio: float, blocks: int) -> list[int]:
    """By block: answers of the candidate over the common quantile, once it is made faster by `ratio`, less those of the
    current version."""
    pooled = sorted((*current.values, *(v / ratio for v in candidate.values)))  # two sorted runs: a merge
    threshold = _quantile(pooled, quantile)
    found = [0] * blocks
    for block in current.blocks[bisect_right(current.values, threshold) :]:
        found[block] -= 1
    for block in candidate.blocks[bisect_right(candidate.values, threshold * ratio) :]:
        found[block] += 1
    return found


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def compare_sums(current: Sequence[float], candidate: Sequence[float], *, alpha: float) -> RatioInterval | None:
    """The ratio of two sums of paired parts (CPU seconds of consecutive stretches), by linearisation over the parts
    (Cochran, Sampling Techniques, 3rd ed., 6.4) with Student's t. None with fewer than 4 parts or nothing used."""
    count = min(len(current), len(candidate))
    a, b = sum(current[:count]), sum(candidate[:count])
    if count < 4 or a <= 0 or b <= 0:
        return None
    ratio = b / a
    residuals = [y - ratio * x for x, y in zip(current, candidate, strict=False)]
    spread = math.sqrt(count / (count - 1) * sum(r * r for r in residuals)) / b
    half = compute_student_t(1 - alpha, count - 1) * spread
    return RatioInterval(
        current=a, candidate=b, ratio=ratio, low=ratio * math.exp(-half), high=ratio * math.exp(min(half, 50.0))
    )


def compute_slope(values: Sequence[float], at_s: Sequence[float]) -> float:
    """Growth a second: the median of all slopes between two points (Sen, JASA 63, 1968); 0 with fewer than two."""
    slopes = [
        (values[j] - values[i]) / (at_s[j] - at_s[i])
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if at_s[j] > at_s[i]
    ]
    return median(slopes) if slopes else 0.0


def compute_student_t(share: float, degrees: int) -> float:
    """Quantile of Student's t by Fisher's expansion (Abramowitz and Stegun 26.7.5); within 1 % from 4 degrees on."""
    z = NormalDist().inv_cdf(share)
    v = degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
