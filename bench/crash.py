"""Kills the real process with SIGKILL, over and over, while it brings pull requests of the demo's shop to production.

Each run has a repository, a production with customers and a ledger of its own, with figures shortened by configuration.
Workers die at every boundary between two events, before a commit (an effect is done, its record is not) and after it
(the decision is recorded, nothing is done about it yet), and at random instants; the next worker takes over. Held
against a run that nobody disturbed: the outcome, every decision, what production runs, the tree of the base branch.

Three runs more are disturbed in other ways: two workers at once, a worker that is frozen longer than its lease and
thaws while another has its canary, and a ledger that can't be written for a while during a canary.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.crash import (
    DELICATE,
    PR_ASKS,
    PR_FAILS,
    PR_SHIPS,
    Kill,
    Outcome,
    Scene,
    ledger_gone_for_a_while,
    open_scene,
    stopped_and_continued,
    two_at_once,
)

from _harness import Bench, run

MAKE_BENCH_TIMEOUT_S = 5_400
KILLS = 200
QUICK_KILLS = 12
RANDOM_KILLS_A_RUN = 20
LONGEST_LIFE_S = 8.0
LEDGER_AWAY_S = 14.0
"""Longer than the worker's patience with a ledger that can't be written (10 s)."""
Disturb = Callable[[Scene], Awaitable[object]]


@dataclass
class Tally:
    """What all runs came to."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    undisturbed: dict[str, Outcome] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    doubled: int = 0
    base_wrong: int = 0
    requests: int = 0
    failed_requests: int = 0
    ledgers: int = 0
    ledgers_broken: int = 0
    entries: int = 0
    ledger_gone_s: float = math.nan

    async def take(self, name: str, scene: Scene) -> None:
        """Look at a run that has come to rest."""
        outcome = await scene.outcome()
        expected = self.undisturbed.setdefault(scene.branch, outcome)
        if outcome != expected:
            self.differing.append(f"{name}: {_difference(expected, outcome)}")
            print(self.differing[-1], file=sys.stderr)
        self.runs += 1
        self.kills += scene.kills
        self.doubled += sum(count - 1 for _, count in outcome.production_starts)
        self.base_wrong += outcome.base_moves != (outcome.state == "deployed")
        requests, failed = await scene.user_failures()
        self.requests += requests
        self.failed_requests += failed
        report = scene.verify_ledger()
        self.ledgers += 1
        self.ledgers_broken += not report.ok
        self.entries += report.size


def _difference(expected: Outcome, seen: Outcome) -> str:
    parts = []
    for name in expected.__dataclass_fields__:
        before, now = getattr(expected, name), getattr(seen, name)
        if before != now:
            parts.append(f"{name} {now} instead of {before}")
    return "; ".join(parts)


async def disturbed(bench: Bench, tally: Tally, branch: str, name: str, disturb: Disturb) -> None:
    """One run from the opened pull request to its rest, with `disturb` in its way."""
    with tempfile.TemporaryDirectory(prefix="greenlane-crash-", ignore_cleanup_errors=True) as folder:
        async with open_scene(Path(folder), branch, approve=branch == PR_ASKS) as scene:
            try:
                await disturb(scene)
                await tally.take(f"{branch}, {name}", scene)
                bench.console.print(f"{branch}, {name}: {len(scene.kills)} kills")
            except (AssertionError, TimeoutError) as error:
                tally.kills += scene.kills
                tally.differing.append(f"{branch}, {name}: {error}")
                bench.console.print(tally.differing[-1][:300])


async def measure(bench: Bench) -> None:
    tally = Tally()
    goal = QUICK_KILLS if bench.quick else KILLS
    with bench.progress("undisturbed", total=3 - bench.quick) as advance:
        for branch in (PR_SHIPS, PR_FAILS) if bench.quick else (PR_SHIPS, PR_FAILS, PR_ASKS):
            await disturbed(bench, tally, branch, "undisturbed", Scene.finish)
            advance()
    with bench.progress("killed", total=goal) as advance:
        await _kill_all(bench, tally, goal, advance)
    with bench.progress("two workers, frozen, no ledger", total=3) as advance:
        for name, disturb in (("two at once", two_at_once), ("frozen and thawed", stopped_and_continued)):
            await disturbed(bench, tally, PR_SHIPS, name, disturb)
            advance()

        async def ledger_gone(scene: Scene) -> None:
            tally.ledger_gone_s = await ledger_gone_for_a_while(scene, LEDGER_AWAY_S)

        await disturbed(bench, tally, PR_SHIPS, "ledger gone", ledger_gone)
        advance()
    _report(bench, tally, goal)


