"""What the runtime asks of a ledger. SQLite now (`sqlite.py`); PostgreSQL is one more implementation of this.

A step is one transaction: entries, the inbox marks of the events that were handled, the outbox of the new ones, the
stream's status, its lease and the production slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from greenlane.domain.errors import FinalError, RetryableError
from greenlane.ledger.entry import Draft, Entry


class VersionConflictError(FinalError):
    """Somebody else appended to this stream first: read it again and decide again."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream} is at version {actual}, not {expected}", hint="read it again and decide again")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class DuplicateEventError(VersionConflictError):
    """An entry with this event id is in the ledger already, in this stream or another; it is never written twice."""

    def __init__(self, stream: str, expected: int, event_id: str) -> None:
        super().__init__(stream, expected, expected)
        self.message = f"the event {event_id} is in the ledger already"
        self.args = (self.message,)
        self.event_id = event_id


class LeaseLostError(FinalError):
    """Another worker holds this run by now; this one must stop."""


class IncompleteDecisionError(FinalError):
    """A decision lacks a field that `audit.required_fields` demands; it was refused before it was acted on."""


class LedgerUnavailableError(RetryableError):
    """The ledger can't be written right now (disk full, read-only, locked). Nothing is done until it can."""


class LedgerCorruptError(FinalError):
    """The ledger's file is not what was written."""

    exit_code = 4


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to work on a run. `token` grows with each new holder (fencing); `takeovers` counts how often it was
    taken from a holder that never let go (dead or silent), since the run's version last grew."""

    stream: str
    owner: str
    token: int
    takeovers: int


class Handled(msgspec.Struct, frozen=True):
    """An inbox mark: this consumer group has handled the entry with this seq."""

    group: str
    seq: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction on one stream."""

    stream: str
    expected_version: int | None
    """Entries that the stream must have; None (allowed without drafts only) does not ask."""
    drafts: tuple[Draft, ...]
    required_fields: tuple[str, ...] = ()
    """Fields that each draft with a `decision` must have."""
    handled: tuple[Handled, ...] = ()
    status: str | None = None
    """What `streams()` shows from now on: `open`, `waiting`, `queued`, `ended`; None leaves it."""
    lease: Lease | None = None
    """If given, it must still be held, else LeaseLostError; a commit renews it."""
    lease_ttl_s: float = 10.0
    release_lease: bool = False
    release_slots: bool = False


class OutboxItem(msgspec.Struct, frozen=True):
    """A committed entry that is to be published: its id and type, never its content."""

    seq: int
    type: str
    stream: str


class StreamInfo(msgspec.Struct, frozen=True):
    stream: str
    version: int
    status: str
    first_seq: int
    last_seq: int


class TreeHead(msgspec.Struct, frozen=True):
    """The RFC 6962 tree over the stored bytes of all entries: `size` leaves, `root` in hex."""

    size: int
    root: str


class LedgerStore(Protocol):
    """All methods raise LedgerUnavailableError when the store can't be reached or written, and lose nothing then."""

    async def commit(self, step: Step) -> tuple[Entry, ...]:
        """Append the step's entries and the rest of it, all or nothing; durable when this returns.

        Raises VersionConflictError, LeaseLostError, IncompleteDecisionError.
        """

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Entry]: ...

    async def read(self, after_seq: int = 0, limit: int = 1000) -> list[Entry]: ...

    async def read_bytes(self, seq: int) -> bytes | None:
        """An entry exactly as it was hashed, for whoever checks a proof; None if there is none with this seq."""

    async def streams(self, statuses: Sequence[str] = ()) -> list[StreamInfo]:
        """Streams with one of these statuses (all if empty), oldest first."""

    async def acquire(self, stream: str, *, owner: str, ttl_s: float, limit: int) -> Lease | None:
        """The lease of a stream if it is free, expired, this owner's, or its holder is known to be dead.

        None if another holds it, or `limit` leases are held by all owners together.
        """

    async def heartbeat(self, owner: str, ttl_s: float) -> None:
        """Renew every lease of this owner."""

    async def release(self, lease: Lease) -> None: ...

    async def acquire_slot(self, service: str, stream: str) -> str | None:
        """Take the service's production slot for a stream; None if it has it now, else the stream that holds it."""

    async def unpublished(self, limit: int = 1000) -> list[OutboxItem]: ...

    async def mark_published(self, seqs: Sequence[int]) -> None: ...

    async def is_handled(self, group: str, seq: int) -> bool: ...

    async def head(self, size: int | None = None) -> TreeHead:
        """The head of the whole tree, or as it was when the ledger had `size` entries."""

    async def inclusion_proof(self, seq: int, size: int) -> list[str]:
        """Hashes (hex) from the leaf of `seq` to the root of the first `size` entries (RFC 6962, 2.1.1)."""

    async def consistency_proof(self, old_size: int, new_size: int) -> list[str]:
        """Hashes (hex) that show the first `old_size` entries to be unchanged (RFC 6962, 2.1.2)."""

    async def close(self) -> None: ...
