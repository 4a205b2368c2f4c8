"""The ledger: is every altered byte found, and how fast does it append, prove, verify and open.

The peer of appending is sqlite3 alone, which writes the very same rows in as many transactions, in the same run. How
alterations are judged: `audit verify` runs on the altered file as it would on any other. A cleanly closed ledger has a
seal, which finds every byte; so each alteration is also judged without it. What is then not found has to be inert: read
back, the altered file must hold the same entries and the same tree, row for row.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from _harness import Bench, percentile, run
from greenlane.domain import events as e
from greenlane.ledger import merkle, queries
from greenlane.ledger.entry import Draft
from greenlane.ledger.export import verify_export, write_export
from greenlane.ledger.sidefiles import seal_path
from greenlane.ledger.sqlite import WAL_PAGES, SqliteLedger
from greenlane.ledger.store import Step
from greenlane.ledger.verify import verify

PARTS = ("appends", "large", "alterations")
GROUP = 50
SMALL = 1_000
WORKERS = 2
HISTORY = ("entries", "nodes")
WORK = ("streams", "outbox", "inbox", "leases", "slots")

WHY = e.Reasoning(
    decision="proceed",
    rationale="The risk score 2.0 is under the limit 7.0, all 41 tests passed, and no rule asks for a human.",
    rules_fired=("size.small", "history.calm"),
    risk_score=2.0,
)
BODY = msgspec.Raw(e.encode_event(e.TestsComplete(why=WHY, proceed=True, commit_sha="f" * 40)))


def draft(event_id: str) -> Draft:
    return Draft(
        event_id=event_id, trace_id="trace", causation_id="cause", type="tests.complete", event_version=1, repo="shop",
        pr_number=12, author="Ada <ada@example.com>", head_sha="a" * 40, base_sha="b" * 40, diff_sha256="c" * 64,
        artifact_digest=None, agent="test", agent_version="1.0", model_id=None, prompt_digest=None,
        policy_digest="sha256:" + "d" * 64, config_digest="sha256:" + "e" * 64,
        inputs=(e.Input("diff", "sha256:" + "c" * 64),), rules_fired=WHY.rules_fired, risk_score=WHY.risk_score,
        rationale=WHY.rationale, decision=WHY.decision, approver=None, timestamp="2026-03-01T12:00:00.000000Z",
        body=BODY,
    )  # fmt: skip


class Filler:
    """Appends entries to a ledger: runs of twelve entries, `in_flight` runs at a time, `each` entries in a step."""

    def __init__(self, ledger: SqliteLedger, seed: int = 1) -> None:
        self._ledger = ledger
        self._random = random.Random(seed)
        self._runs = 0

    async def _one_run(self, entries: int, each: int) -> None:
        self._runs += 1
        stream = f"shop-{self._runs}-{self._random.getrandbits(32):08x}"
        for version in range(0, entries, each):
            count = min(each, entries - version)
            drafts = tuple(draft(f"{stream}/{version + place}") for place in range(1, count + 1))
            await self._ledger.commit(Step(stream=stream, expected_version=version, drafts=drafts))

    async def fill(self, entries: int, *, each: int, in_flight: int, advance: object = None) -> None:
        left = entries

        async def work() -> None:
            nonlocal left
            while left > 0:
                count = min(12, left)
                left -= count
                await self._one_run(count, each)
                if callable(advance):
                    advance(count)

        await asyncio.gather(*[work() for _ in range(in_flight)])


# ------------------------------------------------------------------ altered bytes


def rows_of(path: Path, tables: tuple[str, ...]) -> list[list[tuple[object, ...]]]:
    """All rows of these tables of a closed ledger, as bytes and numbers."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        database.text_factory = bytes
        return [database.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall() for table in tables]


@contextmanager
def altered(path: Path, place: int, change: int) -> Iterator[None]:
    """One byte of a file, changed for a while."""
    with path.open("r+b", buffering=0) as file:
        file.seek(place)
        old = file.read(1)
        file.seek(place)
        file.write(bytes([old[0] ^ change]))
        yield
        file.seek(place)
        file.write(old)


def judge(path: Path, history: list[object], work: list[object]) -> str:
    """How an altered ledger was judged: by what the alteration was found, or what it touches if by its seal alone."""
    report = verify(path)
    if report.ok:
        return "not found"
    if report.seal != "broken" or len(report.problems) > 1:
        return "found by content"
    if rows_of(path, HISTORY) != history:
        return "harmful, found by the seal alone"
    return "inert" if rows_of(path, WORK) == work else "working tables, found by the seal alone"


