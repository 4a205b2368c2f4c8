"""The runtime hands over: one test per rule, on a real ledger file."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from greenlane.bus.protocol import Message
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.errors import FinalError, RefusedError, RetryableError
from greenlane.domain.settings import Settings
from greenlane.ledger.store import LedgerUnavailableError
from greenlane.policy.lifecycle import State
from greenlane.runtime.holding import Held
from tests.support.agents import WHY, PlainAgent, ask, opened, plain_agents, review_complete
from tests.support.house import open_house

FIVE = ["review", "test", "staging", "validation", "deployment"]


def quick(**orchestration: object) -> Settings:
    return Settings.model_validate({"orchestration": {"backoff_s": 0.05, **orchestration}})


async def test_a_run_passes_the_five_agents_in_order_each_once(tmp_path: Path) -> None:
    agents = plain_agents()
    async with open_house(tmp_path, agents) as house, house.working():
        run = await house.open(opened())
        change = await house.until_state(run, State.DEPLOYED)
    assert [r.agent for r in change.history[1:]] == FIVE
    assert [len(a.acted) for a in agents] == [1] * 5


async def test_a_decision_is_durable_before_the_effect_after_it(tmp_path: Path) -> None:
    seen: list[int] = []

    class Effecting(PlainAgent):
        async def act(self, change: Change):  # type: ignore[no-untyped-def,override]
            yield e.BaseAdvancing(why=WHY, base_branch="main", expected_base_sha="b", merge_sha="d")
            seen.append(len(await house.store.read_stream(change.run)) - change.version)
            yield e.DeploymentComplete(why=WHY, merge_sha="d")

    agents = plain_agents(deployment=Effecting(e.Stage.DEPLOYMENT))
    async with open_house(tmp_path, agents) as house, house.working():
        await house.until_state(await house.open(opened()), State.DEPLOYED)
    assert seen == [1]


async def test_duplicate_and_reordered_deliveries_change_nothing(tmp_path: Path) -> None:
    agents = plain_agents()
    async with open_house(tmp_path, agents) as house, house.working():
        runs = await house.open_many(5)
        for run in runs:
            await house.until_state(run, State.DEPLOYED)
        before = (await house.store.head()).root
        messages = [Message(x.seq, x.type, x.stream) for x in await house.store.read()] * 3
        random.Random(1).shuffle(messages)
        await house.bus.publish(messages)
        await asyncio.sleep(0.3)
        assert (await house.store.head()).root == before
    assert [len(a.acted) for a in agents] == [5] * 5


async def test_a_retryable_error_is_retried_with_back_off(tmp_path: Path) -> None:
    failures = iter([RetryableError("the registry is away"), RetryableError("still away")])

    async def stumble(_: Change) -> None:
        for error in failures:
            raise error

    agents = plain_agents(staging=PlainAgent(e.Stage.STAGING, before=stumble))
    async with open_house(tmp_path, agents, quick()) as house, house.working():
        change = await house.until_state(await house.open(opened()), State.DEPLOYED)
    retries = change.all_of(e.AgentRetrying)
    assert [r.attempt for r in retries] == [1, 2]
    assert "the registry is away" in retries[0].why.rationale


async def test_attempts_end_and_a_human_is_asked(tmp_path: Path) -> None:
    async def stumble(_: Change) -> None:
        raise RetryableError("the registry is away")

    agents = plain_agents(staging=PlainAgent(e.Stage.STAGING, before=stumble))
    async with open_house(tmp_path, agents, quick(max_attempts=2)) as house, house.working():
        change = await house.until_state(await house.open(opened()), State.AWAITING_HUMAN)
    failed = change.last_of(e.RunFailed)
    assert failed is not None
    assert "after 2 attempts" in failed.error


async def test_an_agent_that_raises_stops_only_its_own_run_and_an_approval_tries_again(tmp_path: Path) -> None:
    broken = {"on": True}

    async def stumble(change: Change) -> None:
        if change.opened.pr_number == 1 and broken["on"]:
            raise ZeroDivisionError("division by zero")

    agents = plain_agents(test=PlainAgent(e.Stage.TEST, before=stumble))
    async with open_house(tmp_path, agents, quick()) as house, house.working():
        first, second = await house.open_many(2)
        await house.until_state(second, State.DEPLOYED)
        change = await house.until_state(first, State.AWAITING_HUMAN)
        failed = change.last_of(e.RunFailed)
        assert failed is not None
        assert "ZeroDivisionError" in failed.error
        broken["on"] = False
        await house.desk.approve(first, by="Grace <grace@example.com>", reason="looked at it")
        await house.until_state(first, State.DEPLOYED)


async def test_a_decision_without_its_reasons_is_refused_before_it_is_acted_on(tmp_path: Path) -> None:
    acted = []

    class Silent(PlainAgent):
        async def act(self, change: Change):  # type: ignore[no-untyped-def,override]
            yield e.BaseAdvancing(
                why=e.Reasoning(decision="advance", rationale=""), base_branch="m", expected_base_sha="", merge_sha=""
            )
            acted.append(change.run)

    agents = plain_agents(deployment=Silent(e.Stage.DEPLOYMENT))
    async with open_house(tmp_path, agents) as house, house.working():
        change = await house.until_state(await house.open(opened()), State.AWAITING_HUMAN)
    assert not acted
    assert "rationale" in change.all_of(e.RunFailed)[0].error


async def test_the_concurrency_limit_holds_and_who_waits_for_a_human_takes_no_place(tmp_path: Path) -> None:
    at_work, most = 0, 0

    async def work(_: Change) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.02)
        at_work -= 1

    def gate_even(change: Change) -> tuple[tuple[e.Event, ...], ...]:
        asking = (ask(e.Stage.STAGING),) if change.opened.pr_number % 2 == 0 else ()
        return ((*asking, review_complete()),)

    agents = plain_agents(
        review=PlainAgent(e.Stage.REVIEW, gate_even, before=work), test=PlainAgent(e.Stage.TEST, before=work)
    )
    async with open_house(tmp_path, agents, quick(max_concurrent_agents=2)) as house, house.working():
        runs = await house.open_many(12)
        for number, run in enumerate(runs, start=1):
            await house.until_state(run, State.DEPLOYED if number % 2 else State.AWAITING_HUMAN)
        await house.desk.approve(runs[1], by="Grace", reason="fine")
        await house.until_state(runs[1], State.DEPLOYED)
    assert most == 2


async def test_one_change_at_a_time_holds_a_services_production_slot(tmp_path: Path) -> None:
    inside: list[str] = []

    async def deploy(change: Change) -> None:
        inside.append(change.run)
        assert len(inside) == 1
        await asyncio.sleep(0.05)
        inside.remove(change.run)

    agents = plain_agents(
        review=PlainAgent(e.Stage.REVIEW, lambda _: (review_complete(("shop",)),)),
        deployment=PlainAgent(e.Stage.DEPLOYMENT, before=deploy),
    )
    async with open_house(tmp_path, agents, sweep_s=60) as house, house.working():
        for run in await house.open_many(4):
            await house.until_state(run, State.DEPLOYED)


async def test_two_workers_never_both_go_on(tmp_path: Path) -> None:
    effects: list[str] = []

    async def effect(change: Change) -> None:
        effects.append(change.run)
        await asyncio.sleep(0.01)

    first = plain_agents(staging=PlainAgent(e.Stage.STAGING, before=effect))
    second = plain_agents(staging=PlainAgent(e.Stage.STAGING, before=effect))
    async with (
        open_house(tmp_path, first, sweep_s=0.05) as house,
        open_house(tmp_path, second, sweep_s=0.05, owner="other-host:1:1") as neighbour,
        house.working(),
        neighbour.working(),
    ):
        runs = await house.open_many(20)
        for run in runs:
            await house.until_state(run, State.DEPLOYED, seconds=20)
    assert sorted(effects) == sorted(runs)


async def test_leases_are_renewed_again_after_the_ledger_was_away(tmp_path: Path) -> None:
    going_on = asyncio.Event()

    async def effect(change: Change) -> None:
        await going_on.wait()

    agents = plain_agents(review=PlainAgent(e.Stage.REVIEW, before=effect))
    async with open_house(tmp_path, agents, quick(lease_s=1)) as house, house.working():
        heartbeat, beats = house.store.heartbeat, 0

        async def failing_once(owner: str, ttl_s: float) -> None:
            nonlocal beats
            beats += 1
            if beats == 1:
                raise LedgerUnavailableError("the disk is full")
            await heartbeat(owner, ttl_s)

        house.store.heartbeat = failing_once  # type: ignore[method-assign]  # the ledger is away for a moment
        run = (await house.open_many(1))[0]
        await house.until(lambda: beats >= 3)
        going_on.set()
        await house.until_state(run, State.DEPLOYED)


async def test_a_superseded_run_stops_at_once_and_its_approval_is_void(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def hang(_: Change) -> None:
        started.set()
        await asyncio.sleep(60)

    agents = plain_agents(staging=PlainAgent(e.Stage.STAGING, before=hang))
    async with open_house(tmp_path, agents) as house, house.working():
        run = await house.open(opened())
        await asyncio.wait_for(started.wait(), 5)
        superseded = e.RunSuperseded(by_run="shop-1-new", new_head_sha="e" * 40)
        await house.desk._append(run, lambda _: (superseded,), agent="code-host")
        await house.until_state(run, State.SUPERSEDED)
        with pytest.raises(RefusedError):
            await house.desk.approve(run, by="Grace", reason="late")
        await house.until(lambda: not house.holdings.runs)


async def test_a_pause_lets_no_agent_begin_and_a_resume_goes_on(tmp_path: Path) -> None:
    agents = plain_agents()
    async with open_house(tmp_path, agents, sweep_s=0.05) as house, house.working():
        await house.desk.pause("org", by="Grace", reason="an incident")
        run = await house.open(opened())
        await asyncio.sleep(0.3)
        assert await house.state(run) is State.PAUSED
        assert not agents[0].acted
        await house.desk.resume("org", by="Grace", reason="it is over")
        await house.until_state(run, State.DEPLOYED)


async def test_a_run_that_kills_its_workers_is_stopped_as_poisonous(tmp_path: Path) -> None:
    async with open_house(tmp_path, plain_agents()) as house:
        run = await house.open(opened())
        for number in range(7):  # workers that took the run and died before they got on
            assert await house.store.acquire(run, owner=f"gone:{number}:1", ttl_s=-1, limit=5)
        async with house.working():
            change = await house.until_state(run, State.AWAITING_HUMAN)
    assert "without getting on" in change.all_of(e.RunFailed)[0].error


async def test_an_approval_at_the_same_moment_as_an_agents_event_loses_nothing(tmp_path: Path) -> None:
    def gated(_: Change) -> tuple[tuple[e.Event, ...], ...]:
        return ((ask(e.Stage.DEPLOYMENT), review_complete()),)

    agents = plain_agents(review=PlainAgent(e.Stage.REVIEW, gated))
    async with open_house(tmp_path, agents) as house, house.working():
        for number in range(1, 21):
            run = await house.open(opened(number))
            await house.until_state(run, *(s for s in State if s is not State.REVIEWING))
            await asyncio.sleep(random.Random(number).random() * 0.01)
            await house.desk.approve(run, by="Grace", reason="fine")
            change = await house.until_state(run, State.DEPLOYED)
            assert len(change.approvals) == 1


async def test_a_final_error_keeps_the_history_and_names_the_cause(tmp_path: Path) -> None:
    async def refuse(_: Change) -> None:
        raise FinalError("no sandbox works here", hint="install bubblewrap")

    agents = plain_agents(test=PlainAgent(e.Stage.TEST, before=refuse))
    async with open_house(tmp_path, agents) as house, house.working():
        change = await house.until_state(await house.open(opened()), State.AWAITING_HUMAN)
    failed = change.last_of(e.RunFailed)
    assert failed is not None
    assert failed.error == "no sandbox works here (install bubblewrap)"
    assert change.review is not None


def test_events_survive_their_encoding() -> None:
    for event in (opened(), review_complete(), ask(e.Stage.TEST)):
        assert e.decode_event(e.encode_event(event)) == event
    with pytest.raises(msgspec.ValidationError):
        e.decode_event(b'{"type":"no.such"}')


async def test_a_run_that_is_woken_again_and_again_has_one_task_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, most = 0, 0
    async with open_house(tmp_path, plain_agents()) as house:
        run = await house.open(opened())

        async def attend_held(held: Held, *_: object) -> None:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0.002)
            await house.holdings.give_back(run)
            at_work -= 1

        monkeypatch.setattr(house.worker, "_attend_held", attend_held)
        tasks = []
        for _ in range(30):
            tasks.append(asyncio.create_task(house.worker._attend(run, e.Stage.REVIEW, 1)))
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
    assert most == 1


@pytest.mark.parametrize("turns", range(6))
async def test_work_that_is_cancelled_at_the_moment_of_a_ring_ends(tmp_path: Path, turns: int) -> None:
    async with open_house(tmp_path, plain_agents()) as house:
        task = asyncio.create_task(house.worker.run())
        await asyncio.sleep(0.1)
        house.worker.ring()
        for _ in range(turns):  # of the event loop
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=2)
        task.cancel()
        assert done
