"""The application: what the faces hold in their hands. Composed by `bootstrap`; knows ports and protocols only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from greenlane.bus.protocol import Bus
from greenlane.domain.change import Change, Recorded
from greenlane.domain.events import Event, FindingJudged
from greenlane.domain.ids import CONTROL_STREAM
from greenlane.domain.settings import Settings
from greenlane.ledger.entry import Entry
from greenlane.ledger.store import LedgerStore, TreeHead
from greenlane.policy.feedback import Verdict
from greenlane.policy.lifecycle import State, assess_standing
from greenlane.policy.overview import compute_run_view
from greenlane.ports.application import RunView
from greenlane.ports.clock import Clock
from greenlane.runtime.desk import Desk
from greenlane.runtime.doorbell import Doorbell
from greenlane.runtime.journal import Journal
from greenlane.runtime.notices import Notices
from greenlane.runtime.outcome import Postponements
from greenlane.runtime.recording import read_back
from greenlane.runtime.worker import Worker

FOLLOW_SWEEP_S = 1.0  # a ring that got lost delays what is shown by this much
LEDGER_GIVE_UP_S = 30.0
"""Somebody waits for these runs: a ledger that can't be written for so long is their error. A service tries on."""
PAST_RUNS = 300
RESTING = frozenset({State.AWAITING_HUMAN, State.PAUSED})


class Crew(Protocol):
    """What works: put together by `bootstrap`, with every adapter that agents act through."""

    @property
    def bus(self) -> Bus: ...

    @property
    def worker(self) -> Worker: ...

    @property
    def notices(self) -> Notices: ...

    async def begin(self) -> None:
        """Bring back what a restart of the machine took away."""

    async def end(self) -> None:
        """Let go of what this process watches."""

    async def keep_house(self) -> None:
        """Retire what is kept for a while only (previous versions), until cancelled."""

    async def install(self, record: Callable[[Event], Awaitable[None]]) -> dict[str, str]:
        """Bring services up in production; `record` writes the decision down first. Names to addresses."""

    async def addresses(self) -> dict[str, str]:
        """Where the services that are in production answer; name to address."""


