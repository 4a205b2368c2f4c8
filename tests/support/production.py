"""What is known of production and of past runs, as a test says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from greenlane.domain.change import Change
from greenlane.domain.production import TrafficSlot


class KnownProduction:
    """Implements `ports.production.ProductionHistory`; nothing is known unless it is given."""

    def __init__(self, slots: Sequence[TrafficSlot] = (), past: Sequence[Change] = ()) -> None:
        self._slots, self._past = tuple(slots), tuple(past)

    async def slots(self, service: str, since: datetime) -> tuple[TrafficSlot, ...]:
        del service, since
        return self._slots

    async def past(self) -> tuple[Change, ...]:
        return self._past
