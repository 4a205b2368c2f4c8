"""Comparing a candidate with the current version: false alarms on equal versions, and the power to see slow ones."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlane.domain.delivery import Comparison, Samples, Usage, Verdict
from greenlane.policy.regression import (
    assess_comparisons,
    compare_absolute,
    compare_errors,
    compare_latency,
    compare_usage,
    compute_samples_needed,
)

RPS = 40


def latencies(
    draw: random.Random, count: int, *, stalls: bool, factor: float = 1.0, shift_ms: float = 0.0
) -> list[float]:
    """Answers of a small service, with a long tail; with `stalls`, 4 % of the seconds are three times slower."""
    found = []
    slow = False
    for i in range(count):
        if i % RPS == 0:
            slow = stalls and draw.random() < 0.04
        x = draw.lognormvariate(2.5, 0.4) * (3 if slow else 1)
        found.append(x * factor + shift_ms)
    return found


def share_regressed(
    trials: int, count: int, *, ratio_max: float = 1.2, stalls: bool = False, **changed: float
) -> float:
    draw = random.Random(5)
    found = 0
    for _ in range(trials):
        a, b = latencies(draw, count, stalls=stalls), latencies(draw, count, stalls=stalls, **changed)
        found += any(c.regressed for c in compare_latency(a, b, ratio_max=ratio_max, floor_ms=2.0))
    return found / trials


@pytest.mark.parametrize("stalls", [False, True])
def test_a_version_against_itself_is_no_regression(stalls: bool) -> None:
    """Also where each of the two stalls on its own, now and then, for a second."""
    assert share_regressed(120, 20 * RPS, stalls=stalls) <= 0.02


def test_a_slowdown_of_tens_of_milliseconds_is_found() -> None:
    assert share_regressed(25, 20 * RPS, stalls=True, shift_ms=30) == 1.0


def test_a_fifth_more_is_found_in_two_minutes_where_the_limit_is_under_it() -> None:
    """+20 % lies exactly at the default limit of 1.20, which is no regression; a limit of 1.10 shows the power."""
    assert share_regressed(20, 120 * RPS, ratio_max=1.1, factor=1.2) >= 0.9
    assert share_regressed(20, 20 * RPS, ratio_max=1.2, factor=1.2) <= 0.02


def test_a_slow_tail_is_found_though_the_median_is_the_same() -> None:
    draw = random.Random(6)
    a = latencies(draw, 2400, stalls=False)
    b = [x * 3 if draw.random() < 0.03 else x for x in latencies(draw, 2400, stalls=False)]
    found = {c.metric: c.regressed for c in compare_latency(a, b, ratio_max=1.2, floor_ms=2.0)}
    assert found == {"p50_ms": False, "p95_ms": False, "p99_ms": True}


def test_a_difference_that_nobody_notices_is_no_regression() -> None:
    draw = random.Random(7)
    a = [draw.uniform(0.4, 0.6) for _ in range(800)]
    found = compare_latency(a, [x * 2 for x in a], ratio_max=1.2, floor_ms=2.0)
    assert all(c.low > 1.2 for c in found)
    assert not any(c.regressed for c in found)


@pytest.mark.parametrize(
    ("current", "candidate", "regressed"),
    [
        ((0, 800), (0, 800), False),
        ((0, 800), (4, 800), False),
        ((0, 800), (16, 800), True),
        ((16, 800), (16, 800), False),
    ],
)
def test_errors_are_compared_by_their_difference(
    current: tuple[int, int], candidate: tuple[int, int], regressed: bool
) -> None:
    a, b = (Samples(latencies_ms=(), errors=bad, requests=n) for bad, n in (current, candidate))
    found = compare_errors(a, b, increase_max=0.005)
    assert found.regressed is regressed
    assert found.low <= found.ratio <= found.high


def test_newcombes_interval_is_the_published_one() -> None:
    """Newcombe 1998, table II, example (a): 56/70 against 48/80 gives 0.0524 to 0.3339 by method 10."""
    a = Samples(latencies_ms=(), errors=48, requests=80)
    b = Samples(latencies_ms=(), errors=56, requests=70)
    found = compare_errors(a, b, increase_max=0.5)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


def test_too_few_answers_are_inconclusive_and_never_a_success() -> None:
    needed = compute_samples_needed(0.95)
    few = Samples(latencies_ms=(5.0,) * (needed - 1), errors=0, requests=needed - 1)
    enough = Samples(latencies_ms=(5.0,) * needed, errors=0, requests=needed)
    assert assess_comparisons((), enough, few, floor_ms=2).verdict is Verdict.INCONCLUSIVE
    assert assess_comparisons((), few, enough, floor_ms=2).verdict is Verdict.INCONCLUSIVE
    assert assess_comparisons((), None, enough, floor_ms=2).verdict is Verdict.PASS
    assert compute_samples_needed(0.99) <= 800  # what the default load gives: p99 is judged by default


def test_without_a_current_version_the_limits_of_production_are_held() -> None:
    slow = Samples(latencies_ms=tuple(float(x) for x in range(1, 1001)), errors=0, requests=1000)
    found = compare_absolute(slow, p99_limit_ms=800, error_rate_limit=0.005)
    assert [c.regressed for c in found] == [False, True]


def test_cpu_and_memory_are_told_and_decide_nothing() -> None:
    one, ten = Usage(cpu_s=1, rss_mb=10, processes=1), Usage(cpu_s=10, rss_mb=100, processes=1)
    found = compare_usage(one, ten, ratio_max=1.2)
    assert [(c.ratio, c.regressed) for c in found] == [(10, False), (10, False)]


@given(st.lists(st.floats(0, 1e5), max_size=300), st.lists(st.floats(0, 1e5), max_size=300))
def test_every_figure_is_finite_and_in_order(current: list[float], candidate: list[float]) -> None:
    for c in compare_latency(current, candidate, ratio_max=1.2, floor_ms=2.0):
        assert isinstance(c, Comparison)
        assert 0 <= c.low <= c.ratio * (1 + 1e-9)
        assert c.ratio <= c.high * (1 + 1e-9) < float("inf")
