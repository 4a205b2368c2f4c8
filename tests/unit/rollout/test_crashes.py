"""Whatever instant the worker dies at, the change ends the same and nothing is done twice.

Every boundary of a rollout is tried once (the instant after each recorded event and after each effect), and random
pairs of boundaries, where the second worker dies as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.domain import events as e
from greenlane.domain.settings import Canary, Staging, Thresholds, Validation
from tests.support.rollout import Scene, service, settings

Make = Callable[[Path, frozenset[int]], Scene]
_QUICK = {
    "thresholds": Thresholds(canary_monitoring_duration_min=0.1),
    "canary": Canary(warmup_s=2, step_duration_s=2, min_requests=20, detect_factor=50, observe_s=0, steps_pct=(50,)),
    "staging": Staging(collect_s=0),
    "validation": Validation(load_duration_s=5, load_extend_max_factor=1),
}


def _healthy(folder: Path, crash_at: frozenset[int]) -> Scene:
    return Scene(folder, settings(**_QUICK), crash_at=crash_at)


def _failing(folder: Path, crash_at: frozenset[int]) -> Scene:
    return Scene(folder, settings(**_QUICK), candidate=Behaviour(production_error_rate=0.3), crash_at=crash_at)


def _two_services_the_second_without_data(folder: Path, crash_at: frozenset[int]) -> Scene:
    scene = Scene(folder, settings(service("api"), service("shop"), **_QUICK), crash_at=crash_at)
    scene.world.traffic.rates_rps["shop"] = 0
    return scene


def _rejected_after_the_first_service(folder: Path, crash_at: frozenset[int]) -> Scene:
    scene = Scene(folder, settings(service("api"), service("shop"), **_QUICK), crash_at=crash_at)
    scene.driver.interject(e.CanaryPromoted, e.RunSuperseded(by_run="next", new_head_sha="f" * 40))
    return scene


def _base_moved_in_the_last_moment(folder: Path, crash_at: frozenset[int]) -> Scene:
    scene = Scene(folder, settings(**_QUICK), crash_at=crash_at)

    def meanwhile(event: e.Event) -> None:
        if isinstance(event, e.BaseAdvancing) and scene.repo.branches["main"] == scene.base:
            scene.repo.branches["main"] = scene.repo.change(scene.base, {"README": b"moved\n"})

    scene.driver.on_event = meanwhile
    return scene


def _superseded_while_the_base_branch_moves(folder: Path, crash_at: frozenset[int]) -> Scene:
    scene = Scene(folder, settings(**_QUICK), crash_at=crash_at)
    scene.driver.interject(e.BaseAdvancing, e.RunSuperseded(by_run="next", new_head_sha="f" * 40))
    return scene


def _taken_back(folder: Path, crash_at: frozenset[int]) -> Scene:
    scene = Scene(folder, settings(**_QUICK), crash_at=crash_at)
    scene.driver.interject(e.DeploymentComplete, e.RollbackRequested(by="Grace", reason="customers complain"))
    return scene


MAKERS = (
    _healthy,
    _failing,
    _two_services_the_second_without_data,
    _rejected_after_the_first_service,
    _base_moved_in_the_last_moment,
    _superseded_while_the_base_branch_moves,
    _taken_back,
)
_WATCHING = ("canary.observed", "canary.promoting", "service.installing")
"""Decisions that a second worker takes again: a watch that begins anew is observed anew."""


async def _end_of(scene: Scene) -> tuple[object, ...]:
    """Everything about the end of a run that a crash may not change."""
    standing = await scene.driver.drive()
    splits = [await scene.world.traffic.observe(s.name) for s in scene.config.services]
    decisions = [t for t in scene.driver.types if t not in _WATCHING]
    starts = scene.world.platform.starts
    production = sorted(x for x in starts if x.startswith("production"))
    return (
        standing.state,
        scene.repo.branches["main"],
        [s and (s.stable.deployment_id, s.canary, s.canary_weight) for s in splits],
        sorted(scene.world.platform.running),
        decisions,
        production,
        [x for x in scene.world.effects if x.startswith("advance")],
    )


@pytest.mark.parametrize("make", MAKERS)
async def test_a_crash_at_any_boundary_changes_nothing(make: Make, tmp_path: Path) -> None:
    whole = make(tmp_path, frozenset())
    expected = await _end_of(whole)
    assert len(whole.driver.boundaries) > 20
    production = expected[5]
    assert isinstance(production, list)
    assert len(production) == len(set(production))
    for boundary in range(1, len(whole.driver.boundaries) + 1):
        scene = make(tmp_path, frozenset({boundary}))
        assert await _end_of(scene) == expected, f"crash after {whole.driver.boundaries[boundary - 1]} ({boundary})"
        assert scene.driver.crashes == 1


@pytest.mark.parametrize("make", MAKERS)
async def test_a_second_crash_on_the_way_of_recovery_changes_nothing(make: Make, tmp_path: Path) -> None:
    whole = make(tmp_path, frozenset())
    expected = await _end_of(whole)
    draw = random.Random(7)
    for _ in range(12):
        first = draw.randrange(1, len(whole.driver.boundaries) + 1)
        second = first + draw.randrange(1, 8)
        scene = make(tmp_path, frozenset({first, second}))
        assert await _end_of(scene) == expected, f"crashes at {first} and {second}"


async def test_a_worker_that_takes_over_sets_the_weight_to_0_before_anything_else(tmp_path: Path) -> None:
    whole = _healthy(tmp_path, frozenset())
    await whole.driver.drive()
    boundary = whole.driver.boundaries.index("route shop 50") + 3
    scene = _healthy(tmp_path, frozenset({boundary}))
    await scene.driver.drive()
    routes = [x for x in scene.world.effects if x.startswith("route")]
    assert routes[routes.index("route shop 50") :] == [
        "route shop 50", "route shop 0", "route shop 50", "route shop 100", "route shop 0",
    ]  # fmt: skip
    assert "resumed" in [o.phase for o in scene.driver.change.all_of(e.CanaryObserved)]


async def test_a_candidate_that_died_with_its_worker_begins_its_canary_anew(tmp_path: Path) -> None:
    whole = _healthy(tmp_path, frozenset())
    await whole.driver.drive()
    boundary = whole.driver.boundaries.index("route shop 50") + 3
    scene = _healthy(tmp_path, frozenset({boundary}))
    gone = scene.world.traffic.controller_gone

    def host_restarts() -> None:
        gone()
        candidate = scene.driver.change.canary
        assert candidate is not None
        scene.world.platform.kill(candidate.deployment_id)

    scene.world.traffic.controller_gone = host_restarts  # type: ignore[method-assign]  # the candidate goes with it
    await scene.driver.drive()
    routes = [x for x in scene.world.effects if x.startswith("route")]
    assert routes[-4:] == ["route shop 5", "route shop 50", "route shop 100", "route shop 0"]
