"""A scene for tests of the rollout: a repository with one pull request, a world without processes, and the agents."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from greenlane.adapters.memory import Behaviour, World
from greenlane.adapters.memory_repository import MemoryRepository
from greenlane.agents.deployment import DeploymentAgent
from greenlane.agents.staging import StagingAgent
from greenlane.agents.validation import ValidationAgent
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Spread
from greenlane.domain.ids import run_id
from greenlane.domain.production import TrafficSlot
from greenlane.domain.release import Rollback
from greenlane.domain.service_settings import Commands, Service
from greenlane.domain.settings import Canary, Settings, Staging, Thresholds, Validation
from greenlane.ports.production import ProductionHistory
from tests.support.agents import WHY, review_complete
from tests.support.driver import Driver
from tests.support.production import KnownProduction

BASE_FILES = {"app.py": b"def price():\n    return 1\n", "README": b"shop\n"}


def service(name: str = "shop", **changed: object) -> Service:
    commands = Commands(start="serve --port {port}", integration="pytest integration")
    return Service.model_validate({"name": name, "commands": commands, **changed})


def settings(*services: Service, **changed: object) -> Settings:
    """A canary of a minute, so that a whole rollout takes few steps."""
    sections: dict[str, object] = {
        "services": services or (service(),),
        "thresholds": Thresholds(canary_monitoring_duration_min=0.5),
        "canary": Canary(warmup_s=5, step_duration_s=5, min_requests=50, detect_factor=10, observe_s=0),
        "staging": Staging(collect_s=4),
        "validation": Validation(load_duration_s=20, load_extend_max_factor=1),
    }
    return Settings.model_validate(sections | changed)


class Scene:
    """Everything stands; `drive` takes the change from passed tests to wherever it goes."""

    def __init__(
        self,
        work_dir: Path,
        config: Settings | None = None,
        *,
        candidate: Behaviour | None = None,
        current: Behaviour | None = None,
        lane: e.Lane = e.Lane.GREEN,
        crash_at: frozenset[int] = frozenset(),
        history: ProductionHistory | None = None,
    ) -> None:
        self.rolled_back: list[Rollback] = []
        """Rollbacks of other runs."""
        self.known_spreads: tuple[Spread, Spread] | None = None
        """How failed and slow requests were spread in other runs."""
        self.world = World()
        self.history: ProductionHistory = history or KnownProduction()
        self.config = config or settings()
        self.repo = MemoryRepository(reach=self.world.reach, did=self.world.did)
        self.base = self.repo.commit(BASE_FILES, message="base")
        self.head = self.repo.change(self.base, {"app.py": b"def price():\n    return 2\n"}, "change")
        self.repo.branches |= {"main": self.base, "feature": self.head}
        self.pull = self.repo.open("feature", number=7, author="Ada <ada@example.com>", title="Double the price")
        self.candidate = candidate or Behaviour()
        self.current = current or Behaviour()
        ports = {
            "source": self.repo, "code_host": self.repo, "builder": self.world.builder, "platform": self.world.platform,
            "traffic": self.world.traffic, "clock": self.world.clock, "settings": self.config, "work_dir": work_dir,
        }  # fmt: skip
        agents = [
            StagingAgent(**ports, probe=self.world.probe),  # type: ignore[arg-type]  # a dictionary of ports
            ValidationAgent(
                builder=self.world.builder,
                platform=self.world.platform,
                load=self.world.load,
                settings=self.config,
                clock=self.world.clock,
                history=self,
            ),
            DeploymentAgent(**ports, releases=self, history=self, load=self.world.load),  # type: ignore[arg-type]  # ports
        ]
        self.run = run_id("memory", 7, self.head)
        self.driver = Driver(agents, self.world, run=self.run, crash_at=crash_at)
        self.world.behaviours = _Behaviours(self)
        self._open(lane)

    def _open(self, lane: e.Lane) -> None:
        opened = e.PrOpened(
            repo="memory", pr_number=7, title=self.pull.title, branch="feature", base_branch="main", head_sha=self.head,
            base_sha=self.base, merge_base_sha=self.base, author=self.pull.author, diff_sha256="d" * 64,
        )  # fmt: skip
        names = tuple(s.name for s in self.config.services)
        self.driver.put(opened, review_complete(names, lane), e.TestsComplete(why=WHY, proceed=True))

    async def rollbacks(self) -> tuple[Rollback, ...]:
        """As `ports.releases` has it."""
        return tuple(self.rolled_back)

    async def spreads(self, service: str, *, tick_s: float, p99_limit_ms: float) -> tuple[Spread, Spread] | None:
        """As `ports.releases` has it."""
        return self.known_spreads

    async def slots(self, service: str, since: datetime) -> tuple[TrafficSlot, ...]:
        return await self.history.slots(service, since)

    async def past(self) -> tuple[Change, ...]:
        return await self.history.past()

    @property
    def merge(self) -> str:
        staging = self.driver.change.last_of(e.StagingComplete)
        assert staging is not None
        return staging.merge_sha

    def approve(self) -> e.HumanApproved:
        gate = self.driver.change.open_gates[0]
        return e.HumanApproved(why=WHY, gate_id=gate.gate_id, by="Grace", head_sha=self.head)

    async def stable_commit(self, name: str = "shop") -> str:
        """The commit that gets production traffic; no canary may be left behind the router."""
        split = await self.world.traffic.observe(name)
        assert split is not None
        assert split.canary is None
        return split.stable.artifact.commit

    @property
    def running(self) -> set[str]:
        """`service@commit` of every process that runs."""
        return {f"{i.service}@{i.artifact.commit}" for i in self.world.platform.running.values()}


class _Behaviours(dict[str, Behaviour]):
    """The base behaves as `current`; every merge as `candidate`."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def get(self, commit: str, default: Behaviour | None = None) -> Behaviour:  # type: ignore[override]  # never None
        return self._scene.current if commit == self._scene.base else self._scene.candidate
