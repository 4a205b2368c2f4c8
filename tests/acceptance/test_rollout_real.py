"""A rollout with real processes, a real proxy and real users: what ships, and what production alone shows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from greenlane.adapters.clock import SystemClock
from greenlane.adapters.envoy.traffic import EnvoyTraffic
from greenlane.adapters.load import HttpLoad, TrafficSource
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform, shutdown
from greenlane.adapters.memory_repository import MemoryRepository
from greenlane.adapters.probe import HttpProbe
from greenlane.agents.deployment import DeploymentAgent
from greenlane.agents.production import install_production
from greenlane.agents.staging import StagingAgent
from greenlane.agents.validation import ValidationAgent
from greenlane.domain import events as e
from greenlane.domain.settings import Canary, LoadRequest, Settings, Staging, Thresholds, Validation
from greenlane.policy.lifecycle import State
from tests.contract.delivery.delivery_service import PROGRAM, ThisPython, make_service
from tests.support.agents import WHY, review_complete
from tests.support.driver import Driver

FAILS_IN_PRODUCTION = b"""
if os.environ.get("GREENLANE_ENVIRONMENT") == "production":
    FAIL_PERCENT = 30.0
    print("ERROR the price list is missing", flush=True)
"""


class RealScene:
    """One service that users call all the time, and one pull request that changes it."""

    def __init__(self, folder: Path, head_program: bytes) -> None:
        self.config = Settings(
            services=(make_service("shop").model_copy(update={"load": (LoadRequest(path="/"),)}),),
            thresholds=Thresholds(canary_monitoring_duration_min=4 / 60, canary_traffic_initial_pct=20),
            canary=Canary(warmup_s=1, step_duration_s=1, tick_s=0.2, min_requests=40, detect_factor=20, steps_pct=(50,)),
            staging=Staging(collect_s=1, start_timeout_s=20),
            validation=Validation(load_duration_s=4),
        )
        program = PROGRAM.read_bytes()
        self.repo = MemoryRepository()
        self.base = self.repo.commit({"service_program.py": program, "version.txt": b"1"})
        self.head = self.repo.change(self.base, {"service_program.py": head_program, "version.txt": b"2"})
        self.repo.branches |= {"main": self.base, "feature": self.head}
        self.repo.open("feature", number=1, author="Ada <ada@example.com>")
        state = folder / "state"
        self.builder = LocalBuilder(state, ThisPython(), self.config)
        self.platform = LocalPlatform(state, ThisPython(), self.config)
        self.traffic = EnvoyTraffic(state)
        self.ports: dict[str, Any] = {
            "source": self.repo, "builder": self.builder, "platform": self.platform, "traffic": self.traffic,
            "settings": self.config, "work_dir": folder / "work",
        }  # fmt: skip
        rest: dict[str, Any] = {"code_host": self.repo, "clock": SystemClock()}
        agents = [
            StagingAgent(**self.ports, **rest, probe=HttpProbe()),
            ValidationAgent(builder=self.builder, platform=self.platform, load=HttpLoad(seed=1), settings=self.config),
            DeploymentAgent(**self.ports, **rest),
        ]
        self.driver = Driver(agents, SimpleNamespace(clock=SystemClock()))  # type: ignore[arg-type]  # no crashes here
        opened = e.PrOpened(
            repo="shop", pr_number=1, title="Version 2", branch="feature", base_branch="main", head_sha=self.head,
            base_sha=self.base, merge_base_sha=self.base, author="Ada <ada@example.com>", diff_sha256="d" * 64,
        )  # fmt: skip
        self.driver.put(opened, review_complete(("shop",)), e.TestsComplete(why=WHY, proceed=True))

    async def go(self) -> State:
        await install_production(self.config.services[0], self.base, **self.ports)
        url = await self.traffic.address("shop")
        async with TrafficSource(url, (LoadRequest(path="/"),), rate_rps=80):
            return (await self.driver.drive()).state


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
