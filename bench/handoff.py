"""Hand-over between agents, beside the bare cost of the same SQLite commits in the same run.

500 runs of five agents that decide nothing, on the real worker, ledger and bus; once with 1 run in flight, once with
50. A hand-off is measured from the moment an agent yields its decision (before the commit, so the commit is inside)
to the first line of the next agent. The bare peer writes the same rows with sqlite3 alone, in one thread, in groups.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.agents import RESULTS, PlainAgent, opened
from tests.support.house import House

from _harness import Bench, run
from greenlane.agents.base import Yielded
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.ids import run_id
from greenlane.domain.settings import Settings
from greenlane.ledger import queries
from greenlane.ledger.sqlite import SqliteLedger

AGENTS = len(e.STAGES)
Row = tuple[int, int, str, str, str, bytes, bytes]


class TimedAgent(PlainAgent):
    """Notes when it starts and when it yields."""

    def __init__(self, stage: e.Stage, yielded: dict[str, float], handoffs: list[float]) -> None:
        super().__init__(stage)
        self._yielded = yielded
        self._handoffs = handoffs

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        now = time.perf_counter()
        before = self._yielded.get(change.run)
        if before is not None:
            self._handoffs.append((now - before) * 1e3)
        event = RESULTS[self.stage]()
        self._yielded[change.run] = time.perf_counter()
        yield event


async def hand_over(folder: Path, runs: int, in_flight: int, bench: Bench) -> tuple[list[float], float]:
    """(hand-off latencies in ms, seconds for all runs)"""
    settings = Settings.model_validate({"orchestration": {"max_concurrent_agents": in_flight, "lease_s": 60}})
    yielded: dict[str, float] = {}
    handoffs: list[float] = []
    store = SqliteLedger.open(folder / "ledger.db")
    ended: dict[str, asyncio.Event] = {}
    numbers = iter(range(1, runs + 1))

    class Counting:
        async def tidy(self, change: Change) -> None:
            ended[change.run].set()

        async def rest(self, _: Change) -> None:
            """Nothing runs that could rest."""

    agents = [TimedAgent(stage, yielded, handoffs) for stage in e.STAGES]
    house = House(store, agents, settings, tidier=Counting())
    with bench.progress(f"{in_flight} in flight", total=runs) as advance:

        async def lane() -> None:
            for number in numbers:
                event = opened(number)
                end = ended[run_id(event.repo, event.pr_number, event.head_sha)] = asyncio.Event()
                await house.open(event)
                await end.wait()
                advance()

        async with house.working():
            await asyncio.sleep(0.05)
            started = time.perf_counter()
            await asyncio.gather(*(lane() for _ in range(in_flight)))
            seconds = time.perf_counter() - started
    await store.close()
    return handoffs, seconds


def read_rows(ledger: Path) -> list[Row]:
    with sqlite3.connect(ledger) as db:
        return db.execute(
            "SELECT seq, version, stream, event_id, type, leaf, bytes FROM entries ORDER BY seq"
        ).fetchall()


def open_bare(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(";".join(queries.schema_statements()))
    for trigger in ("entries_only_append", "nodes_only_append"):
        db.execute(f"DROP TRIGGER {trigger}")  # the bare peer does not check what it writes
    return db


def write_group(db: sqlite3.Connection, part: list[Row]) -> None:
    """One transaction: entry, node, outbox in and out, stream, inbox and lease of each row."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(queries.INSERT_ENTRY, part)
    db.executemany(queries.INSERT_NODE, [(row[0], row[5]) for row in part])
    db.executemany(queries.PUT_OUTBOX, [(row[0],) for row in part])
    db.executemany(queries.PUT_STREAM, [(row[2], row[1], "open", 1, row[0]) for row in part])
    db.executemany(queries.PUT_INBOX, [(row[4], row[0]) for row in part])
    db.executemany(queries.PUT_LEASE, [(row[2], "me", 1, 0.0, 0, 0) for row in part])
    db.executemany(queries.DROP_OUTBOX, [(row[0],) for row in part])
    db.execute("COMMIT")


