"""What every `LedgerStore` keeps to. Another store joins by one more entry in `OPENERS`."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from greenlane.ledger import merkle
from greenlane.ledger.entry import decode_entry
from greenlane.ledger.owner import this_owner
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.ledger.store import (
    DuplicateEventError,
    Handled,
    IncompleteDecisionError,
    LeaseLostError,
    LedgerStore,
    LedgerUnavailableError,
    OutboxItem,
    Step,
    StreamInfo,
    VersionConflictError,
)
from tests.support.ledger import REQUIRED, draft, fill, start_python, step

Reopen = Callable[[], Awaitable[LedgerStore]]


class Clock:
    """Wall-clock seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def open_sqlite(folder: Path, clock: Clock) -> LedgerStore:
    return SqliteLedger.open(folder / "ledger.db", clock=clock)


OPENERS = {"sqlite": open_sqlite}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=sorted(OPENERS))
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Callable[[], LedgerStore]]:
    """Opens the same ledger, as often as it is called; closes them all."""
    opened: list[LedgerStore] = []

    def open_one() -> LedgerStore:
        opened.append(OPENERS[request.param](tmp_path, clock))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def store(stores: Callable[[], LedgerStore]) -> LedgerStore:
    return stores()


# ------------------------------------------------------------------ appending


async def test_entries_get_places_without_gaps_and_come_back_as_written(store: LedgerStore) -> None:
    first = await store.commit(step("run-1", 0, 2))
    second = await store.commit(step("run-2", 0))
    third = await store.commit(step("run-1", 2))

    written = [*first, *second, *third]
    assert [(entry.seq, entry.stream, entry.version) for entry in written] == [
        (1, "run-1", 1), (2, "run-1", 2), (3, "run-2", 1), (4, "run-1", 3),
    ]  # fmt: skip
    assert await store.read() == written
    assert await store.read(after_seq=1, limit=2) == written[1:3]
    assert await store.read_stream("run-1") == [*first, *third]
    assert await store.read_stream("run-1", after_version=2) == list(third)
    assert await store.read_stream("nobody") == []


async def test_the_first_append_wins_and_the_second_changes_nothing(stores: Callable[[], LedgerStore]) -> None:
    one, other = stores(), stores()
    await one.commit(step("run-1", 0))
    approval = Step(stream="run-1", expected_version=1, drafts=(draft("approval"),), handled=(Handled("desk", 1),))
    timeout = Step(stream="run-1", expected_version=1, drafts=(draft("timeout"),), handled=(Handled("timer", 1),))

    results = await asyncio.gather(one.commit(approval), other.commit(timeout), return_exceptions=True)

    (lost,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(lost, VersionConflictError)
    assert (lost.expected, lost.actual) == (1, 2)
    winner = await one.read_stream("run-1", after_version=1)
    assert [entry.event_id for entry in winner] in (["approval"], ["timeout"])
    assert await one.is_handled("desk", 1) is (winner[0].event_id == "approval")
    assert await one.is_handled("timer", 1) is (winner[0].event_id == "timeout")


async def test_one_conflict_in_a_group_leaves_the_others_alone(store: LedgerStore) -> None:
    await store.commit(step("run-0", 0))
    steps = [step(f"run-{number}", 0) for number in range(40)]  # run-0 is at version 1 already

    results = await asyncio.gather(*map(store.commit, steps), return_exceptions=True)

    assert isinstance(results[0], VersionConflictError)
    assert all(isinstance(result, tuple) for result in results[1:])
    assert [entry.seq for entry in await store.read()] == list(range(1, 41))


async def test_an_event_is_never_written_twice(store: LedgerStore) -> None:
    await store.commit(step("run-1", 0))
    again = Step(stream="run-2", expected_version=0, drafts=(draft("run-1/1"),))
    within = Step(stream="run-3", expected_version=0, drafts=(draft("same"), draft("same")))

    results = await asyncio.gather(
        store.commit(again), store.commit(within), store.commit(step("run-4", 0)), return_exceptions=True
    )

    assert [type(result) for result in results] == [DuplicateEventError, DuplicateEventError, tuple]
    assert "run-1/1 is in the ledger already" in str(results[0])
    assert [entry.event_id for entry in await store.read()] == ["run-1/1", "run-4/1"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"author": ""}, "author"),
        ({"rationale": "  "}, "rationale"),
        ({"risk_score": None}, "risk_score"),
        ({"inputs": ()}, "inputs"),
        ({"author": "", "risk_score": None}, "author, risk_score"),
        ({}, "reviewer"),
    ],
)
async def test_a_decision_that_lacks_a_required_field_is_refused_with_its_name(
    store: LedgerStore, changes: dict[str, object], named: str
) -> None:
    required = (*REQUIRED, "inputs", "seq", *(["reviewer"] if named == "reviewer" else []))
    incomplete = Step(
        stream="run-1", expected_version=0, drafts=(draft("a"), draft("b", **changes)), required_fields=required,
        handled=(Handled("review", 1),),
    )  # fmt: skip

    with pytest.raises(IncompleteDecisionError, match=f"lacks {named}$"):
        await store.commit(incomplete)

    assert await store.read() == []
    assert not await store.is_handled("review", 1)


