"""Comparing a candidate with the current version: false alarms on equal versions, and the power to see slow ones."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlane.domain.delivery import Comparison, Samples, Usage, Verdict, Watched
from greenlane.domain.settings import Validation
from greenlane.policy.paired import compute_sign_chance, compute_student_t
from greenlane.policy.regression import (
    Look,
    Validated,
    assess_comparisons,
    compare_absolute,
    compare_errors,
    compare_latency,
    compare_usage,
    compute_samples_needed,
    is_over_unproven,
    plan_looks,
)

RPS = 40
LIMITS = Validation()
ALL = Look(load_s=120, spends=1.0, last=True)


def latencies(
    draw: random.Random, seconds: int, *, stalls: bool = False, factor: float = 1.0, shift_ms: float = 0.0
) -> Samples:
    """Answers of a small service, with a long tail; with `stalls`, 4 % of the seconds are three times slower."""
    found: list[float] = []
    for _ in range(seconds):
        slow = 3 if stalls and draw.random() < 0.04 else 1
        found += [draw.lognormvariate(2.5, 0.4) * slow * factor + shift_ms for _ in range(RPS)]
    at_s = tuple((i + 0.5) / RPS for i in range(len(found)))
    return Samples(latencies_ms=tuple(found), errors=0, requests=len(found), at_s=at_s)


def first(samples: Samples, load_s: float) -> Samples:
    """What had been seen after so many seconds of load."""
    count = int(load_s * RPS)
    return Samples(latencies_ms=samples.latencies_ms[:count], errors=0, requests=count, at_s=samples.at_s[:count])


def judge(current: Samples, candidate: Samples, limits: Validation = LIMITS) -> tuple[Verdict, float]:
    """The answer, and after how many seconds of load it came."""
    for look in plan_looks(limits):
        a, b = first(current, look.load_s), first(candidate, look.load_s)
        answer = assess_comparisons(compare_latency(a, b, look, limits), {"a": a, "b": b}, look, limits)
        if answer.verdict is not Verdict.WAIT:
            return answer.verdict, look.load_s
    raise AssertionError("the last look waits")


@pytest.mark.parametrize("stalls", [False, True])
def test_a_version_against_itself_is_no_regression(stalls: bool) -> None:
    """Also where each of the two stalls on its own, now and then, for a second."""
    draw = random.Random(5)
    answers = [judge(latencies(draw, 120, stalls=stalls), latencies(draw, 120, stalls=stalls)) for _ in range(15)]
    assert sum(verdict is not Verdict.PASS for verdict, _ in answers) <= 1


def test_a_fifth_more_is_found_within_two_minutes_though_both_versions_stall() -> None:
    draw = random.Random(6)
    answers = [
        judge(latencies(draw, 120, stalls=True), latencies(draw, 120, stalls=True, factor=1.2)) for _ in range(15)
    ]
    assert sum(verdict is Verdict.FAIL for verdict, _ in answers) >= 14


def test_a_large_slowdown_is_told_at_the_first_look_and_a_good_version_needs_no_full_load() -> None:
    draw = random.Random(7)
    assert judge(latencies(draw, 120), latencies(draw, 120, shift_ms=30)) == (Verdict.FAIL, 20)
    assert judge(latencies(draw, 120), latencies(draw, 120))[1] <= 80


def test_a_slow_tail_is_found_though_the_median_is_the_same() -> None:
    draw = random.Random(6)
    a, b = latencies(draw, 120), latencies(draw, 120)
    b = Samples(
        latencies_ms=tuple(x * 3 if draw.random() < 0.03 else x for x in b.latencies_ms), errors=0, requests=b.requests,
        at_s=b.at_s,
    )  # fmt: skip
    found = {c.metric: c.regressed for c in compare_latency(a, b, ALL, LIMITS)}
    assert found["p50_ms"] is False
    assert found["p99_ms"] is True


@pytest.mark.parametrize(
    ("current", "candidate", "high", "remarked"),
    [(20.0, 23.0, 1.3, True), (20.0, 23.0, 1.19, False), (10.0, 11.5, 1.3, False), (20.0, 20.5, 1.3, False)],
    ids=["may be as slow as is to be found", "ruled out", "nobody notices", "under its limit"],
)
def test_over_but_not_proven_is_remarked_on(current: float, candidate: float, high: float, remarked: bool) -> None:
    found = Comparison(
        metric="p99_ms", current=current, candidate=candidate, ratio=candidate / current, low=0.9, high=high,
        limit=LIMITS.latency_ratio_max, regressed=False,
    )  # fmt: skip
    assert is_over_unproven(found, LIMITS) is remarked


def test_one_stall_proves_nothing_however_long() -> None:
    draw = random.Random(8)
    a, b = latencies(draw, 60), latencies(draw, 60)
    stalled = tuple(x + 5000 if 20 <= at < 23 else x for x, at in zip(b.latencies_ms, b.at_s, strict=True))
    b = Samples(latencies_ms=stalled, errors=0, requests=b.requests, at_s=b.at_s)
    look = Look(load_s=60, spends=1.0, last=True)
    assert not any(c.regressed for c in compare_latency(a, b, look, LIMITS))


def test_a_difference_that_nobody_notices_is_no_regression() -> None:
    draw = random.Random(7)
    a = Samples(latencies_ms=tuple(draw.uniform(0.4, 0.6) for _ in range(800)), errors=0, requests=800)
    b = Samples(latencies_ms=tuple(x * 2 for x in a.latencies_ms), errors=0, requests=800)
    found = compare_latency(a, b, ALL, LIMITS)
    assert all(c.low > LIMITS.latency_ratio_max for c in found)
    assert not any(c.regressed for c in found)


def test_looks_spend_all_chances_and_no_more() -> None:
    looks = plan_looks(LIMITS)
    assert [look.load_s for look in looks] == [20, 40, 80, 120]
    assert sum(look.spends for look in looks) == pytest.approx(1)
    assert plan_looks(Validation(load_extend_max_factor=1)) == (Look(load_s=20, spends=1.0, last=True),)


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_the_sign_test_is_the_count_over_all_signs(differences: list[int]) -> None:
    """Against the definition: Wilcoxon's signed ranks, every one of the 2**n signs."""
    sizes = sorted(abs(d) for d in differences if d)
    rank = {s: sum(i + 1 for i, x in enumerate(sizes) if x == s) / sizes.count(s) for s in sizes}
    ranks = [rank[abs(d)] * (1 if d > 0 else -1) for d in differences if d]
    signs = list(itertools.product((1, -1), repeat=len(ranks)))
    as_large = sum(sum(s * abs(r) for s, r in zip(each, ranks, strict=True)) >= sum(ranks) - 1e-9 for each in signs)
    assert compute_sign_chance(differences) == pytest.approx(as_large / len(signs))


