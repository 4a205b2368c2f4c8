"""What is SQLite's own in the ledger: refused changes, a full disk, a read-only or foreign file, files beside it."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from greenlane.domain.errors import FinalError
from greenlane.ledger import queries, sqlite
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.ledger.store import Handled, LedgerCorruptError, LedgerUnavailableError, Step
from greenlane.ledger.verify import verify
from tests.support.ledger import draft, fill, start_python, step


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET type = 'other' WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 3",
        "UPDATE nodes SET hash = zeroblob(32)",
        "DELETE FROM nodes",
        "INSERT OR REPLACE INTO entries SELECT 2, 9, 'x', 'y', type, leaf, bytes FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO entries SELECT 4, 9, 'x', event_id, type, leaf, bytes FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO entries SELECT 4, version, stream, 'y', type, leaf, bytes FROM entries WHERE seq = 2",
        "INSERT INTO entries SELECT 5, 9, 'x', 'y', type, leaf, bytes FROM entries WHERE seq = 2",
        "INSERT OR REPLACE INTO nodes VALUES (1, zeroblob(32))",
    ],
)
async def test_update_and_delete_are_refused_by_the_store(path: Path, statement: str) -> None:
    async with SqliteLedger.open(path) as ledger:
        await fill(ledger, 3)
        with closing(sqlite3.connect(path)) as other:
            with pytest.raises(sqlite3.IntegrityError, match=r"are refused by the store|are only appended"):
                other.execute(statement)
            other.rollback()
    assert verify(path).ok


async def test_a_reader_can_not_write_and_makes_no_ledger(path: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match="there is no ledger"):
        SqliteLedger.open(path, read_only=True)
    async with SqliteLedger.open(path) as ledger:
        await fill(ledger, 3)
        async with SqliteLedger.open(path, read_only=True) as reader:
            assert len(await reader.read()) == 3
            await ledger.commit(step("late", 0))
            assert len(await reader.read()) == 4
            with pytest.raises(LedgerUnavailableError, match="for reading only"):
                await reader.commit(step("no", 0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stage: production\n" * 100, "no SQLite database"),
        (b"SQLite format 3\x00" + b"\xff" * 8176, "damaged"),
    ],
)
def test_a_file_that_is_no_database_is_named_as_such(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(LedgerCorruptError, match=message):
            SqliteLedger.open(path, read_only=read_only)
    assert path.read_bytes() == content
    assert not verify(path).ok


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE cats (name)")
    before = path.read_bytes()
    with pytest.raises(LedgerCorruptError, match="no ledger of Greenlane"):
        SqliteLedger.open(path)
    assert path.read_bytes() == before


async def test_a_ledger_of_a_later_version_is_left_alone(path: Path) -> None:
    await SqliteLedger.open(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(LedgerCorruptError, match="schema version 9"):
        SqliteLedger.open(path)


async def test_a_lock_held_too_long_fails_that_commit_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "WRITER_BUSY_MS", 50)
    async with SqliteLedger.open(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailableError, match="locked") as caught:
                await ledger.commit(step("run-1", 0))
            assert "write lock" in caught.value.hint
            other.execute("ROLLBACK")
        await ledger.commit(step("run-1", 0))
    assert verify(path).ok


async def test_a_step_that_the_tables_refuse_fails_alone(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        wrong = step("run-0", 0, handled=(Handled("review", "first"),))  # type: ignore[arg-type]  # what is tested
        unusable = step("run-1", 0, handled=(Handled("review", object()),))  # type: ignore[arg-type]  # likewise
        steps = [wrong, unusable, *(step(f"run-{number}", 0) for number in range(2, 10))]
        results = await asyncio.gather(*map(ledger.commit, steps), return_exceptions=True)
    assert [isinstance(result, FinalError) for result in results] == [True, True, *[False] * 8]
    assert verify(path).size == 8


async def test_a_body_of_several_lines_is_refused(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        broken = draft("x", body=msgspec.Raw(b'{"type":\n"review.complete"}'))
        with pytest.raises(Exception, match="one line of the export"):
            await ledger.commit(Step(stream="run-1", expected_version=0, drafts=(draft("y"), broken)))
        await ledger.commit(step("run-1", 0))
    assert verify(path).size == 1


async def test_opening_appending_and_proving_read_a_logarithm_of_the_ledger(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        await fill(ledger, 2_000)
    asked: list[str] = []
    ledger = SqliteLedger.open(path)
    ledger._reader.set_trace_callback(asked.append)
    assert ledger._writer is not None
    ledger._writer._connection.set_trace_callback(asked.append)
    await ledger.commit(step("new", 0))
    await ledger.inclusion_proof(7, 2_001)
    await ledger.consistency_proof(1_023, 2_001)
    await ledger.head()
    await ledger.close()
    rows = [sql for sql in asked if sql.startswith("SELECT")]
    assert len(rows) < 8 * 11
    assert not [sql for sql in rows if "WHERE" not in sql and "max(seq)" not in sql]


# ------------------------------------------------------------------ a disk that is full, a file that may not be written

TROUBLE = """
import asyncio, os, resource, sys
from pathlib import Path
from tests.support.ledger import step, draft
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.ledger.store import LedgerUnavailableError
from greenlane.ledger.verify import verify

