"""Opening the ledger's file, and what SQLite's errors mean to Greenlane. Used by the store and by the verifier."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from greenlane.domain.errors import FinalError, GreenlaneError
from greenlane.ledger import queries
from greenlane.ledger.merkle import node_position
from greenlane.ledger.sidefiles import checkpoints_path
from greenlane.ledger.store import LedgerCorruptError, LedgerUnavailableError

MAGIC = b"SQLite format 3\x00"
CACHE_KIB = 16_384
MAX_PATH_BYTES = 500
"""SQLite's own limit is 512, with the names of its journal files."""
READER_BUSY_MS = 250
"""Readers of a WAL wait for nobody but a recovery or the last close; they run on the event loop, so not for long."""

_HINTS = {
    sqlite3.SQLITE_FULL: "free some space on its disk; nothing was written and nothing is lost",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for this user; nothing is lost",
    sqlite3.SQLITE_BUSY: "another process holds its write lock; it is tried again",
    sqlite3.SQLITE_LOCKED: "another process holds its write lock; it is tried again",
    sqlite3.SQLITE_IOERR: "look at the disk that it is on (the kernel's log says more)",
    sqlite3.SQLITE_CANTOPEN: "check that the path exists and may be opened by this user",
    sqlite3.SQLITE_PERM: "make the file and its folder writable for this user; nothing is lost",
}
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
VERIFY_HINT = "run `greenlane audit verify` to see what is wrong, and restore the file from a backup"


def translate(error: sqlite3.Error, path: Path) -> GreenlaneError:
    """The error that says what a reader can do about it."""
    length = len(os.fsencode(path.absolute()))
    if length > MAX_PATH_BYTES:
        return LedgerUnavailableError(
            f"the ledger can't be opened: its path has {length} bytes, and SQLite takes {MAX_PATH_BYTES}",
            hint="move the repository to a shorter path",
        )
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # extended codes have it in their low byte
    if code in _CORRUPT:
        return LedgerCorruptError(f"{path} is damaged or no ledger: {error}", hint=VERIFY_HINT)
    if code == sqlite3.SQLITE_CONSTRAINT or isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return FinalError(
            f"the ledger {path} does not take this: {error}", hint="this is a fault of Greenlane: report it"
        )
    if code in _HINTS:
        return LedgerUnavailableError(f"the ledger {path} can't be used now: {error}", hint=_HINTS[code])
    return LedgerCorruptError(f"{path} does not hold what a ledger holds: {error}", hint=VERIFY_HINT)


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def wal_is_empty(path: Path) -> bool:
    """Whether the file alone holds everything: no commit waits in its write-ahead log."""
    try:
        return wal_of(path).stat().st_size == 0
    except FileNotFoundError:
        return True


def check_not_lost(path: Path) -> None:
    """Raises LedgerCorruptError if there is no ledger, or an emptied one, where one was: a new one would hide that."""
    checkpoints = checkpoints_path(path)
    gone = not path.exists() or path.stat().st_size == 0
    if gone and checkpoints.exists() and checkpoints.stat().st_size:
        raise LedgerCorruptError(
            f"the ledger {path} is gone or empty, but {checkpoints.name} beside it says what it held",
            hint="restore it from a backup; to begin a new one on purpose, move the files ledger.db.* away first",
        )


def check_header(path: Path) -> None:
    """Raises LedgerCorruptError unless the file begins as an SQLite database does, LedgerUnavailableError if unread."""
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise LedgerUnavailableError(
            f"the ledger {path} can't be read: {error.strerror}", hint=_HINTS[sqlite3.SQLITE_CANTOPEN]
        ) from error
    if head != MAGIC:
        raise LedgerCorruptError(
            f"{path} is no SQLite database: its first bytes are not those of one", hint=VERIFY_HINT
        )


def open_uri(path: Path, parameters: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{parameters}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=64)


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can't write. A cleanly closed ledger in a folder that may not be written is read as it lies.

    Raises sqlite3.Error.
    """
    connection = open_uri(path, "mode=ro")
    try:
        connection.execute(f"PRAGMA busy_timeout = {READER_BUSY_MS}")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if not wal_is_empty(path):
            raise
        # without write access to the folder SQLite can't make the WAL's index; with an empty WAL there is none to read
        connection = open_uri(path, "mode=ro&immutable=1")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Raises LedgerCorruptError unless this database is a ledger of a version that this program knows."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not application and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        raise LedgerUnavailableError(
            f"{path} was begun and never made: it holds nothing", hint="`greenlane run BRANCH` makes it; is there room?"
        )
    if application != queries.APPLICATION_ID:
        raise LedgerCorruptError(f"{path} is a database, but no ledger of Greenlane", hint="check the path")
    if version != queries.SCHEMA_VERSION:
        raise LedgerCorruptError(
            f"{path} has schema version {version}; this program knows version {queries.SCHEMA_VERSION}",
            hint="use the release of Greenlane that wrote it" if version > queries.SCHEMA_VERSION else VERIFY_HINT,
        )


def read_node(connection: sqlite3.Connection, level: int, index: int) -> bytes:
    """A hash of the tree as it is stored. Raises LedgerCorruptError if it is not there."""
    if level:
        row = connection.execute(queries.NODE, (node_position(level, index),)).fetchone()
    else:
        row = connection.execute(queries.LEAF, (index + 1,)).fetchone()
    if row is None:
        raise LedgerCorruptError(
            f"the hash of level {level}, index {index} is missing from the ledger", hint=VERIFY_HINT
        )
    hashed: bytes = row[0]
    return hashed
