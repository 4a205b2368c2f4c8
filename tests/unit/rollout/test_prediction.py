"""Baselines of production, and what they say of a release: which slots count, what is learned, when it decides."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, fold
from greenlane.domain.delivery import (
    Artifact,
    CanaryJudgement,
    Counters,
    Instance,
    Samples,
    TrafficReading,
    Verdict,
)
from greenlane.domain.production import SLOT_S, TrafficSlot
from greenlane.domain.settings import Thresholds, Validation
from greenlane.policy.baseline import (
    Baseline,
    Incident,
    compute_baseline,
    compute_histogram_quantile,
    describe_missing,
    detect_breaches,
    detect_breaches_by_hour,
    detect_incidents,
    hour_of_week,
)
from greenlane.policy.lifecycle import State
from greenlane.policy.prediction import (
    P99,
    Learned,
    Release,
    StagingRatio,
    assess_predictions,
    compute_p99_ratio,
    detect_releases,
    learn,
    predict,
)
from greenlane.policy.regression import Look, compare_latency
from tests.support.production import KnownProduction
from tests.support.rollout import Scene, settings

NOW = datetime(2026, 7, 30, 14, 20, tzinfo=UTC)
"""A Thursday."""


def slot(ago: timedelta, *, requests: int = 900, errors: int = 0, slow: int = 0) -> TrafficSlot:
    """A quarter of an hour in which all answers took 50 to 60 ms, and `slow` of them over 800 ms."""
    begins = int((NOW - ago).timestamp()) // SLOT_S * SLOT_S
    fast = requests - slow
    return TrafficSlot(
        begins=begins, requests=requests, errors=errors, seconds=float(SLOT_S),
        histogram=((50.0, 0), (60.0, fast), (800.0, fast), (1000.0, requests)),
    )  # fmt: skip


def baseline(slots: list[TrafficSlot], incidents: tuple[Incident, ...] = (), **more: object):  # type: ignore[no-untyped-def]  # of the policy
    return compute_baseline(
        "shop", slots, incidents, now=NOW, hour=hour_of_week(NOW), min_requests=1000, **more  # type: ignore[arg-type]  # of the policy
    )  # fmt: skip


def test_the_same_hour_of_earlier_weeks_counts_where_it_has_enough_requests() -> None:
    weeks = [slot(timedelta(weeks=w), errors=9) for w in (1, 2, 3, 4)]
    found = baseline([*weeks, slot(timedelta(hours=30), errors=500), slot(timedelta(weeks=5), errors=900)])
    assert (found.scope, found.requests, found.error_rate) == ("Thu 14:00 to 15:00 UTC", 3600, 0.01)
    assert 50 < found.p50_ms < 60
    fallen = baseline([weeks[0], slot(timedelta(hours=30))])
    assert fallen.scope == "all hours"
    assert "900 of the 1000 requests" in fallen.note
    assert baseline([weeks[0]]) is None


def test_incidents_are_left_out() -> None:
    bad = Incident(begins=NOW - timedelta(hours=31), ends=NOW - timedelta(hours=29, minutes=50), run="r")
    slots = [slot(timedelta(hours=h)) for h in (10, 20)] + [slot(timedelta(hours=30), errors=900, slow=900)]
    found = baseline(slots, (bad,))
    assert (found.requests, found.errors, found.excluded) == (1800, 0, 1)


def test_only_the_version_that_is_compared_counts_where_it_has_enough_requests() -> None:
    old, new = slot(timedelta(days=3), slow=800), [slot(timedelta(hours=h)) for h in (2, 3)]
    found = baseline([old, *new], promoted=NOW - timedelta(hours=5))
    assert (found.scope, found.requests) == ("all hours, this version", 1800)
    assert baseline([old, new[0]], promoted=NOW - timedelta(hours=2, minutes=30)).requests == 1800


def test_a_baseline_over_a_limit_is_told() -> None:
    found = baseline([slot(timedelta(days=d), slow=40, errors=18) for d in (1, 2)])
    told = detect_breaches(found, p99_limit_ms=800, error_rate_limit=0.005)
    assert len(told) == 2
    assert "2.00%" in told[1]


def test_hours_over_a_limit_are_counted_and_the_worst_is_named() -> None:
    def at(day: int, **more: int) -> Baseline:
        found = compute_baseline(
            "shop", [slot(timedelta(days=day), requests=2000, **more)], (), now=NOW, hour=(3 - day) * 24 + 14,
            min_requests=1000,
        )  # fmt: skip
        assert found is not None
        return found

    hours = [at(1, slow=80), at(2, slow=100, errors=40), at(3)]
    told = detect_breaches_by_hour(hours, p99_limit_ms=800, error_rate_limit=0.005)
    assert len(told) == 2
    assert "in 2 of 3 hours" in told[0]
    assert "(Tue 14:00 to 15:00 UTC)" in told[0]
    assert "in 1 of 3 hours" in told[1]
    assert "2.00%" in told[1]
    assert detect_breaches_by_hour(hours[2:], p99_limit_ms=800, error_rate_limit=0.005) == ()


def test_a_quantile_lies_between_the_bounds_of_its_bucket() -> None:
    assert compute_histogram_quantile(((10.0, 50), (20.0, 100)), 0.5) == pytest.approx(10.0)
    assert compute_histogram_quantile(((10.0, 50), (20.0, 100)), 0.75) == pytest.approx(math.sqrt(200))
    assert compute_histogram_quantile(((10.0, 0),), 0.99) is None


# ------------------------------------------------------------------ what is learned


def test_ninety_percent_intervals_hold_ninety_percent_of_releases_although_some_are_far_off() -> None:
    """Staging overstates by a third, and one release in fifteen goes its own way."""
    draw = random.Random(3)
    inside = total = 0
    for _ in range(150):
        surprises = [draw.gauss(-0.3, 0.15) + (draw.random() < 1 / 15) * draw.choice((-1, 1)) for _ in range(20)]
        for n in range(7, 20):
            learned = learn(surprises[:n])
            assert learned.half is not None
            inside += abs(surprises[n] - learned.log_factor) <= learned.half
            total += 1
    assert 0.85 <= inside / total <= 0.95


def test_one_release_makes_no_factor_and_one_of_many_moves_it_little() -> None:
    assert learn([]) == Learned()
    alone = learn([2.0])
    assert abs(alone.log_factor) < 0.05
    assert alone.half is None
    assert learn([-0.3] * 8 + [3.0]).log_factor == pytest.approx(-0.3, abs=0.03)


def release(surprise: float) -> Release:
    p = prediction(predicted=100.0)
    return Release(run="r", at="", prediction=p, shown=100.0 * math.exp(surprise), requests=500)


def prediction(*, predicted: float, half: float | None = None, missing: int = 0, base: float = 100.0) -> e.Prediction:
    return e.Prediction(
        service="shop", metric=P99, baseline=base, scope="all hours", ratio=1.0, factor=1.0, predicted=predicted,
        low=None if half is None else predicted / half, high=None if half is None else predicted * half, limit=800,
        releases=8 - missing, missing=missing,
    )  # fmt: skip


def test_a_ratio_is_believed_as_far_as_it_was_measured_exactly() -> None:
    exact, rough, noise = (StagingRatio(metric=P99, measured=2.0, error=e).believed for e in (0.02, 0.2, 2.0))
    assert exact == pytest.approx(2.0, rel=0.01)
    assert rough == pytest.approx(math.sqrt(2.0))
    assert noise == pytest.approx(1.0, abs=0.01)


def test_a_tail_of_a_busy_machine_is_believed_less_than_that_of_a_quiet_one() -> None:
    """Answers three times as slow: three in a hundred all the time, or all of a short stall of the machine."""
    draw = random.Random(2)
    current = [draw.lognormvariate(3, 0.3) for _ in range(1200)]
    slow = [x * 3 if draw.random() < 0.03 else x for x in (draw.lognormvariate(3, 0.3) for _ in range(1200))]
    stalled = [x * 3 if 600 <= i < 630 else x for i, x in enumerate(draw.lognormvariate(3, 0.3) for _ in range(1200))]
    look, limits = Look(load_s=30, spends=1.0, last=True), Validation()

    def ratio_of(candidate: list[float]) -> StagingRatio:
        a, b = (Samples(latencies_ms=tuple(x), errors=0, requests=1200) for x in (current, candidate))
        found = compute_p99_ratio(compare_latency(a, b, look, limits))
        assert found is not None
        return found

    proved, unproved = ratio_of(slow), ratio_of(stalled)
    assert proved.measured > 1.5
    assert proved.believed > 1.2
    assert unproved.believed < 1.1


def test_a_prediction_is_advice_until_enough_releases_taught_it() -> None:
    base = baseline([slot(timedelta(days=d)) for d in (1, 2)])
    assert base.p99_ms is not None
    staging = StagingRatio(metric=P99, measured=20.0, error=0.0)
    seven, eight = (predict(staging, base, [release(0.0)] * n, limit=800, min_releases=8) for n in (7, 8))
    assert seven is not None
    assert eight is not None
    assert (seven.missing, eight.missing) == (1, 0)
    assert eight.predicted == pytest.approx(base.p99_ms * 20)
    assert not assess_predictions([seven]).blocks
    assert assess_predictions([eight]).blocks
    assert "1 releases are missing" in assess_predictions([seven]).told[0]


@pytest.mark.parametrize(
    ("predicted", "half", "missing", "base", "blocks", "asks"),
    [
        (100.0, 1.5, 0, 100.0, 0, 0),
        (700.0, 1.5, 0, 100.0, 0, 1),
        (2000.0, 1.5, 0, 100.0, 1, 0),
        (2000.0, 1.5, 1, 100.0, 0, 0),
        (2000.0, None, 0, 100.0, 0, 0),
        (2000.0, 1.5, 0, 900.0, 0, 0),
    ],
    ids=["under", "upper end over", "lower end over", "advisory", "no interval", "over before the change"],
)
def test_the_upper_end_asks_and_the_lower_end_blocks(
    predicted: float, half: float | None, missing: int, base: float, blocks: int, asks: int
) -> None:
    found = assess_predictions([prediction(predicted=predicted, half=half, missing=missing, base=base)])
    assert (len(found.blocks), len(found.asks)) == (blocks, asks)


def test_a_missing_baseline_says_what_incidents_took_away() -> None:
    """All requests may have come in quarters of an hour that an incident touched: the total alone explains nothing."""
    slots = [slot(timedelta(hours=1), requests=10_000), slot(timedelta(hours=9), requests=278)]
    incident = Incident(begins=NOW - timedelta(hours=1), ends=NOW - timedelta(minutes=58), run="r")
    assert baseline(slots, (incident,)) is None
    assert describe_missing(slots, (incident,), now=NOW, min_requests=1000) == (
        "278 of the 1000 requests that are needed were counted in 30 days outside of incidents; 1 quarter of an hour "
        "was left out for incidents, with 10000 requests"
    )
    assert describe_missing(slots[1:], (), now=NOW, min_requests=1000) == (
        "278 of the 1000 requests that are needed were counted in 30 days"
    )


# ------------------------------------------------------------------ through the agents


def slots_of_memory(scene: Scene, *, slow: int = 0) -> tuple[TrafficSlot, ...]:
    """A day of production before the clock of the scene."""
    shift = scene.world.clock.now() - NOW
    moved = [slot(timedelta(hours=h), slow=slow) for h in range(1, 24)]
    return tuple(
        msgspec.structs.replace(s, begins=s.begins + int(shift.total_seconds()) // SLOT_S * SLOT_S) for s in moved
    )


async def test_the_decision_holds_the_prediction_and_what_it_was_made_of(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.history = KnownProduction(slots_of_memory(scene))
    standing = await scene.driver.drive()
    assert standing.state is State.DEPLOYED
    validated = scene.driver.change.validation
    assert validated is not None
    assert [p.metric for p in validated.predictions] == ["p99_ms", "error_rate"]
    assert "8 releases are missing" in validated.why.rationale
    shown = detect_releases([scene.driver.change], "shop")
    assert [r.prediction.metric for r in shown] == ["error_rate"]  # the router in memory has no histogram
    assert shown[0].requests >= 100


async def test_a_release_that_is_expected_over_the_limit_goes_to_a_person(tmp_path: Path) -> None:
    """The staging ratio is about 1; the baseline is just under the limit, and releases spread."""
    scene = Scene(
        tmp_path,
        settings(thresholds=Thresholds(canary_monitoring_duration_min=0.5, p99_latency_threshold_ms=65)),
    )
    past = tuple(told(s) for s in (-0.2, 0.2, -0.1, 0.1, -0.15, 0.15, 0.0, 0.05))
    scene.history = KnownProduction(slots_of_memory(scene), past)
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    trigger = scene.driver.change.open_gates[0].triggers[0]
    assert trigger.rule == "validation.prediction_over_limit"
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED


def told(surprise: float) -> Change:
    """A past run of which the ledger holds a prediction and what the canary then showed."""
    scene_events = e.StagingValidated(
        proceed=True, predictions=(prediction(predicted=60.0, base=60.0),), why=e.Reasoning(decision="x", rationale="y")
    )
    p99 = 60.0 * math.exp(surprise)
    counters = Counters(requests=1000, histogram=((p99 * 0.999, 0), (p99 * 1.001, 1000)))
    return _change(scene_events, counters)


def _change(validated: e.StagingValidated, counters: Counters) -> Change:
    why = e.Reasoning(decision="x", rationale="y")
    artifact = Artifact(digest="sha256:1", service="shop", commit="c", location="x")
    stable = Instance(deployment_id="s", service="shop", artifact=artifact, host="h", port=1)
    opened = e.PrOpened(
        repo="r", pr_number=1, title="t", branch="b", base_branch="main", head_sha="h", base_sha="b",
        merge_base_sha="b", author="a", diff_sha256="d",
    )  # fmt: skip
    starting = e.CanaryStarting(
        deployment_id="d", service="shop", candidate=artifact, stable=stable, weight_percent=5, steps_percent=(100,),
        watch_s=1, warmup_s=1, error_rate_limit=0.1, p99_limit_ms=800, attempt=1, why=why,
    )  # fmt: skip
    observed = e.CanaryObserved(
        deployment_id="d", phase="step", weight_percent=100, elapsed_s=5,
        reading=TrafficReading(stable=Counters(), canary=counters),
        judgement=CanaryJudgement(verdict=Verdict.PASS, reason="r"), why=why,
    )  # fmt: skip
    history = tuple(
        Recorded(seq=i + 1, event_id=str(i), agent="t", timestamp=NOW.isoformat(), event=event)
        for i, event in enumerate((opened, validated, starting, observed))
    )
    return fold("run", history)


def test_a_failed_canary_and_a_version_taken_back_are_incidents() -> None:
    change = _change(e.StagingValidated(proceed=True, why=e.Reasoning(decision="x", rationale="y")), Counters())
    why = e.Reasoning(decision="x", rationale="y")
    back = e.CanaryRolledBack(
        deployment_id="d", service="shop", artifact_digest="sha256:1", observed_weight_percent=0, why=why
    )
    later = Recorded(seq=9, event_id="9", agent="t", timestamp=(NOW + timedelta(minutes=5)).isoformat(), event=back)
    change = msgspec.structs.replace(change, history=(*change.history, later))
    assert detect_incidents([change], "shop") == (Incident(begins=NOW, ends=NOW + timedelta(minutes=5), run="run"),)
    assert detect_incidents([change], "other") == ()


def test_production_in_the_hour_after_a_release_is_what_it_showed_too() -> None:
    """Only while its version ran: the quarter in which it was promoted, and those after the next version, are not."""
    validated = e.StagingValidated(
        proceed=True, predictions=(prediction(predicted=60.0),), why=e.Reasoning(decision="x", rationale="y")
    )
    counters = Counters(requests=1000, histogram=((50.0, 0), (60.0, 1000), (800.0, 1000), (1000.0, 1000)))
    change = _change(validated, counters)
    instance = Instance(
        deployment_id="d", service="shop", host="h", port=1,
        artifact=Artifact(digest="sha256:1", service="shop", commit="c", location="x"),
    )  # fmt: skip
    why = e.Reasoning(decision="x", rationale="y")
    promoted = e.CanaryPromoted(deployment_id="d", service="shop", stable=instance, previous=instance, why=why)

    def promote(change: Change, at: datetime, run: str) -> Change:
        recorded = Recorded(seq=9, event_id="9", agent="t", timestamp=at.isoformat(), event=promoted)
        return msgspec.structs.replace(change, run=run, history=(*change.history, recorded))

    first = promote(change, NOW, "first")
    second = promote(change, NOW + timedelta(minutes=35), "second")
    quarters = [slot(timedelta(minutes=-m), errors=m) for m in (0, 15, 30, 45, 60, 75, 90)]
    begins = [datetime.fromtimestamp(q.begins, UTC).strftime("%H:%M") for q in quarters]
    assert begins == ["14:15", "14:30", "14:45", "15:00", "15:15", "15:30", "15:45"]
    (alone,) = detect_releases([first], "shop", quarters)
    assert (alone.requests, alone.bad) == (1000 + 3 * 900, 15 + 30 + 45)
    assert 50 < alone.shown < 60.1
    both = detect_releases([first, second], "shop", quarters)
    assert [r.bad for r in both] == [15, 45 + 60 + 75]
