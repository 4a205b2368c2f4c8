"""What an agent is. Implemented by one module per agent, driven by the runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeAlias

from greenlane.domain.change import Change
from greenlane.domain.events import Event, Stage

Yielded: TypeAlias = Event | tuple[Event, ...]
"""One event, or several that are committed in one transaction."""


class Agent(Protocol):
    """An async generator of events.

    The runtime commits each yielded event to the ledger before it lets the agent go on, so a decision is durable
    before its effect. `act` reads the history first: after a crash it is called again with what was recorded, and
    every effect may be repeated safely. The event that completes the stage is the last one.
    """

    @property
    def stage(self) -> Stage: ...

    @property
    def version(self) -> str: ...

    @property
    def listens_to(self) -> tuple[type[Event], ...]:
        """The events that wake it; whether it is due is the lifecycle's to say."""

    def act(self, change: Change) -> AsyncIterator[Yielded]: ...
