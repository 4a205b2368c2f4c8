"""Releases as the ledger knows them. Implements `ports.releases`; reads on from where it read last."""

from __future__ import annotations

from greenlane.domain.change import fold
from greenlane.domain.delivery import Spread
from greenlane.domain.release import Rollback
from greenlane.ledger.store import LedgerStore
from greenlane.policy.canary_trail import StableTrail, learn_spread, trails_of
from greenlane.policy.quarantine import rollbacks_of
from greenlane.runtime.recording import read_back

_TYPES = frozenset({"canary.observed", "canary.rolling_back", "canary.rolled_back", "deployment.rolled_back"})
_BATCH = 1000
_RUNS = 50
"""Runs whose looks are kept: of a service with fewer canaries among them, less is known."""


class LedgerReleases:
    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._seen = 0
        self._by_run: dict[str, tuple[Rollback, ...]] = {}
        self._trails: dict[str, tuple[StableTrail, ...]] = {}
        """By run, in the order in which the runs last went on."""

    async def rollbacks(self) -> tuple[Rollback, ...]:
        """Every rollback of every run, oldest first."""
        await self._read_on()
        return tuple(sorted((r for found in self._by_run.values() for r in found), key=lambda r: r.at))

    async def spreads(self, service: str, *, tick_s: float, p99_limit_ms: float) -> tuple[Spread, Spread] | None:
        await self._read_on()
        trails = [t for found in self._trails.values() for t in found]
        return learn_spread([t for t in trails if (t.service, t.tick_s) == (service, tick_s)], p99_limit_ms)

    async def _read_on(self) -> None:
        runs: dict[str, None] = {}
        seen = self._seen
        while entries := await self._store.read(seen, _BATCH):
            seen = entries[-1].seq
            runs |= {entry.stream: None for entry in entries if entry.type in _TYPES}
        for run in runs:
            history = [read_back(entry) for entry in await self._store.read_stream(run)]
            self._by_run[run] = rollbacks_of(fold(run, history))
            self._trails.pop(run, None)
            self._trails[run] = trails_of(history)
        self._seen = seen  # only now: what failed half-way is read again
        while len(self._trails) > _RUNS:
            del self._trails[next(iter(self._trails))]