async def test_zero_is_a_value_and_a_fact_needs_no_reasoning(store: LedgerStore) -> None:
    fact = draft("fact", decision="", rationale="", risk_score=None)
    decision = draft("decision", risk_score=0.0)
    await store.commit(Step(stream="run-1", expected_version=0, drafts=(fact, decision), required_fields=REQUIRED))
    assert (await store.head()).size == 2


# ------------------------------------------------------------------ streams, inbox, outbox, slots


async def test_a_step_without_entries_marks_and_sets_the_status(store: LedgerStore) -> None:
    await store.commit(step("run-1", 0))
    await store.commit(step("run-2", 0, 3, status="waiting"))
    done = Step(stream="run-1", expected_version=1, drafts=(), handled=(Handled("review", 1),), status="ended")

    assert await store.commit(done) == ()
    with pytest.raises(VersionConflictError):
        await store.commit(Step(stream="run-1", expected_version=0, drafts=(), status="open"))
    await store.commit(Step(stream="run-2", expected_version=None, drafts=(), handled=(Handled("notify", 2),)))

    assert await store.is_handled("review", 1)
    assert await store.is_handled("notify", 2)
    assert not await store.is_handled("review", 2)
    ended = StreamInfo("run-1", 1, "ended", 1, 1)
    waiting = StreamInfo("run-2", 3, "waiting", 2, 4)
    assert await store.streams() == [ended, waiting]
    assert await store.streams(["waiting", "open"]) == [waiting]


async def test_what_is_committed_is_unpublished_until_it_is_marked(
    stores: Callable[[], LedgerStore],
) -> None:
    store = stores()
    await store.commit(step("run-1", 0, 3))
    await store.mark_published([1, 3])

    assert await store.unpublished() == [OutboxItem(2, "review.complete", "run-1")]
    await store.close()
    assert await stores().unpublished() == [OutboxItem(2, "review.complete", "run-1")]


async def test_a_production_slot_has_one_holder(stores: Callable[[], LedgerStore]) -> None:
    one, other = stores(), stores()
    assert await one.acquire_slot("shop", "run-1") is None
    assert await other.acquire_slot("shop", "run-2") == "run-1"
    assert await other.acquire_slot("shop", "run-1") is None
    assert await other.acquire_slot("mail", "run-2") is None

    await one.commit(step("run-1", 0, release_slots=True))

    assert await other.acquire_slot("shop", "run-2") is None
    assert await one.acquire_slot("mail", "run-1") == "run-2"


# ------------------------------------------------------------------ leases


async def test_a_lease_excludes_others_until_it_is_released_or_runs_out(
    stores: Callable[[], LedgerStore], clock: Clock
) -> None:
    one, other = stores(), stores()
    first = await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=5)
    assert first is not None
    assert await other.acquire("run-1", owner="b:1:1", ttl_s=10, limit=5) is None
    assert await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=5) == first

    await one.release(first)
    second = await other.acquire("run-1", owner="b:1:1", ttl_s=10, limit=5)
    assert second is not None
    assert (second.token, second.takeovers) == (first.token + 1, 0)

    clock.now += 9
    await other.heartbeat("b:1:1", 10)
    clock.now += 9
    assert await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=5) is None
    clock.now += 2
    third = await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=5)
    assert third is not None
    assert (third.token, third.takeovers) == (second.token + 1, 1)