def test_students_t_is_the_published_one() -> None:
    assert compute_student_t(0.95, 7) == pytest.approx(1.895, abs=0.005)
    assert compute_student_t(0.975, 10) == pytest.approx(2.228, abs=0.005)


@pytest.mark.parametrize(
    ("current", "candidate", "regressed"),
    [
        ((0, 800), (0, 800), False),
        ((0, 800), (4, 800), False),
        ((0, 800), (20, 800), True),
        ((16, 800), (16, 800), False),
    ],
)
def test_errors_are_compared_by_their_difference(
    current: tuple[int, int], candidate: tuple[int, int], regressed: bool
) -> None:
    a, b = (Samples(latencies_ms=(), errors=bad, requests=n) for bad, n in (current, candidate))
    found = compare_errors(a, b, ALL, LIMITS)
    assert found.regressed is regressed
    assert found.low <= found.ratio <= found.high


def test_newcombes_interval_is_the_published_one() -> None:
    """Newcombe 1998, table II, example (a): 56/70 against 48/80 gives 0.0524 to 0.3339 by method 10, at 95 %."""
    a = Samples(latencies_ms=(), errors=48, requests=80)
    b = Samples(latencies_ms=(), errors=56, requests=70)
    found = compare_errors(a, b, ALL, Validation(false_alarm_rate=0.15))  # a sixth of it at each end: 2.5 %
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


def test_too_few_answers_are_inconclusive_and_never_a_success() -> None:
    needed = compute_samples_needed(0.95, LIMITS)
    assert needed <= LIMITS.load_duration_s * LIMITS.load_rate_rps
    few = Samples(latencies_ms=(5.0,) * (needed - 1), errors=0, requests=needed - 1)
    enough = Samples(latencies_ms=(5.0,) * needed, errors=0, requests=needed)

    def verdict(current: Samples, candidate: Samples, look: Look = ALL) -> Validated:
        return assess_comparisons((), {"current": current, "candidate": candidate}, look, LIMITS)

    assert verdict(enough, few).verdict is Verdict.INCONCLUSIVE
    assert verdict(few, enough).verdict is Verdict.INCONCLUSIVE
    assert verdict(few, enough, plan_looks(LIMITS)[0]).verdict is Verdict.WAIT
    assert verdict(enough, enough).verdict is Verdict.PASS


def test_without_a_current_version_the_limits_of_production_are_held() -> None:
    slow = Samples(latencies_ms=tuple(float(x) for x in range(1, 1001)), errors=0, requests=1000)
    found = compare_absolute(slow, p99_limit_ms=800, error_rate_limit=0.005)
    assert [c.regressed for c in found] == [False, True]


def watched(cpu_per_s: float, mb_per_s: float) -> Watched:
    moments = tuple(float(s) for s in range(21))
    usage = tuple(Usage(cpu_s=cpu_per_s * s + 0.01 * (s % 3), rss_mb=50 + mb_per_s * s, processes=1) for s in moments)
    return Watched(at_s=moments, usage=usage)


def test_more_cpu_a_request_is_a_regression_and_growing_memory_is_told() -> None:
    found = compare_usage(watched(0.1, 0), watched(0.3, 1), 800, ALL, LIMITS)
    cpu, memory = found
    assert (cpu.metric, cpu.regressed) == ("cpu_ms_per_request", True)
    assert cpu.ratio == pytest.approx(3, rel=0.05)
    assert (memory.candidate - memory.current, memory.regressed) == (pytest.approx(60), False)
    same = compare_usage(watched(0.1, 0), watched(0.12, 0), 800, ALL, LIMITS)
    assert not same[0].regressed


@given(st.lists(st.floats(0, 1e5), max_size=120), st.lists(st.floats(0, 1e5), max_size=120))
def test_every_figure_is_finite_and_in_order(current: list[float], candidate: list[float]) -> None:
    a, b = (Samples(latencies_ms=tuple(x), errors=0, requests=len(x)) for x in (current, candidate))
    for c in compare_latency(a, b, ALL, LIMITS):
        assert 0 <= c.low <= c.ratio * (1 + 1e-9)
        assert c.ratio <= c.high * (1 + 1e-9) < float("inf")
