"""Releases as the ledger knows them. Implements `ports.releases`; reads on from where it read last."""

from __future__ import annotations

from greenlane.domain.change import fold
from greenlane.domain.release import Rollback
from greenlane.ledger.store import LedgerStore
from greenlane.policy.quarantine import rollbacks_of
from greenlane.runtime.recording import read_back

_TYPES = frozenset({"canary.rolled_back", "deployment.rolled_back"})
_BATCH = 1000


class LedgerReleases:
    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._seen = 0
        self._by_run: dict[str, tuple[Rollback, ...]] = {}

    async def rollbacks(self) -> tuple[Rollback, ...]:
        """Every rollback of every run, oldest first."""
        runs: dict[str, None] = {}
        seen = self._seen
        while entries := await self._store.read(seen, _BATCH):
            seen = entries[-1].seq
            runs |= {entry.stream: None for entry in entries if entry.type in _TYPES}
        for run in runs:
            history = [read_back(entry) for entry in await self._store.read_stream(run)]
            self._by_run[run] = rollbacks_of(fold(run, history))
        self._seen = seen  # only now: what failed half-way is read again
        return tuple(sorted((r for found in self._by_run.values() for r in found), key=lambda r: r.at))
