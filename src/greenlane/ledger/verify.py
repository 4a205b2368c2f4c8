"""Is the ledger what was written? Recomputes everything from the file alone; imports no writer of it.

Called by `greenlane audit verify`, by the demo and by the crash tests. Reads only, also beside a live writer. What is
wrong is told in a `VerifyReport` that names the first bad entry; damage of the file itself is a finding too, never an
exception. Memory is bounded. docs/ledger.md says what each check protects against, and what none of them can.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from greenlane.domain.errors import GreenlaneError
from greenlane.domain.events import decode_event
from greenlane.ledger import queries
from greenlane.ledger.beside import check_log, check_seal, expect_checkpoints
from greenlane.ledger.connect import MAGIC, check_identity, open_reader, open_uri, wal_is_empty
from greenlane.ledger.entry import SCHEMA_VERSION, Entry, decode_entry
from greenlane.ledger.merkle import EMPTY_ROOT, Edge, hash_leaf, node_count
from greenlane.ledger.report import Findings, HeadCheck, Problem, SealState, VerifyReport
from greenlane.ledger.sidefiles import checkpoints_path, parse_head
from greenlane.ledger.store import LedgerUnavailableError

__all__ = ["Problem", "VerifyReport", "verify"]

MAX_ATTEMPTS = 3
"""A closed file is read as it lies. If writers keep coming meanwhile, the last attempt reads it as one that is open."""


DAMAGE = (sqlite3.Error, MemoryError, OverflowError, UnicodeError)
"""What reading a damaged database file can end in."""

SchemaObject = tuple[str, str, str, str | None]


def verify(path: Path | str, *, expected_head: str | None = None, checkpoints: Path | None = None) -> VerifyReport:
    """Check the ledger at `path`; against a head `size:root` and a file of checkpoints kept elsewhere, if given.

    The checkpoint file beside the ledger is always used. Raises LedgerUnavailableError if there is no file to read,
    ValueError if `expected_head` is no head.
    """
    path = Path(path)
    started = time.monotonic()
    given = parse_head(expected_head) if expected_head else None
    for attempt in range(1, MAX_ATTEMPTS + 1):
        findings = Findings()
        heads = HeadCheck(findings)
        if given:
            heads.expect(given, "the head that was given")
        expect_checkpoints(checkpoints_path(path), heads, findings)
        if checkpoints is not None:
            expect_checkpoints(checkpoints, heads, findings, must_exist=True)
        closed = wal_is_empty(path) and attempt < MAX_ATTEMPTS
        before = _fingerprint(path)
        edge, seal = _check_file(path, findings, heads, closed=closed)
        if not closed or (wal_is_empty(path) and _fingerprint(path) == before):
            break  # else a writer came meanwhile, so it was not the calm file that it was taken for
    return make_report(findings, heads, edge, seal, time.monotonic() - started)


def _fingerprint(path: Path) -> tuple[int, int]:
    """What changes when a file is written: its length and time of change."""
    try:
        status = path.stat()
    except OSError as error:
        raise LedgerUnavailableError(
            f"the ledger {path} can't be read: {error.strerror}", hint="check the path"
        ) from error
    return status.st_size, status.st_mtime_ns


def make_report(findings: Findings, heads: HeadCheck, edge: Edge, seal: SealState, seconds: float) -> VerifyReport:
    return VerifyReport(
        ok=not findings.problems,
        size=edge.size,
        root=edge.root().hex(),
        first_bad=findings.first,
        problems=tuple(sorted(findings.problems, key=lambda p: (p.seq is None, p.seq or 0))),
        problems_left_out=findings.left_out,
        checkpoints_matched=heads.matched,
        seal=seal,
        notes=tuple(findings.notes),
        seconds=seconds,
    )


# ------------------------------------------------------------------ the file


def _check_file(path: Path, findings: Findings, heads: HeadCheck, *, closed: bool) -> tuple[Edge, SealState]:
    edge = Edge()
    if not _check_frame(path, findings, closed=closed):
        return edge, "none"
    with ThreadPoolExecutor(2) as pool:  # SQLite and the digest work beside the reading of entries
        structure = pool.submit(_check_structure, path, closed)
        sealed = pool.submit(check_seal, path, closed)
        try:
            with closing(_open(path, closed)) as connection:
                _check_content(connection, path, findings, heads, edge)
        except GreenlaneError as error:
            findings.add(None, "", error.message)
        except DAMAGE as error:
            findings.add(edge.size + 1, "", f"from here on the file can't be read: {error}")
        except (TypeError, AttributeError) as error:  # a damaged page can hold any type in any column
            findings.add(edge.size + 1, "", f"from here on the file holds values of other kinds than its own: {error}")
        for what in structure.result():
            findings.add(None, "", what)
        seal, trouble = sealed.result()
    if trouble:
        findings.add(None, "", trouble)
    if not closed and (damage := check_log(path)):
        findings.add(edge.size + 1, "", damage)
    return edge, seal


def _open(path: Path, closed: bool) -> sqlite3.Connection:
    """A closed file is read as it lies, and nothing is made beside it; beside a live writer, through its log."""
    connection = open_uri(path, "mode=ro&immutable=1") if closed else open_reader(path)
    connection.text_factory = bytes  # so that text which is no text any more is compared, and not decoded
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _check_frame(path: Path, findings: Findings, *, closed: bool) -> bool:
    """The file as a whole: its first bytes and its length. False if it is no database at all."""
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise LedgerUnavailableError(
            f"the ledger {path} can't be read: {error.strerror}", hint="check the path"
        ) from error
    if head[: len(MAGIC)] != MAGIC or len(head) < 100:
        findings.add(None, "", "it is no SQLite database: its first bytes are not those of one")
        return False
    pages = int.from_bytes(head[28:32], "big")
    if length % queries.PAGE_SIZE or (closed and length != pages * queries.PAGE_SIZE):
        expected = pages * queries.PAGE_SIZE
        findings.add(None, "", f"it is {length} bytes long, and by its header should be {expected}")
    if any(head[72:92]):
        findings.add(None, "", "bytes of its header that are always zero are not")
    return True


def _check_structure(path: Path, closed: bool) -> list[str]:
    """SQLite's own check: pages, indexes against tables, types. Runs in a thread of its own."""
    try:
        with closing(_open(path, closed)) as connection:
            rows = connection.execute("PRAGMA integrity_check(10)").fetchall()
    except DAMAGE as error:
        return [f"SQLite finds it damaged: {error}"]
    said = [row[0].decode(errors="replace").replace("\n", " ") for row in rows]
    return [] if said == ["ok"] else [f"SQLite finds it damaged: {what}" for what in said]


