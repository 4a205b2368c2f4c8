"""The one thread of a process that writes the SQLite ledger: requests are committed many in a transaction.

While one transaction waits for the disk the next requests gather, and share the next one. Each request has its own
outcome; those of one transaction are handed back to the event loop in one call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from greenlane.domain.errors import GreenlaneError
from greenlane.ledger.batch import Batch, State
from greenlane.ledger.connect import translate, wal_is_empty
from greenlane.ledger.sidefiles import SEAL_MAX_BYTES, Checkpoint, checkpoints_path, compute_seal, seal_path
from greenlane.ledger.store import LedgerUnavailableError

log = logging.getLogger(__name__)

MAX_GROUP = 512
"""Requests in one transaction: bounds how long the first of them waits for the last."""

CLOSE_BUSY_MS = 200
"""How long the end waits for other processes; the last of them to close leaves the file in order."""

CHECKPOINT_EVERY = 1_000
"""Entries between two lines of the checkpoint file."""


class Request(NamedTuple):
    """Work for the writer, and where its outcome goes."""

    apply: Callable[[Batch], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]


def _resolve(outcomes: list[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():  # its waiter was cancelled; what was committed stays committed
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


class Writer(threading.Thread):
    """Owns the writing connection from `start` to its end. `clock` gives wall-clock seconds, for leases."""

    def __init__(self, connection: sqlite3.Connection, path: Path, clock: Callable[[], float]) -> None:
        super().__init__(name=f"ledger-{path.name}", daemon=True)
        self._connection = connection
        self._path = path
        self._seal = seal_path(path)
        self._clock = clock
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._state = State()
        self._noted_size = -1

    def submit(self, request: Request) -> None:
        self._queue.put(request)

    def stop(self) -> None:
        """End after all that was submitted before; wait with `join`."""
        self._queue.put(None)

    def run(self) -> None:
        ending = False
        while not ending:
            group: list[Request] = []
            item = self._queue.get()
            while True:
                if item is None:
                    ending = True
                    break
                group.append(item)
                if len(group) == MAX_GROUP:
                    break
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            if group:
                self._run_group(group)
        self._finish()

    # -------------------------------------------------------------- one transaction

    def _run_group(self, group: list[Request]) -> None:
        try:
            outcomes = self._commit(group)
        except Exception as error:  # nothing may end this thread: every caller waits on it
            self._state.forget()
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            explained = self._explain(error)
            if len(group) > 1 and not isinstance(explained, LedgerUnavailableError):
                for request in group:  # one of them is at fault: the others need not suffer for it
                    self._run_group([request])
                return
            outcomes = [(request.future, None, self._explain(error)) for request in group]
        self._deliver(group, outcomes)
        self._note_head(every=CHECKPOINT_EVERY)

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.Error):
            return translate(error, self._path)
        if not isinstance(error, GreenlaneError):
            log.error("the ledger's writer met an error that it does not know", exc_info=error)
        return error

    def _commit(self, group: list[Request]) -> list[Outcome]:
        try:
            return self._attempt(group, look_for_doubles=False)
        except sqlite3.IntegrityError:
            self._state.forget()
            self._connection.execute("ROLLBACK")
            return self._attempt(group, look_for_doubles=True)

    def _attempt(self, group: list[Request], *, look_for_doubles: bool) -> list[Outcome]:
        connection, state = self._connection, self._state
        connection.execute("BEGIN IMMEDIATE")
        state.refresh(connection)
        batch = Batch(connection, state, self._clock(), look_for_doubles=look_for_doubles)
        outcomes: list[Outcome] = []
        for request in group:
            try:
                outcomes.append((request.future, request.apply(batch), None))
            except GreenlaneError as error:
                outcomes.append((request.future, None, error))
        batch.flush()
        if batch.changed:
            self._break_seal()
            connection.execute("COMMIT")
        else:
            connection.execute("ROLLBACK")
        return outcomes

    @staticmethod
    def _deliver(group: list[Request], outcomes: list[Outcome]) -> None:
        for loop in {request.loop for request in group}:
            mine = [o for r, o in zip(group, outcomes, strict=True) if r.loop is loop]
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, mine)

    # -------------------------------------------------------------- the files beside it

    def _break_seal(self) -> None:
        """Before the first commit after a clean close: from now on the file is not what the seal says."""
        try:
            os.unlink(self._seal)  # noqa: PTH108 - on the way of every commit, and twice as fast
        except FileNotFoundError:
            return
        except OSError as error:
            raise LedgerUnavailableError(
                f"the seal {self._seal} can't be removed: {error.strerror}", hint="make its folder writable"
            ) from error

    def _note_head(self, every: int) -> None:
        """Append the head to the checkpoint file if it is `every` entries past the last one noted."""
        size = self._state.edge.size
        if self._state.data_version < 0:
            return
        if self._noted_size < 0:
            self._noted_size = size - size % CHECKPOINT_EVERY if every > 1 else 0
        if size < self._noted_size + every or size == 0:
            return
        moment = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = Checkpoint(size, self._state.edge.root().hex(), moment).line()
        try:
            descriptor = os.open(checkpoints_path(self._path), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:  # the entries are safe; the next head will be noted
            log.warning("the head of %s could not be noted: %s", self._path, error)
            return
        self._noted_size = size

    def _finish(self) -> None:
        """Note the head, bring everything into the one file, seal it if no other process has it open, and close."""
        self._note_head(every=1)
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {CLOSE_BUSY_MS}")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute(
                "BEGIN IMMEDIATE"
            )  # while this is held nobody can commit, so the file stays as it is
            if wal_is_empty(self._path) and self._path.stat().st_size <= SEAL_MAX_BYTES:
                self._write_seal()
            self._connection.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY  # who has it open seals it later
            log.log(logging.DEBUG if busy else logging.WARNING, "%s was closed without a seal: %s", self._path, error)
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _write_seal(self) -> None:
        final = self._seal
        draft = final.with_name(final.name + ".new")
        with draft.open("w", encoding="ascii") as file:
            file.write(compute_seal(self._path).line())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(final)