async def test_a_zombie_with_an_old_lease_can_not_commit(stores: Callable[[], LedgerStore], clock: Clock) -> None:
    one, other = stores(), stores()
    old = await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=5)
    clock.now += 11
    new = await other.acquire("run-1", owner="b:1:1", ttl_s=10, limit=5)

    with pytest.raises(LeaseLostError):
        await one.commit(step("run-1", 0, lease=old))
    await other.commit(step("run-1", 0, lease=new))
    with pytest.raises(LeaseLostError):
        await one.commit(Step(stream="run-1", expected_version=1, drafts=(), lease=old, release_lease=True))
    assert old is not None
    await one.release(old)
    assert await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=5) is None


async def test_a_commit_renews_its_lease_and_may_give_it_back(stores: Callable[[], LedgerStore], clock: Clock) -> None:
    one, other = stores(), stores()
    lease = await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=5)
    clock.now += 8
    await one.commit(step("run-1", 0, lease=lease, lease_ttl_s=10))
    clock.now += 8
    assert await other.acquire("run-1", owner="b:1:1", ttl_s=10, limit=5) is None
    await one.commit(step("run-1", 1, lease=lease, release_lease=True))
    assert await other.acquire("run-1", owner="b:1:1", ttl_s=10, limit=5) is not None


async def test_takeovers_are_counted_until_the_run_gets_on(store: LedgerStore, clock: Clock) -> None:
    counts = []
    for owner in ("a:1:1", "b:1:1", "c:1:1"):
        lease = await store.acquire("run-1", owner=owner, ttl_s=10, limit=5)
        assert lease is not None
        counts.append(lease.takeovers)
        clock.now += 11
    await store.commit(step("run-1", 0))
    lease = await store.acquire("run-1", owner="d:1:1", ttl_s=10, limit=5)
    assert lease is not None
    assert [*counts, lease.takeovers] == [0, 1, 2, 1]


async def test_the_limit_counts_live_leases_of_all_owners(stores: Callable[[], LedgerStore], clock: Clock) -> None:
    one, other = stores(), stores()
    assert await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=2)
    assert await one.acquire("run-2", owner="a:1:1", ttl_s=20, limit=2)
    assert await other.acquire("run-3", owner="b:1:1", ttl_s=10, limit=2) is None
    assert await one.acquire("run-1", owner="a:1:1", ttl_s=10, limit=2), "it is held already"
    clock.now += 11
    assert await other.acquire("run-3", owner="b:1:1", ttl_s=10, limit=2), "one of the two ran out"


async def test_a_dead_holder_on_this_machine_is_known_to_be_dead(store: LedgerStore) -> None:
    code = "from greenlane.ledger.owner import this_owner; print(this_owner(), flush=True); input()"
    with start_python(code) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        assert await store.acquire("run-1", owner=owner, ttl_s=1000, limit=1)
        assert await store.acquire("run-1", owner=this_owner(), ttl_s=1000, limit=1) is None
        process.kill()

    lease = await store.acquire("run-1", owner=this_owner(), ttl_s=1000, limit=1)
    assert lease is not None
    assert lease.takeovers == 1


async def test_a_pid_that_was_given_to_another_process_is_a_dead_holder(store: LedgerStore) -> None:
    mine = this_owner()
    assert await store.acquire("run-1", owner=mine, ttl_s=1000, limit=5)
    assert await store.acquire("run-1", owner=f"{mine}x", ttl_s=1000, limit=5) is None, "this process lives"
    earlier = mine.rpartition(":")[0] + ":1"
    assert await store.acquire("run-2", owner=earlier, ttl_s=1000, limit=5)
    assert await store.acquire("run-2", owner=mine, ttl_s=1000, limit=5)


# ------------------------------------------------------------------ the tree


