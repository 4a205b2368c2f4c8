"""The canary on a real proxy, with real processes and real users: how soon a bad version is gone, and what a kill does.

First, versions that fail one request in five, at the default figures (5 % of 100 requests a second: 5 canary requests a
second, warm-up and watch as they are delivered). Counted from the first request that a canary got: when the router
says that it has no weight any more. Users' requests that failed, other than those that the bad version answered itself,
were failed by the roll-back.

Then, canaries of a good version whose controller is killed with SIGKILL at random moments while the canary has weight:
the last answer of the canary after each kill, and how the run ends after the last one.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.contract.delivery.delivery_service import PROGRAM
from tests.support.crash import PR_SHIPS, Kill, Outcome, Scene, open_scene
from tests.support.real_rollout import RealScene

from _harness import Bench, run
from greenlane.adapters.local_platform import shutdown
from greenlane.domain import events as e
from greenlane.domain.settings import Canary, Staging, Thresholds, Validation
from greenlane.policy.lifecycle import State

MAKE_BENCH_TIMEOUT_S = 3_600
ROLLBACKS, QUICK_ROLLBACKS = 10, 2
KILLS, QUICK_KILLS = 100, 4
KILLS_A_RUN = 10
USERS_RPS = 100.0
LOOK_S = 0.02
LONGEST_LIFE_S = 5.0
"""A canary of the killed runs has weight for some five seconds before it is promoted."""
FAILS_ONE_IN_FIVE = b"""
if os.environ.get("GREENLANE_ENVIRONMENT") == "production":
    FAIL_PERCENT = 20.0


