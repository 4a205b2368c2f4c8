"""Holding runs: which runs this worker may work on, and for how long.

A run is held from its first stage to the moment it waits or ends, so handing over from agent to agent needs no new
lease. Held runs are also the places of `orchestration.max_concurrent_agents`: a run has at most one agent at work, and
one that waits for a human is not held.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from greenlane.domain.change import Change, fold
from greenlane.ledger.store import Lease, LedgerStore, LedgerUnavailableError
from greenlane.runtime.recording import read_back

log = logging.getLogger(__name__)


class Held(msgspec.Struct):
    """A run that this worker holds: its lease and the change as of the last commit."""

    lease: Lease
    change: Change


class Holdings:
    def __init__(self, store: LedgerStore, *, owner: str, places: int, ttl_s: float) -> None:
        self._store = store
        self._owner = owner
        self._places = asyncio.Semaphore(places)
        self._limit = places
        self.ttl_s = ttl_s
        self._held: dict[str, Held] = {}

    def get(self, run: str) -> Held | None:
        return self._held.get(run)

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(self._held)

    async def take(self, run: str) -> Held | None:
        """Hold a run. Waits for a place in this process; None if another worker holds the run or has the last place."""
        held = self._held.get(run)
        if held is not None:
            return held
        await self._places.acquire()
        try:
            lease = await self._store.acquire(run, owner=self._owner, ttl_s=self.ttl_s, limit=self._limit)
            if lease is None:
                self._places.release()
                return None
            held = Held(lease=lease, change=await self.read(run, fence=lease.token))
        except BaseException:
            self._places.release()
            raise
        self._held[run] = held
        return held

    async def read(self, run: str, fence: int = 0) -> Change:
        """The change as the ledger has it now."""
        entries = await self._store.read_stream(run)
        change = fold(run, (read_back(entry) for entry in entries))
        return msgspec.structs.replace(change, fence=fence)

    async def refresh(self, held: Held) -> Change:
        """Read the run again, after somebody else appended to it."""
        held.change = await self.read(held.change.run, fence=held.lease.token)
        return held.change

    def forget(self, run: str) -> None:
        """The lease is given back (in a commit) or lost: free the place."""
        if self._held.pop(run, None) is not None:
            self._places.release()

    async def give_back(self, run: str) -> None:
        """Release a run on which nothing is done any more."""
        held = self._held.get(run)
        if held is not None:
            self.forget(run)
            await self._store.release(held.lease)

    async def keep_alive(self) -> None:
        """Renew the leases for as long as this task runs; a ledger that can't be written is tried again."""
        while True:
            await asyncio.sleep(self.ttl_s / 3)
            if self._held:
                try:
                    await self._store.heartbeat(self._owner, self.ttl_s)
                except LedgerUnavailableError as error:
                    log.warning("leases could not be renewed: %s", error.message)
