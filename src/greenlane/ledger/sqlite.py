"""The ledger in one SQLite file: WAL, `synchronous=FULL`, group commit. Implements `LedgerStore`.

Writes go to the writer's thread (`writer.py`, `batch.py`). Reads are short and run where they are asked for, on a
connection of their own that waits for no writer; long ones are cut into pieces, between which the event loop runs.
One `SqliteLedger` belongs to one event loop; several processes may have the same file open.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from greenlane.ledger import merkle, queries
from greenlane.ledger.batch import Batch, check_required
from greenlane.ledger.connect import (
    CACHE_KIB,
    READER_BUSY_MS,
    VERIFY_HINT,
    check_header,
    check_identity,
    check_not_lost,
    open_reader,
    open_uri,
    read_node,
    translate,
)
from greenlane.ledger.entry import Entry, decode_entry
from greenlane.ledger.store import (
    Lease,
    LedgerCorruptError,
    LedgerUnavailableError,
    OutboxItem,
    Step,
    StreamInfo,
    TreeHead,
)
from greenlane.ledger.writer import Request, Writer

WRITER_BUSY_MS = 5_000
"""How long a transaction waits for another process's before it is LedgerUnavailableError."""

WAL_PAGES = 1_000
"""Pages (of 8 KiB) after which the log is copied into the file: less often costs a longer pause each time."""

READ_PIECE = 200
"""Entries that are read and decoded in one go, about a millisecond."""

MARK_DELAY_S = 0.02
MARK_RETRY_S = 1.0


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]


def _create_tables(connection: sqlite3.Connection) -> None:
    """Make a new file a ledger; if another process just did, leave it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(connection):
            for statement in queries.schema_statements():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {queries.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {queries.SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # on a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for others when it switches the journal, so this does."""
    deadline = time.monotonic() + WRITER_BUSY_MS / 1000
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise LedgerUnavailableError(
                f"this file system does not carry a write-ahead log (journal mode {mode})", hint="use a local disk"
            )
        return


