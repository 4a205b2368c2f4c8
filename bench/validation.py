"""How often validation calls a version a regression of itself, and how often it finds a planted slowdown.

Each trial builds two artifacts, starts both as real processes, and compares them as the validation agent does: the real
load generator, the real policy, the default limits. Pairs of one trial share the machine with those of the other
lanes and with whatever else runs on it; that is the noise which is meant.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from greenlane.adapters.clock import SystemClock
from greenlane.adapters.load import HttpLoad
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform, shutdown
from greenlane.agents.side_by_side import CANDIDATE, CURRENT, Outcome, SideBySide
from greenlane.domain.delivery import DeploymentSpec, Instance, Verdict
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.service_settings import Commands, LoadRequest, Service
from greenlane.domain.settings import Settings, Staging, Validation
from greenlane.ports.environments import PythonEnvironment

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
from _harness import Bench, describe_load, load_now, percentile, run

MAKE_BENCH_TIMEOUT_S = 3_600
PROGRAM = Path(__file__).with_name("_waiting_service.py")
SAME_LIMITS = Validation(load_duration_s=10, load_extend_max_factor=4, load_rate_rps=80)
"""A version against itself gets 10 to 40 s, so that 100 trials end within half an hour. The chance of a false alarm is
spent over the looks, however long they are. All limits are the defaults."""
SLOW_LIMITS = Validation(load_rate_rps=80)
"""A planted slowdown gets the 20 to 120 s of the defaults, with twice their requests: a tail alone needs them."""
SAME, SLOW, TAIL = "the same version", "all 20 % slower", "slowest 4 % slower, p99 by 20 %"
WAITS = {"median_s": 0.06}
"""Of the service in which a slowdown is planted: a fifth of its p99 (150 ms) is more than what a busy machine adds. A
version against itself waits for 15 ms: there the machine is most of what is measured."""
FAULTS = {SAME: {}, SLOW: WAITS | {"slowdown": 1.2}, TAIL: WAITS | {"tail_share": 0.04, "tail_factor": 1.2}}
SERVICE = Service(name="waiting", commands=Commands(start="exec {python} _waiting_service.py"))


class ThisPython:
    """The interpreter that runs the benchmark."""

    async def prepare(self, service: Service, source: Path) -> PythonEnvironment:
        del service, source
        return PythonEnvironment(python=Path(sys.executable), read_only=(), digest="sha256:bench")


@dataclass(frozen=True)
class Trial:
    kind: str
    outcome: Outcome

    @property
    def found(self) -> tuple[str, ...]:
        return tuple(c.metric for c in self.outcome.comparisons if c.regressed)


class Place:
    """Builds and starts versions in a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(services=(SERVICE,), staging=Staging(start_timeout_s=60))
        self._folder = folder
        self.platform = LocalPlatform(folder / "state", ThisPython(), settings)
        self._builder = LocalBuilder(folder / "state", ThisPython(), settings)

    async def start(self, faults: dict[str, float], name: str) -> Instance:
        source = self._folder / f"source-{name}"
        source.mkdir()
        shutil.copy(PROGRAM, source / PROGRAM.name)
        (source / "faults.json").write_text(json.dumps(faults), encoding="utf-8")
        artifact = await self._builder.build(SERVICE, source, "c" * 40)
        spec = DeploymentSpec(deployment_id=name, service=SERVICE.name, artifact=artifact, environment="staging")
        return await self.platform.deploy(SERVICE, spec, fence=1)

    async def stop(self, name: str) -> None:
        await self.platform.retire(name, fence=1)
        shutil.rmtree(self._folder / f"source-{name}", ignore_errors=True)


async def try_once(place: Place, kind: str, number: int) -> Trial:
    names = {CURRENT: f"current-{number}", CANDIDATE: f"candidate-{number}"}
    try:
        instances = {
            CURRENT: await place.start({} if kind == SAME else WAITS, names[CURRENT]),
            CANDIDATE: await place.start(FAULTS[kind], names[CANDIDATE]),
        }
        contest = SideBySide(instances, platform=place.platform, load=HttpLoad(), clock=SystemClock())
        limits = SAME_LIMITS if kind == SAME else SLOW_LIMITS
        return Trial(kind, await contest.compare((LoadRequest(path="/work"),), limits))
    finally:
        for name in names.values():
            await place.stop(name)


async def try_all(
    place: Place, kinds: list[str], lanes: int, told: Callable[[], None]
) -> tuple[list[Trial], list[str]]:
    """The trials that came to an answer, and what was in the way of the others."""
    waiting: list[tuple[int, str]] = list(enumerate(kinds))
    trials: list[Trial] = []
    broken: list[str] = []

    async def lane() -> None:
        while waiting:
            number, kind = waiting.pop(0)
            try:
                trials.append(await try_once(place, kind, number))
            except GreenlaneError as error:  # a version that does not start on a busy machine compares nothing
                broken.append(error.message)
            told()

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return trials, broken


