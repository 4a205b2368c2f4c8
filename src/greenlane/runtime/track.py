"""What became of an author's earlier changes in this ledger. Implements `ports.history.Track`.

Ended runs never change, so each is read once in the life of a process.
"""

from __future__ import annotations

from greenlane.domain.change import Change, fold
from greenlane.domain.history import AuthorRecord
from greenlane.ledger.store import LedgerStore
from greenlane.policy.people import detect_same_person
from greenlane.runtime.recording import read_back

MAX_RUNS = 300
"""Newest ended runs that are looked at, of all authors."""
MAX_OWN = 20
"""Newest ended runs of one author that count."""


class LedgerTrack:
    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._ended: dict[str, tuple[str, bool]] = {}

    async def record_of(self, author: str) -> AuthorRecord:
        names = [info.stream for info in (await self._store.streams(("ended",)))[-MAX_RUNS:]]
        for name in names:
            if name not in self._ended:
                change = fold(name, [read_back(entry) for entry in await self._store.read_stream(name)])
                self._ended[name] = (change.opened.author, _was_taken_back(change))
        own = [taken for name in names for who, taken in (self._ended[name],) if detect_same_person(who, author)]
        return AuthorRecord(ended=len(own[-MAX_OWN:]), taken_back=sum(own[-MAX_OWN:]))


def _was_taken_back(change: Change) -> bool:
    return bool(change.rejected or change.rolled_back or change.taken_back)