class Application:
    """Implements `ports.application.Application`. `work` may be called once; everything else at any time."""

    def __init__(
        self,
        *,
        settings: Settings,
        state_dir: Path,
        ledger_path: Path,
        store: LedgerStore,
        journal: Journal,
        desk: Desk,
        doorbell: Doorbell,
        clock: Clock,
        make_crew: Callable[[], Crew],
        rules: str = "",
        before_work: tuple[Event, ...] = (),
    ) -> None:
        """`rules` is a digest of the configuration that this application works by; `before_work` are decisions about
        this process that are written down before anything is worked on.
        """
        self.rules = rules
        self.settings = settings
        self.state_dir = state_dir
        self.ledger_path = ledger_path
        self.desk = desk
        self._store = store
        self._journal = journal
        self._doorbell = doorbell
        self._clock = clock
        self._make_crew = make_crew
        self._postponed = Postponements(clock, settings)
        self._before_work = before_work
        self._crew: Crew | None = None
        self._grown = asyncio.Event()
        self._listening = False
        journal.committed = self._committed

    # -------------------------------------------------------------- work

    async def work(self, *, until: Collection[str] | None = None) -> None:
        """Run the agents until each of these runs has ended or waits for a human; None: until cancelled."""
        for event in self._before_work:
            await self.desk.record_control(event)
        crew = self.crew
        give_up_s = None if until is None else LEDGER_GIVE_UP_S
        self._journal.bus = crew.bus
        self._listen()
        await crew.begin()
        tasks = [
            asyncio.ensure_future(work)
            for work in (crew.worker.run(give_up_s=give_up_s), crew.notices.run(), crew.keep_house())
        ]
        waiting = asyncio.ensure_future(self._until(until))
        try:
            done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (waiting, *tasks):
                task.cancel()
            await asyncio.gather(waiting, *tasks, return_exceptions=True)
            self._journal.bus = None
            await crew.end()

    @property
    def crew(self) -> Crew:
        """Agents and adapters, put together when first asked for: most commands never need them."""
        if self._crew is None:
            self._crew = self._make_crew()
        return self._crew

    async def install(self) -> dict[str, str]:
        """Bring every service that nothing serves yet into production, at the base's version; their addresses."""
        return await self.crew.install(self.desk.record_control)

    async def addresses(self) -> dict[str, str]:
        """Where the services that are in production answer; name to address."""
        return await self.crew.addresses()

    async def _until(self, runs: Collection[str] | None) -> None:
        while True:
            grown = self._grown
            if runs is not None and all([await self._rests(run) for run in runs]):
                return
            await self._growth(grown)

    async def _rests(self, run: str) -> bool:
        change = await self.desk.change(run)
        standing = assess_standing(change, await self._journal.pause_of(change))
        if standing.state is State.POSTPONED:
            return self._postponed.seconds_left(change) > 0
        return standing.ended or standing.state in RESTING

    # -------------------------------------------------------------- looking

    async def runs(self) -> list[RunView]:
        """Every run, oldest first."""
        names = [x.stream for x in await self._store.streams() if x.stream != CONTROL_STREAM]
        return [await self.view(name) for name in names]

    async def view(self, run: str) -> RunView:
        change = await self.desk.change(run)
        return compute_run_view(change, now=self._clock.now(), paused=await self._journal.pause_of(change))

    async def past(self) -> tuple[Change, ...]:
        """The newest runs, oldest first: older ones say little of how things are now."""
        names = [x.stream for x in await self._store.streams() if x.stream != CONTROL_STREAM]
        return tuple([await self.desk.change(name) for name in names[-PAST_RUNS:]])

    async def change(self, run: str) -> Change:
        """Everything that happened to a run. Raises InputError for an unknown one."""
        return await self.desk.change(run)

    async def head(self) -> TreeHead:
        return await self._store.head()

    async def follow(self) -> AsyncIterator[tuple[str, Recorded]]:
        """The events of all runs from now on, as they are committed by any process: (run, event)."""
        self._listen()
        seen = (await self._store.head()).size
        while True:
            grown = self._grown
            for entry in await self._store.read(seen):
                seen = entry.seq
                if entry.stream != CONTROL_STREAM:
                    yield entry.stream, read_back(entry)
            await self._growth(grown)

    # -------------------------------------------------------------- people

    async def submit(self, ref: str) -> str:
        return await self.desk.submit(ref)

    async def approve(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        return await self.desk.approve(run, by=by, reason=reason, head=head, gate=gate)

    async def reject(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        return await self.desk.reject(run, by=by, reason=reason, head=head, gate=gate)

    async def rollback(self, run: str, *, by: str, reason: str) -> None:
        await self.desk.rollback(run, by=by, reason=reason)

    async def hotfix(self, run: str, *, by: str, reason: str) -> None:
        await self.desk.hotfix(run, by=by, reason=reason)

    async def judge(self, run: str, finding: str, verdict: Verdict, *, by: str, reason: str) -> FindingJudged:
        return await self.desk.judge(run, finding, verdict, by=by, reason=reason)

    async def pause(self, scope: str, *, by: str, reason: str) -> None:
        await self.desk.pause(scope, by=by, reason=reason)

    async def resume(self, scope: str, *, by: str, reason: str) -> None:
        await self.desk.resume(scope, by=by, reason=reason)

    # -------------------------------------------------------------- life

    def _committed(self, entries: Sequence[Entry]) -> None:
        """Called after each commit of this process: show it, and wake the neighbours."""
        del entries
        self._announce()
        self._doorbell.ring()

    def _listen(self) -> None:
        if not self._listening:
            self._listening = True
            self._doorbell.listen(self._heard)

    def _heard(self) -> None:
        self._announce()
        if self._crew is not None:
            self._crew.worker.ring()

    def _announce(self) -> None:
        """Everybody who waits looks now; who looks later waits for the next time."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def _growth(self, grown: asyncio.Event) -> None:
        """Wait until the ledger may have grown since `grown` was taken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FOLLOW_SWEEP_S):
                await grown.wait()

    async def close(self) -> None:
        self._doorbell.close()
        await self._store.close()
