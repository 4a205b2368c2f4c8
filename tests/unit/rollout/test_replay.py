"""`greenlane replay`: what the ledger keeps of a judgement gives the same judgement, and nothing altered does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.domain import events as e
from greenlane.domain.change import Recorded
from greenlane.domain.delivery import Samples, Verdict
from greenlane.domain.settings import Canary
from greenlane.policy.evidence import pack_samples, unpack_samples
from greenlane.policy.replay import NOT_JUDGED, replay_run
from tests.support.rollout import Scene, settings

SHORT = settings(
    canary=Canary(warmup_s=2, step_duration_s=2, min_requests=20, detect_factor=50, observe_s=0, steps_pct=(50,))
)


def _healthy(folder: Path, crash_at: frozenset[int] = frozenset()) -> Scene:
    return Scene(folder, SHORT, crash_at=crash_at)


def _failing(folder: Path) -> Scene:
    return Scene(folder, SHORT, candidate=Behaviour(production_error_rate=0.2))


def _slow(folder: Path) -> Scene:
    return Scene(folder, SHORT, candidate=Behaviour(production_slow_rate=0.5))


def _without_traffic(folder: Path) -> Scene:
    scene = Scene(folder, SHORT)
    scene.world.traffic.default_rps = 0.0
    return scene


def _dying(folder: Path) -> Scene:
    scene = Scene(folder, SHORT)

    def kill(event: e.Event) -> None:
        if isinstance(event, e.CanaryObserved) and event.phase == "watch":
            scene.world.platform.running.pop(event.deployment_id, None)

    scene.driver.on_event = kill
    return scene


@pytest.mark.parametrize("make", [_healthy, _failing, _slow, _without_traffic, _dying])
async def test_every_ending_is_judged_again_to_the_same_verdict(tmp_path: Path, make: Callable[[Path], Scene]) -> None:
    scene = make(tmp_path)
    await scene.driver.drive()
    found = replay_run(scene.driver.history)
    assert [(r.what, r.differences) for r in found if r.differences] == []
    assert len(found) >= 3
    assert all(r.again in (r.recorded, NOT_JUDGED) for r in found)
    assert sum(r.looks for r in found) >= 5


@pytest.mark.parametrize("dies", [False, True])
async def test_a_watch_that_was_taken_over_is_judged_again_too(tmp_path: Path, dies: bool) -> None:
    whole = _healthy(tmp_path)
    await whole.driver.drive()
    scene = _healthy(tmp_path, frozenset({whole.driver.boundaries.index("route shop 50") + 3}))
    gone = scene.world.traffic.controller_gone

    def host_restarts() -> None:
        gone()
        canary = scene.driver.change.canary
        if dies and canary is not None:
            scene.world.platform.kill(canary.deployment_id)

    scene.world.traffic.controller_gone = host_restarts  # type: ignore[method-assign]  # the candidate goes with it
    await scene.driver.drive()
    assert ("restarted" if dies else "resumed") in [o.phase for o in scene.driver.change.all_of(e.CanaryObserved)]
    assert [r.differences for r in replay_run(scene.driver.history) if r.differences] == []


def _altered(
    history: Sequence[Recorded], kind: type[e.Event], alter: Callable[[Any], Any], nth: int = -1
) -> list[Recorded]:
    """The same history, with one event altered."""
    places = [i for i, r in enumerate(history) if isinstance(r.event, kind)]
    changed = list(history)
    place = places[nth]
    changed[place] = msgspec.structs.replace(changed[place], event=alter(changed[place].event))
    return changed


def _one_error_less(event: e.CanaryRollingBack) -> e.CanaryRollingBack:
    at = next(i for i, tick in enumerate(event.ticks) if tick.canary_errors)
    tick = msgspec.structs.replace(event.ticks[at], canary_errors=event.ticks[at].canary_errors - 1)
    return msgspec.structs.replace(event, ticks=(*event.ticks[:at], tick, *event.ticks[at + 1 :]))


def _replace(**changed: object) -> Callable[[Any], Any]:
    return lambda event: msgspec.structs.replace(event, **changed)


@pytest.mark.parametrize(
    ("why", "kind", "alter", "nth"),
    [
        ("one failed request less in one look", e.CanaryRollingBack, _one_error_less, -1),
        ("another limit", e.CanaryStarting, _replace(error_rate_limit=0.3), -1),
        ("another chance of a false alarm", e.CanaryStarting, _replace(alpha=1e-6), -1),
        ("a look left out", e.CanaryRollingBack, lambda x: msgspec.structs.replace(x, ticks=x.ticks[1:]), -1),
        ("no look at all", e.CanaryRollingBack, _replace(ticks=()), -1),
        ("not by the judge", e.CanaryRollingBack, _replace(ticks=(), phase=""), -1),
        (
            "another verdict",
            e.CanaryObserved,
            lambda x: msgspec.structs.replace(x, judgement=msgspec.structs.replace(x.judgement, verdict="pass")),
            0,
        ),
        ("another version of the judge", e.CanaryStarting, _replace(judge=1), -1),
    ],
)
async def test_whatever_is_altered_shows(
    tmp_path: Path, why: str, kind: type[e.Event], alter: Callable[[Any], Any], nth: int
) -> None:
    scene = _failing(tmp_path)
    await scene.driver.drive()
    assert not any(r.differences for r in replay_run(scene.driver.history))
    changed = _altered(scene.driver.history, kind, alter, nth)
    assert any(r.differences for r in replay_run(changed)), why


def _with_evidence(**changed: object) -> Callable[[e.StagingValidated], e.StagingValidated]:
    """The comparison of the only service, judged from something else than was recorded."""

    def alter(event: e.StagingValidated) -> e.StagingValidated:
        (service,) = event.services
        assert service.evidence is not None
        evidence = msgspec.structs.replace(service.evidence, **changed)
        return msgspec.structs.replace(event, services=(msgspec.structs.replace(service, evidence=evidence),))

    return alter


async def test_a_comparison_under_load_is_judged_again_and_whatever_is_altered_shows(tmp_path: Path) -> None:
    scene = _healthy(tmp_path)
    await scene.driver.drive()
    (service,) = scene.driver.change.last_of(e.StagingValidated).services  # type: ignore[union-attr]  # it validated
    assert service.evidence is not None
    assert service.evidence.current is not None
    compared = [r for r in replay_run(scene.driver.history) if r.what.startswith(("comparison", "validation"))]
    assert [(r.recorded == r.again, r.differences) for r in compared] == [(True, ()), (True, ())]
    packed, limits = service.evidence.candidate, service.evidence.limits
    for alter in (
        _with_evidence(candidate=msgspec.structs.replace(packed, errors=packed.requests // 2)),
        _with_evidence(candidate=msgspec.structs.replace(packed, data=packed.data[:-5])),
        _with_evidence(limits=msgspec.structs.replace(limits, latency_ratio_max=0.1, latency_floor_ms=-1.0)),
        _with_evidence(verdict=Verdict.FAIL),
        _with_evidence(load_s=1.0),
        lambda event: msgspec.structs.replace(event, proceed=False),
    ):
        changed = _altered(scene.driver.history, e.StagingValidated, alter)
        assert any(r.differences for r in replay_run(changed))


def test_packed_latencies_are_those_that_were_measured_to_a_thousandth() -> None:
    draw = random.Random(1)
    latencies = tuple(draw.lognormvariate(1.5, 0.5) for _ in range(12_000))
    samples = Samples(latencies_ms=latencies, errors=3, requests=12_003)
    packed = pack_samples(samples, 120.0)
    assert len(packed.data) < 20_000
    again = unpack_samples(packed, 120.0)
    assert (again.errors, again.requests) == (3, 12_003)
    for first, second in zip(sorted(latencies), sorted(again.latencies_ms), strict=True):
        assert abs(first / second - 1) < 0.001
    assert pack_samples(again, 120.0) == packed


async def test_a_promotion_without_all_its_phases_shows(tmp_path: Path) -> None:
    scene = _healthy(tmp_path)
    await scene.driver.drive()
    passed = [r for r in scene.driver.history if isinstance(r.event, e.CanaryObserved) and r.event.phase == "step"]
    assert len(passed) >= 2
    shortened = [r for r in scene.driver.history if r not in passed]
    found = [r for r in replay_run(shortened) if r.differences]
    assert len(found) == 1
    assert "promoted" in found[0].what
    assert "step at 50 %" in found[0].differences[0]
