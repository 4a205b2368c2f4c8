"""What one write transaction of the SQLite ledger does. Runs in the writer's thread, inside `BEGIN IMMEDIATE`.

A batch takes many requests. Each is checked before it changes anything, so that one that fails leaves the others as
they are; rows are gathered and written together in `flush`. `State` remembers what the last transaction of this
process left, and is forgotten when another process wrote in between or a transaction failed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter

import msgspec

from greenlane.domain.errors import FinalError
from greenlane.ledger import queries
from greenlane.ledger.connect import read_node
from greenlane.ledger.entry import SCHEMA_VERSION, Draft, Entry, encode_entry
from greenlane.ledger.merkle import Edge, hash_leaf, node_count
from greenlane.ledger.owner import is_known_dead
from greenlane.ledger.store import (
    DuplicateEventError,
    IncompleteDecisionError,
    Lease,
    LeaseLostError,
    Step,
    VersionConflictError,
)

MAX_REMEMBERED = 10_000
"""Streams and leases kept in memory between transactions; beyond it they are read anew."""

RENEW_BELOW = 0.9
"""A commit writes its lease's new end only if less than this share of it is left: it saves a row in most commits."""


class StreamRow(msgspec.Struct, gc=False):
    version: int
    status: str
    first_seq: int
    last_seq: int


class LeaseRow(msgspec.Struct, gc=False):
    owner: str | None
    token: int
    expires_at: float
    takeovers: int
    version_at_acquire: int