def try_ledger(folder: str, seed: int, count: int) -> Counter[str]:
    """Alter so many bytes at random, one at a time, in a copy of the ledger of this worker's own."""
    choice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(folder, name, dirs_exist_ok=True)
        path = Path(name) / "ledger.db"
        history, work = rows_of(path, HISTORY), rows_of(path, WORK)
        verdicts: Counter[str] = Counter()
        for _ in range(count):
            with altered(path, choice.randrange(path.stat().st_size), choice.randrange(1, 256)):
                verdicts[judge(path, history, work)] += 1
        assert verify(path).ok, "an alteration was not undone"
        return verdicts


def try_lengths(folder: str, seed: int, count: int) -> Counter[str]:
    """Take one byte away or add one, at random places, and judge without the seal."""
    choice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(folder, name, dirs_exist_ok=True)
        path = Path(name) / "ledger.db"
        seal_path(path).unlink()
        original = path.read_bytes()
        verdicts: Counter[str] = Counter()
        for _ in range(count):
            place = choice.randrange(len(original))
            kept = original[place:] if choice.random() < 0.5 else original[place + 1 :]
            added = bytes([choice.randrange(256)]) if len(kept) == len(original) - place else b""
            path.write_bytes(original[:place] + added + kept)
            verdicts["not found" if verify(path).ok else "found by content"] += 1
        return verdicts


def try_export(folder: str, seed: int, count: int) -> Counter[str]:
    choice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "export.jsonl"
        shutil.copy(Path(folder) / "export.jsonl", path)
        verdicts: Counter[str] = Counter()
        for _ in range(count):
            with altered(path, choice.randrange(path.stat().st_size), choice.randrange(1, 256)):
                verdicts["not found" if verify_export(path).ok else "found"] += 1
        return verdicts


