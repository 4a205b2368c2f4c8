"""The way of a change from passed tests to production, and every way back, with the outside world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.agents.production import retire_previous
from greenlane.domain import events as e
from greenlane.domain.delivery import DeploymentSpec, Instance, TrafficReading, Verdict
from greenlane.domain.errors import FencedError, RetryableError
from greenlane.domain.service_settings import Commands, Service
from greenlane.domain.settings import Canary, Thresholds
from greenlane.policy.lifecycle import State
from tests.support.agents import WHY, ask
from tests.support.rollout import Scene, service, settings

FAILS_IN_PRODUCTION = Behaviour(
    production_error_rate=0.2, log='Traceback\n  File "/srv/app.py", line 2, in price\nKeyError: 12\n'
)


def rollback(by: str = "Grace") -> e.RollbackRequested:
    return e.RollbackRequested(by=by, reason="customers complain")


async def test_a_healthy_change_goes_from_passed_tests_to_the_base_branch(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    standing = await scene.driver.drive()
    assert standing.state is State.DEPLOYED
    assert scene.repo.branches["main"] == scene.merge
    assert await scene.stable_commit() == scene.merge
    assert scene.running == {f"shop@{scene.merge}", f"shop@{scene.base}"}  # the previous version stays hot
    assert [x for x in scene.world.effects if x.startswith("route")] == [
        "route shop 0", "route shop 5", "route shop 25", "route shop 50", "route shop 100", "route shop 0",
    ]  # fmt: skip
    last = {r.event for r in scene.driver.history if isinstance(r.event, e.CanaryObserved) and r.event.phase == "watch"}
    assert max(o.elapsed_s for o in last) == 30


async def test_every_decision_carries_the_figures_that_the_audit_demands(tmp_path: Path) -> None:
    scene = Scene(tmp_path, candidate=FAILS_IN_PRODUCTION)
    await scene.driver.drive()
    decisions = [x for x in scene.driver.events(e.Decision) if isinstance(x, e.Decision)]
    assert all(d.why.rationale and d.why.decision and d.why.risk_score is not None for d in decisions)
    starting = scene.driver.change.last_of(e.CanaryStarting)
    assert starting is not None
    assert (starting.error_rate_limit, starting.p99_limit_ms, starting.min_requests) == (0.005, 800, 50)
    assert starting.alpha == pytest.approx(0.01 / 7)  # 1 floor in the warm-up, 3 tests of each of 2 metrics


async def test_an_error_that_only_production_shows_is_rolled_back_and_reported(tmp_path: Path) -> None:
    scene = Scene(tmp_path, candidate=FAILS_IN_PRODUCTION)
    standing = await scene.driver.drive()
    assert standing.state is State.ROLLED_BACK
    assert scene.repo.branches["main"] == scene.base
    assert await scene.stable_commit() == scene.base
    assert scene.running == {f"shop@{scene.base}"}
    back, incident = scene.driver.change.rolled_back, scene.driver.change.incident
    assert back is not None
    assert incident is not None
    assert back.observed_weight_percent == 0
    assert scene.driver.change.last_of(e.CanaryRollingBack).trigger == "error_rate"  # type: ignore[union-attr]  # it is there
    assert "app.py line 2 (in price) stands in a stack trace" in incident.hypotheses[0]
    assert not scene.driver.events(e.CanaryPromoting)


async def test_a_process_that_dies_under_traffic_is_rolled_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings(staging={"collect_s": 0}), candidate=Behaviour(dies_after_looks=9))
    assert (await scene.driver.drive()).state is State.ROLLED_BACK
    rolling = scene.driver.change.last_of(e.CanaryRollingBack)
    assert rolling is not None
    assert rolling.trigger == "process_gone"
    assert await scene.stable_commit() == scene.base


async def test_too_few_requests_are_inconclusive_and_an_approval_begins_another_canary(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.world.traffic.default_rps = 5
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    assert await scene.stable_commit() == scene.base
    assert scene.running == {f"shop@{scene.base}"}
    inconclusive = scene.driver.change.last_of(e.CanaryInconclusive)
    assert inconclusive is not None
    assert inconclusive.judgement.verdict is Verdict.INCONCLUSIVE
    assert "too few" in standing.reason
    scene.world.traffic.default_rps = 100
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert [c.attempt for c in scene.driver.change.all_of(e.CanaryStarting)] == [1, 2]


async def test_a_proxy_that_can_not_be_read_ends_the_canary(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    def meanwhile(event: e.Event) -> None:
        if isinstance(event, e.CanaryObserved) and event.phase == "watch":
            scene.world.traffic.unreadable = [RetryableError("no answer")] * 3

    scene.driver.on_event = meanwhile
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert await scene.stable_commit() == scene.base


async def test_a_proxy_that_began_to_count_anew_is_inconclusive(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    def meanwhile(event: e.Event) -> None:
        if isinstance(event, e.CanaryObserved) and event.phase == "watch" and event.elapsed_s > 9:
            scene.world.traffic.reset_counters("shop")

    scene.driver.on_event = meanwhile
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    assert "backwards" in standing.reason


@pytest.mark.parametrize(("looks", "state"), [(4, State.DEPLOYED), (5, State.AWAITING_HUMAN)])
async def test_a_histogram_may_lag_behind_its_counters_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int, state: State
) -> None:
    scene = Scene(tmp_path)
    read, left = scene.world.traffic.read, 0

    async def lagging(service: str) -> TrafficReading:
        nonlocal left
        reading = await read(service)
        if left == 0:
            return reading
        left -= 1
        slow = msgspec.structs.replace(reading.stable, over_limit=reading.stable.requests + 1)
        return msgspec.structs.replace(reading, stable=slow)

    def meanwhile(event: e.Event) -> None:
        nonlocal left
        if isinstance(event, e.CanaryObserved) and event.phase == "watch" and event.elapsed_s == 0:
            left = looks

    monkeypatch.setattr(scene.world.traffic, "read", lagging)
    scene.driver.on_event = meanwhile
    assert (await scene.driver.drive()).state is state


async def test_a_freeze_asks_a_human_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings(service(freeze=True)))
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert not scene.driver.events(e.CanaryStarting)
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert [a.level for a in scene.driver.change.all_of(e.DeploymentAssessed)] == ["high", "high"]
    assert len(scene.driver.events(e.HumanRequested)) == 1


async def test_what_people_approved_in_the_review_is_not_asked_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lane=e.Lane.SCHEMA)
    scene.driver.put(ask(e.Stage.DEPLOYMENT))
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert len(scene.driver.events(e.HumanRequested)) == 1


async def test_a_lane_for_people_that_nobody_was_asked_about_is_held(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lane=e.Lane.RED)
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert not scene.driver.events(e.CanaryStarting)


async def test_a_base_that_moved_before_the_canary_is_merged_and_checked_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    moved = scene.repo.change(scene.base, {"README": b"a shop\n"})

    def meanwhile(event: e.Event) -> None:
        if isinstance(event, e.StagingValidated) and scene.repo.branches["main"] == scene.base:
            scene.repo.branches["main"] = moved

    scene.driver.on_event = meanwhile
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert len(scene.driver.change.all_of(e.CanaryStarting)) == 1
    assert scene.repo.tree_of(scene.repo.branches["main"])["README"] == b"a shop\n"
    assert scene.repo.tree_of(scene.repo.branches["main"])["app.py"].endswith(b"2\n")


async def test_a_base_that_moved_in_the_last_moment_sends_traffic_back_first(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    moved = scene.repo.change(scene.base, {"README": b"a shop\n"})
    routed: list[list[str]] = []

    def meanwhile(event: e.Event) -> None:
        if isinstance(event, e.BaseAdvancing) and scene.repo.branches["main"] == scene.base:
            scene.repo.branches["main"] = moved
        if isinstance(event, e.BaseMoved):
            split = scene.world.traffic._flows["shop"].split
            assert split is not None
            routed.append([split.stable.artifact.commit])

    scene.driver.on_event = meanwhile
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert routed == [[scene.base]]
    assert [type(x) for x in scene.driver.events(e.RollbackStarting, e.BaseMoved, e.DeploymentComplete)] == [
        e.RollbackStarting, e.BaseMoved, e.DeploymentComplete,
    ]  # fmt: skip
    assert scene.repo.tree_of(scene.repo.branches["main"])["README"] == b"a shop\n"
    assert scene.running == {f"shop@{scene.merge}", f"shop@{scene.base}"}


async def test_a_newer_commit_before_the_base_moved_sends_production_back_and_shuts_out_older_workers(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path)
    scene.driver.interject(e.BaseAdvancing, e.RunSuperseded(by_run="next", new_head_sha="f" * 40))
    assert (await scene.driver.drive()).state is State.SUPERSEDED
    assert await scene.stable_commit() == scene.repo.branches["main"] == scene.base
    run = scene.driver.change.run
    with pytest.raises(FencedError):  # a worker that was frozen just before it moved the branch, and thaws now
        await scene.repo.advance_base("main", expected=scene.base, commit=scene.merge, run=run, fence=0)


async def test_a_newer_commit_after_the_base_moved_comes_too_late(tmp_path: Path) -> None:
    """The worker moved the branch and was killed before it recorded the end; then the newer commit came."""
    scene = Scene(tmp_path)
    scene.driver.interject(e.BaseAdvancing, e.RunSuperseded(by_run="next", new_head_sha="f" * 40))

    def meanwhile(event: e.Event) -> None:
        if isinstance(event, e.BaseAdvancing):
            scene.repo.branches["main"] = event.merge_sha

    scene.driver.on_event = meanwhile
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert await scene.stable_commit() == scene.repo.branches["main"] == scene.merge


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (rollback(), State.ROLLED_BACK),
        (e.RunSuperseded(by_run="memory-7-next", new_head_sha="f" * 40), State.SUPERSEDED),
        (e.HumanRejected(why=WHY, gate_id="g", by="Grace", head_sha="a" * 40), State.REJECTED),
    ],
)
async def test_a_canary_is_ended_whatever_else_happens_to_its_run(tmp_path: Path, event: e.Event, state: State) -> None:
    scene = Scene(tmp_path)
    scene.driver.interject(e.CanaryObserved, event, nth=8)
    assert (await scene.driver.drive()).state is state
    assert await scene.stable_commit() == scene.base
    assert scene.running == {f"shop@{scene.base}"}
    assert scene.driver.types.count("canary.rolled_back") == 1
    assert scene.driver.types.count("incident.reported") == (state is State.ROLLED_BACK)


async def test_a_deployed_change_is_taken_back_on_request(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.driver.drive()
    merge = scene.merge
    scene.driver.put(rollback())
    assert (await scene.driver.drive()).state is State.ROLLED_BACK
    head = scene.repo.branches["main"]
    assert head not in (scene.base, merge)  # a new commit on top, with the tree from before
    assert scene.repo.tree_of(head) == scene.repo.tree_of(scene.base)
    assert await scene.stable_commit() == scene.base
    assert scene.running == {f"shop@{scene.base}"}
    assert scene.world.platform.starts.count(scene.driver.change.deployed.previous[0].deployment_id) == 1  # type: ignore[union-attr]  # it was hot


async def test_a_previous_version_that_is_gone_is_started_again_for_a_rollback(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.driver.drive()
    assert scene.driver.change.deployed is not None
    (previous,) = scene.driver.change.deployed.previous
    scene.world.platform._fences.check(previous.deployment_id, 9)  # its own run was taken over more often than this one
    await scene.world.clock.sleep(scene.config.canary.keep_previous_s + 1)
    world = scene.world
    stopped = await retire_previous(
        scene.driver.change, platform=world.platform, traffic=world.traffic, clock=world.clock, settings=scene.config
    )
    assert len(stopped) == 1
    assert scene.running == {f"shop@{scene.merge}"}
    scene.driver.put(rollback())
    assert (await scene.driver.drive()).state is State.ROLLED_BACK
    assert scene.running == {f"shop@{scene.base}"}


async def test_the_previous_version_stays_hot_for_the_configured_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.driver.drive()
    world = scene.world
    await world.clock.sleep(scene.config.canary.keep_previous_s - 1)
    stopped = await retire_previous(
        scene.driver.change, platform=world.platform, traffic=world.traffic, clock=world.clock, settings=scene.config
    )
    assert stopped == ()


async def test_a_base_that_somebody_moved_is_left_to_people_after_traffic_went_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.driver.drive()
    scene.repo.branches["main"] = mended = scene.repo.change(scene.merge, {"README": b"pushed by hand\n"})
    scene.driver.put(rollback())
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert await scene.stable_commit() == scene.base
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.ROLLED_BACK
    assert scene.repo.branches["main"] == mended


async def test_services_of_a_change_go_to_production_together_or_not_at_all(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings(service("api"), service("shop")))
    scene.world.traffic.rates_rps["shop"] = 0  # no data for the second one
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert await scene.stable_commit("api") == scene.base
    assert await scene.stable_commit("shop") == scene.base
    assert scene.running == {f"api@{scene.base}", f"shop@{scene.base}"}
    assert scene.driver.change.promoted == ()
    scene.world.traffic.rates_rps["shop"] = 100
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert await scene.stable_commit("api") == scene.merge == await scene.stable_commit("shop")


async def test_a_later_service_that_fails_takes_the_earlier_one_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings(service("api"), service("shop")))

    def meanwhile(event: e.Event) -> None:
        if isinstance(event, e.CanaryPromoted):
            scene.candidate = FAILS_IN_PRODUCTION

    scene.driver.on_event = meanwhile
    assert (await scene.driver.drive()).state is State.ROLLED_BACK
    assert await scene.stable_commit("api") == scene.base == await scene.stable_commit("shop")
    assert scene.driver.types.count("canary.rolled_back") == 2
    assert scene.running == {f"api@{scene.base}", f"shop@{scene.base}"}


async def test_a_change_without_a_service_to_start_lands_without_a_canary(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings(service(commands=Commands())))
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert scene.repo.branches["main"] == scene.merge
    assert scene.world.platform.starts == []
    assert "no service of this change is deployed" in scene.driver.change.deployed.why.rationale.lower()  # type: ignore[union-attr]  # it is there


async def test_the_integration_lane_takes_its_own_steps(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lane=e.Lane.INTEGRATION)
    scene.driver.put(ask(e.Stage.DEPLOYMENT))
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
    weights = [p.weight_percent for p in scene.driver.change.all_of(e.CanaryPromoting)]
    assert weights == [25, 50, 100]


async def test_a_canary_that_is_taken_over_again_and_again_is_given_to_people(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    original = scene.driver._boundary

    def strike(name: str) -> None:
        original(name)
        if name == "event canary.observed":
            scene.driver._crash_at = frozenset({len(scene.driver.boundaries) + 1})

    scene.world.on_effect = scene.driver._boundary = strike  # type: ignore[method-assign]  # each observation is followed by a crash
    standing = await scene.driver.drive(rounds=100)
    assert standing.state is State.AWAITING_HUMAN
    assert "taken over" in standing.reason
    assert await scene.stable_commit() == scene.base


async def test_an_interrupted_watch_leaves_no_weight_on_the_canary(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    deployment = scene.driver._agents[e.Stage.DEPLOYMENT]
    for stage in (e.Stage.STAGING, e.Stage.VALIDATION):
        async for step in scene.driver._agents[stage].act(scene.driver.change):
            scene.driver.put(step)  # type: ignore[arg-type]  # these two yield single events

    async def watch() -> None:
        steps = cast(AsyncGenerator[e.Event, None], deployment.act(scene.driver.change))
        async for step in steps:
            scene.driver.put(step)
            if isinstance(step, e.CanaryObserved) and step.elapsed_s > 5:
                scene.world.clock.sleep = _never  # type: ignore[method-assign]  # the next sleep does not end
                struck.set()

    struck = asyncio.Event()
    task = asyncio.create_task(watch())
    await struck.wait()
    await asyncio.sleep(0)
    assert scene.world.effects[-1] == "route shop 5"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scene.world.effects[-1] == "route shop 0"


@pytest.mark.parametrize("unrecorded", [e.CanaryObserved, e.CanaryPromoting, e.CanaryPromoted])
async def test_a_worker_that_can_not_record_lets_the_canary_go_though_the_router_is_silent(
    tmp_path: Path, unrecorded: type[e.Event]
) -> None:
    scene = Scene(tmp_path)
    deployment = scene.driver._agents[e.Stage.DEPLOYMENT]
    for stage in (e.Stage.STAGING, e.Stage.VALIDATION):
        async for step in scene.driver._agents[stage].act(scene.driver.change):
            scene.driver.put(step)  # type: ignore[arg-type]  # these two yield single events
    steps = cast(AsyncGenerator[e.Event, None], deployment.act(scene.driver.change))
    async for step in steps:
        if isinstance(step, unrecorded):
            break
        scene.driver.put(step)
    before = await scene.world.traffic.read("shop")
    scene.world.outage = RetryableError("no answer")
    await steps.aclose()
    await scene.world.clock.sleep(60)
    after = await scene.world.traffic.read("shop")
    assert after.canary.requests == before.canary.requests
    assert after.stable.requests > before.stable.requests
    scene.world.outage = None
    assert (await scene.driver.drive()).state is State.DEPLOYED


async def _never(seconds: float) -> None:
    await asyncio.Event().wait()


async def test_an_older_worker_can_do_nothing_once_a_newer_one_has_begun(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.driver.fence = 5
    await scene.driver.drive()
    scene.driver.put(rollback())
    scene.driver.fence = 4
    before = list(scene.world.effects)
    await scene.driver.drive()
    assert isinstance(scene.driver.failures[0], FencedError)
    assert scene.world.effects == before


async def test_ten_minutes_of_canary_take_ten_minutes_of_the_clock(tmp_path: Path) -> None:
    config = settings(thresholds=Thresholds(), canary=Canary())
    scene = Scene(tmp_path, config)
    began = scene.world.clock.now()
    assert (await scene.driver.drive()).state is State.DEPLOYED
    took = scene.world.clock.now() - began
    assert timedelta(seconds=60 + 600 + 3 * 30) <= took <= timedelta(seconds=60 + 600 + 3 * 30 + 60)


async def test_an_agent_that_breaks_in_a_canary_ends_it_before_people_are_asked(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    deploy = scene.world.platform.deploy
    broken = [RuntimeError("a bug")]

    async def deploy_badly(service: Service, spec: DeploymentSpec, *, fence: int) -> Instance:
        if spec.deployment_id.startswith("production") and spec.artifact.commit != scene.base and broken:
            raise broken.pop()
        return await deploy(service, spec, fence=fence)

    scene.world.platform.deploy = deploy_badly  # type: ignore[method-assign]  # breaks once
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    assert scene.driver.types[-2:] == ["canary.rolling_back", "canary.inconclusive"]
    assert await scene.stable_commit() == scene.base
    while scene.driver.change.open_gates:
        scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