"""


@dataclass
class RolledBack:
    """One bad version. Seconds from its first request, and from the recorded verdict, to weight 0 at the router."""

    after_s: float
    after_verdict_s: float
    canary_requests: int
    user_requests: int
    failed_otherwise: int
    ended: State


@dataclass
class Killed:
    kills: list[Kill] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requests: int = 0
    failed: int = 0


async def measure(bench: Bench) -> None:
    if bench.args.part != "kills":
        await _measure_versions(bench, QUICK_ROLLBACKS if bench.quick else ROLLBACKS)
    if bench.args.part != "versions":
        goal = QUICK_KILLS if bench.quick else KILLS
        killed = Killed()
        with bench.progress("kills", total=goal) as advance:
            await kill_canaries(bench, killed, goal, advance)
        _report_kills(bench, killed, goal)


async def _measure_versions(bench: Bench, count: int) -> None:
    seen: list[RolledBack] = []
    with bench.progress("bad versions", total=count) as advance:
        for _ in range(count):
            seen.append(await roll_back_once())
            bench.console.print(f"weight 0 after {seen[-1].after_s:.2f} s, {seen[-1].after_verdict_s:.3f} s of verdict")
            advance()
    _report_rollbacks(bench, seen)


async def roll_back_once() -> RolledBack:
    """One pull request whose version fails in production alone, from staging to its end."""
    program = PROGRAM.read_bytes()
    place = program.index(b"class Handler")
    with tempfile.TemporaryDirectory(prefix="greenlane-live-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        scene = RealScene(
            folder,
            program[:place] + FAILS_ONE_IN_FIVE.lstrip() + program[place:],
            rate_rps=USERS_RPS,
            sections={
                "thresholds": Thresholds(),
                "canary": Canary(),
                "staging": Staging(collect_s=1, start_timeout_s=20),
                "validation": Validation(load_duration_s=4),
            },
        )
        watching = asyncio.create_task(_watch(scene))
        try:
            ended = await scene.go()
            first_at, gone_at = await asyncio.wait_for(watching, 10)
            rolling = next(r for r in scene.driver.history if isinstance(r.event, e.CanaryRollingBack))
            assert scene.users is not None
            totals = scene.users.totals()
            canary = rolling.event.reading.canary if isinstance(rolling.event, e.CanaryRollingBack) else None
            own = (await scene.traffic.read("shop")).canary.errors
            return RolledBack(
                after_s=gone_at - first_at,
                after_verdict_s=gone_at - datetime.fromisoformat(rolling.timestamp).timestamp(),
                canary_requests=canary.requests if canary else 0,
                user_requests=totals.requests,
                failed_otherwise=totals.errors - min(own, totals.by_status.get("500", 0)),
                ended=ended,
            )
        finally:
            watching.cancel()
            await scene.traffic.close()
            await shutdown(folder / "state")


async def _watch(scene: RealScene) -> tuple[float, float]:
    """When (seconds, epoch) the canary got its first request, and when the router said that it has no weight."""
    first_at = math.nan
    while True:
        if math.isnan(first_at):
            reading = await scene.traffic.read("shop")
            if reading.canary.requests:
                first_at = time.time()
        else:
            split = await scene.traffic.observe("shop")
            if split is not None and split.canary_weight == 0:
                return first_at, time.time()
        await asyncio.sleep(LOOK_S)


async def kill_canaries(bench: Bench, killed: Killed, goal: int, advance: Callable[[], None]) -> None:
    """Runs of a good version, each with several kills during its canary, two at a time, until there are enough.

    A canary may be promoted before its turn to be killed has come, so there are at most three times as many runs as it
    takes if none is.
    """
    numbers = iter(range(3 * math.ceil(goal / KILLS_A_RUN)))

    async def in_turn() -> None:
        while (left := goal - len(killed.kills)) > 0 and (number := next(numbers, None)) is not None:
            await _kill_in_one(bench, killed, number, min(KILLS_A_RUN, left), advance)

    await asyncio.gather(in_turn(), in_turn())


async def _kill_in_one(bench: Bench, killed: Killed, number: int, times: int, advance: Callable[[], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="greenlane-live-", ignore_cleanup_errors=True) as folder:
        async with open_scene(Path(folder), PR_SHIPS) as scene:
            try:
                await die_in_canary(scene, times, random.Random(bench.args.seed + number), advance)
                killed.outcomes.append(await scene.outcome())
                requests, failed = await scene.user_failures()
                killed.requests += requests
                killed.failed += failed
            except (AssertionError, TimeoutError) as error:
                killed.problems.append(f"run {number}: {error}")
            killed.kills += scene.kills


async def die_in_canary(scene: Scene, times: int, draw: random.Random, advance: Callable[[], None]) -> None:
    """Kill each worker at a random moment after it gave the canary weight; the last one finishes."""
    while len(scene.kills) < times:
        worker = scene.start_worker()

        async def has_weight(worker=worker) -> bool:  # type: ignore[no-untyped-def]  # the worker of this turn
            split = await scene.observe()
            watched = split is not None and split.canary is not None and split.canary_weight > 0
            return worker.poll() is not None or (watched and await scene.is_answering())

        await scene.until(has_weight)
        await asyncio.sleep(draw.uniform(0, LONGEST_LIFE_S) * draw.random())
        if worker.poll() is not None:
            await scene.reap(worker)
            return
        worker.kill()
        await scene.note_kill("in a canary")
        await scene.reap(worker)
        if scene.kills[-1].unwatched_s is None:
            scene.kills.pop()  # it had just been promoted: no canary had weight any more
        else:
            advance()
    await scene.finish()


def _report_rollbacks(bench: Bench, seen: list[RolledBack]) -> None:
    bench.figure("rollbacks", sum(each.ended is State.ROLLED_BACK for each in seen), f"of {len(seen)} bad versions")
    bench.figure("gone_s", statistics.median(each.after_s for each in seen), "first canary request to weight 0, median")
    bench.figure("gone_max_s", max(each.after_s for each in seen), "the slowest of them")
    bench.figure("after_verdict_s", max(each.after_verdict_s for each in seen), "verdict to weight 0, the slowest")
    bench.figure("canary_requests", statistics.median(each.canary_requests for each in seen), "requests it got, median")
    bench.figure("user_requests", sum(each.user_requests for each in seen), "requests of users meanwhile")
    bench.figure("failed_by_rollback", sum(each.failed_otherwise for each in seen), "not answered by the bad version")
    bench.goal("every bad version is rolled back", "rollbacks", "==", len(seen))
    bench.goal("a bad version is gone soon", "gone_s", "<=", 10)
    bench.goal("the verdict is carried out at once", "after_verdict_s", "<=", 1)
    bench.goal("no request fails because of the roll-back", "failed_by_rollback", "==", 0)
    bench.samples("First canary request to weight 0", {"20 % errors": [s.after_s for s in seen]}, unit="s", limit=10)


def _report_kills(bench: Bench, killed: Killed, goal: int) -> None:
    unwatched = [kill.unwatched_s for kill in killed.kills if kill.unwatched_s is not None]
    wrong = [o for o in killed.outcomes if o.state != State.DEPLOYED.value or o.base_moves != 1]
    bench.figure("kills", len(unwatched), "SIGKILLs while a canary had weight")
    bench.figure("unwatched_max_s", max(unwatched, default=math.nan), "last answer of a canary after a kill")
    bench.figure("runs_wrong", len(wrong) + len(killed.problems), f"of {len(killed.outcomes)} runs, not deployed once")
    bench.figure("requests_killed_runs", killed.requests, "requests of users meanwhile")
    bench.figure("failed_by_kill", killed.failed, "of them failed")
    bench.goal("enough kills", "kills", ">=", goal)
    bench.goal("canary traffic ends by itself", "unwatched_max_s", "<=", 2)
    bench.goal("the restarted controller ends the run rightly", "runs_wrong", "==", 0)
    bench.goal("no request fails because of a kill", "failed_by_kill", "==", 0)
    if unwatched:
        bench.samples("Last answer of a canary after a kill", {"canary": unwatched}, unit="s", limit=2)
    for problem in killed.problems:
        bench.note(problem[:2000])


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of the random instants")
    parser.add_argument("--part", choices=("versions", "kills", "both"), default="both", help="one half alone")


if __name__ == "__main__":
    run(
        "canary_live",
        "The canary on a real proxy: bad versions, and controllers that are killed",
        measure,
        arguments=arguments,
    )