class State:
    """What this process knows of the ledger between its transactions."""

    def __init__(self) -> None:
        self.data_version = -1
        self.edge = Edge()
        self.streams: dict[str, StreamRow] = {}
        self.leases: dict[str, LeaseRow] = {}
        """Leases as they were last seen, free ones too: their tokens go on growing."""
        self.held: dict[str, LeaseRow] = {}
        """All leases that have an owner; the same rows as in `leases`."""

    def forget(self) -> None:
        """The next transaction reads everything anew."""
        self.data_version = -1

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Read again what another process may have changed; reads O(log n) of the ledger."""
        data_version = connection.execute("PRAGMA data_version").fetchone()[0]
        if data_version != self.data_version:
            self.streams.clear()
            self.held = {row[0]: LeaseRow(*row[1:]) for row in connection.execute(queries.HELD_LEASES)}
            self.leases = dict(self.held)
            self.edge = load_edge(connection)
            self.data_version = data_version
        if len(self.streams) > MAX_REMEMBERED:
            self.streams.clear()
        if len(self.leases) > MAX_REMEMBERED:
            self.leases = dict(self.held)


def load_edge(connection: sqlite3.Connection) -> Edge:
    size = connection.execute(queries.LAST_SEQ).fetchone()[0]
    return Edge.load(size, lambda level, index: read_node(connection, level, index))


def find_missing_fields(draft: Draft, required: Sequence[str]) -> list[str]:
    """Required fields that a decision leaves out: None, empty, or of a name that entries do not have.

    Zero is a value; what the store itself fills in (`seq`, `version`, ...) is never missing.
    """
    missing = []
    for name in required:
        value = getattr(draft, name, None)
        if name in Entry.__struct_fields__ and name not in Draft.__struct_fields__:
            continue
        if value is None or value == () or (isinstance(value, str) and not value.strip()):
            missing.append(name)
    return missing


@lru_cache(maxsize=16)
def _all_filled(required: tuple[str, ...]) -> Callable[[Draft], bool]:
    """A quick look at a draft: True if its required fields are filled beyond doubt."""
    names = [name for name in required if name in Draft.__struct_fields__]
    if len(names) < len(required) or len(names) < 2:
        return lambda _: False
    getter = attrgetter(*names)
    return lambda draft: all(getter(draft))


def check_required(step: Step) -> None:
    """Raises IncompleteDecisionError for the first decision of a step that lacks a required field."""
    filled = _all_filled(step.required_fields)
    for draft in step.drafts:
        if not draft.decision or (filled(draft) and draft.rationale.strip()):
            continue
        if missing := find_missing_fields(draft, step.required_fields):
            raise IncompleteDecisionError(
                f"the decision {draft.type} of {step.stream} lacks {', '.join(missing)}",
                hint="audit.required_fields demands them; it was refused before anything was done about it",
            )


class Batch:
    """One transaction. `now` is the wall-clock time in seconds at which its leases are judged."""

    def __init__(self, connection: sqlite3.Connection, state: State, now: float, *, look_for_doubles: bool) -> None:
        self._connection = connection
        self._state = state
        self._now = now
        self._look_for_doubles = look_for_doubles
        self._event_ids: set[str] = set()
        self._entries: list[tuple[int, int, str, str, str, bytes, bytes]] = []
        self._nodes: list[tuple[int, bytes]] = []
        self._outbox: list[tuple[int]] = []
        self._inbox: list[tuple[str, int]] = []
        self._changed_streams: dict[str, StreamRow] = {}
        self._changed_leases: dict[str, LeaseRow] = {}
        self._living: dict[str, bool] = {}
        self.changed = False

    # -------------------------------------------------------------- a step

    def commit(self, step: Step) -> tuple[Entry, ...]:
        stream = self._stream(step.stream)
        version = stream.version if stream else 0
        lease = self._held(step.lease) if step.lease else None
        if step.expected_version is None:
            if step.drafts:
                raise FinalError(f"a step that appends to {step.stream} has to say which version it expects")
        elif version != step.expected_version:
            raise VersionConflictError(step.stream, step.expected_version, version)
        self._refuse_doubles(step)

        entries = self._append(step, version)
        self._inbox += [(mark.group, mark.seq) for mark in step.handled]
        if entries or (stream and step.status and step.status != stream.status):
            last_seq = self._state.edge.size
            stream = self._state.streams.setdefault(
                step.stream, StreamRow(0, "open", entries[0].seq if entries else 0, 0)
            )
            stream.version += len(entries)
            stream.status = step.status or stream.status
            stream.last_seq = last_seq if entries else stream.last_seq
            self._changed_streams[step.stream] = stream
        if lease and step.release_lease:
            self._free(step.stream, lease)
        elif lease and lease.expires_at - self._now < RENEW_BELOW * step.lease_ttl_s:
            lease.expires_at = self._now + step.lease_ttl_s
            self._changed_leases[step.stream] = lease
        if step.release_slots:
            self._execute(queries.DROP_SLOTS, (step.stream,))
        self.changed = self.changed or bool(entries or step.handled)
        return entries

    def _append(self, step: Step, version: int) -> tuple[Entry, ...]:
        edge = self._state.edge
        entries = []
        prepared = []
        for place, draft in enumerate(step.drafts, 1):
            entry = Entry(
                **msgspec.structs.asdict(draft),
                schema_version=SCHEMA_VERSION,
                seq=edge.size + place,
                stream=step.stream,
                version=version + place,
            )
            data = encode_entry(entry)
            if b"\n" in data:
                raise FinalError(f"the body of {draft.type} holds a line end, and an entry is one line of the export")
            entries.append(entry)
            prepared.append((entry, data))
        for entry, data in prepared:
            leaf = hash_leaf(data)
            first = node_count(edge.size) + 1
            self._nodes += enumerate(edge.append(leaf), first)
            self._entries.append((entry.seq, entry.version, entry.stream, entry.event_id, entry.type, leaf, data))
            self._outbox.append((entry.seq,))
            self._event_ids.add(entry.event_id)
        return tuple(entries)

    def _refuse_doubles(self, step: Step) -> None:
        """The table's UNIQUE refuses a double too; asking first is only needed to know whose it was."""
        seen: set[str] = set()
        for draft in step.drafts:
            double = draft.event_id in self._event_ids or draft.event_id in seen
            if self._look_for_doubles and not double:
                double = self._connection.execute(queries.EVENT_EXISTS, (draft.event_id,)).fetchone() is not None
            if double:
                raise DuplicateEventError(step.stream, step.expected_version or 0, draft.event_id)
            seen.add(draft.event_id)

    # -------------------------------------------------------------- leases

    def acquire(self, stream: str, owner: str, ttl_s: float, limit: int) -> Lease | None:
        row = self._lease(stream) or LeaseRow(None, 0, 0.0, 0, 0)
        live = row.expires_at > self._now and self._may_live(row.owner, owner)
        if live and row.owner != owner:
            return None
        if not live:
            if self._live_elsewhere(stream, owner) >= limit:
                return None
            known = self._stream(stream)
            version = known.version if known else 0
            before = 0 if version > row.version_at_acquire else row.takeovers
            row.takeovers = before + (row.owner not in (None, owner))
            row.version_at_acquire = version
            row.token += 1
            row.owner = owner
        row.expires_at = self._now + ttl_s
        self._state.leases[stream] = self._state.held[stream] = self._changed_leases[stream] = row
        return Lease(stream=stream, owner=owner, token=row.token, takeovers=row.takeovers)

    def heartbeat(self, owner: str, ttl_s: float) -> None:
        self._write_leases()
        self._execute(queries.RENEW_ALL, (self._now + ttl_s, owner))
        for row in self._state.held.values():
            if row.owner == owner:
                row.expires_at = self._now + ttl_s

    def release(self, lease: Lease) -> None:
        """Free it, unless somebody else holds it by now."""
        row = self._lease(lease.stream)
        if row and row.owner == lease.owner and row.token == lease.token:
            self._free(lease.stream, row)

    def _held(self, lease: Lease) -> LeaseRow:
        """The lease's row. One that ran out but that nobody took still counts as held: nobody else has acted on it."""
        row = self._lease(lease.stream)
        if row is None or row.owner != lease.owner or row.token != lease.token:
            holder = row.owner if row and row.owner else "nobody"
            raise LeaseLostError(f"{lease.stream} is held by {holder} by now, not by {lease.owner}")
        return row

    def _free(self, stream: str, row: LeaseRow) -> None:
        row.owner = None
        row.expires_at = 0.0
        self._state.held.pop(stream, None)
        self._changed_leases[stream] = row

    def _may_live(self, holder: str | None, asking: str) -> bool:
        """Whether a holder is not known to be dead; each is looked up once in a transaction, who asks not at all."""
        if holder is None or holder == asking:
            return holder is not None
        if holder not in self._living:
            self._living[holder] = not is_known_dead(holder)
        return self._living[holder]

    def _live_elsewhere(self, stream: str, asking: str) -> int:
        held = self._state.held.items()
        return sum(
            name != stream and row.expires_at > self._now and self._may_live(row.owner, asking) for name, row in held
        )

    # -------------------------------------------------------------- slots and the outbox

    def acquire_slot(self, service: str, stream: str) -> str | None:
        row = self._connection.execute(queries.SLOT, (service,)).fetchone()
        if row is None:
            self._execute(queries.TAKE_SLOT, (service, stream))
            return None
        return None if row[0] == stream else str(row[0])

    def mark_published(self, seqs: Sequence[int]) -> None:
        self._write_outbox()
        self._connection.executemany(queries.DROP_OUTBOX, [(seq,) for seq in seqs])
        self.changed = True

    # -------------------------------------------------------------- reading and writing rows

    def _stream(self, name: str) -> StreamRow | None:
        known = self._state.streams.get(name)
        if known is None:
            row = self._connection.execute(queries.STREAM, (name,)).fetchone()
            if row is not None:
                known = self._state.streams[name] = StreamRow(*row)
        return known

    def _lease(self, stream: str) -> LeaseRow | None:
        known = self._state.leases.get(stream)
        if known is None:
            row = self._connection.execute(queries.LEASE, (stream,)).fetchone()
            if row is not None:
                known = self._state.leases[stream] = LeaseRow(*row)
        return known

    def _execute(self, sql: str, values: tuple[object, ...]) -> None:
        self._connection.execute(sql, values)
        self.changed = True

    def _write_leases(self) -> None:
        if self._changed_leases:
            rows = [
                (name, r.owner, r.token, r.expires_at, r.takeovers, r.version_at_acquire)
                for name, r in self._changed_leases.items()
            ]
            self._connection.executemany(queries.PUT_LEASE, rows)
            self._changed_leases.clear()
            self.changed = True

    def _write_outbox(self) -> None:
        if self._outbox:
            self._connection.executemany(queries.PUT_OUTBOX, self._outbox)
            self._outbox.clear()

    def flush(self) -> None:
        """Write what was gathered. Raises sqlite3.IntegrityError if an event id is in the ledger already."""
        self._connection.executemany(queries.INSERT_ENTRY, self._entries)
        self._connection.executemany(queries.INSERT_NODE, self._nodes)
        self._write_outbox()
        if self._inbox:
            self._connection.executemany(queries.PUT_INBOX, self._inbox)
        if self._changed_streams:
            rows = [(n, r.version, r.status, r.first_seq, r.last_seq) for n, r in self._changed_streams.items()]
            self._connection.executemany(queries.PUT_STREAM, rows)
            self.changed = True
        self._write_leases()