def write_bare(folder: Path, rows: list[Row], group: int) -> float:
    """Seconds for the same rows by sqlite3 alone, so many in a transaction, with nobody waiting for any of them."""
    db = open_bare(folder / "bare.db")
    started = time.perf_counter()
    for at in range(0, len(rows), group):
        write_group(db, rows[at : at + group])
    seconds = time.perf_counter() - started
    db.close()
    return seconds


async def write_bare_in_turns(folder: Path, rows: list[Row], in_flight: int) -> float:
    """Seconds for the same rows when as many tasks wait, each for the commit of its own row before it goes on.

    A thread commits whatever has gathered meanwhile, as the ledger does: grouped commits as an event loop sees them,
    with nothing decided, encoded, hashed or checked.
    """
    waiting: queue.SimpleQueue[tuple[Row, asyncio.Future[None]] | None] = queue.SimpleQueue()
    loop = asyncio.get_running_loop()

    def resolve(futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            future.set_result(None)

    def commit() -> None:
        db = open_bare(folder / "turns.db")
        while (item := waiting.get()) is not None:
            group = [item]
            while not waiting.empty() and (item := waiting.get()) is not None:
                group.append(item)
            write_group(db, [row for row, _ in group])
            loop.call_soon_threadsafe(resolve, [future for _, future in group])
        db.close()

    async def lane() -> None:
        for row in numbered:
            future = loop.create_future()
            waiting.put((row, future))
            await future

    numbered = iter(rows)
    thread = threading.Thread(target=commit)
    thread.start()
    started = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(in_flight)))
    seconds = time.perf_counter() - started
    waiting.put(None)
    await asyncio.to_thread(thread.join)
    return seconds


def percentile(samples: list[float], q: float) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q / 100))]


async def measure(bench: Bench) -> None:
    runs = 100 if bench.quick else 500
    samples, rates = {}, {}
    with tempfile.TemporaryDirectory() as name:
        for in_flight in (1, 50):
            folder = Path(name) / str(in_flight)
            folder.mkdir()
            handoffs, seconds = await hand_over(folder, runs, in_flight, bench)
            rows = read_rows(folder / "ledger.db")
            bare_s = write_bare(folder, rows, in_flight)
            turns_s = await write_bare_in_turns(folder, rows, in_flight)
            # a run is six entries (pr.opened and five decisions), and so six hand-offs with the one that ends it
            entries = runs * (AGENTS + 1)
            key = f"{in_flight}_in_flight"
            bench.figure(f"handoff_p50_ms_{key}", percentile(handoffs, 50))
            bench.figure(f"handoff_p99_ms_{key}", percentile(handoffs, 99))
            bench.figure(f"handoffs_per_s_{key}", entries / seconds)
            bench.figure(f"bare_commits_per_s_{key}", entries / bare_s)
            bench.figure(f"bare_in_turns_per_s_{key}", entries / turns_s)
            bench.figure(f"ratio_to_bare_{key}", bare_s / seconds)
            bench.figure(f"ratio_to_bare_in_turns_{key}", turns_s / seconds)
            samples[f"{in_flight} in flight"] = handoffs
            rates |= {
                f"Greenlane, {in_flight} in flight": entries / seconds,
                f"bare, groups of {in_flight}": entries / bare_s,
            }
    bench.goal("hand-off p99 at 1 in flight", "handoff_p99_ms_1_in_flight", "<", 10)
    bench.goal("throughput of bare grouped commits", "ratio_to_bare_50_in_flight", ">=", 0.7)
    bench.samples("Hand-off latency", samples, unit="ms", limit=10)
    bench.bars("Hand-offs a second", rates, unit="1/s")
    bench.note(
        "A hand-off is timed from the yield of a decision to the first line of the next agent: the commit is inside."
    )


if __name__ == "__main__":
    run("handoff", "Hand-over between agents beside bare SQLite commits", measure)