async def measure_alterations(bench: Bench, folder: Path) -> None:
    async with SqliteLedger.open(folder / "ledger.db") as ledger:
        await Filler(ledger).fill(SMALL, each=1, in_flight=10)
        await ledger.mark_published(range(1, SMALL - 5))
        for number in range(5):
            await ledger.acquire(f"waiting-{number}", owner=f"host:{number}:1", ttl_s=10, limit=10)
        await ledger.acquire_slot("shop", "waiting-1")
    with (folder / "export.jsonl").open("wb") as out:
        write_export(folder / "ledger.db", out)
    count, piece = bench.args.alterations or (500 if bench.quick else 10_000), 50
    kinds = {"ledger": try_ledger, "lengths": try_lengths, "export": try_export}
    totals: dict[str, Counter[str]] = {}
    with ProcessPoolExecutor(WORKERS) as pool:
        for kind, trial in kinds.items():
            many = count // 10 if kind == "lengths" else count
            jobs = [pool.submit(trial, str(folder), seed, piece) for seed in range(many // piece)]
            totals[kind] = Counter()
            with bench.progress(f"altering bytes: {kind}", total=many) as advance:
                for job in jobs:
                    totals[kind] += await asyncio.wrap_future(job)
                    advance(piece)
    report_alterations(bench, totals, count)


def report_alterations(bench: Bench, totals: dict[str, Counter[str]], count: int) -> None:
    ledger, export = totals["ledger"], totals["export"]
    harmful = ledger["harmful, found by the seal alone"] + ledger["not found"]
    bench.figure("alterations_tried", count, f"single bytes of the file of a closed ledger of {SMALL:,} entries")
    bench.figure("alterations_found", count - ledger["not found"], "found by `audit verify`")
    bench.figure("found_by_content", ledger["found by content"], "of them, found without the seal as well")
    bench.figure("inert", ledger["inert"], "by the seal alone: no row of any table differs")
    bench.figure(
        "in_working_tables", ledger["working tables, found by the seal alone"], "by the seal alone: no entry differs"
    )
    bench.figure("harmful_without_seal", harmful, "not found without the seal, though an entry or the tree differs")
    bench.figure("export_alterations_tried", export.total(), "single bytes of the export")
    bench.figure("export_alterations_found", export["found"])
    lengths = totals["lengths"]
    bench.figure("bytes_added_or_removed", lengths.total(), "single bytes added to or taken from the file, no seal")
    bench.figure("bytes_added_or_removed_found", lengths["found by content"])
    bench.goal("every altered byte is found", "alterations_found", "==", count)
    bench.goal("without the seal, what is not found is inert", "harmful_without_seal", "==", 0)
    bench.goal("every altered byte of the export is found", "export_alterations_found", "==", export.total())
    bench.goal("every added or missing byte is found", "bytes_added_or_removed_found", "==", lengths.total())
    bench.bars("What found the altered bytes", {name: float(n) for name, n in ledger.most_common()}, unit="alterations")


# ------------------------------------------------------------------ appending


async def measure_appends(bench: Bench, folder: Path) -> None:
    entries = 5_000 if bench.quick else 40_000
    path = folder / "appends.db"
    async with SqliteLedger.open(path) as ledger:
        filler = Filler(ledger)
        await filler.fill(500, each=1, in_flight=GROUP)
        with bench.progress("appending, 50 in flight", total=entries) as advance:
            started = time.perf_counter()
            await filler.fill(entries, each=1, in_flight=GROUP, advance=advance)
            ours_s = time.perf_counter() - started
        alone_ms = []
        for _ in range(300):
            started = time.perf_counter()
            await filler.fill(1, each=1, in_flight=1)
            alone_ms.append((time.perf_counter() - started) * 1e3)
    bare_s = write_bare(path, folder / "bare.db", entries)
    bench.figure("appends_per_s", entries / ours_s, "one entry in a step, 50 steps in flight")
    bench.figure("bare_appends_per_s", entries / bare_s, "the same rows by sqlite3 alone, 50 in a transaction")
    bench.figure("ratio_to_bare", bare_s / ours_s)
    bench.figure("append_alone_p50_ms", percentile(alone_ms, 50), "one step in flight")
    bench.figure("append_alone_p99_ms", percentile(alone_ms, 99))
    bench.goal("appends a second in groups of 50", "appends_per_s", ">=", 2_000)
    bench.bars(
        "Appends a second", {"the ledger": entries / ours_s, "bare sqlite3": entries / bare_s}, unit="1/s", limit=2_000
    )


def write_bare(source: Path, target: Path, count: int) -> float:
    """Seconds that sqlite3 alone takes for the same rows of the same tables, GROUP entries in a transaction."""
    with closing(sqlite3.connect(source)) as database:
        entries = database.execute(f"SELECT * FROM entries ORDER BY seq LIMIT {count}").fetchall()
        nodes = database.execute(f"SELECT * FROM nodes ORDER BY position LIMIT {count}").fetchall()
    database = sqlite3.connect(target, isolation_level=None)
    for pragma in (f"page_size = {queries.PAGE_SIZE}", "journal_mode = WAL", "synchronous = FULL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    for statement in queries.schema_statements():
        if not statement.startswith("CREATE TRIGGER"):
            database.execute(statement)
    started = time.perf_counter()
    for at in range(0, count, GROUP):
        part = entries[at : at + GROUP]
        database.execute("BEGIN IMMEDIATE")
        database.executemany(queries.INSERT_ENTRY, part)
        database.executemany(queries.INSERT_NODE, nodes[at : at + GROUP])
        database.executemany(queries.PUT_OUTBOX, [(row[0],) for row in part])
        database.executemany(queries.PUT_STREAM, [(row[2], row[1], "open", row[0], row[0]) for row in part])
        database.execute("COMMIT")
    seconds = time.perf_counter() - started
    database.close()
    return seconds


# ------------------------------------------------------------------ the large ledger


async def measure_large(bench: Bench, folder: Path) -> None:
    path = folder / "large.db"
    verified = 20_000 if bench.quick else 100_000
    size = 100_000 if bench.quick else 1_000_000
    ledger = SqliteLedger.open(path)
    filler = Filler(ledger, seed=2)
    with bench.progress(f"building {size:,} entries", total=size) as advance:
        await filler.fill(verified, each=12, in_flight=GROUP, advance=advance)
        await ledger.close()
        measure_verify(bench, path, verified)
        ledger = SqliteLedger.open(path)
        filler._ledger = ledger
        started = time.perf_counter()
        await filler.fill(size - verified, each=12, in_flight=GROUP, advance=advance)
        bench.figure(
            "bulk_appends_per_s", (size - verified) / (time.perf_counter() - started), "twelve entries in a step"
        )
    await ledger.close()
    bench.figure("large_entries", size)
    bench.figure("large_file_mb", path.stat().st_size / 1e6)
    await measure_opening(bench, path)
    await measure_proofs(bench, path, size)


def measure_verify(bench: Bench, path: Path, entries: int) -> None:
    seconds = []
    for _ in range(3):
        report = verify(path)
        assert report.ok, report.problems
        assert report.size == entries
        seconds.append(report.seconds)
    bench.figure("verify_entries", entries)
    bench.figure("verify_s", percentile(seconds, 50), "the whole file from its bytes alone, median of three")
    bench.figure("verify_per_1e5_s", percentile(seconds, 50) * 1e5 / entries)
    bench.goal("verifying 1e5 entries", "verify_per_1e5_s", "<", 2)


async def measure_opening(bench: Bench, path: Path) -> None:
    opening_ms, first_ms = [], []
    for number in range(10):
        started = time.perf_counter()
        ledger = SqliteLedger.open(path)
        opening_ms.append((time.perf_counter() - started) * 1e3)
        await ledger.commit(Step(stream=f"opening-{number}", expected_version=0, drafts=(draft(f"opening-{number}"),)))
        await ledger.head()
        first_ms.append((time.perf_counter() - started) * 1e3)
        await ledger.close()
    bench.figure("opening_ms", percentile(opening_ms, 50), "opening the large ledger")
    bench.figure("opening_append_head_ms", percentile(first_ms, 50), "opening it, one append, and its head")
    bench.goal("opening the large ledger", "opening_append_head_ms", "<", 100)


async def measure_proofs(bench: Bench, path: Path, size: int) -> None:
    rounds = 500 if bench.quick else 3_000
    choice = random.Random(3)
    samples: dict[str, list[float]] = {"inclusion": [], "consistency": [], "both": []}
    async with SqliteLedger.open(path, read_only=True) as ledger:
        head = await ledger.head()
        root = bytes.fromhex(head.root)
        with bench.progress(f"proving at {size:,} entries", total=rounds) as advance:
            for _ in range(rounds):
                seq, old = choice.randrange(1, head.size + 1), choice.randrange(1, head.size)
                started = time.perf_counter()
                inclusion = await ledger.inclusion_proof(seq, head.size)
                middle = time.perf_counter()
                consistency = await ledger.consistency_proof(old, head.size)
                ended = time.perf_counter()
                samples["inclusion"].append((middle - started) * 1e3)
                samples["consistency"].append((ended - middle) * 1e3)
                samples["both"].append((ended - started) * 1e3)
                if len(samples["both"]) % 50 == 0:
                    await check_proofs(path, ledger, seq, old, inclusion, consistency, root)
                advance()
    for name, values in samples.items():
        bench.figure(f"proof_{name}_p99_ms", percentile(values, 99))
    bench.goal("an inclusion and a consistency proof, p99", "proof_both_p99_ms", "<", 5)
    bench.samples(f"Proofs at {size:,} entries", samples, unit="ms", limit=5)


async def check_proofs(
    path: Path, ledger: SqliteLedger, seq: int, old: int, inclusion: list[str], consistency: list[str], root: bytes
) -> None:
    """A proof that proves nothing would be quick: hold them against roots computed another way."""
    size = (await ledger.head()).size
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        (data,) = database.execute("SELECT bytes FROM entries WHERE seq = ?", (seq,)).fetchone()
        old_root = merkle.compute_root(old, lambda level, index: stored_hash(database, level, index))
    proof = [bytes.fromhex(hashed) for hashed in inclusion]
    assert merkle.verify_inclusion(merkle.hash_leaf(data), seq - 1, size, proof, root)
    proof = [bytes.fromhex(hashed) for hashed in consistency]
    assert merkle.verify_consistency(old, size, old_root, root, proof)


def stored_hash(database: sqlite3.Connection, level: int, index: int) -> bytes:
    if level:
        row = database.execute(queries.NODE, (merkle.node_position(level, index),)).fetchone()
    else:
        row = database.execute(queries.LEAF, (index + 1,)).fetchone()
    return bytes(row[0])


async def measure(bench: Bench) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "appends" in bench.args.parts:
            await measure_appends(bench, folder)
        if "large" in bench.args.parts:
            await measure_large(bench, folder)
        if "alterations" in bench.args.parts:
            small = folder / "small"
            small.mkdir()
            await measure_alterations(bench, small)
    bench.note(
        "Inert alterations lie where SQLite keeps nothing (unused parts of pages, its own counters); the seal of a "
        "closed ledger finds them. Only a checkpoint kept elsewhere finds that all hashes were redone: docs/ledger.md."
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="only these parts")
    parser.add_argument("--alterations", type=int, metavar="N", help="how many bytes to alter, a multiple of 500")


if __name__ == "__main__":
    run("ledger", "The ledger: altered bytes, appends, proofs, verification", measure, arguments=add_arguments)