folder, kind = Path(sys.argv[1]), sys.argv[2]
path = folder / "ledger.db"

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    ledger = SqliteLedger.open(path)
    await ledger.commit(step("run", 0))
    if kind == "limit":
        limit(1_500_000)
    version = 1
    try:
        while version < 5_000:
            await ledger.commit(step("run", version))
            version += 1
        sys.exit("it never got full")
    except LedgerUnavailableError as error:
        assert error.hint, error
        print(error)
    for _ in range(3):
        try:
            await ledger.commit(step("run", version, drafts=(draft("big", rationale="x" * 200_000),)))
            sys.exit("that had no room")
        except LedgerUnavailableError:
            pass
    assert len(await ledger.read_stream("run")) == version
    if kind == "limit":
        limit(resource.RLIM_INFINITY)
    else:
        (folder / "filler").unlink()
    await ledger.commit(step("run", version))
    await ledger.close()
    report = verify(path)
    assert report.ok and report.size == version + 1, report

asyncio.run(main())
"""


def _run(code: str, *arguments: str) -> tuple[int | None, str]:
    with start_python(code, *arguments) as process:
        said, _ = process.communicate(timeout=120)
    return process.returncode, said


def test_a_file_that_may_not_grow_loses_nothing_and_goes_on_later(tmp_path: Path) -> None:
    assert _run(TROUBLE, str(tmp_path), "limit")[0] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB with a filler of 1 MB on it."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a small disk")
    (tmp_path / "filler").write_bytes(bytes(1_000_000))
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    code, said = _run(TROUBLE, str(small_disk), "disk")
    assert code == 0
    assert "full" in said


READ_ONLY = """
import asyncio, os, sys
from pathlib import Path
from tests.support.ledger import fill, step
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.ledger.store import LedgerUnavailableError
from greenlane.ledger.verify import verify

folder = Path(sys.argv[1])
path = folder / "ledger.db"

async def main():
    async with SqliteLedger.open(path) as ledger:
        await fill(ledger, 5)
    if os.geteuid() == 0:  # root may write anything
        os.setegid(65534)
        os.seteuid(65534)
    else:
        path.chmod(0o444)
        folder.chmod(0o555)
    try:
        ledger = SqliteLedger.open(path)
        try:
            await ledger.commit(step("no", 0))
        finally:
            await ledger.close()
        sys.exit("it was written")
    except LedgerUnavailableError as error:
        assert error.hint, error
    async with SqliteLedger.open(path, read_only=True) as reader:
        assert len(await reader.read()) == 5
    assert verify(path).ok, verify(path)
    assert sorted(p.name for p in folder.iterdir()) == ["ledger.db", "ledger.db.checkpoints", "ledger.db.seal"]

asyncio.run(main())
"""


def test_a_read_only_ledger_is_read_and_verified_but_not_written() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, into which another user may not look
        Path(folder).chmod(0o755)
        code, _ = _run(READ_ONLY, folder)
        Path(folder).chmod(0o755)
    assert code == 0


async def test_the_seal_goes_before_the_first_commit_and_comes_back_at_the_end(path: Path) -> None:
    seal = path.with_name("ledger.db.seal")
    first, second = SqliteLedger.open(path), SqliteLedger.open(path)
    await fill(first, 3)
    await first.close()
    assert verify(path).ok
    await second.commit(step("more", 0))
    assert not seal.exists()
    await second.close()
    assert verify(path).seal == "matches"
    assert path.stat().st_size > queries.PAGE_SIZE * 3
    assert not list(path.parent.glob("*-wal"))