# ------------------------------------------------------------------ what it holds


def _check_content(
    connection: sqlite3.Connection, path: Path, findings: Findings, heads: HeadCheck, edge: Edge
) -> None:
    check_identity(connection, path)
    connection.execute("BEGIN")  # one state of the ledger throughout, whatever a writer adds meanwhile
    if not _check_schema(connection, findings):
        return
    whole = _check_entries(connection, findings, heads, edge)
    if whole:
        heads.finish(edge.size)
    _check_streams(connection, findings)
    for table, query in (("outbox", queries.ORPHANED_OUTBOX), ("inbox", queries.ORPHANED_INBOX)):
        for (seq,) in connection.execute(query):
            findings.add(None, "", f"the {table} names entry {seq}, which there is not")


@lru_cache(maxsize=1)
def _expected_schema() -> frozenset[SchemaObject]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in queries.schema_statements():
            connection.execute(statement)
        return frozenset(connection.execute(queries.SCHEMA_OBJECTS).fetchall())


def _check_schema(connection: sqlite3.Connection, findings: Findings) -> bool:
    """False if the tables are not those of a ledger, so that reading them would say nothing."""

    def text(value: bytes | None) -> str | None:
        return None if value is None else value.decode(errors="replace")

    actual = {
        (str(text(kind)), str(text(name)), str(text(table)), text(sql))
        for kind, name, table, sql in connection.execute(queries.SCHEMA_OBJECTS)
    }
    for kind, name, *_ in sorted(_expected_schema() - actual, key=str):
        findings.add(None, "", f"its {kind} {name} is missing or not as it was made")
    for kind, name, *_ in sorted(actual - _expected_schema(), key=str):
        findings.add(None, "", f"it has a {kind} {name} that no ledger has")
    tables = {item for item in _expected_schema() if item[0] == "table"}
    return tables <= actual


def _check_entries(connection: sqlite3.Connection, findings: Findings, heads: HeadCheck, edge: Edge) -> bool:
    """Every entry against its columns, its hash and the stored tree. False if entries are missing in between."""
    stored = _StoredNodes(connection.execute(queries.VERIFY_NODES))
    bad_until = 0  # the last entry that something is wrong with: hashes over it differ as a consequence
    sizes = heads.sizes
    if 0 in sizes:
        heads.passed(0, EMPTY_ROOT.hex())
    for row in connection.execute(queries.VERIFY_ENTRIES):
        seq, leaf, data = row[0], row[5], row[6]
        if seq != edge.size + 1:
            last = seq - 1
            missing = f"the entries {edge.size + 1} to {last} are missing" if last > edge.size + 1 else "it is missing"
            findings.add(edge.size + 1, "", missing)
            return False
        computed = hash_leaf(data)
        stream = row[2].decode(errors="replace")
        if leaf != computed:
            findings.add(seq, stream, "its bytes have not the hash that is stored with them")
            bad_until = seq
        what = _differing(row, data)
        if what:
            findings.add(seq, stream, what)
            bad_until = seq
        position = node_count(edge.size)
        for level, node in enumerate(edge.append(leaf if isinstance(leaf, bytes) and len(leaf) == 32 else computed), 1):
            position += 1
            first = seq - (1 << level) + 1
            if stored.take(position) != node and first > bad_until:
                findings.add(first, "", f"the stored hash over the entries {first} to {seq} is missing or not theirs")
                bad_until = seq
        if seq in sizes:
            heads.passed(seq, edge.root().hex())
    if stored.more:
        findings.add(edge.size + 1, "", "the stored tree goes on after the last entry: entries are missing at the end")
    return True


