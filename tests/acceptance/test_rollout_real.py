"""A rollout with real processes, a real proxy and real users: what ships, and what production alone shows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from greenlane.adapters.envoy import EnvoyTraffic
from greenlane.adapters.load import HttpLoad
from greenlane.adapters.local_platform import shutdown
from greenlane.domain import events as e
from greenlane.domain.delivery import Split
from greenlane.domain.errors import FencedError
from greenlane.domain.production import SLOT_S, TrafficSlot
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Canary, Staging, Thresholds
from greenlane.policy.lifecycle import State
from tests.contract.delivery.delivery_service import PROGRAM
from tests.support.production import KnownProduction
from tests.support.real_rollout import FAILS_IN_PRODUCTION, RealScene


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Any]:
    made: list[RealScene] = []

    def scene(head_program: bytes) -> RealScene:
        made.append(RealScene(tmp_path, head_program))
        return made[-1]

    yield scene
    for each in made:
        await each.traffic.close()
    with contextlib.suppress(FileNotFoundError):
        await shutdown(tmp_path / "state")


async def test_a_healthy_version_ships_and_is_taken_back_on_request(make: Any) -> None:
    scene = make(PROGRAM.read_bytes() + b"\n# a remark\n")
    assert await scene.go() is State.DEPLOYED, scene.driver.history[-1]
    split = await scene.traffic.observe("shop")
    assert split.stable.artifact.commit == scene.repo.branches["main"] != scene.base
    assert split.canary is None
    scene.driver.put(e.RollbackRequested(by="Grace", reason="customers complain"))
    assert (await scene.driver.drive()).state is State.ROLLED_BACK
    split = await scene.traffic.observe("shop")
    assert split.stable.artifact.commit == scene.base
    assert scene.repo.tree_of(scene.repo.branches["main"]) == scene.repo.tree_of(scene.base)


async def test_what_only_production_shows_is_rolled_back_with_its_evidence(make: Any) -> None:
    text = PROGRAM.read_bytes()
    place = text.index(b"class Handler")
    scene = make(text[:place] + FAILS_IN_PRODUCTION.lstrip() + b"\n\n" + text[place:])
    assert await scene.go() is State.ROLLED_BACK
    rolling = scene.driver.change.last_of(e.CanaryRollingBack)
    assert rolling.trigger == "error_rate"
    assert rolling.reading.canary.errors > 0
    assert rolling.reading.stable.errors == 0
    split = await scene.traffic.observe("shop")
    assert split.stable.artifact.commit == scene.base == scene.repo.branches["main"]
    assert split.canary is None
    assert await scene.platform.find(rolling.deployment_id) is None
    assert "the price list is missing" in scene.driver.change.incident.markdown


async def test_requests_are_added_through_the_proxy_and_counted_by_the_limit_of_history(tmp_path: Path) -> None:
    """Two users a second can't decide a canary: what is added reaches both versions, and ends with the watch."""
    users_rps, at = 2.0, int(time.time()) // SLOT_S * SLOT_S - 2 * SLOT_S
    histogram = ((300.0, 0), (320.0, 5000), (1000.0, 5000))
    slot = TrafficSlot(begins=at, requests=5000, errors=5, seconds=float(SLOT_S), histogram=histogram)
    canary = Canary(
        warmup_s=0.4, step_duration_s=0.6, tick_s=0.2, min_requests=30, detect_factor=50, observe_s=1, steps_pct=(50,),
        extend_max_factor=4, max_weight_pct=20, synthetic_rps=100, align_with_history=True, align_error_rate_min=0.005,
    )  # fmt: skip
    sections = {
        "thresholds": Thresholds(canary_monitoring_duration_min=2 / 60, canary_traffic_initial_pct=20),
        "canary": canary,
        "staging": Staging(collect_s=0.2, start_timeout_s=20),
    }
    program = PROGRAM.read_bytes() + b"\n# a remark\n"
    scene = RealScene(
        tmp_path, program, rate_rps=users_rps, sections=sections, load=HttpLoad(seed=2), history=KnownProduction([slot])
    )
    try:
        assert await scene.go() is State.DEPLOYED, scene.driver.history[-1]
        starting = scene.driver.change.last_of(e.CanaryStarting)
        assert starting is not None
        assert 40 < starting.synthetic_rps < 75  # 30 requests in 2 s at 20 % are 75 a second
        watched = [o for o in scene.driver.change.all_of(e.CanaryObserved) if o.phase == "watch"][-1]
        both = watched.reading.canary.requests + watched.reading.stable.requests
        assert watched.reading.canary.requests >= 30
        assert both > 5 * users_rps * watched.elapsed_s  # the users alone make one part of it
        assert starting.p99_limit_ms == 640
        bounds = {bound for bound, _ in watched.reading.canary.histogram}
        assert 640.0 in bounds  # twice what is usual, exactly
        assert 800.0 not in bounds
        before = await scene.traffic.read("shop")
        await asyncio.sleep(0.6)
        after = await scene.traffic.read("shop")
        assert after.canary.requests == before.canary.requests  # of all traffic by now: nothing is sent any more
    finally:
        await scene.traffic.close()
        with contextlib.suppress(FileNotFoundError):
            await shutdown(tmp_path / "state")


class StoppedBeforeRouting(EnvoyTraffic):
    """The router of a worker that is frozen in the last moment before it routes what it just recorded, then thaws."""

    def __init__(self, state: Path, moment: str) -> None:
        super().__init__(state)
        self._moment = moment
        self._routed_a_canary = False
        self.frozen, self.thaw = asyncio.Event(), asyncio.Event()
        self.refused: FencedError | None = None

    async def route(self, service: Service, split: Split, **rest: Any) -> None:
        promotes = split.canary is None and self._routed_a_canary
        self._routed_a_canary = self._routed_a_canary or split.canary_weight > 0
        if (promotes if self._moment == "promotion" else split.canary_weight > 0) and not self.frozen.is_set():
            self.frozen.set()
            await self.let_go(service.name)  # as the proxy sees a process that answers no more
            await self.thaw.wait()
        try:
            await super().route(service, split, **rest)
        except FencedError as error:
            self.refused = self.refused or error
            raise


@pytest.mark.parametrize("moment", ["canary", "promotion"])
async def test_a_worker_frozen_before_it_routes_can_not_route_again_what_another_took_back(
    tmp_path: Path, moment: str
) -> None:
    state = tmp_path / "state"
    frozen = StoppedBeforeRouting(state, moment)
    scene = RealScene(tmp_path, PROGRAM.read_bytes() + b"\n# a remark\n", traffic=frozen)
    others = EnvoyTraffic(state)
    first = asyncio.create_task(scene.go())
    try:
        waiting = asyncio.create_task(frozen.frozen.wait())
        await asyncio.wait({first, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        assert frozen.frozen.is_set(), (first, scene.driver.types)
        second = scene.another_worker(others)
        second.put(e.RollbackRequested(by="Grace", reason="customers complain"))
        assert (await second.drive()).state is State.ROLLED_BACK
        frozen.thaw.set()
        await first
        assert frozen.refused is not None
        assert scene.driver.failures[0] is frozen.refused
        split = await others.observe("shop")
        assert split is not None
        assert (split.stable.artifact.commit, split.canary) == (scene.base, None)
    finally:
        first.cancel()
        await frozen.close()
        await others.close()
        with contextlib.suppress(FileNotFoundError):
            await shutdown(state)
