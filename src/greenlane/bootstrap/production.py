"""Keeps the baselines of production up to date, and answers what is known of it and of past releases."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path

from greenlane.adapters.baselines import FILE, BaselineStore
from greenlane.domain.change import Change
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.ids import CONTROL_STREAM
from greenlane.domain.production import TrafficSlot
from greenlane.ledger.store import LedgerStore
from greenlane.ports.clock import Clock
from greenlane.ports.production import ProductionCounters

log = logging.getLogger(__name__)
SAMPLE_S = 15.0
"""How often production's counters are read for the baseline; what a crash loses is at most this."""
PAST_RUNS = 200
"""Newest runs that are read for what past releases showed."""


class ProductionSampler:
    """Reads the router's counters now and then, in the process that keeps house."""

    def __init__(self, counters: ProductionCounters, state_dir: Path, clock: Clock, services: Iterable[str]) -> None:
        self._counters = counters
        self._store = BaselineStore(state_dir / FILE)
        self._clock = clock
        self._services = tuple(services)
        self._next_s = 0.0

    async def sample(self) -> None:
        """Read all services if it is time. What can't be read or kept now is left out, and logged."""
        if self._clock.monotonic_s() < self._next_s:
            return
        self._next_s = self._clock.monotonic_s() + SAMPLE_S
        for service in self._services:
            try:
                reading = await self._counters.production(service)
                if reading is not None:
                    await self._store.record(service, reading, self._clock.now())
            except (GreenlaneError, sqlite3.Error) as error:
                log.warning("the baseline of %s misses a reading: %s", service, error)


class LocalProductionHistory:
    """Implements `ports.production.ProductionHistory`; a run that ended is read from the ledger once."""

    def __init__(self, store: LedgerStore, state_dir: Path, read: Callable[[str], Awaitable[Change]]) -> None:
        self._ledger = store
        self._slots = BaselineStore(state_dir / FILE)
        self._read = read
        self._ended: dict[str, Change] = {}

    async def slots(self, service: str, since: datetime) -> tuple[TrafficSlot, ...]:
        try:
            return await self._slots.slots(service, since)
        except sqlite3.Error as error:
            log.warning("the baselines can't be read: %s", error)
            return ()

    async def past(self) -> tuple[Change, ...]:
        changes = []
        for info in [s for s in await self._ledger.streams() if s.stream != CONTROL_STREAM][-PAST_RUNS:]:
            known = self._ended.get(info.stream)
            if known is None or known.version != info.version:
                known = await self._read(info.stream)
                self._ended[info.stream] = known
            changes.append(known)
        self._ended = {c.run: c for c in changes}
        return tuple(changes)