def _open_writer(path: Path) -> sqlite3.Connection:
    connection = open_uri(path, "mode=rwc")
    try:
        connection.execute(f"PRAGMA busy_timeout = {WRITER_BUSY_MS}")
        connection.execute(f"PRAGMA page_size = {queries.PAGE_SIZE}")
        if not _is_empty(connection):
            check_identity(connection, path)  # before anything is changed: it may be another program's
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if _is_empty(connection):
            _create_tables(connection)
        check_identity(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


class SqliteLedger:
    """Made by `SqliteLedger.open`."""

    def __init__(self, path: Path, reader: sqlite3.Connection, writer: Writer | None) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer
        self._closed = False
        self._marks: list[int] = []
        self._marked: set[int] = set()
        self._mark_timer: asyncio.TimerHandle | None = None

    @classmethod
    def open(cls, path: Path | str, *, clock: Callable[[], float] = time.time, read_only: bool = False) -> SqliteLedger:
        """Open or create the ledger at `path`. `clock` gives wall-clock seconds; leases are judged by it.

        Raises LedgerUnavailableError (can't be read or written) and LedgerCorruptError (is no ledger).
        """
        path = Path(path)
        check_not_lost(path)
        if read_only and not path.exists():
            raise LedgerUnavailableError(f"there is no ledger at {path}", hint="check the path")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size:
                check_header(path)
            if read_only:
                reader = open_reader(path)
                check_identity(reader, path)
                return cls(path, reader, None)
            connection = _open_writer(path)
            try:
                reader = open_uri(path, "mode=rw")
                reader.execute(f"PRAGMA busy_timeout = {READER_BUSY_MS}")
                reader.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                reader.execute("PRAGMA query_only = ON")
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise translate(error, path) from error
        except OSError as error:
            raise LedgerUnavailableError(
                f"the ledger {path} can't be opened: {error.strerror or error}",
                hint="check the path and its permissions",
            ) from error
        writer = Writer(connection, path, clock)
        writer.start()
        return cls(path, reader, writer)

    async def __aenter__(self) -> SqliteLedger:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -------------------------------------------------------------- writing

    async def commit(self, step: Step) -> tuple[Entry, ...]:
        check_required(step)
        entries: tuple[Entry, ...] = await self._write(lambda batch: batch.commit(step))
        return entries

    async def acquire(self, stream: str, *, owner: str, ttl_s: float, limit: int) -> Lease | None:
        lease: Lease | None = await self._write(lambda batch: batch.acquire(stream, owner, ttl_s, limit))
        return lease

    async def heartbeat(self, owner: str, ttl_s: float) -> None:
        await self._write(lambda batch: batch.heartbeat(owner, ttl_s))

    async def release(self, lease: Lease) -> None:
        await self._write(lambda batch: batch.release(lease))

    async def acquire_slot(self, service: str, stream: str) -> str | None:
        holder: str | None = await self._write(lambda batch: batch.acquire_slot(service, stream))
        return holder

    async def mark_published(self, seqs: Sequence[int]) -> None:
        """Returns at once: the marks go to disk with the next commit, or soon. Losing one only publishes it again."""
        self._require_writer()
        self._marks += seqs
        self._marked.update(seqs)
        if self._marks and self._mark_timer is None:
            self._mark_timer = asyncio.get_running_loop().call_later(MARK_DELAY_S, self._send_marks)

    def _send_marks(self) -> None:
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        seqs, self._marks = self._marks, []
        if not seqs or self._closed:
            return

        def settle(done: asyncio.Future[Any]) -> None:
            if done.cancelled() or done.exception() is None:
                self._marked.difference_update(seqs)
                return
            self._marks += seqs  # they stay marked for this process; the disk gets them once the trouble is over
            if self._mark_timer is None and not self._closed:
                self._mark_timer = loop.call_later(MARK_RETRY_S, self._send_marks)

        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        future.add_done_callback(settle)
        self._require_writer().submit(Request(lambda batch: batch.mark_published(seqs), future, loop))

    async def _write(self, apply: Callable[[Batch], Any]) -> Any:
        """Hand work to the writer. Cancelling the wait does not undo it."""
        writer = self._require_writer()
        if self._marks:
            self._send_marks()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        writer.submit(Request(apply, future, loop))
        return await future

    def _require_writer(self) -> Writer:
        if self._closed:
            raise LedgerUnavailableError(f"the ledger {self.path} is closed")
        if self._writer is None:
            raise LedgerUnavailableError(f"the ledger {self.path} was opened for reading only")
        return self._writer

    # -------------------------------------------------------------- reading

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise LedgerUnavailableError(f"the ledger {self.path} is closed")
        try:
            yield self._reader
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _decode(self, seq: int, data: bytes) -> Entry:
        try:
            return decode_entry(data)
        except msgspec.MsgspecError as error:
            raise LedgerCorruptError(
                f"entry {seq} of {self.path} is not readable: {error}", hint=VERIFY_HINT
            ) from error

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Entry]:
        entries: list[Entry] = []
        while True:
            with self._reading() as connection:
                rows = connection.execute(queries.READ_STREAM, (stream, after_version, READ_PIECE)).fetchall()
            entries += [self._decode(seq, data) for _, seq, data in rows]
            if len(rows) < READ_PIECE:
                return entries
            after_version = rows[-1][0]
            await asyncio.sleep(0)

    async def read(self, after_seq: int = 0, limit: int = 1000) -> list[Entry]:
        entries: list[Entry] = []
        while limit > 0:
            with self._reading() as connection:
                rows = connection.execute(queries.READ, (after_seq, min(limit, READ_PIECE))).fetchall()
            entries += [self._decode(seq, data) for seq, data in rows]
            if len(rows) < min(limit, READ_PIECE):
                break
            limit -= len(rows)
            after_seq = rows[-1][0]
            await asyncio.sleep(0)
        return entries

    async def read_bytes(self, seq: int) -> bytes | None:
        with self._reading() as connection:
            row = connection.execute(queries.BYTES, (seq,)).fetchone()
        return None if row is None else bytes(row[0])

    async def streams(self, statuses: Sequence[str] = ()) -> list[StreamInfo]:
        with self._reading() as connection:
            query = queries.streams_with(len(statuses)) if statuses else queries.ALL_STREAMS
            return [StreamInfo(*row) for row in connection.execute(query, tuple(statuses))]

    async def unpublished(self, limit: int = 1000) -> list[OutboxItem]:
        with self._reading() as connection:
            rows = connection.execute(queries.UNPUBLISHED, (0, limit + len(self._marked))).fetchall()
        return [OutboxItem(*row) for row in rows if row[0] not in self._marked][:limit]

    async def is_handled(self, group: str, seq: int) -> bool:
        with self._reading() as connection:
            return connection.execute(queries.IS_HANDLED, (seq, group)).fetchone() is not None

    # -------------------------------------------------------------- the tree

    async def head(self, size: int | None = None) -> TreeHead:
        """Raises ValueError for a size that the ledger does not have."""
        with self._reading() as connection:
            if size is None:
                size = connection.execute(queries.LAST_SEQ).fetchone()[0]
            else:
                self._require_size(connection, size)
            root = merkle.compute_root(size, lambda level, index: read_node(connection, level, index))
        return TreeHead(size, root.hex())

    async def inclusion_proof(self, seq: int, size: int) -> list[str]:
        """Raises ValueError unless 1 <= seq <= size <= the ledger's size."""
        with self._reading() as connection:
            self._require_size(connection, size)
            proof = merkle.inclusion_proof(seq - 1, size, lambda level, index: read_node(connection, level, index))
        return [hashed.hex() for hashed in proof]

    async def consistency_proof(self, old_size: int, new_size: int) -> list[str]:
        """Raises ValueError unless 0 <= old_size <= new_size <= the ledger's size."""
        with self._reading() as connection:
            self._require_size(connection, new_size)
            proof = merkle.consistency_proof(
                old_size, new_size, lambda level, index: read_node(connection, level, index)
            )
        return [hashed.hex() for hashed in proof]

    @staticmethod
    def _require_size(connection: sqlite3.Connection, size: int) -> None:
        actual = connection.execute(queries.LAST_SEQ).fetchone()[0]
        if size > actual:
            raise ValueError(f"the ledger has {actual} entries, not {size}")

    # -------------------------------------------------------------- the end

    async def close(self) -> None:
        """Commits what was asked for before, then closes; a second call does nothing."""
        if self._closed:
            return
        if self._writer is not None:
            self._send_marks()
        self._closed = True
        if self._mark_timer is not None:
            self._mark_timer.cancel()
        with contextlib.suppress(sqlite3.Error):
            self._reader.close()  # first, so that the writer's is the last connection and takes the log away
        if self._writer is not None:
            self._writer.stop()
            await asyncio.to_thread(self._writer.join)