async def test_proofs_hold_against_heads_taken_at_any_time(store: LedgerStore) -> None:
    heads = [await store.head()]
    for number in range(20):
        await store.commit(step(f"run-{number}", 0, 1 + number % 3))
        heads.append(await store.head())
    last = heads[-1]
    assert heads[0].root == merkle.EMPTY_ROOT.hex()

    for head in heads:
        proof = [bytes.fromhex(h) for h in await store.consistency_proof(head.size, last.size)]
        old, new = bytes.fromhex(head.root), bytes.fromhex(last.root)
        assert merkle.verify_consistency(head.size, last.size, old, new, proof)
    for entry in await store.read():
        data = await store.read_bytes(entry.seq)
        assert data is not None
        leaf = merkle.hash_leaf(data)
        proof = [bytes.fromhex(h) for h in await store.inclusion_proof(entry.seq, last.size)]
        assert merkle.verify_inclusion(leaf, entry.seq - 1, last.size, proof, bytes.fromhex(last.root))
        assert decode_entry(data) == entry
    assert await store.read_bytes(40) is None
    with pytest.raises(ValueError, match="has 39 entries, not 40"):
        await store.inclusion_proof(1, 40)


# ------------------------------------------------------------------ several processes, and the end


APPEND = """
import asyncio, sys
from pathlib import Path
from tests.contract.test_ledger_store import OPENERS, Clock
from tests.support.ledger import draft
from greenlane.ledger.store import Step, VersionConflictError

async def main():
    kind, folder, name, rounds = sys.argv[1:]
    store = OPENERS[kind](Path(folder), Clock())
    conflicts = 0

    async def append(stream, prefix, times):
        nonlocal conflicts
        done = 0
        while done < times:
            version = len(await store.read_stream(stream))
            try:
                await store.commit(Step(stream=stream, expected_version=version, drafts=(draft(f"{prefix}/{done}"),)))
            except VersionConflictError:
                conflicts += 1
                continue
            done += 1
            print(f"{prefix}/{done - 1}", flush=True)

    own = [append(f"{name}-{n}", f"{name}-{n}", int(rounds)) for n in range(4)]
    await asyncio.gather(append("shared", name, int(rounds)), *own)
    await store.close()
    print("conflicts", conflicts, flush=True)

asyncio.run(main())
"""


@pytest.fixture(params=sorted(OPENERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _appender(kind: str, folder: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    return start_python(APPEND, kind, str(folder), name, str(rounds))


async def test_two_processes_append_at_once_without_gap_or_double(kind: str, tmp_path: Path) -> None:
    processes = [_appender(kind, tmp_path, name, 25) for name in ("a", "b")]
    said = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]

    store = OPENERS[kind](tmp_path, Clock())
    entries = await store.read()
    await store.close()
    assert [entry.seq for entry in entries] == list(range(1, 251))
    assert sorted(entry.event_id for entry in entries) == sorted(w for words in said for w in words if "/" in w)
    shared = [entry.version for entry in entries if entry.stream == "shared"]
    assert shared == list(range(1, 51))


async def test_what_was_acknowledged_survives_sigkill(kind: str, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for attempt in range(3):
        with _appender(kind, tmp_path, f"w{attempt}", 100_000) as process:
            assert process.stdout is not None
            acknowledged += [process.stdout.readline().strip() for _ in range(40 + 30 * attempt)]
            process.kill()
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]

    store = OPENERS[kind](tmp_path, Clock())
    entries = await store.read(limit=100_000)
    await store.commit(step("after", 0))
    await store.close()
    assert {entry.event_id for entry in entries} >= set(acknowledged)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))


async def test_close_commits_what_was_asked_for_and_nothing_after(store: LedgerStore) -> None:
    pending = [asyncio.create_task(store.commit(step(f"run-{number}", 0))) for number in range(30)]
    await asyncio.sleep(0)
    await store.close()
    await store.close()

    assert len(await asyncio.gather(*pending)) == 30
    with pytest.raises(LedgerUnavailableError, match="is closed"):
        await store.commit(step("late", 0))
    with pytest.raises(LedgerUnavailableError, match="is closed"):
        await store.read()


async def test_a_cancelled_wait_harms_nobody(store: LedgerStore) -> None:
    task = asyncio.create_task(store.commit(step("run-1", 0)))
    await asyncio.sleep(0)
    task.cancel()
    await store.commit(step("run-2", 0))
    assert len(await store.read()) == 2


async def test_reading_goes_on_past_one_piece(store: LedgerStore) -> None:
    await fill(store, 450, streams=1)
    assert len(await store.read()) == 450
    assert len(await store.read(limit=300)) == 300
    assert [entry.version for entry in await store.read_stream("run-0")] == list(range(1, 451))
