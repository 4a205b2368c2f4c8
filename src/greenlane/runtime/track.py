"""What became of an author's earlier changes in this ledger. Implements `ports.history.Track`.

Each run is read again only when something was added to it: what was deployed may be taken back much later.
"""

from __future__ import annotations

import msgspec

from greenlane.domain.change import fold
from greenlane.domain.history import AuthorRecord
from greenlane.ledger.store import LedgerStore, StreamInfo
from greenlane.policy.people import detect_same_person
from greenlane.policy.quarantine import detect_taken_back
from greenlane.runtime.recording import read_back

MAX_RUNS = 300
"""Newest ended runs that are looked at, of all authors."""
MAX_OWN = 20
"""Newest ended runs of one author that count."""


class LedgerTrack:
    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._read: dict[str, _Ending] = {}

    async def record_of(self, author: str) -> AuthorRecord:
        ended = (await self._store.streams(("ended",)))[-MAX_RUNS:]
        endings = [await self._ending_of(info) for info in ended]
        self._read = {info.stream: ending for info, ending in zip(ended, endings, strict=True)}
        own = [e.taken_back for e in endings if detect_same_person(e.author, author)][-MAX_OWN:]
        return AuthorRecord(ended=len(own), taken_back=sum(own))

    async def _ending_of(self, info: StreamInfo) -> _Ending:
        known = self._read.get(info.stream)
        if known is not None and known.version == info.version:
            return known
        change = fold(info.stream, [read_back(entry) for entry in await self._store.read_stream(info.stream)])
        return _Ending(info.version, change.opened.author, detect_taken_back(change))


class _Ending(msgspec.Struct, frozen=True):
    """How a run ended, as of this many entries of it."""

    version: int
    author: str
    taken_back: bool
