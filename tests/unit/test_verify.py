"""The verifier finds what was done to a ledger, names the first bad entry, and never mistakes a sound one."""

from __future__ import annotations

import asyncio
import io
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from greenlane.ledger import queries
from greenlane.ledger.entry import decode_entry, encode_entry
from greenlane.ledger.export import verify_export, write_export
from greenlane.ledger.merkle import Edge, hash_leaf, node_count
from greenlane.ledger.report import Findings
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.ledger.store import LedgerCorruptError, LedgerUnavailableError
from greenlane.ledger.verify import _check_streams, verify
from tests.support.ledger import draft, fill, start_python, step

ENTRIES = 50


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A cleanly closed ledger of 50 entries in five runs."""
    path = tmp_path / "ledger.db"
    async with SqliteLedger.open(path) as ledger:
        await fill(ledger, ENTRIES, streams=5)
    return path


def seal(path: Path) -> Path:
    return path.with_name(path.name + ".seal")


def checkpoints(path: Path) -> Path:
    return path.with_name(path.name + ".checkpoints")


def tamper(path: Path, *statements: str | Callable[[sqlite3.Connection], None]) -> None:
    """Change the database behind the store's back: triggers taken away and put back, side files removed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            if callable(statement):
                statement(database)
            else:
                database.execute(statement)
        for _, sql in triggers:
            database.execute(sql)
    seal(path).unlink(missing_ok=True)
    checkpoints(path).unlink(missing_ok=True)


def rewrite(seq: int, **changes: Any) -> Callable[[sqlite3.Connection], None]:
    """Replace an entry's bytes by those of a changed entry, and leave its hash."""

    def apply(database: sqlite3.Connection) -> None:
        (data,) = database.execute("SELECT bytes FROM entries WHERE seq = ?", (seq,)).fetchone()
        changed = encode_entry(msgspec.structs.replace(decode_entry(data), **changes))
        database.execute("UPDATE entries SET bytes = ? WHERE seq = ?", (changed, seq))

    return apply


def rehash(database: sqlite3.Connection) -> None:
    """What somebody with the code and the file can do: all hashes anew."""
    edge = Edge()
    database.execute("DELETE FROM nodes")
    for seq, data in database.execute("SELECT seq, bytes FROM entries ORDER BY seq").fetchall():
        leaf = hash_leaf(data)
        database.execute("UPDATE entries SET leaf = ? WHERE seq = ?", (leaf, seq))
        for position, node in enumerate(edge.append(leaf), node_count(seq - 1) + 1):
            database.execute(queries.INSERT_NODE, (position, node))


# ------------------------------------------------------------------ a sound ledger


