"""Limits of a canary that follow production's history: the stricter one is taken, recorded, routed and judged by."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from greenlane.adapters.envoy import countable_limit_ms
from greenlane.adapters.memory import Behaviour
from greenlane.domain import events as e
from greenlane.domain.delivery import Tick
from greenlane.domain.production import SLOT_S, TrafficSlot
from greenlane.domain.service_settings import MetricsSettings, Service
from greenlane.domain.settings import Canary, Settings
from greenlane.policy.alignment import P99, align_limits, compute_aligned
from greenlane.policy.baseline import Baseline
from greenlane.policy.canary_plan import Plan, resolve_thresholds
from greenlane.policy.canary_trail import StableTrail, learn_spread
from greenlane.policy.lifecycle import State
from greenlane.policy.replay import replay_run
from tests.support.production import KnownProduction
from tests.support.rollout import Scene, service, settings

SHORT: dict[str, Any] = {
    "warmup_s": 2, "step_duration_s": 2, "min_requests": 20, "detect_factor": 50, "observe_s": 0, "steps_pct": (50,)
}  # fmt: skip
PLAN = resolve_thresholds(Settings(), service(), e.Lane.GREEN)


def usual(*, error_rate: float = 0.0, p99_ms: float | None = 60.0) -> Baseline:
    return Baseline(
        service="shop", scope="all hours", requests=100_000, errors=round(error_rate * 100_000), seconds=1e6,
        p50_ms=p99_ms, p95_ms=p99_ms, p99_ms=p99_ms, slots=100, excluded=0,
    )  # fmt: skip


def aligned(found: Baseline, *, latency: bool = True, **canary: Any) -> Plan:
    return align_limits(PLAN, found, Canary(**canary), latency=latency)


# ------------------------------------------------------------------ the rules


def test_the_stricter_of_the_configured_limit_and_what_is_usual_times_the_headroom_is_taken() -> None:
    rules = aligned(usual(error_rate=0.001, p99_ms=61.0), align_headroom=3).rules
    assert (rules.error_rate_limit, rules.p99_limit_ms) == (pytest.approx(0.003), 190)


def test_a_limit_is_never_laxer_than_configured() -> None:
    plan = aligned(usual(error_rate=0.02, p99_ms=900.0))
    assert (plan.rules.error_rate_limit, plan.rules.p99_limit_ms) == (0.005, 800)
    assert plan.rules == PLAN.rules
    assert not any(each.stricter for each in plan.aligned)
    assert "p99 800 ms as configured (usual: 900 ms)" in plan.alignment


def test_a_service_that_never_fails_is_not_held_to_no_failure_at_all() -> None:
    plan = aligned(usual(p99_ms=3.0))
    assert (plan.rules.error_rate_limit, plan.rules.p99_limit_ms) == (0.001, 50)
    assert "the lowest that history may set" in plan.alignment
    strict = msgspec.structs.replace(PLAN, rules=msgspec.structs.replace(PLAN.rules, error_rate_limit=0.0005))
    assert align_limits(strict, usual(), Canary()).rules.error_rate_limit == 0.0005  # what is configured may be lower


def test_a_stricter_error_limit_needs_more_requests() -> None:
    assert PLAN.rules.min_requests == 669
    assert aligned(usual()).rules.min_requests == 3341


@pytest.mark.parametrize("usual_ms", [0.4, 25.1, 49.6, 57.2, 99.6, 101.3, 123.0, 150.0, 333.3])
def test_an_aligned_latency_is_one_that_the_proxy_counts_exactly(usual_ms: float) -> None:
    limit = compute_aligned(P99, 800.0, usual=usual_ms, headroom=2.0, least=1.0)
    assert countable_limit_ms(limit) == limit
    assert usual_ms * 2 <= limit <= max(usual_ms * 2.2, 1.0)


def test_latency_stays_as_configured_where_nobody_counts_it() -> None:
    for plan in (aligned(usual(p99_ms=None)), aligned(usual(), latency=False)):
        assert plan.rules.p99_limit_ms == 800
        assert [each.metric for each in plan.aligned] == ["error_rate"]
        assert "p99 as configured, because" in plan.alignment


def test_failures_of_canaries_with_another_limit_of_latency_are_still_known() -> None:
    """A limit that follows history moves: what is known of bursts of failures has nothing to do with it."""
    ticks = (Tick(at_s=1, stable_requests=100, stable_errors=5, stable_over=7),)
    trails = [StableTrail(service="shop", tick_s=1, p99_limit_ms=limit, ticks=ticks) for limit in (800.0, 120.0)]
    errors, slow = learn_spread(trails, 120.0) or ((), ())
    assert (errors.requests, errors.bad, slow.requests, slow.bad) == (200, 10, 100, 7)


# ------------------------------------------------------------------ through the agent


def production(scene: Scene, *, requests: int = 900, errors: int = 2) -> KnownProduction:
    """A day in which all answers took 50 to 60 ms."""
    now = int(scene.world.clock.now().timestamp()) // SLOT_S * SLOT_S
    histogram = ((50.0, 0), (60.0, requests), (1000.0, requests))
    return KnownProduction(
        [
            TrafficSlot(
                begins=now - round(timedelta(hours=hours).total_seconds()),
                requests=requests, errors=errors, seconds=float(SLOT_S), histogram=histogram,
            )
            for hours in range(1, 24)
        ]
    )  # fmt: skip


def make(folder: Path, *, align: bool = True, shop: Service | None = None, **behaviour: Any) -> Scene:
    config = settings(*([shop] if shop else []), canary=Canary(align_with_history=align, **SHORT))
    scene = Scene(folder, config, candidate=Behaviour(**behaviour))
    scene.history = production(scene)
    return scene


def starting_of(scene: Scene) -> e.CanaryStarting:
    found = scene.driver.change.last_of(e.CanaryStarting)
    assert found is not None
    return found


async def test_the_limit_that_was_taken_and_from_what_stands_in_the_decision_and_at_the_router(tmp_path: Path) -> None:
    scene = make(tmp_path)
    routed: list[tuple[float, float]] = []
    route = scene.world.traffic.route

    async def spy(shop: Service, split: Any, *, p99_limit_ms: float, **rest: Any) -> None:
        routed.append((split.canary_weight, p99_limit_ms))
        await route(shop, split, p99_limit_ms=p99_limit_ms, **rest)

    scene.world.traffic.route = spy  # type: ignore[method-assign]  # to see what it is told
    assert (await scene.driver.drive()).state is State.DEPLOYED
    starting = starting_of(scene)
    assert (starting.p99_limit_ms, starting.error_rate_limit) == (120, pytest.approx(2 / 900 * 2))
    errors, p99 = starting.aligned
    assert (errors.configured, errors.usual, errors.headroom) == (0.005, 2 / 900, 2)
    assert (p99.metric, p99.configured, p99.limit, p99.requests, p99.scope) == (P99, 800, 120, 20_700, "all hours")
    assert "p99 120 ms instead of 800 ms (usual: 59." in starting.why.rationale
    assert "failed requests 0.444% instead of 0.500% (usual: 0.222%)" in starting.why.rationale
    assert {limit for weight, limit in routed if weight} == {120}
    assert routed[-1] == (0, 800)  # once the canary is over, production is counted as it was before


@pytest.mark.parametrize(("align", "state"), [(True, State.ROLLED_BACK), (False, State.DEPLOYED)])
async def test_a_release_within_the_configured_limit_and_far_over_what_is_usual_is_rolled_back(
    tmp_path: Path, align: bool, state: State
) -> None:
    """0.48 % fail, of 0.5 % that are allowed and of 0.11 % that are usual."""
    scene = make(tmp_path, align=align, production_error_rate=0.0048)
    scene.current = Behaviour(production_error_rate=0.0012)
    scene.history = production(scene, errors=1)
    scene.world.traffic.default_rps = 20_000
    assert (await scene.driver.drive()).state is state
    found = replay_run(scene.driver.history)
    assert not [r for r in found if r.differences]
    assert [r.what for r in found if "aligned" in r.what] == (
        ["limits of the canary of shop, aligned with history"] * align
    )


async def test_a_limit_that_does_not_follow_from_its_recorded_history_shows_when_it_is_replayed(tmp_path: Path) -> None:
    scene = make(tmp_path)
    await scene.driver.drive()
    starting = starting_of(scene)
    laxer = tuple(msgspec.structs.replace(each, usual=each.usual * 2) for each in starting.aligned)
    altered = (msgspec.structs.replace(starting, aligned=laxer), msgspec.structs.replace(starting, p99_limit_ms=130.0))
    told = []
    for event in altered:
        history = [msgspec.structs.replace(r, event=event) if r.event == starting else r for r in scene.driver.history]
        told.append([r.differences for r in replay_run(history) if "aligned" in r.what])
    assert told[0] == [
        ("error_rate: recorded 0.0044444444444444444, from its history 0.005",
         "p99_ms: recorded 120.0, from its history 240.0")
    ]  # fmt: skip
    assert told[1] == [("p99_ms: taken 120.0, judged by 130.0",)]


async def test_too_little_history_leaves_the_limits_and_says_what_is_missing(tmp_path: Path) -> None:
    scene = make(tmp_path)
    scene.history = production(scene, requests=40, errors=0)
    await scene.driver.drive()
    starting = starting_of(scene)
    assert (starting.error_rate_limit, starting.p99_limit_ms, starting.aligned) == (0.005, 800, ())
    assert "as configured: there is no baseline yet (920 of the 1000 requests" in starting.why.rationale


async def test_limits_are_as_configured_unless_they_are_to_be_aligned(tmp_path: Path) -> None:
    scene = make(tmp_path, align=False)
    await scene.driver.drive()
    starting = starting_of(scene)
    assert (starting.error_rate_limit, starting.p99_limit_ms, starting.aligned) == (0.005, 800, ())
    assert "history" not in starting.why.rationale


async def test_latency_is_not_aligned_where_the_figures_come_from_elsewhere(tmp_path: Path) -> None:
    """Prometheus and programs count what is over the configured limit."""
    metrics = MetricsSettings(source="command", command="figures")
    scene = make(tmp_path, shop=service(metrics=metrics))
    await scene.driver.drive()
    starting = starting_of(scene)
    assert starting.p99_limit_ms == 800
    assert "p99 as configured, because the proxy does not count it" in starting.why.rationale
