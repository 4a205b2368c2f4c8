"""One service with real processes behind a real proxy, users who call it all the time, and one pull request."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from greenlane.adapters.clock import SystemClock
from greenlane.adapters.envoy.traffic import EnvoyTraffic
from greenlane.adapters.load import HttpLoad, TrafficSource
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform
from greenlane.adapters.memory_repository import MemoryRepository
from greenlane.adapters.probe import HttpProbe
from greenlane.adapters.routers import Router
from greenlane.agents.deployment import DeploymentAgent
from greenlane.agents.production import install_production
from greenlane.agents.staging import StagingAgent
from greenlane.agents.validation import ValidationAgent
from greenlane.domain import events as e
from greenlane.domain.service_settings import LoadRequest, RouterSettings
from greenlane.domain.settings import Canary, Settings, Staging, Thresholds, Validation
from greenlane.policy.lifecycle import State
from tests.contract.delivery.delivery_service import PROGRAM, ThisPython, make_service
from tests.support.agents import WHY, review_complete
from tests.support.driver import Driver
from tests.support.production import KnownProduction

FAILS_IN_PRODUCTION = b"""
if os.environ.get("GREENLANE_ENVIRONMENT") == "production":
    FAIL_PERCENT = 30.0
    print("ERROR the price list is missing", flush=True)
"""


class RealScene:
    """One service that users call all the time, and one pull request that changes it."""

    def __init__(
        self,
        folder: Path,
        head_program: bytes,
        *,
        router: RouterSettings | None = None,
        traffic: Router | None = None,
        rate_rps: float = 80,
        sections: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """`sections` stand in place of the short figures; `more` ports go to the deployment agent."""
        self.rate_rps = rate_rps
        self.users: TrafficSource | None = None
        short: dict[str, Any] = {
            "services": (
                make_service("shop").model_copy(
                    update={"load": (LoadRequest(path="/"),), "router": router or RouterSettings()}
                ),
            ),
            "thresholds": Thresholds(canary_monitoring_duration_min=4 / 60, canary_traffic_initial_pct=20),
            "canary": Canary(
                warmup_s=1,
                step_duration_s=1,
                tick_s=0.2,
                min_requests=40,
                detect_factor=20,
                observe_s=0.5,
                steps_pct=(50,),
            ),
            "staging": Staging(collect_s=1, start_timeout_s=20),
            "validation": Validation(load_duration_s=4, load_extend_max_factor=1),
        }
        self.config = Settings(**(short | (sections or {})))
        program = PROGRAM.read_bytes()
        self.repo = MemoryRepository()
        self.base = self.repo.commit({"service_program.py": program, "version.txt": b"1"})
        self.head = self.repo.change(self.base, {"service_program.py": head_program, "version.txt": b"2"})
        self.repo.branches |= {"main": self.base, "feature": self.head}
        self.repo.open("feature", number=1, author="Ada <ada@example.com>")
        state = folder / "state"
        self.builder = LocalBuilder(state, ThisPython(), self.config)
        self.platform = LocalPlatform(state, ThisPython(), self.config)
        self.traffic: Router = traffic or EnvoyTraffic(state)
        self.ports: dict[str, Any] = {
            "source": self.repo, "builder": self.builder, "platform": self.platform, "traffic": self.traffic,
            "settings": self.config, "work_dir": folder / "work",
        }  # fmt: skip
        self._rest: dict[str, Any] = {"code_host": self.repo, "clock": SystemClock()}
        self._deploying = {**self.ports, **self._rest, **more}
        agents = [
            StagingAgent(**self.ports, **self._rest, probe=HttpProbe()),
            ValidationAgent(
                builder=self.builder, platform=self.platform, load=HttpLoad(seed=1), settings=self.config,
                clock=SystemClock(), history=KnownProduction(),
            ),
            DeploymentAgent(**self._deploying),
        ]  # fmt: skip
        self.driver = Driver(agents, SimpleNamespace(clock=SystemClock()))  # type: ignore[arg-type]  # no crashes here
        opened = e.PrOpened(
            repo="shop", pr_number=1, title="Version 2", branch="feature", base_branch="main", head_sha=self.head,
            base_sha=self.base, merge_base_sha=self.base, author="Ada <ada@example.com>", diff_sha256="d" * 64,
        )  # fmt: skip
        self.driver.put(opened, review_complete(("shop",)), e.TestsComplete(why=WHY, proceed=True))

    def another_worker(self, traffic: Router) -> Driver:
        """One that takes the run over where it stands, with a router of its own and a newer fence."""
        agent = DeploymentAgent(**{**self._deploying, "traffic": traffic})
        driver = Driver([agent], SimpleNamespace(clock=SystemClock()))  # type: ignore[arg-type]  # no crashes here
        driver.history = list(self.driver.history)
        driver.fence = self.driver.fence + 1
        return driver

    async def go(self) -> State:
        await install_production(self.config.services[0], self.base, **self.ports)
        url = await self.traffic.address("shop")
        async with TrafficSource(url, (LoadRequest(path="/"),), rate_rps=self.rate_rps) as users:
            self.users = users
            return (await self.driver.drive()).state