async def test_a_sound_ledger_is_ok_while_it_is_written_when_closed_and_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger.open(path)
    assert verify(path).ok
    await fill(ledger, ENTRIES)
    head = await ledger.head()
    living = verify(path, expected_head=f"{head.size}:{head.root}")
    assert (living.ok, living.seal, living.checkpoints_matched) == (True, "open", 1)
    assert (living.size, living.root, living.first_bad) == (head.size, head.root, None)
    killed = tmp_path / "killed.db"
    for suffix in ("", "-wal"):
        killed.with_name(killed.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    await ledger.close()

    closed = verify(path)
    assert (closed.ok, closed.seal, closed.checkpoints_matched, closed.root) == (True, "matches", 1, head.root)
    assert verify(killed).root == head.root


async def test_a_writer_at_work_is_never_mistaken_for_damage(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    code = """
import asyncio, sys
from tests.support.ledger import step
from greenlane.ledger.sqlite import SqliteLedger
async def main():
    for round in range(12):
        async with SqliteLedger.open(sys.argv[1]) as ledger:
            await asyncio.gather(*[ledger.commit(step(f"run-{round}-{n}", 0, 3)) for n in range(20)])
asyncio.run(main())
"""
    await SqliteLedger.open(path).close()
    reports = []
    with start_python(code, str(path)) as process:
        while process.poll() is None:
            reports.append(await asyncio.to_thread(verify, path))
    assert process.returncode == 0
    assert [report.problems for report in reports if not report.ok] == []
    assert len(reports) > 3
    assert verify(path).size == 12 * 60


def test_verifying_leaves_nothing_beside_a_closed_ledger(path: Path) -> None:
    before = {item.name: item.read_bytes() for item in path.parent.iterdir()}
    verify(path)
    assert {item.name: item.read_bytes() for item in path.parent.iterdir()} == before


@pytest.mark.parametrize(("share", "found"), [(0.0, True), (0.02, True), (0.5, True), (0.9, True), (1.0, False)])
async def test_an_altered_log_of_a_killed_writer_is_told_from_a_torn_one(
    tmp_path: Path, share: float, found: bool
) -> None:
    path = tmp_path / "ledger.db"
    async with SqliteLedger.open(path) as ledger:
        for number in range(30):
            await ledger.commit(step(f"run-{number}", 0))
        killed = tmp_path / "killed.db"
        killed.write_bytes(path.read_bytes())
        log = bytearray(path.with_name("ledger.db-wal").read_bytes())
    log[min(int(len(log) * share), len(log) - 1)] ^= 0x10
    killed.with_name("killed.db-wal").write_bytes(log)
    report = verify(killed)
    assert report.ok is not found, report
    assert report.size < 30
    if found:
        assert "write-ahead log is broken" in str(report.first_bad)


# ------------------------------------------------------------------ what was done to it


@pytest.mark.parametrize(
    ("done", "seq", "what"),
    [
        (rewrite(17, decision="stop"), 17, "have not the hash"),
        ("UPDATE entries SET bytes = cast('{}' AS BLOB) WHERE seq = 17", 17, "have not the hash"),
        ("UPDATE entries SET leaf = zeroblob(32) WHERE seq = 17", 17, "have not the hash"),
        ("UPDATE entries SET leaf = zeroblob(31) WHERE seq = 17", 17, "have not the hash"),
        ("UPDATE entries SET event_id = 'other' WHERE seq = 17", 17, "differ in event_id"),
        ("UPDATE entries SET type = 'other' WHERE seq = 17", 17, "differ in type"),
        ("UPDATE entries SET stream = 'run-9' WHERE seq = 17", 17, "differ in stream"),
        ("UPDATE entries SET version = 99 WHERE seq = 17", 17, "differ in version"),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE position = 20", 23, "entries 23 to 24"),
        ("DELETE FROM nodes WHERE position = 20", 23, "entries 23 to 24"),
        ("DELETE FROM nodes WHERE position = 47", 49, "entries 49 to 50"),
        ("INSERT INTO nodes VALUES (48, zeroblob(32))", 51, "goes on after the last entry"),
        ("DELETE FROM entries WHERE seq = 17", 17, "it is missing"),
        ("DELETE FROM entries WHERE seq BETWEEN 17 AND 19", 17, "entries 17 to 19 are missing"),
        ("DELETE FROM entries WHERE seq > 48", 49, "entries are missing at the end"),
        ("DELETE FROM streams WHERE stream = 'run-3'", None, "is not listed"),
        ("UPDATE streams SET version = 8 WHERE stream = 'run-3'", None, "version 8, and its entries end at version 10"),
        ("INSERT INTO streams VALUES ('run-7', 1, 'open', 51, 51)", None, "has no entries"),
        ("INSERT INTO outbox VALUES (51)", None, "outbox names entry 51"),
        ("INSERT INTO inbox VALUES (51, 'review')", None, "inbox names entry 51"),
        ("CREATE TABLE cats (name)", None, "a table cats that no ledger has"),
    ],
)  # fmt: skip
def test_each_change_of_the_tables_is_found_and_named(path: Path, done: Any, seq: int | None, what: str) -> None:
    tamper(path, done)
    report = verify(path)
    assert not report.ok
    assert report.first_bad is not None
    assert report.first_bad.seq == seq
    assert any(what in problem.what for problem in report.problems), report.problems


def test_the_first_of_several_bad_entries_is_named_with_its_run(path: Path) -> None:
    tamper(path, rewrite(40, author="eve"), rewrite(23, author="eve"), "UPDATE streams SET version = 1")
    first = verify(path).first_bad
    assert first is not None
    assert (first.seq, first.stream) == (23, "run-2")
    assert str(first) == "entry 23 (run-2): its bytes have not the hash that is stored with them"


def test_a_missing_trigger_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TRIGGER entries_no_delete")
    report = verify(path)
    assert "its trigger entries_no_delete is missing" in str(report.problems[0])


def test_an_entry_rehashed_alone_contradicts_the_tree(path: Path) -> None:
    def apply(database: sqlite3.Connection) -> None:
        rewrite(6, author="eve")(database)
        (data,) = database.execute("SELECT bytes FROM entries WHERE seq = 6").fetchone()
        database.execute("UPDATE entries SET leaf = ? WHERE seq = 6", (hash_leaf(data),))

    tamper(path, apply)
    first = verify(path).first_bad
    assert first is not None
    assert (first.seq, first.what) == (5, "the stored hash over the entries 5 to 6 is missing or not theirs")


async def test_a_history_with_all_hashes_redone_is_found_by_a_head_kept_elsewhere_only(path: Path) -> None:
    kept = checkpoints(path).read_bytes()
    head = verify(path)
    async with SqliteLedger.open(path) as ledger:
        await ledger.commit(step("later", 0))
    tamper(path, rewrite(17, author="eve"), rehash)

    assert verify(path).ok, "nothing in the file itself can tell"
    report = verify(path, expected_head=f"{head.size}:{head.root}")
    assert not report.ok
    assert "the first 50 entries have not the root that the head that was given states" in str(report.first_bad)
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(kept)
    assert not verify(path, checkpoints=elsewhere).ok
    checkpoints(path).write_bytes(kept)
    assert not verify(path).ok


async def test_a_shortened_history_is_found_by_a_checkpoint(path: Path) -> None:
    kept = checkpoints(path).read_bytes()
    tamper(
        path,
        "DELETE FROM inbox WHERE seq > 45", "DELETE FROM outbox WHERE seq > 45",
        "DELETE FROM entries WHERE seq > 45", "UPDATE streams SET version = 9, last_seq = last_seq - 5", rehash,
    )  # fmt: skip
    assert verify(path).ok
    checkpoints(path).write_bytes(kept)
    assert "but there are 45: the last 5 are missing" in str(verify(path).first_bad)


def test_a_torn_checkpoint_is_passed_over_and_a_false_one_is_not(path: Path) -> None:
    with checkpoints(path).open("a") as file:
        file.write("60 abc")
    report = verify(path)
    assert report.ok
    assert "torn" in report.notes[0]
    checkpoints(path).write_text("50 nonsense\n")
    assert "line 1 of ledger.db.checkpoints is no checkpoint" in str(verify(path).first_bad)


# ------------------------------------------------------------------ the file as bytes


def content_of(path: Path) -> list[Any]:
    """All that the database holds, as rows; the history first."""
    tables = ("entries", "nodes", "streams", "outbox", "inbox", "leases", "slots")
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        database.text_factory = bytes
        return [database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables[:2]] + [
            database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables[2:]
        ]


def test_every_altered_byte_of_a_closed_ledger_is_found_and_without_its_seal_none_that_matters(path: Path) -> None:
    original = path.read_bytes()
    history = content_of(path)[:2]
    kept_seal = seal(path).read_bytes()
    choice = random.Random(7)
    places = [*range(0, 100, 7), *(choice.randrange(len(original)) for _ in range(150))]
    inert = 0
    for place in places:
        altered = bytearray(original)
        altered[place] ^= choice.randrange(1, 256)
        path.write_bytes(altered)
        seal(path).write_bytes(kept_seal)
        assert not verify(path).ok, place
        seal(path).unlink()
        if verify(path).ok:
            inert += 1
            assert content_of(path)[:2] == history, place
    assert inert < len(places) / 2
    path.write_bytes(original)
    seal(path).write_bytes(kept_seal)
    assert verify(path).ok


@pytest.mark.parametrize("cut", [0, 1, 99, 100, 8_191, 8_192, 50_000, -8_192, -1])
def test_a_truncated_file_is_told_and_not_a_traceback(path: Path, cut: int) -> None:
    seal(path).unlink()
    path.write_bytes(path.read_bytes()[:cut])
    report = verify(path)
    assert not report.ok
    assert report.first_bad is not None


def test_an_added_or_missing_byte_is_found(path: Path) -> None:
    seal(path).unlink()
    original = path.read_bytes()
    for altered in (original + b"\0", original[:70_000] + original[70_001:], original[:50] + b"x" + original[50:]):
        path.write_bytes(altered)
        assert not verify(path).ok


def test_a_file_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match="can't be read"):
        verify(tmp_path / "none.db")
    with pytest.raises(ValueError, match="size:root"):
        verify(tmp_path / "none.db", expected_head="17")


async def test_a_body_that_is_no_event_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with SqliteLedger.open(path) as ledger:
        odd = draft("odd", body=msgspec.Raw(b'{"type":"pr.opened"}'))
        await ledger.commit(step("run-1", 0, drafts=(draft("fine"), odd)))
    assert "its body is no event" in str(verify(path).first_bad)


# ------------------------------------------------------------------ the export


def test_an_export_holds_the_bytes_that_were_hashed_and_verifies(path: Path) -> None:
    out = io.BytesIO()
    head = write_export(path, out)
    target = path.with_name("export.jsonl")
    target.write_bytes(out.getvalue())

    with closing(sqlite3.connect(path)) as database:
        stored = [row[0] for row in database.execute("SELECT bytes FROM entries ORDER BY seq")]
    assert out.getvalue().splitlines()[:-1] == stored
    report = verify_export(target, expected_head=f"{head.size}:{head.root}", checkpoints=checkpoints(path))
    assert report.ok, report
    assert (report.size, report.root) == (ENTRIES, head.root)
    assert report.checkpoints_matched == 2


async def test_an_altered_added_or_missing_byte_of_an_export_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with SqliteLedger.open(path) as ledger:
        await fill(ledger, 3, streams=2)
    out = io.BytesIO()
    write_export(path, out)
    original = out.getvalue()
    target = tmp_path / "export.jsonl"
    choice = random.Random(11)
    for place in range(0, len(original), 3):
        altered = bytearray(original)
        altered[place] ^= choice.randrange(1, 256)
        target.write_bytes(altered)
        assert not verify_export(target).ok, place
    for place in range(0, len(original), 50):
        for altered in (original[:place] + original[place + 1 :], original[:place] + b" " + original[place:]):
            target.write_bytes(altered)
            assert not verify_export(target).ok, place
    for altered in (b"", original[:-1], original + b"\n", original * 2):
        target.write_bytes(altered)
        assert not verify_export(target).ok


def test_a_damaged_ledger_is_not_exported(path: Path) -> None:
    tamper(path, rewrite(17, author="eve"))
    with pytest.raises(LedgerCorruptError, match="entry 17"):
        write_export(path, io.BytesIO())


def test_a_page_whose_columns_hold_other_types_is_damage_and_no_crash() -> None:
    findings = Findings()
    with closing(sqlite3.connect(":memory:")) as database:
        database.text_factory = bytes
        database.execute("CREATE TABLE entries (stream, version, seq)")  # no types: as a damaged page has none
        database.execute("CREATE TABLE streams (stream, version, first_seq, last_seq)")
        database.executemany("INSERT INTO entries VALUES (?, ?, ?)", [("run", 1, 1), (5, 2, 2), ("run", b"x", 3)])
        database.executemany("INSERT INTO streams VALUES (?, ?, ?, ?)", [("run", 1, 1, 1), (None, 1, 2, 2)])
        _check_streams(database, findings)
    assert len(findings.problems) == 3
