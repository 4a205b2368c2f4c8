-- The ledger's tables. docs/ledger.md explains each. The verifier compares a file's schema with this text.

-- What happened, in order. `bytes` is the entry as it was hashed; the other columns are copies to search by.
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    stream TEXT NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    leaf BLOB NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (stream, version)
) STRICT;

-- The complete inner nodes of the Merkle tree, in the order in which they become complete.
CREATE TABLE nodes (
    position INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;

CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'update and delete are refused by the store'); END;

CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'update and delete are refused by the store'); END;

CREATE TRIGGER nodes_no_update BEFORE UPDATE ON nodes
BEGIN SELECT RAISE(ABORT, 'update and delete are refused by the store'); END;

CREATE TRIGGER nodes_no_delete BEFORE DELETE ON nodes
BEGIN SELECT RAISE(ABORT, 'update and delete are refused by the store'); END;

-- INSERT OR REPLACE deletes without firing delete triggers; these refuse what it would replace, and any gap.
CREATE TRIGGER entries_only_append BEFORE INSERT ON entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)
    OR EXISTS (SELECT 1 FROM entries WHERE event_id = NEW.event_id)
    OR EXISTS (SELECT 1 FROM entries WHERE stream = NEW.stream AND version = NEW.version)
BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END;

CREATE TRIGGER nodes_only_append BEFORE INSERT ON nodes
WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM nodes)
BEGIN SELECT RAISE(ABORT, 'nodes are only appended'); END;

-- What follows is for the machine's work, and no record: it changes all the time.

CREATE TABLE streams (
    stream TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX streams_unended ON streams (status, first_seq) WHERE status <> 'ended';

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE inbox (
    seq INTEGER NOT NULL,
    consumer TEXT NOT NULL,
    PRIMARY KEY (seq, consumer)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    stream TEXT PRIMARY KEY,
    owner TEXT,
    token INTEGER NOT NULL,
    expires_at REAL NOT NULL,
    takeovers INTEGER NOT NULL,
    version_at_acquire INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX leases_held ON leases (owner) WHERE owner IS NOT NULL;

CREATE TABLE slots (
    service TEXT PRIMARY KEY,
    stream TEXT NOT NULL
) STRICT, WITHOUT ROWID;
