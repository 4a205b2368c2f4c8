"""Every SQL statement of the SQLite ledger, in one place. `schema.sql` holds the tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path

APPLICATION_ID = 0x474C4E31  # "GLN1"
SCHEMA_VERSION = 1

PAGE_SIZE = 8192  # entries have about 2 KB; in pages of 4 KB half of each would lie empty


def schema_script() -> str:
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")


def schema_statements() -> list[str]:
    """The statements of `schema.sql`, one by one: `executescript` would commit in between."""
    statements = []
    pending = ""
    for line in schema_script().splitlines(keepends=True):
        if not pending and (not line.strip() or line.startswith("--")):
            continue
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending.strip())
            pending = ""
    return statements


# ------------------------------------------------------------------ entries and the tree

LAST_SEQ = "SELECT coalesce(max(seq), 0) FROM entries"
LEAF = "SELECT leaf FROM entries WHERE seq = ?"
NODE = "SELECT hash FROM nodes WHERE position = ?"
INSERT_ENTRY = "INSERT INTO entries (seq, version, stream, event_id, type, leaf, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_NODE = "INSERT INTO nodes (position, hash) VALUES (?, ?)"
EVENT_EXISTS = "SELECT 1 FROM entries WHERE event_id = ?"
BYTES = "SELECT bytes FROM entries WHERE seq = ?"
READ = "SELECT seq, bytes FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
READ_STREAM = "SELECT version, seq, bytes FROM entries WHERE stream = ? AND version > ? ORDER BY version LIMIT ?"

# ------------------------------------------------------------------ streams

STREAM = "SELECT version, status, first_seq, last_seq FROM streams WHERE stream = ?"
PUT_STREAM = "INSERT OR REPLACE INTO streams (stream, version, status, first_seq, last_seq) VALUES (?, ?, ?, ?, ?)"
ALL_STREAMS = "SELECT stream, version, status, first_seq, last_seq FROM streams ORDER BY first_seq"


def streams_with(statuses: int) -> str:
    """Streams with one of so many statuses. The partial index serves it as long as `ended` is not asked for."""
    marks = ", ".join("?" * statuses)
    return (
        f"SELECT stream, version, status, first_seq, last_seq FROM streams WHERE status IN ({marks}) ORDER BY first_seq"
    )


# ------------------------------------------------------------------ outbox and inbox

PUT_OUTBOX = "INSERT INTO outbox (seq) VALUES (?)"
DROP_OUTBOX = "DELETE FROM outbox WHERE seq = ?"
UNPUBLISHED = (
    "SELECT seq, entries.type, entries.stream FROM outbox JOIN entries USING (seq) WHERE seq > ? ORDER BY seq LIMIT ?"
)
PUT_INBOX = "INSERT OR IGNORE INTO inbox (consumer, seq) VALUES (?, ?)"
IS_HANDLED = "SELECT 1 FROM inbox WHERE seq = ? AND consumer = ?"

# ------------------------------------------------------------------ leases and slots

LEASE = "SELECT owner, token, expires_at, takeovers, version_at_acquire FROM leases WHERE stream = ?"
PUT_LEASE = (
    "INSERT OR REPLACE INTO leases (stream, owner, token, expires_at, takeovers, version_at_acquire)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
HELD_LEASES = (
    "SELECT stream, owner, token, expires_at, takeovers, version_at_acquire FROM leases WHERE owner IS NOT NULL"
)
RENEW_ALL = "UPDATE leases SET expires_at = ? WHERE owner = ?"
SLOT = "SELECT stream FROM slots WHERE service = ?"
TAKE_SLOT = "INSERT INTO slots (service, stream) VALUES (?, ?)"
DROP_SLOTS = "DELETE FROM slots WHERE stream = ?"

# ------------------------------------------------------------------ verification

SCHEMA_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
VERIFY_ENTRIES = "SELECT seq, version, stream, event_id, type, leaf, bytes FROM entries ORDER BY seq"
EXPORT = "SELECT seq, leaf, bytes FROM entries ORDER BY seq"
VERIFY_NODES = "SELECT position, hash FROM nodes ORDER BY position"
VERIFY_VERSIONS = "SELECT stream, version, seq FROM entries ORDER BY stream, version"
VERIFY_STREAMS = "SELECT stream, version, first_seq, last_seq FROM streams ORDER BY stream"
ORPHANED_OUTBOX = "SELECT seq FROM outbox WHERE seq NOT IN (SELECT seq FROM entries) ORDER BY seq LIMIT 1"
ORPHANED_INBOX = "SELECT seq FROM inbox WHERE seq NOT IN (SELECT seq FROM entries) ORDER BY seq LIMIT 1"
