"""A rollout with real processes, a real proxy and real users: what ships, and what production alone shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from greenlane.adapters.envoy import EnvoyTraffic
from greenlane.adapters.local_platform import shutdown
from greenlane.domain import events as e
from greenlane.domain.delivery import Split
from greenlane.domain.errors import FencedError
from greenlane.domain.service_settings import Service
from greenlane.policy.lifecycle import State
from tests.contract.delivery.delivery_service import PROGRAM
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
