"""The worker: wakes the agent that is due, commits what it yields, hands over.

One delivery is handled like this: hold the run, ask the lifecycle whether this agent's stage is due, let it act,
commit each event before it goes on. The event that completes the stage is committed with the inbox mark, the run's
status and its lease; only then does the bus wake the next agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from typing import Any, cast

from greenlane.agents.base import Agent, Yielded
from greenlane.bus.protocol import Bus, Delivery
from greenlane.domain import events as e
from greenlane.domain.errors import GreenlaneError, RetryableError
from greenlane.domain.settings import Settings
from greenlane.ledger.store import (
    Handled,
    LeaseLostError,
    LedgerStore,
    LedgerUnavailableError,
    VersionConflictError,
)
from greenlane.policy.lifecycle import Standing, State, assess_standing
from greenlane.ports.clock import Clock
from greenlane.runtime.holding import Held, Holdings
from greenlane.runtime.journal import Journal
from greenlane.runtime.outage import Outage
from greenlane.runtime.outcome import Postponements, decide_failure, make_failure, make_resumed, retry_due
from greenlane.runtime.recording import Writer
from greenlane.runtime.tidying import Tidier, Tidying
from greenlane.runtime.turns import Turns

log = logging.getLogger(__name__)
INTERRUPTS = ("run.superseded", "human.rejected", "rollback.requested")
RESUMED = "automation.resumed"
BUSY_RETRY_S = 0.5  # another process holds the run or the last place: look again soon
LEDGER_RETRY_S = 1.0  # a ledger that can't be written is tried again this often, until LEDGER_PATIENCE_S
LEDGER_PATIENCE_S = 10.0  # then the agent is stopped, so that no canary goes on behind a ledger that can't be written
UNFINISHED = ("open", "queued", "paused")


class OvertakenError(Exception):
    """Inside the worker only: somebody's entry made this act pointless; the run is looked at again."""


