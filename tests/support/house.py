"""A small house for tests of the runtime: a real ledger on disk, the embedded bus, a worker, a desk."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from greenlane.adapters.clock import SystemClock
from greenlane.agents.base import Agent
from greenlane.bus.memory import InProcessBus
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.ids import run_id
from greenlane.domain.settings import Settings
from greenlane.ledger.owner import this_owner
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.ledger.store import LedgerStore
from greenlane.policy.lifecycle import State, assess_standing
from greenlane.runtime.desk import Desk
from greenlane.runtime.holding import Holdings
from greenlane.runtime.journal import Journal
from greenlane.runtime.recording import Writer
from greenlane.runtime.tidying import Tidier
from greenlane.runtime.worker import Worker
from tests.support.agents import opened

WRITER = Writer(agent="code-host", agent_version="1", policy_digest="sha256:p", config_digest="sha256:c")


class House:
    def __init__(
        self,
        store: LedgerStore,
        agents: Sequence[Agent],
        settings: Settings,
        *,
        owner: str = "",
        tidier: Tidier | None = None,
        sweep_s: float = 5.0,
    ) -> None:
        clock = SystemClock()
        limits = settings.orchestration
        self.store = store
        self.settings = settings
        self.bus = InProcessBus()
        self.journal = Journal(store, clock, required_fields=settings.audit.required_fields, lease_ttl_s=limits.lease_s)
        self.journal.bus = self.bus
        self.holdings = Holdings(
            store, owner=owner or this_owner(), places=limits.max_concurrent_agents, ttl_s=limits.lease_s
        )
        self.worker = Worker(
            store=store, bus=self.bus, journal=self.journal, holdings=self.holdings, agents=agents, clock=clock,
            settings=settings, writer=WRITER, tidier=tidier, sweep_s=sweep_s,
        )  # fmt: skip
        self.desk = Desk(store, self.journal, None, None, clock, writer=WRITER, repo="shop")  # type: ignore[arg-type]  # no pull requests from a code host here

    async def open(self, event: e.PrOpened) -> str:
        run = run_id(event.repo, event.pr_number, event.head_sha)
        await self.journal.open(run, event, writer=WRITER)
        return run

    async def open_many(self, count: int) -> list[str]:
        return [await self.open(opened(number)) for number in range(1, count + 1)]

    async def state(self, run: str) -> State:
        change = await self.desk.change(run)
        return assess_standing(change, await self.journal.pause_of(change)).state

    async def until(self, holds: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until `holds()` (may be a coroutine function) is true."""
        async with asyncio.timeout(seconds):
            while True:
                answer = holds()
                if asyncio.iscoroutine(answer):
                    answer = await answer
                if answer:
                    return
                await asyncio.sleep(0.01)

    async def until_state(self, run: str, *states: State, seconds: float = 10.0) -> Change:
        async def there() -> bool:
            return await self.state(run) in states

        await self.until(there, seconds)
        return await self.desk.change(run)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.worker.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def open_house(
    folder: Path, agents: Sequence[Agent], settings: Settings | None = None, *, sweep_s: float = 5.0, owner: str = ""
) -> AsyncIterator[House]:
    store = SqliteLedger.open(folder / "ledger.db")
    try:
        yield House(store, agents, settings or Settings(), sweep_s=sweep_s, owner=owner)
    finally:
        await store.close()


def other_owner() -> str:
    """The name of another worker that lives: this process under another name."""
    return this_owner().replace(f":{os.getpid()}:", f":{os.getppid()}:")
