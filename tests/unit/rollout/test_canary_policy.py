"""The canary judge: its rules one by one, properties over all counts, and its error rates by simulation."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlane.domain.delivery import CanaryJudgement, Counters, Tick, TrafficReading, Verdict
from greenlane.domain.events import Lane
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Canary, Settings, Tiers, TierThresholds
from greenlane.policy.canary import Evidence, PhaseJudge
from greenlane.policy.canary_plan import (
    Counted,
    Phase,
    Rules,
    compute_requests_needed,
    compute_requests_to_see,
    compute_sizing,
    resolve_thresholds,
)
from greenlane.policy.counting import compute_since, make_tick
from greenlane.policy.spread import SpreadMeter
from greenlane.policy.wagers import Wager

PLAN = resolve_thresholds(Settings(), Service(name="shop"), Lane.GREEN)
RULES = PLAN.rules
NEEDED = RULES.min_requests


def watched(ticks: Iterable[Tick], *, phase: Phase = Phase.WATCH, rules: Rules = RULES) -> CanaryJudgement:
    """Look after look, until there is a verdict or nothing more to look at."""
    judge = PhaseJudge(rules, Evidence(rules), phase, Counters())
    answer = CanaryJudgement(verdict=Verdict.WAIT, reason="no look was taken")
    for tick in ticks:
        answer = judge.look(tick)
        if answer.verdict is not Verdict.WAIT:
            break
    return answer


def even(
    canary: tuple[float, float, float],
    stable: tuple[float, float, float] = (95, 0, 0),
    *,
    seconds: int = 600,
    from_s: int = 1,
) -> list[Tick]:
    """A tick a second. (Requests, failed, slow) a second: what is less than one comes now and then, evenly."""

    def whole(rate: float, second: int) -> int:
        return int(rate * second + 1e-9) - int(rate * (second - 1) + 1e-9)

    return [
        Tick(float(s), *(whole(rate, s) for rate in stable), *(whole(rate, s) for rate in canary))
        for s in range(from_s, from_s + seconds)
    ]


@pytest.mark.parametrize(
    ("why", "ticks", "verdict"),
    [
        ("nothing wrong, but not over yet", even((5, 0, 0), seconds=599), Verdict.WAIT),
        ("nothing wrong to the end", even((5, 0, 0)), Verdict.PASS),
        ("exactly at both limits", even((5, 0.025, 0.05), (95, 0.3, 0.6)), Verdict.PASS),
        ("every fifth request fails", even((5, 1, 0), seconds=10), Verdict.FAIL),
        ("every tenth request is slow", even((5, 0, 0.5), seconds=60), Verdict.FAIL),
        ("three times the limit, to the end", even((5, 0.075, 0)), Verdict.FAIL),
        ("one failed request is no proof", even((1, 1, 0), seconds=1), Verdict.WAIT),
        ("no data at the end is waited for", even((0, 0, 0), seconds=1199), Verdict.WAIT),
        ("no data at the very end", even((0, 0, 0), seconds=1200), Verdict.INCONCLUSIVE),
        ("too few requests at the very end", even((0.5, 0, 0), seconds=1200), Verdict.INCONCLUSIVE),
        ("just enough in the extension", even((0.6, 0, 0), seconds=1200), Verdict.PASS),
        ("under the limit, and far worse than stable", even((20, 0.08, 0), (380, 0.02, 0)), Verdict.FAIL),
        ("twice as bad as stable, under the limit", even((20, 0.08, 0), (380, 0.76, 0)), Verdict.PASS),
    ],
)
def test_rules_of_the_watch(why: str, ticks: list[Tick], verdict: Verdict) -> None:
    assert watched(ticks).verdict is verdict, why


@pytest.mark.parametrize(
    ("choice", "at_600_s", "at_1200_s"),
    [
        ("extend", Verdict.WAIT, Verdict.INCONCLUSIVE),
        ("roll_back", Verdict.FAIL, Verdict.FAIL),
        ("ask", Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_what_is_over_a_limit_without_proof_is_handled_as_configured(
    choice: str, at_600_s: Verdict, at_1200_s: Verdict
) -> None:
    rules = msgspec.structs.replace(RULES, over_not_proven=choice)
    assert watched(even((5, 0.03, 0), (95, 0.3, 0)), rules=rules).verdict is at_600_s
    assert watched(even((5, 0.03, 0), (95, 0.3, 0), seconds=1200), rules=rules).verdict is at_1200_s


@pytest.mark.parametrize(
    ("why", "ticks", "verdict"),
    [
        ("cold requests are slow", even((5, 0, 5), seconds=30), Verdict.WAIT),
        ("and do not count at its end", even((5, 0, 5), seconds=60), Verdict.PASS),
        ("nothing at all is no obstacle yet", even((0, 0, 0), seconds=60), Verdict.PASS),
        ("a catastrophe is not waited out", even((5, 1, 0), seconds=10), Verdict.FAIL),
        ("two failures of two are too few for a catastrophe", even((1, 1, 0), seconds=2), Verdict.WAIT),
    ],
)
def test_rules_of_the_warm_up(why: str, ticks: list[Tick], verdict: Verdict) -> None:
    assert watched(ticks, phase=Phase.WARM_UP).verdict is verdict, why


@pytest.mark.parametrize(
    ("environment", "verdict"),
    [("ask", Verdict.INCONCLUSIVE), ("hold", Verdict.WAIT), ("roll_back", Verdict.FAIL)],
)
def test_trouble_that_hits_both_versions_is_the_environment_and_handled_as_configured(
    environment: str, verdict: Verdict
) -> None:
    rules = msgspec.structs.replace(RULES, environment=environment)
    assert watched(even((5, 0.5, 0), (95, 9.5, 0), seconds=120), rules=rules).verdict is verdict


@pytest.mark.parametrize(
    ("why", "ticks"),
    [
        ("both degrade, the canary far more", even((5, 2.5, 0), (95, 4.75, 0), seconds=60)),
        ("stable has too little traffic to compare with", even((5, 0.5, 0), (0, 0, 0), seconds=60)),
        ("failures are the canary's own while both are slow", even((5, 1, 0.5), (95, 0, 9.5), seconds=60)),
    ],
)
def test_a_bad_candidate_is_not_excused_by_the_environment(why: str, ticks: list[Tick]) -> None:
    assert watched(ticks).verdict is Verdict.FAIL, why


def test_a_step_is_held_against_the_limit_with_all_that_was_judged_before() -> None:
    rules = msgspec.structs.replace(RULES, over_not_proven="roll_back")
    one_of_150 = even((5, 1 / 30, 0), seconds=30)
    alone = watched(one_of_150, phase=Phase.STEP, rules=rules)
    judge = PhaseJudge(rules, Evidence(rules), Phase.STEP, Counters(requests=3000, errors=9))
    together = [judge.look(tick) for tick in one_of_150][-1]
    assert (alone.verdict, together.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert compute_requests_needed(rules, Phase.STEP) == math.ceil(NEEDED * 30 / 600)


def test_a_dead_process_and_counters_that_went_backwards_end_the_canary() -> None:
    assert watched([Tick(1.0, alive=False)]).verdict is Verdict.FAIL
    assert watched([Tick(1.0, readable=False)]).verdict is Verdict.INCONCLUSIVE

    def reading(requests: int, errors: int, slow: int) -> TrafficReading:
        return TrafficReading(stable=Counters(), canary=Counters(requests=requests, errors=errors, over_limit=slow))

    assert compute_since(reading(100, 1, 1), reading(99, 1, 1)) is None
    assert compute_since(reading(100, 1, 1), reading(101, 3, 1)) is None  # more failed than were sent
    late = make_tick(2.0, reading(100, 1, 1), reading(101, 1, 4), alive=True)  # slow ones of the look before
    assert (late.readable, late.canary_requests, late.canary_over) == (True, 1, 3)


def test_failures_that_are_counted_late_are_put_to_the_requests_that_come_then() -> None:
    """Three failures that are told while the canary has no request are not lost."""
    late = [Tick(float(s), 95, 0, 0, 5, 0, 0) for s in range(1, 6)]
    late += [Tick(float(s), 95, 0, 0, 0, 1, 0) for s in range(6, 9)]
    judge = PhaseJudge(RULES, evidence := Evidence(RULES), Phase.WATCH, Counters())
    for tick in late:
        judge.look(tick)
    before = evidence.judged.errors.over.wealth
    judge.look(Tick(9.0, 95, 0, 0, 5, 0, 0))
    assert evidence.judged.errors.over.wealth > 2 * before


def test_thresholds_come_from_the_tier_and_the_lane() -> None:
    tiers = Tiers(critical=TierThresholds(error_rate_threshold=0.001, canary_traffic_initial_pct=1))
    config = Settings(tiers=tiers)
    critical = resolve_thresholds(config, Service(name="pay", tier="critical"), Lane.GREEN)
    assert (critical.weight_percent, critical.rules.error_rate_limit) == (1, 0.001)
    usual = resolve_thresholds(config, Service(name="shop"), Lane.GREEN)
    quick = resolve_thresholds(config, Service(name="shop"), Lane.PERFORMANCE)
    assert quick.rules.watch_s == 2 * usual.rules.watch_s
    assert quick.rules.error_rate_limit == usual.rules.error_rate_limit / 2
    staged = resolve_thresholds(config, Service(name="shop"), Lane.INTEGRATION)
    assert (staged.weight_percent, staged.steps_percent) == (5, (25, 50, 100))
    two = resolve_thresholds(config, Service(name="shop"), Lane.GREEN, services=2)
    assert two.rules.alpha == usual.rules.alpha / 2


@given(st.floats(0.1, 100), st.lists(st.floats(0.1, 100), max_size=5))
def test_the_weights_always_ascend_to_all_traffic(first: float, later: list[float]) -> None:
    config = Settings.model_validate(
        {"thresholds": {"canary_traffic_initial_pct": first}, "canary": {"steps_pct": later}}
    )
    plan = resolve_thresholds(config, Service(name="shop"), Lane.GREEN)
    weights = (plan.weight_percent, *plan.steps_percent)
    assert list(weights) == sorted(set(weights))
    assert weights[-1] == 100


def test_the_number_of_requests_sees_a_release_that_is_so_much_over_with_the_chance_that_is_asked_for() -> None:
    """Counted by drawing: releases at twice the limit of 1 %, that fail more than the limit allows."""
    needed = compute_requests_to_see(0.01, 2.0, 0.9)
    draw = random.Random(4)
    seen = sum(sum(draw.random() < 0.02 for _ in range(needed)) > 0.01 * needed for _ in range(500))
    assert seen / 500 >= 0.87
    assert compute_requests_to_see(0.005, 2.0, 0.9) == pytest.approx(2 * needed, abs=1)
    assert compute_requests_to_see(0.005, 20.0, 0.9) < needed / 10


def _sized(rate_rps: float | None) -> tuple[float, bool]:
    counted = None if rate_rps is None else Counted(requests=round(1000 * rate_rps), seconds=1000)
    sizing = compute_sizing(PLAN, counted, max_weight_percent=20)
    return sizing.weight_percent, sizing.sufficient


def test_what_the_traffic_can_decide_is_computed_before_the_start() -> None:
    """The watch of 600 s and its extension to twice that, at 5 to 20 %."""
    per_s = NEEDED / 600
    assert _sized(100 * per_s) == (5, True)
    assert _sized(10 * per_s) == (10, True)  # twice the weight brings enough
    assert _sized(3 * per_s) == (20, True)  # the highest weight, and the extension
    assert _sized(2 * per_s) == (20, False)
    assert _sized(0.0) == (20, False)
    assert _sized(None) == (5, True)  # not counted: the end of the watch tells


counts = st.integers(0, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n)))


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=30), st.sampled_from(Phase), st.integers(1, 40))
def test_a_pass_is_never_given_over_a_limit_or_without_data(
    rows: list[tuple[tuple[int, int, int], tuple[int, int, int]]], phase: Phase, stride: int
) -> None:
    rules = msgspec.structs.replace(RULES, min_requests=50, watch_s=60.0, step_s=60.0)
    ticks = [Tick(float(stride * i), *stable, *canary) for i, (stable, canary) in enumerate(rows, start=1)]
    judge = PhaseJudge(rules, Evidence(rules), phase, Counters())
    for tick in ticks:
        answer = judge.look(tick)
        assert all(math.isfinite(m.value) and math.isfinite(m.limit) for m in answer.metrics)
        if answer.verdict is not Verdict.WAIT:
            break
    if answer.verdict is Verdict.PASS:
        assert tick.at_s >= rules.duration_s(phase)
    if answer.verdict is Verdict.PASS and phase is not Phase.WARM_UP:
        seen = judge.canary
        assert seen.requests >= 50
        assert seen.errors <= rules.error_rate_limit * seen.requests
        assert seen.over_limit <= 0.01 * seen.requests


@given(st.lists(counts, min_size=1, max_size=20), st.integers(0, 19))
def test_more_failures_of_the_canary_never_weaken_the_evidence(rows: list[tuple[int, int, int]], where: int) -> None:
    def wealth(more: int) -> float:
        evidence = Evidence(RULES)
        evidence.begin(Phase.WATCH)
        for i, (requests, errors, slow) in enumerate(rows):
            extra = more if i == where % len(rows) else 0
            evidence.add(Tick(float(i + 1), 95, 0, 0, requests + 1, errors + extra, slow))
        return evidence.judged.errors.over.wealth

    assert wealth(1) >= wealth(0)


def test_a_wager_against_the_truth_is_fair_for_any_bursts_within_a_tick() -> None:
    """Its mean over everything that two ticks of 3 requests can show is 1, also if requests of a tick fail together."""
    share = 0.2
    together = [(share, 3), (1 - share, 0)]
    alone = [(math.comb(3, k) * share**k * (1 - share) ** (3 - k), k) for k in range(4)]
    for first in (together, alone):
        mean = 0.0
        for p, k in first:
            for q, m in alone:
                wager = Wager()
                wager.play(k / 3 / share, joining=0.1)
                wager.play(m / 3 / share, joining=0.1)
                mean += p * q * wager.wealth
        assert mean == pytest.approx(1.0)


def test_bursts_are_told_from_failures_that_come_alone() -> None:
    draw = random.Random(5)
    alone, bursts = SpreadMeter(), SpreadMeter()
    for second in range(1200):
        alone.add(95, sum(draw.random() < 0.002 for _ in range(95)))
        bursts.add(95, 30 if second % 300 < 6 else 0)
    assert alone.slowness <= 1.5
    assert bursts.slowness >= 4


def _drawn(draw: random.Random, canary: float, stable: float, seconds: int = 599, from_s: int = 1) -> Iterable[Tick]:
    for second in range(from_s, from_s + seconds):
        bad = sum(draw.random() < canary for _ in range(5))
        yield Tick(float(second), 95, sum(draw.random() < stable for _ in range(95)), 0, 5, bad, 0)


def test_a_release_at_the_limit_is_rarely_rolled_back_before_the_end() -> None:
    """60 releases exactly at the limit of 0.5 %, looked at 600 times each (bench/canary_judge.py has 2,000)."""
    draw = random.Random(1)
    ends = [watched(_drawn(draw, RULES.error_rate_limit, 0.001, seconds=600)).verdict for _ in range(60)]
    assert ends.count(Verdict.FAIL) <= 1


def test_a_release_that_fails_every_fifth_request_is_stopped_within_seconds() -> None:
    """At 5 canary requests a second, from its very first request: still in its warm-up."""
    ends: list[float] = []
    for seed in range(100):
        judge = PhaseJudge(RULES, Evidence(RULES), Phase.WARM_UP, Counters())
        for tick in _drawn(random.Random(seed), 0.2, 0.001, seconds=60):
            if judge.look(tick).verdict is Verdict.FAIL:
                ends.append(tick.at_s)
                break
    assert len(ends) == 100
    assert sorted(ends)[50] <= 10
    assert sorted(ends)[95] <= 25


def test_what_earlier_canaries_showed_of_bursts_slows_the_judge_down() -> None:
    """The same burst of failures: proof of a bad release, unless the service is known to hiccup like that."""
    burst = [*even((5, 0, 0), seconds=30), *even((5, 5, 0), seconds=5, from_s=31)]
    meter = SpreadMeter()
    for second in range(1800):
        meter.add(95, 40 if second % 300 < 4 else 0)
    known = msgspec.structs.replace(RULES, spread_errors=meter.known())
    assert watched(burst).verdict is Verdict.FAIL
    assert watched(burst, rules=known).verdict is Verdict.WAIT


def test_a_configured_number_of_requests_counts_where_it_is_higher() -> None:
    def needed(canary: Canary) -> int:
        return resolve_thresholds(Settings(canary=canary), Service(name="shop"), Lane.GREEN).rules.min_requests

    assert needed(Canary(min_requests=5000)) == 5000
    assert needed(Canary(min_requests=1, detect_factor=50)) == 10
