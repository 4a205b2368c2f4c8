"""The crew: the five agents with everything they act through, on one machine, without a server.

Put together when work begins. To move a part elsewhere (another platform, another bus) is to name another adapter here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from greenlane.adapters.environments import VenvEnvironments
from greenlane.adapters.git import LocalGit
from greenlane.adapters.history import GitHistory
from greenlane.adapters.load import HttpLoad
from greenlane.adapters.local_builder import LocalBuilder
from greenlane.adapters.local_platform import LocalPlatform
from greenlane.adapters.notify import DELIVERIES, Courier, FanOut
from greenlane.adapters.platforms import Builders, Platforms
from greenlane.adapters.probe import HttpProbe
from greenlane.adapters.reports import FOLDER, FileNotifier
from greenlane.adapters.routers import Routers
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.agents.base import Agent
from greenlane.agents.deployment import DeploymentAgent
from greenlane.agents.production import install_production, p99_limit_ms, retire_previous, retire_staging
from greenlane.agents.review import ReviewAgent
from greenlane.agents.staging import StagingAgent
from greenlane.agents.testing import TestAgent
from greenlane.agents.validation import ValidationAgent
from greenlane.analyzers.catalog import build_analyzers
from greenlane.analyzers.coverage import SandboxedCoverage
from greenlane.analyzers.reader import ChangeReader
from greenlane.bootstrap.around import look_around
from greenlane.bootstrap.model import make_reviewer, make_test_writer
from greenlane.bootstrap.production import LocalProductionHistory, ProductionSampler
from greenlane.bus.memory import InProcessBus
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.settings import Settings
from greenlane.domain.weights import FittedWeights
from greenlane.ledger.owner import this_owner
from greenlane.ledger.store import LedgerStore
from greenlane.policy.usual import Around
from greenlane.ports.clock import Clock
from greenlane.runtime.holding import Holdings
from greenlane.runtime.journal import Journal
from greenlane.runtime.notices import Notices
from greenlane.runtime.recording import Writer
from greenlane.runtime.releases import LedgerReleases
from greenlane.runtime.track import LedgerTrack
from greenlane.runtime.worker import Worker
from greenlane.testgen import TestAsker, TestGenerator

log = logging.getLogger(__name__)
HOUSEKEEPING_S = 2.0  # how often previous versions that were kept long enough are looked for
WATCH_SLACK_S = 1.0  # a look at a canary that is later than this is none: its traffic goes to stable until the next one
LAST_WORDS_S = 4.0  # an ending process tries for so long to deliver what is left; the next one goes on with the rest
REMEMBERED_RUNS = 200  # newest ended runs whose previous version may still be up after a restart


class LocalCrew:
    """Implements `runtime.application.Crew`."""

    def __init__(
        self,
        *,
        settings: Settings,
        state_dir: Path,
        git: LocalGit,
        store: LedgerStore,
        journal: Journal,
        clock: Clock,
        writer: Writer,
        weights: FittedWeights | None = None,
        unsafe: bool = False,
    ) -> None:
        self._weights = weights
        self._settings = settings
        self._git = git
        self._store = store
        self._clock = clock
        self._state_dir = state_dir
        self._work_dir = state_dir / "work"
        self._sandbox = choose_sandbox(settings, unsafe=unsafe)
        self._environments = VenvEnvironments(state_dir / "environments", self._sandbox, settings)
        self._builder = Builders(LocalBuilder(state_dir, self._environments, settings))
        self._platform = Platforms(LocalPlatform(state_dir, self._environments, settings), state_dir, settings.services)
        self._traffic = Routers(
            state_dir,
            settings.services,
            limits_ms={service.name: p99_limit_ms(settings, service) for service in settings.services},
            watch_gap_s=settings.canary.tick_s + WATCH_SLACK_S,
        )
        self._reviewer = make_reviewer(settings, git, state_dir, clock)
        self._writer = make_test_writer(settings, state_dir, clock)
        self._sampler = ProductionSampler(self._traffic, state_dir, clock, _deployable(settings))
        self._deployed: deque[Change] = deque(maxlen=REMEMBERED_RUNS)
        limits = settings.orchestration
        self._holdings = Holdings(store, owner=this_owner(), places=limits.max_concurrent_agents, ttl_s=limits.lease_s)
        self._history = LocalProductionHistory(store, state_dir, self._holdings.read)
        self.bus = InProcessBus()
        self.worker = Worker(
            store=store,
            bus=self.bus,
            journal=journal,
            holdings=self._holdings,
            agents=self._make_agents(),
            clock=clock,
            settings=settings,
            writer=writer,
            tidier=self,
        )
        self._courier = Courier(settings.notifications, state_dir / DELIVERIES)
        notifier = FanOut(FileNotifier(state_dir / FOLDER, settings, self._around), self._courier)
        self.notices = Notices(store, self.bus, self._holdings, notifier)

    async def _around(self, change: Change) -> Around:
        past = await self._history.past()
        return await look_around(change, self._settings, self._state_dir, past, now=self._clock.now())

    def _make_agents(self) -> Sequence[Agent]:
        settings, clock, git = self._settings, self._clock, self._git
        probe, generator = HttpProbe(), TestGenerator(self._sandbox, settings)
        return (
            ReviewAgent(
                ChangeReader(
                    git,
                    build_analyzers(settings.review.analyzer_timeout_s),
                    settings,
                    coverage=SandboxedCoverage(self._sandbox, self._environments, settings),
                ),
                settings,
                self._work_dir,
                history=GitHistory(git.root),
                reviewer=self._reviewer,
                weights=self._weights,
                track=LedgerTrack(self._store),
            ),
            TestAgent(
                code_host=git,
                source=git,
                sandbox=self._sandbox,
                environments=self._environments,
                generator=generator,
                settings=settings,
                work_dir=self._work_dir,
                asker=TestAsker(self._writer, generator, self._sandbox, settings) if self._writer else None,
            ),
            StagingAgent(
                source=git,
                code_host=git,
                builder=self._builder,
                platform=self._platform,
                traffic=self._traffic,
                probe=probe,
                clock=clock,
                settings=settings,
                work_dir=self._work_dir,
            ),
            ValidationAgent(
                builder=self._builder,
                platform=self._platform,
                load=HttpLoad(),
                settings=settings,
                clock=clock,
                history=self._history,
            ),
            DeploymentAgent(
                code_host=git,
                source=git,
                builder=self._builder,
                platform=self._platform,
                traffic=self._traffic,
                clock=clock,
                settings=settings,
                work_dir=self._work_dir,
                releases=LedgerReleases(self._store),
                history=self._history,
                load=HttpLoad(),
            ),
        )

    # -------------------------------------------------------------- around the runs

    async def begin(self) -> None:
        """After a restart of the machine: production is brought back as it was, before any agent acts."""
        await self._platform.revive(self._settings.services)
        await self._traffic.revive()

    async def end(self) -> None:
        """Watch nothing any more; the router sends what is left of a canary's traffic to stable. Last words then."""
        await self._traffic.close()
        await self.bus.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self.notices.catch_up()
                await self._courier.flush()

    async def install(self, record: Callable[[e.Event], Awaitable[None]]) -> dict[str, str]:
        """Bring up in production, at the base's version, each service that nothing serves yet; name to address."""
        addresses = {}
        commit = await self._git.head_of(self._settings.repository.base_branch)
        for service in self._settings.services:
            if not service.is_deployed:
                continue
            if await self._traffic.observe(service.name) is None:
                why = e.Reasoning(
                    decision="install",
                    rationale=f"Nothing serves {service.name} yet: {commit[:10]}, the head of the base branch, is "
                    "built, started and given all traffic, so that changes have a version to be compared with.",
                )
                await record(e.ServiceInstalling(why=why, service=service.name, commit=commit))
            await install_production(
                service,
                commit,
                source=self._git,
                builder=self._builder,
                platform=self._platform,
                traffic=self._traffic,
                settings=self._settings,
                work_dir=self._work_dir,
            )
            addresses[service.name] = await self._traffic.address(service.name)
        return addresses

    async def addresses(self) -> dict[str, str]:
        """Where the services that are in production answer; name to address."""
        names = _deployable(self._settings)
        return {name: await self._traffic.address(name) for name in names if await self._traffic.observe(name)}

    async def tidy(self, change: Change) -> None:
        """An ended run leaves no staging instance and no work folder behind."""
        await retire_staging(change, platform=self._platform, fence=change.fence)
        await asyncio.to_thread(shutil.rmtree, self._work_dir / change.run, ignore_errors=True)
        if change.deployed is not None and change.deployed.previous:
            self._deployed.append(change)

    async def rest(self, change: Change) -> None:
        """A run that nobody works on keeps no staging instance running; the agents start them again."""
        await retire_staging(change, platform=self._platform, fence=change.fence)

    async def keep_house(self) -> None:
        """Deliver notices; stop what a crash left behind, and previous versions that were kept hot long enough."""
        delivering = asyncio.ensure_future(self._courier.run())
        try:
            await self._keep_production()
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)

    async def _keep_production(self) -> None:
        for info in (await self._store.streams(("ended",)))[-REMEMBERED_RUNS:]:
            change = await self._holdings.read(info.stream)
            if change.deployed is not None and change.deployed.previous:
                self._deployed.append(change)
            elif change.validation is None and change.all_of(e.StagingStarting):
                await self._clear_up(change)
        while True:
            for change in tuple(self._deployed):
                try:
                    await self._retire_previous(change)
                except GreenlaneError as error:
                    log.warning("a previous version could not be retired: %s", error.message)
            await self._sampler.sample()
            await self._clock.sleep(HOUSEKEEPING_S)

    async def _clear_up(self, change: Change) -> None:
        """A run that ended in staging while no worker lived to tidy up after it."""
        try:
            await retire_staging(change, platform=self._platform, fence=None)
        except GreenlaneError as error:
            log.warning("what %s left in staging could not be stopped: %s", change.run, error.message)

    async def _retire_previous(self, change: Change) -> None:
        await retire_previous(
            change, platform=self._platform, traffic=self._traffic, clock=self._clock, settings=self._settings
        )
        assert change.deployed is not None, "only deployed changes are remembered"
        gone = [await self._platform.find(x.deployment_id) is None for x in change.deployed.previous]
        if all(gone):
            self._deployed.remove(change)


def _deployable(settings: Settings) -> tuple[str, ...]:
    """The services that are brought to production; others are only reviewed and tested."""
    return tuple(s.name for s in settings.services if s.is_deployed)
