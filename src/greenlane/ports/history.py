"""History: what git knows of the places that a change touches."""

from __future__ import annotations

from typing import Protocol

from greenlane.domain.diff import Diff
from greenlane.domain.history import AuthorRecord, HistoryFacts


class History(Protocol):
    async def facts(self, *, merge_base_sha: str, head_sha: str, author: str, diff: Diff) -> HistoryFacts:
        """The measures of this change, from commits that the merge base reaches. Raises FinalError if git can't say."""


class Track(Protocol):
    async def record_of(self, author: str) -> AuthorRecord:
        """What became of this author's newest changes here."""