async def _kill_all(bench: Bench, tally: Tally, goal: int, advance: Callable[[], None]) -> None:
    """Boundaries first, then random instants until there are enough kills."""
    at_boundaries = [(PR_SHIPS, DELICATE)] if bench.quick else [(PR_SHIPS, ()), (PR_FAILS, ()), (PR_ASKS, ())]
    places = asyncio.Semaphore(1 if bench.quick else bench.args.at_once)
    begun = 0

    async def boundaries(branch: str, only: tuple[str, ...]) -> None:
        async with places:
            await disturbed(
                bench,
                tally,
                branch,
                "killed at boundaries",
                lambda s: s.die_at_boundaries(*only, progress=advance),
            )

    async def at_random(number: int, times: int) -> None:
        branch = (PR_SHIPS, PR_FAILS)[number % 2]
        draw = random.Random(bench.args.seed + number)
        async with places:
            await disturbed(
                bench,
                tally,
                branch,
                f"killed at random ({bench.args.seed + number})",
                lambda s: s.die_at_random(times, draw, LONGEST_LIFE_S, progress=advance),
            )

    await asyncio.gather(*(boundaries(branch, only) for branch, only in at_boundaries))
    while len(tally.kills) < goal and begun < KILLS:
        missing = goal - len(tally.kills)
        batch = min(1 if bench.quick else bench.args.at_once, math.ceil(missing / RANDOM_KILLS_A_RUN))
        each = min(RANDOM_KILLS_A_RUN, math.ceil(missing / batch))
        await asyncio.gather(*(at_random(begun + place, each) for place in range(batch)))
        begun += batch


def _report(bench: Bench, tally: Tally, goal: int) -> None:
    unwatched = [kill.unwatched_s for kill in tally.kills if kill.unwatched_s is not None]
    boundaries = {kill.where for kill in tally.kills if kill.where.startswith(("before ", "after "))}
    bench.figure("kills", len(tally.kills), "workers killed with SIGKILL (one of them frozen)")
    bench.figure("boundaries", len(boundaries), "different boundaries among them")
    bench.figure("runs", tally.runs, "runs that came to rest, the undisturbed ones included")
    bench.figure("runs_that_ended_otherwise", len(tally.differing), "than the same run undisturbed, in any respect")
    bench.figure("deployments_doubled", tally.doubled, "production processes started once more than once")
    bench.figure("base_moved_wrongly", tally.base_wrong, "runs after which the base branch had not moved as often")
    bench.figure("canary_kills", len(unwatched), "kills while a canary had weight")
    bench.figure("unwatched_max_s", max(unwatched, default=math.nan), "last answer of a canary after a kill")
    bench.figure("ledger_gone_unwatched_s", tally.ledger_gone_s, "last answer of a canary behind a broken ledger")
    bench.figure("user_requests", tally.requests, "requests of users meanwhile")
    bench.figure("user_requests_failed", tally.failed_requests, "of them, without the faults of the change itself")
    bench.figure("ledgers_verified", tally.ledgers - tally.ledgers_broken, f"ledgers, {tally.entries} entries")
    bench.figure("ledgers_broken", tally.ledgers_broken)
    bench.goal("enough kills", "kills", ">=", goal)
    bench.goal("each run ends with the same outcome", "runs_that_ended_otherwise", "==", 0)
    bench.goal("each deployment happened once", "deployments_doubled", "==", 0)
    bench.goal("the base branch moved once, or not at all", "base_moved_wrongly", "==", 0)
    bench.goal("no canary unwatched after a kill", "unwatched_max_s", "<=", 2)
    bench.goal("no canary unwatched behind a broken ledger", "ledger_gone_unwatched_s", "<=", 2)
    bench.goal("no request failed because of a kill", "user_requests_failed", "==", 0)
    bench.goal("every ledger verifies", "ledgers_broken", "==", 0)
    if unwatched:
        bench.samples("Last answer of a canary after a kill", {"canary": unwatched}, unit="s", limit=2)
    for text in tally.differing:
        bench.note(text[:2000])


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of the random instants")
    parser.add_argument("--at-once", type=int, default=2, help="runs at the same time: one that is killed mostly waits")


if __name__ == "__main__":
    run("crash", "SIGKILL at every event boundary and at random instants", measure, arguments=arguments)