def report(bench: Bench, kind: str, short: str, trials: list[Trial]) -> None:
    mine = [t for t in trials if t.kind == kind]
    if not mine:
        return
    called = sum(t.outcome.answer.verdict is Verdict.FAIL for t in mine)
    seconds = [t.outcome.load_s for t in mine]
    bench.figure(f"{short}_trials", len(mine), kind)
    bench.figure(f"{short}_called", called, "of them called a regression")
    bench.figure(f"{short}_share_percent", 100 * called / len(mine), "likewise")
    bench.figure(f"{short}_median_s", percentile(seconds, 50), "load until the answer, median")
    bench.figure(f"{short}_most_s", max(seconds), "likewise, the longest")
    for metric in ("p50_ms", "p95_ms", "p99_ms"):
        ratios = [c.ratio for t in mine for c in t.outcome.comparisons if c.metric == metric]
        words = f"ratio of {metric[:3]}: 5th to 95th percentile of the trials"
        bench.figure(
            f"{short}_{metric[:3]}_ratio", f"{percentile(ratios, 5):.2f} to {percentile(ratios, 95):.2f}", words
        )
    fired = [metric for t in mine for metric in t.found]
    by_metric = ", ".join(f"{m} {fired.count(m)}" for m in sorted(set(fired)))
    bench.figure(f"{short}_by_metric", by_metric or "none", "which metric proved it")


def _span(limits: Validation) -> str:
    return f"{limits.load_duration_s:g} to {limits.load_duration_s * limits.load_extend_max_factor:g} s"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--same", type=int, help="trials of a version against itself (100, quick 10)")
    parser.add_argument("--slow", type=int, help="trials of a planted slowdown (20, quick 4)")
    parser.add_argument("--tail", type=int, help="trials of a slowdown of the tail alone (10, quick 2)")
    parser.add_argument("--lanes", type=int, default=4, help="trials at the same time (4)")


async def measure(bench: Bench) -> None:
    same = bench.args.same if bench.args.same is not None else (10 if bench.quick else 100)
    slow = bench.args.slow if bench.args.slow is not None else (4 if bench.quick else 20)
    tail = bench.args.tail if bench.args.tail is not None else (2 if bench.quick else 10)
    kinds = [SAME] * same + [SLOW] * slow + [TAIL] * tail
    kinds = [kinds[i] for i in sorted(range(len(kinds)), key=lambda i: (i * 0.6180339887) % 1)]  # evenly mixed in time
    folder = Path(tempfile.mkdtemp(prefix="greenlane-validation-"))
    began, loads = time.monotonic(), []

    def told() -> None:
        loads.append(load_now())
        advance()

    try:
        with bench.progress("comparing", total=len(kinds)) as advance:
            trials, broken = await try_all(Place(folder), kinds, bench.args.lanes, told)
    finally:
        await shutdown(folder / "state")
        shutil.rmtree(folder, ignore_errors=True)
    bench.figure("trials_without_answer", len(broken), "a version could not be started" if broken else "")
    for text in broken[:5]:
        bench.note(f"without an answer: {text}")
    report(bench, SAME, "same", trials)
    report(bench, SLOW, "slow", trials)
    report(bench, TAIL, "tail", trials)
    bench.goal("the same version twice is called a regression at most 2 % of the time", "same_share_percent", "<=", 2)
    bench.goal("a version 20 % slower is found at least 90 % of the time", "slow_share_percent", ">=", 90)
    bench.goal("a p99 alone that is 20 % slower is found likewise", "tail_share_percent", ">=", 90)
    bench.goal("within 120 s of load", "slow_most_s", "<=", 120)
    bench.goal("that too within 120 s of load", "tail_most_s", "<=", 120)
    bench.samples(
        "Ratio of p99",
        {
            k: [c.ratio for t in trials if t.kind == k for c in t.outcome.comparisons if c.metric == "p99_ms"]
            for k in FAULTS
        },
        unit="candidate / current",
        limit=SLOW_LIMITS.latency_ratio_find,
    )
    bench.note(
        f"{SAME_LIMITS.load_rate_rps:g} requests a second to each version, {_span(SAME_LIMITS)} for the same version "
        f"and {_span(SLOW_LIMITS)} for the others; {bench.args.lanes} trials at a time; "
        f"{(time.monotonic() - began) / 60:.0f} minutes in all; {describe_load(loads)}"
    )


if __name__ == "__main__":
    run("validation", "Validation: the same version twice, and planted slowdowns", measure, arguments=add_arguments)