class Worker:
    def __init__(
        self,
        *,
        store: LedgerStore,
        bus: Bus,
        journal: Journal,
        holdings: Holdings,
        agents: Sequence[Agent],
        clock: Clock,
        settings: Settings,
        writer: Writer,
        tidier: Tidier | None = None,
        sweep_s: float = 5.0,
    ) -> None:
        self._store = store
        self._bus = bus
        self._journal = journal
        self._holdings = holdings
        self._agents = {agent.stage: agent for agent in agents}
        self._clock = clock
        self._settings = settings
        self._writers = {
            a.stage: Writer(
                agent=a.stage,
                agent_version=a.version,
                policy_digest=writer.policy_digest,
                config_digest=writer.config_digest,
            )
            for a in agents
        }
        self._tidying = Tidying(tidier)
        self._outage = Outage()
        self._postponed = Postponements(clock, settings)
        self._sweep_s = sweep_s
        self._turns = Turns()
        self._acting: dict[str, asyncio.Task[Any]] = {}
        self._interrupted: set[str] = set()
        self._deliveries: dict[str, Delivery] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._rung = asyncio.Event()

    # -------------------------------------------------------------- life

    async def run(self, *, give_up_s: float | None = None) -> None:
        """Work until cancelled. Raises LedgerUnavailableError once nothing could be written for `give_up_s` seconds."""
        try:
            for agent in self._agents.values():
                deliveries = self._bus.subscribe([e.type_of(kind) for kind in agent.listens_to], agent.stage)
                self._spawn(self._consume(agent, deliveries))
            self._spawn(self._heed(self._bus.subscribe((*INTERRUPTS, RESUMED), "interrupts")))
            self._spawn(self._holdings.keep_alive())
            self._spawn(self._journal.keep_flushing())
            self._spawn(self._keep_invisible())
            while True:
                try:
                    await self.recover()
                except LedgerUnavailableError as error:
                    self._outage.note(error)
                self._outage.raise_after(give_up_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._sweep_s):
                        await self._rung.wait()
                self._rung.clear()
        finally:
            await self._stop()

    def ring(self) -> None:
        """Somebody else appended to the ledger: look now instead of at the next sweep."""
        self._rung.set()

    async def recover(self) -> None:
        """Publish what is left in the outbox, wake every unfinished run that nobody holds, heed interrupts of ours."""
        self._journal.look_again()
        await self._journal.relay()
        for info in await self._store.streams(UNFINISHED):
            held = self._holdings.get(info.stream)
            if held is None and info.stream not in self._turns:
                self._spawn(self._wake(info.stream))
            elif held is not None and info.version > held.change.version:
                missed = await self._store.read_stream(info.stream, held.change.version)
                if any(entry.type in INTERRUPTS for entry in missed):
                    self._interrupt(info.stream)

    async def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        while self._tasks:
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(GreenlaneError):
            for run in self._holdings.runs:
                if (held := self._holdings.get(run)) is not None:
                    change = await self._holdings.refresh(held)
                    self._tidying.begin(change, assess_standing(change), stopping=True)
        await self._tidying.finish()
        with contextlib.suppress(GreenlaneError):
            for run in self._holdings.runs:
                await self._holdings.give_back(run)
            await self._journal.relay()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        if isinstance(error, LedgerUnavailableError):
            self._outage.note(error)
        else:
            log.error("a task of the worker failed; the sweep takes its run up again", exc_info=error)

    def _later(self, seconds: float, run: str) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            self._spawn(self._wake(run))

        timer = asyncio.get_running_loop().call_later(max(0.0, seconds), fire)
        self._timers.add(timer)

    # -------------------------------------------------------------- deliveries

    async def _consume(self, agent: Agent, deliveries: AsyncIterator[Delivery]) -> None:
        async for delivery in deliveries:
            self._spawn(self._deliver(agent, delivery))

    async def _heed(self, deliveries: AsyncIterator[Delivery]) -> None:
        """An interrupt stops the agent that is at work on its run; the run is then looked at again."""
        async for delivery in deliveries:
            if delivery.message.type == RESUMED:
                self.ring()
            else:
                self._interrupt(delivery.message.stream)
            await self._bus.ack(delivery)

    def _interrupt(self, run: str) -> None:
        acting = self._acting.get(run)
        if acting is not None and run not in self._interrupted:
            self._interrupted.add(run)
            acting.cancel()
        self._spawn(self._wake(run))

    async def _deliver(self, agent: Agent, delivery: Delivery) -> None:
        message = delivery.message
        done = delivery.attempt > 1 and await self._store.is_handled(delivery.group, message.seq)
        if not done:
            self._deliveries[delivery.delivery_id] = delivery
            try:
                done = await self._attend(message.stream, agent.stage, message.seq)
            except LedgerUnavailableError as error:
                self._outage.note(error)
            finally:
                del self._deliveries[delivery.delivery_id]
        if done:
            await self._bus.ack(delivery)
        else:
            await self._bus.redeliver(delivery, BUSY_RETRY_S)

    async def _keep_invisible(self) -> None:
        """Long handlers are alive: their messages are not given to another worker meanwhile."""
        while True:
            await asyncio.sleep(self._holdings.ttl_s)
            for delivery in tuple(self._deliveries.values()):
                await self._bus.extend(delivery, self._holdings.ttl_s * 3)

    async def _wake(self, run: str) -> None:
        """Attend to whatever is due in a run, whether or not a message said so."""
        change = await self._holdings.read(run)
        standing = assess_standing(change, await self._journal.pause_of(change))
        due = retry_due(change, standing.due, self._settings.orchestration) if standing.due else None
        wait_s = (due - self._clock.now()).total_seconds() if due else 0.0
        if wait_s > 0:
            self._later(wait_s, run)
        elif standing.state is State.POSTPONED and (left_s := self._postponed.seconds_left(change)) > 0:
            if left_s <= self._sweep_s:  # until then a sweep comes by
                self._later(left_s, run)
        elif standing.state is not State.PAUSED or self._holdings.get(run):
            await self._attend(run, standing.due, change.history[-1].seq)

    async def _attend(self, run: str, stage: e.Stage | None, seq: int) -> bool:
        """Let the agent of this stage act if it is due. False: the run is held elsewhere, try again later."""
        async with self._turns.of(run):
            held = await self._holdings.take(run)
            if held is None:
                return False
            try:
                await self._attend_held(held, stage, seq)
            except OvertakenError:
                self._later(0, run)
            except LeaseLostError:
                self._holdings.forget(run)
                self._later(BUSY_RETRY_S, run)
            except Exception:
                await self._let_go(held)
                raise
            return True

    async def _attend_held(self, held: Held, stage: e.Stage | None, seq: int) -> None:
        standing = assess_standing(held.change, await self._journal.pause_of(held.change))
        if standing.state is State.POSTPONED and self._postponed.seconds_left(held.change) <= 0:
            await self._record(held, (make_resumed(held.change, self._clock.now()),), e.Stage.DEPLOYMENT, ())
            await self._attend_held(held, e.Stage.DEPLOYMENT, seq)
        elif standing.due is None or standing.due is not stage:
            await self._settle(held, stage, seq, standing)
        elif held.lease.takeovers > self._settings.orchestration.delivery_cap:
            reason = f"it was taken over {held.lease.takeovers} times without getting on"
            await self._record(held, (make_failure(held.change, stage, reason),), stage, ())
        elif stage is not e.Stage.DEPLOYMENT or await self._take_slots(held):
            await self._act_interruptibly(self._agents[stage], held, seq)

    async def _settle(self, held: Held, stage: e.Stage | None, seq: int, standing: Standing) -> None:
        """Nothing for this agent to do: mark the message as handled, and let go of a run that waits or has ended."""
        marks = (Handled(stage, seq),) if stage and standing.state is not State.PAUSED else ()
        await self._record(held, (), stage, marks)
        if standing.due is not None:
            self._spawn(self._wake(held.change.run))

    async def _take_slots(self, held: Held) -> bool:
        """Hold the production slot of every service of the change (in one order), or queue up behind who has it."""
        run = held.change.run
        for service in sorted(held.change.review.services) if held.change.review else ():
            holder = await self._store.acquire_slot(service, run)
            if holder is not None:
                log.info("%s waits for the production slot of %s, which %s holds", run, service, holder)
                await self._journal.queue(held.change, held.lease)
                self._holdings.forget(run)
                if await self._store.acquire_slot(service, run) is None:  # it was freed meanwhile
                    self._later(0, run)
                return False
        return True

    # -------------------------------------------------------------- acting

    async def _act_interruptibly(self, agent: Agent, held: Held, seq: int) -> None:
        run, task = held.change.run, asyncio.current_task()
        assert task is not None
        self._acting[run] = task
        try:
            await self._act(agent, held, seq)
        except asyncio.CancelledError:
            if run not in self._interrupted:
                raise
            task.uncancel()
            await self._holdings.refresh(held)
        finally:
            self._interrupted.discard(run)
            self._acting.pop(run, None)

    async def _act(self, agent: Agent, held: Held, seq: int) -> None:
        """Drive the agent: commit each yielded event before the next line of it runs."""
        stage, run = agent.stage, held.change.run
        mark = (Handled(stage, seq),)
        generator = cast(AsyncGenerator[Yielded, None], agent.act(held.change))
        async with contextlib.aclosing(generator) as yields:
            try:
                async for yielded in yields:
                    events = yielded if isinstance(yielded, tuple) else (yielded,)
                    completes = any(event.completes is not None for event in events)
                    await self._record(held, events, stage, mark if completes else ())
                    if completes:
                        return
                await self._record(held, (), stage, mark)
            except OvertakenError:
                self._later(0, run)
            except (LeaseLostError, LedgerUnavailableError):
                raise
            except Exception as error:
                await yields.aclose()
                await self._fail(held, stage, error, mark)

    async def _let_go(self, held: Held) -> None:
        """This worker can't go on with the run: it is free for others, and taken up again after a while."""
        run = held.change.run
        self._later(LEDGER_RETRY_S, run)
        with contextlib.suppress(GreenlaneError):
            await self._holdings.give_back(run)

    async def _fail(self, held: Held, stage: e.Stage, error: Exception, mark: tuple[Handled, ...]) -> None:
        if not isinstance(error, GreenlaneError):  # those explain themselves, and the entry holds what they say
            log.warning("the %s agent of %s raised", stage, held.change.run, exc_info=error)
        event = decide_failure(
            error,
            held.change,
            stage,
            retryable=isinstance(error, RetryableError),
            now=self._clock.now(),
            limits=self._settings.orchestration,
        )
        retrying = isinstance(event, e.AgentRetrying)
        await self._record(held, (event,), stage, () if retrying else mark, release=True)
        self._later(0, held.change.run)  # looks at the history: retries when it is time, or lets the run wait

    async def _record(
        self,
        held: Held,
        events: tuple[e.Event, ...],
        stage: e.Stage | None,
        handled: tuple[Handled, ...],
        *,
        release: bool = False,
    ) -> None:
        """Commit, and let go of the run in the same transaction if nothing is due any more."""
        waited_s = 0.0
        while True:
            try:
                written = await self._journal.write(
                    held.change,
                    events,
                    writer=self._writers[stage] if stage else next(iter(self._writers.values())),
                    causation_id=held.change.history[-1].event_id,
                    handled=handled,
                    lease=held.lease,
                    release=release,
                )
                break
            except VersionConflictError:
                await self._check_still_due(held, stage)
            except LedgerUnavailableError as error:
                self._outage.note(error)
                if waited_s >= LEDGER_PATIENCE_S:
                    raise
                waited_s += LEDGER_RETRY_S
                await asyncio.sleep(LEDGER_RETRY_S)
        self._outage.end()
        held.change = written.change
        if written.released:
            self._holdings.forget(held.change.run)
        if written.standing.ended or (written.released and events):
            self._tidying.begin(written.change, written.standing)
            self._spawn(self._wake_queued())

    async def _check_still_due(self, held: Held, stage: e.Stage | None) -> None:
        """Somebody appended meanwhile. If this stage is still due, the event is appended after theirs."""
        change = await self._holdings.refresh(held)
        standing = assess_standing(change, await self._journal.pause_of(change))
        if stage is not None and standing.due is not stage and standing.state is not State.PAUSED:
            raise OvertakenError

    async def _wake_queued(self) -> None:
        """A production slot may be free: wake who waits for one, oldest first, each by itself."""
        for info in await self._store.streams(("queued",)):
            if self._holdings.get(info.stream) is None:
                self._spawn(self._wake(info.stream))