class _StoredNodes:
    """The stored inner nodes, taken in the order of their positions; one that is missing does not shift the rest."""

    def __init__(self, rows: Iterator[tuple[int, bytes]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, position: int) -> bytes | None:
        while self._next is not None and self._next[0] < position:
            self._next = next(self._rows, None)
        if self._next is None or self._next[0] != position:
            return None
        stored = self._next[1]
        self._next = next(self._rows, None)
        return stored

    @property
    def more(self) -> bool:
        return self._next is not None


def _differing(row: tuple[int, int, bytes, bytes, bytes, bytes, bytes], data: bytes) -> str:
    """What an entry's bytes do not say as its columns do; empty if all is well."""
    try:
        entry = decode_entry(data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        return f"its bytes are no entry: {error}"
    columns = (row[0], row[1], row[2], row[3], row[4])
    if columns != (entry.seq, entry.version, entry.stream.encode(), entry.event_id.encode(), entry.type.encode()):
        names = ("seq", "version", "stream", "event_id", "type")
        said = (entry.seq, entry.version, entry.stream.encode(), entry.event_id.encode(), entry.type.encode())
        wrong = [name for name, a, b in zip(names, columns, said, strict=True) if a != b]
        return f"its bytes and its columns differ in {', '.join(wrong)}"
    return check_body(entry)


def check_body(entry: Entry) -> str:
    """What is wrong with the event inside of an entry; empty if nothing is."""
    if entry.schema_version != SCHEMA_VERSION:
        return f"its schema version is {entry.schema_version}, which this program does not know"
    try:
        event = decode_event(bytes(entry.body), entry.event_version)
    except (msgspec.MsgspecError, UnicodeError) as error:
        return f"its body is no event that this program knows: {error}"
    if event.__struct_config__.tag != entry.type:
        return f"its body is of type {event.__struct_config__.tag}, and the entry says {entry.type}"
    return ""


def _well_formed(rows: Iterable[Any], findings: Findings) -> Iterator[Any]:
    """Rows of a run's name and numbers; a damaged page can hold anything in their place."""
    for row in rows:
        if isinstance(row[0], bytes) and all(isinstance(number, int) for number in row[1:]):
            yield row
        else:
            findings.add(None, "", f"a row of runs and versions holds something else: {str(row)[:80]}")


def _check_streams(connection: sqlite3.Connection, findings: Findings) -> None:
    """Versions without gaps in each stream, in the order of the entries, and the streams table in accord with them."""
    recorded: Iterator[tuple[bytes, int, int, int]] = _well_formed(connection.execute(queries.VERIFY_STREAMS), findings)
    row = next(recorded, None)
    current: tuple[bytes, int, int, int] | None = None

    def close_stream(summary: tuple[bytes, int, int, int]) -> None:
        nonlocal row
        name = summary[0].decode(errors="replace")
        while row is not None and row[0] < summary[0]:
            findings.add(None, row[0].decode(errors="replace"), "this run is listed, but has no entries")
            row = next(recorded, None)
        if row is None or row[0] != summary[0]:
            findings.add(None, name, "this run has entries, but is not listed")
            return
        if row != summary:
            said, found = row[1], summary[1]
            findings.add(None, name, f"this run is listed with version {said}, and its entries end at version {found}")
        row = next(recorded, None)

    for stream, version, seq in _well_formed(connection.execute(queries.VERIFY_VERSIONS), findings):
        if current is None or stream != current[0]:
            if current is not None:
                close_stream(current)
            current = (stream, 0, seq, 0)
        if version != current[1] + 1:
            findings.add(seq, stream.decode(errors="replace"), f"version {version} follows version {current[1]}")
        elif seq <= current[3]:
            findings.add(
                seq, stream.decode(errors="replace"), f"version {version} stands before the version it follows"
            )
        current = (stream, version, current[2], seq)
    if current is not None:
        close_stream(current)
    while row is not None:
        findings.add(None, row[0].decode(errors="replace"), "this run is listed, but has no entries")
        row = next(recorded, None)
