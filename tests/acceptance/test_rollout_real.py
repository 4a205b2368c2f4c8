"""A rollout with real processes, a real proxy and real users: what ships, and what production alone shows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from greenlane.adapters.local_platform import shutdown
from greenlane.domain import events as e
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
