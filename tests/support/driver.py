"""A tiny runtime for tests of agents: a ledger in a list, the lifecycle that says what is due, and crashes on demand.

A boundary is every instant after an event was recorded or an effect was done in the world. At `crash_at` (counted from
1) the worker is gone, as after SIGKILL: no line of the agent runs any more, and the next worker takes over.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import cast

import msgspec

from greenlane.adapters.memory import World
from greenlane.agents.base import Agent, Yielded
from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, fold
from greenlane.domain.errors import RetryableError
from greenlane.domain.settings import Orchestration
from greenlane.policy.lifecycle import Standing, assess_standing
from greenlane.runtime.outcome import decide_failure


class Crash(BaseException):
    """The process is gone. Not an Exception: no agent may handle it."""


class Driver:
    def __init__(
        self, agents: Sequence[Agent], world: World, *, run: str = "run", crash_at: frozenset[int] = frozenset()
    ):
        self._agents = {agent.stage: agent for agent in agents}
        self._world = world
        self._run = run
        self._crash_at = crash_at
        self._interjections: list[tuple[type[e.Event], int, tuple[e.Event, ...]]] = []
        self.history: list[Recorded] = []
        self.boundaries: list[str] = []
        self.crashes = 0
        self.fence = 1
        self.failures: list[Exception] = []
        self.on_event: Callable[[e.Event], None] = lambda event: None
        """Called after an event was recorded: the world may change meanwhile."""
        world.on_effect = self._boundary

    @property
    def change(self) -> Change:
        return msgspec.structs.replace(fold(self._run, self.history), fence=self.fence)

    @property
    def types(self) -> list[str]:
        return [e.type_of(r.event) for r in self.history]

    def events(self, *kinds: type[e.Event]) -> list[e.Event]:
        return [r.event for r in self.history if isinstance(r.event, kinds)]

    def put(self, *events: e.Event) -> None:
        """Append to the ledger, through its bytes, as one transaction."""
        for event in events:
            stored = e.decode_event(e.encode_event(event))
            assert stored == event, f"{e.type_of(event)} is not what was stored"
            self.history.append(
                Recorded(
                    seq=len(self.history) + 1,
                    event_id=f"{self._run}/{len(self.history) + 1}",
                    agent="test",
                    timestamp=self._world.clock.now().isoformat(),
                    event=stored,
                )
            )
            self.on_event(event)

    def interject(self, after: type[e.Event], *events: e.Event, nth: int = 1) -> None:
        """Somebody else appends these after the nth event of this type, and the agent at work is interrupted."""
        self._interjections.append((after, nth, events))

    async def drive(self, rounds: int = 60) -> Standing:
        """Act until nothing is due."""
        for _ in range(rounds):
            standing = assess_standing(self.change)
            if standing.due is None:
                return standing
            before = len(self.history)
            try:
                await self._act(self._agents[standing.due])
            except Crash:
                self.crashes += 1
                self.fence += 1
                self._world.outage = None
                self._world.traffic.controller_gone()
                continue
            assert len(self.history) > before, f"{standing.due} was due, and nothing happened: {standing.reason}"
        raise AssertionError(f"still {assess_standing(self.change)} after {rounds} rounds: {self.types[-20:]}")

    async def _act(self, agent: Agent) -> None:
        steps = cast(AsyncGenerator[Yielded, None], agent.act(self.change))
        try:
            async for step in steps:
                events = step if isinstance(step, tuple) else (step,)
                self.put(*events)
                interrupted = self._interrupt(events)
                self._boundary(f"event {e.type_of(events[-1])}")
                if interrupted or any(event.completes for event in events):
                    break
        except Exception as error:
            self.failures.append(error)
            self._fail(agent, error)
        finally:
            with contextlib.suppress(Crash):
                await steps.aclose()

    def _interrupt(self, events: tuple[e.Event, ...]) -> bool:
        for entry in self._interjections:
            after, nth, others = entry
            if any(isinstance(event, after) for event in events) and len(self.events(after)) >= nth:
                self._interjections.remove(entry)
                self.put(*others)
                return True
        return False

    def _fail(self, agent: Agent, error: Exception) -> None:
        failure = decide_failure(
            error,
            self.change,
            agent.stage,
            retryable=isinstance(error, RetryableError),
            now=self._world.clock.now(),
            limits=Orchestration(),
        )
        self.put(failure)

    def _boundary(self, name: str) -> None:
        self.boundaries.append(name)
        if len(self.boundaries) in self._crash_at:
            self._world.outage = Crash(name)
            raise self._world.outage
