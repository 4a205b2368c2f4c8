"""What is known of production and of past releases: facts for validation, which may also be absent."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from greenlane.domain.change import Change
from greenlane.domain.production import ProductionReading, TrafficSlot


class ProductionCounters(Protocol):
    async def production(self, service: str) -> ProductionReading | None:
        """The counters of what serves users now; None while a canary takes part, or nothing is routed.

        To read them is no look at a canary: it keeps no dead-man switch open.
        """


class ProductionHistory(Protocol):
    async def slots(self, service: str, since: datetime) -> tuple[TrafficSlot, ...]:
        """Production of a service since a moment, oldest first."""

    async def past(self) -> tuple[Change, ...]:
        """The newest runs, oldest first: what was predicted for them, and what became of it."""
