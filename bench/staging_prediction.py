"""Whether what is predicted for production before a release is what production then shows.

Each release is a pull request that changes how much a real service computes and how often it fails, and goes the real
way: staging agent, validation agent, deployment agent; real processes, the real proxy, real users. In staging both
versions are let run for half of the time (`_throttle.py`). What production does meanwhile is kept in the real store of
baselines; a clock that jumps a day after each release makes 20 of them a history of weeks. Only the repository and the
ledger are in memory.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from types import SimpleNamespace
from typing import Any

import msgspec
import psutil

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
from tests.contract.delivery.delivery_service import ThisPython
from tests.support.agents import WHY, review_complete
from tests.support.driver import Driver

from _harness import OUT, Bench, describe_load, load_now, run
from greenlane.adapters.baselines import FILE, BaselineStore
from greenlane.adapters.envoy.traffic import EnvoyTraffic
from greenlane.adapters.load import HttpLoad, TrafficSource
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform, shutdown
from greenlane.adapters.memory_repository import MemoryRepository
from greenlane.adapters.probe import HttpProbe
from greenlane.adapters.processes import read_status
from greenlane.agents.deployment import DeploymentAgent
from greenlane.agents.production import install_production
from greenlane.agents.staging import StagingAgent
from greenlane.agents.validation import ValidationAgent
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import DeploymentSpec, Instance
from greenlane.domain.production import SLOT_S, TrafficSlot
from greenlane.domain.service_settings import Commands, LoadRequest, Service
from greenlane.domain.settings import Canary, Settings, Staging, Thresholds, Validation
from greenlane.pages.predictions import draw, render_html, render_svg
from greenlane.policy.prediction import ERROR_RATE, P99, Release, detect_releases

MAKE_BENCH_TIMEOUT_S = 1_800
PROGRAM = Path(__file__).with_name("_working_service.py")
THROTTLE = Path(__file__).with_name("_throttle.py")
CPU_SHARE = 0.5
WORK = (LoadRequest(path="/work"),)
USERS_RPS, GROWTH = 20.0, 0.05
"""Requests a second of users at the first release, and by how much more they ask from each release to the next."""
SETTLE_S, READINGS = 3.0, 6
FIRST = {"work": 60.0, "fail": 0.01}
AHEAD_SHARES = 8192
"""Of the CPU, where it is short: as much as eight other groups of processes have together."""
FROM = 8
"""The first release whose interval counts: seven before it have taught the factor."""
SERVICE = Service(
    name="shop",
    port=0,
    commands=Commands(start="exec {python} _working_service.py"),
    load=WORK,
)
SETTINGS = Settings(
    services=(SERVICE,),
    thresholds=Thresholds(
        canary_monitoring_duration_min=2 / 60,
        canary_traffic_initial_pct=50,
        error_rate_threshold=0.5,
        p99_latency_threshold_ms=20_000,
    ),
    canary=Canary(
        warmup_s=1, steps_pct=(100,), step_duration_s=10, tick_s=0.25, min_requests=20, detect_factor=50, observe_s=0,
        extend_max_factor=10,
    ),
    staging=Staging(collect_s=0, start_timeout_s=60),
    validation=Validation(
        load_duration_s=14, load_extend_max_factor=1, load_rate_rps=30, latency_ratio_max=50, cpu_ratio_max=50,
        error_rate_increase_max=0.5, baseline_min_requests=200,
    ),
)  # fmt: skip


class Calendar:
    """The system's clock, set forward by a day now and then."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class HalfCpu(LocalPlatform):
    """Staging instances run for half of the time; production is left alone."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._throttles: dict[str, subprocess.Popen[bytes]] = {}

    async def deploy(self, service: Service, spec: DeploymentSpec, *, fence: int | None) -> Instance:
        instance = await super().deploy(service, spec, fence=fence)
        if spec.environment == "staging" and spec.deployment_id not in self._throttles:
            status = read_status(self._folder(spec.deployment_id))
            assert status is not None
            tree = [status.child, *(p.pid for p in psutil.Process(status.child).children(recursive=True))]
            argv = [sys.executable, str(THROTTLE), str(CPU_SHARE), *map(str, tree)]
            self._throttles[spec.deployment_id] = subprocess.Popen(argv, stdin=subprocess.PIPE)  # noqa: ASYNC220 - short
        return instance

    async def retire(self, deployment_id: str, *, fence: int | None) -> None:
        self.release(deployment_id)
        await super().retire(deployment_id, fence=fence)

    def release(self, deployment_id: str) -> None:
        throttle = self._throttles.pop(deployment_id, None)
        if throttle is not None and throttle.stdin is not None:
            throttle.stdin.close()
            throttle.wait(5)

    def release_all(self) -> None:
        for name in tuple(self._throttles):
            self.release(name)


class History:
    """Production from the real store; past runs from memory."""

    def __init__(self, store: BaselineStore) -> None:
        self._store = store
        self.changes: list[Change] = []

    async def slots(self, service: str, since: datetime) -> tuple[TrafficSlot, ...]:
        return await self._store.slots(service, since)

    async def past(self) -> tuple[Change, ...]:
        return tuple(self.changes)


class Shop:
    """Production of one service, and the way of a release to it."""

    def __init__(self, folder: Path) -> None:
        state = folder / "state"
        state.mkdir(parents=True)
        self.clock = Calendar()
        self.repo = MemoryRepository()
        self.platform = HalfCpu(state, ThisPython(), SETTINGS)
        self.traffic = EnvoyTraffic(state)
        self.store = BaselineStore(state / FILE)
        self.history = History(self.store)
        self.ports: dict[str, Any] = {
            "source": self.repo, "builder": LocalBuilder(state, ThisPython(), SETTINGS), "platform": self.platform,
            "traffic": self.traffic, "settings": SETTINGS, "work_dir": folder / "work",
        }  # fmt: skip
        rest: dict[str, Any] = {"code_host": self.repo, "clock": self.clock}
        self.agents = [
            StagingAgent(**self.ports, **rest, probe=HttpProbe()),
            ValidationAgent(
                builder=self.ports["builder"], platform=self.platform, load=HttpLoad(), settings=SETTINGS,
                clock=self.clock, history=self.history,
            ),
            DeploymentAgent(**self.ports, **rest),
        ]  # fmt: skip

    async def open(self) -> str:
        first = self.repo.commit({PROGRAM.name: PROGRAM.read_bytes(), "release.json": json.dumps(FIRST).encode()})
        self.repo.branches["main"] = first
        await install_production(SERVICE, first, **self.ports)
        return await self.traffic.address(SERVICE.name)

    async def settle(self) -> None:
        """What production does from the next quarter of an hour on is kept; the next release comes a day later."""
        self.clock.ahead += timedelta(seconds=SLOT_S)
        for number in range(READINGS):
            await asyncio.sleep(SETTLE_S if number else 0.0)
            reading = await self.traffic.production(SERVICE.name)
            assert reading is not None
            await self.store.record(SERVICE.name, reading, self.clock.now())
        self.clock.ahead += timedelta(days=1)

    async def release(self, number: int, told: dict[str, float]) -> Change:
        branch = f"release-{number}"
        base = self.repo.branches["main"]
        head = self.repo.change(base, {"release.json": json.dumps(told).encode()}, branch)
        self.repo.branches[branch] = head
        self.repo.open(branch, number=number, author="Ada <ada@example.com>")
        driver = Driver(self.agents, SimpleNamespace(clock=self.clock), run=branch)  # type: ignore[arg-type]  # no crashes
        opened = e.PrOpened(
            repo="shop", pr_number=number, title=branch, branch=branch, base_branch="main", head_sha=head,
            base_sha=base, merge_base_sha=base, author="Ada <ada@example.com>", diff_sha256="d" * 64,
        )  # fmt: skip
        driver.put(opened, review_complete((SERVICE.name,)), e.TestsComplete(why=WHY, proceed=True))
        for _ in range(4):
            standing = await driver.drive()
            gates = driver.change.open_gates
            if not gates:
                break
            driver.put(*(e.HumanApproved(why=WHY, gate_id=g.gate_id, by="Grace", head_sha=head) for g in gates))
        if driver.change.deployed is None:
            last = driver.history[-1].event
            raise SystemExit(f"release {number} was not deployed ({standing.state}): {last}")
        for instance in driver.change.deployed.previous:
            await self.platform.retire(instance.deployment_id, fence=None)
        self.history.changes.append(driver.change)
        return driver.change


def draw_releases(count: int, seed: int) -> list[dict[str, float]]:
    """Most releases change little, and some a lot; the work stays within what a staging of half the size can do."""
    draw = random.Random(seed)
    work, fail, found = FIRST["work"], FIRST["fail"], []
    for _ in range(count):
        work = min(max(work * math.exp(draw.gauss(0, 0.15) + 0.3 * (draw.random() < 0.15)), 40.0), 120.0)
        fail = min(max(fail * math.exp(draw.gauss(0, 0.4)), 0.004), 0.05)
        found.append({"work": round(work, 2), "fail": round(fail, 5)})
    return found


def staged_p99(change: Change) -> float:
    assert change.validation is not None
    return next(c.candidate for s in change.validation.services for c in s.comparisons if c.metric == P99)


def log_error(predicted: float, shown: float) -> float:
    return abs(math.log(predicted / shown))


def report_metric(bench: Bench, short: str, mine: Sequence[Release]) -> None:
    judged = [r for r in mine[FROM - 1 :] if r.held is not None]
    if judged:
        bench.figure(f"{short}_judged", len(judged), f"releases from the {FROM}th on with an interval")
        bench.figure(f"{short}_held_percent", 100 * mean(bool(r.held) for r in judged), "of them in the 90 % interval")
        widths = [math.log((r.prediction.high or 1) / (r.prediction.low or 1)) / 2 for r in judged]
        bench.figure(f"{short}_width_factor", math.exp(median(widths)), "interval: predicted times or divided by this")


def draw_all(releases: Sequence[Release]) -> None:
    """As `greenlane predictions` does it."""
    OUT.joinpath("predictions.html").write_text(render_html(SERVICE.name, releases, FROM), encoding="utf-8")
    for metric in (P99, ERROR_RATE):
        mine = [r for r in releases if r.prediction.metric == metric]
        OUT.joinpath(f"predictions_{metric}.svg").write_text(render_svg(draw(metric, mine, FROM)), encoding="utf-8")


def report(bench: Bench, changes: list[Change], slots: Sequence[TrafficSlot]) -> None:
    releases = detect_releases(changes, SERVICE.name, slots)
    draw_all(releases)
    if bench.args.save is not None:
        bench.args.save.write_bytes(msgspec.json.encode(releases))
    p99 = [r for r in releases if r.prediction.metric == P99]
    report_metric(bench, "p99", p99)
    report_metric(bench, "errors", [r for r in releases if r.prediction.metric == ERROR_RATE])
    judged = [r.held for r in releases if r.held is not None and r.run in {x.run for x in p99[FROM - 1 :]}]
    if judged:
        bench.figure("held_percent", 100 * mean(judged), f"both: {sum(judged)} of {len(judged)} intervals")
    by_run = {c.run: c for c in changes}
    later = p99[FROM - 1 :] or p99[1:]
    first = p99[0]
    own = first.shown / staged_p99(by_run[first.run])
    ways = {
        "learned": [log_error(r.prediction.predicted, r.shown) for r in later],
        "no_factor": [log_error(r.prediction.baseline * r.prediction.ratio, r.shown) for r in later],
        "fixed_half": [log_error(staged_p99(by_run[r.run]) * CPU_SHARE, r.shown) for r in later],
        "fixed_first": [log_error(staged_p99(by_run[r.run]) * own, r.shown) for r in later],
    }
    words = {
        "learned": "baseline x ratio x learned factor",
        "no_factor": "baseline x ratio",
        "fixed_half": f"staging's p99 x {CPU_SHARE:g}, its share of the CPU",
        "fixed_first": "staging's p99 x the factor of the first release",
    }
    for name, errors in ways.items():
        bench.figure(f"error_{name}_percent", 100 * (math.exp(mean(errors)) - 1), f"mean error of p99: {words[name]}")
    halves = [math.log((r.prediction.high or 1) / (r.prediction.low or 1)) / 2 for r in later]
    for name in ("fixed_half", "fixed_first"):
        inside = [error <= half for error, half in zip(ways[name], halves, strict=True)]
        bench.figure(f"held_{name}_percent", 100 * mean(inside), f"in an interval as wide: {words[name]}")
    learned = mean(ways["learned"])
    bench.figure(
        "fixed_over_learned", min(mean(ways["fixed_half"]), mean(ways["fixed_first"])) / learned,
        "mean error of the better fixed factor, over that of the learned one",
    )  # fmt: skip
    numbers = [float(i + 1) for i in range(len(p99))]
    bench.lines(
        "p99 of 20 releases, in ms",
        {
            "shown": (numbers, [r.shown for r in p99]),
            "predicted": (numbers, [r.prediction.predicted for r in p99]),
            "low": (numbers, [r.prediction.low or r.prediction.predicted for r in p99]),
            "high": (numbers, [r.prediction.high or r.prediction.predicted for r in p99]),
        },
        x="release",
        y="ms",
    )


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--releases", type=int, help="how many releases (20, quick 10)")
    parser.add_argument("--seed", type=int, default=5, help="what the releases change (5)")
    parser.add_argument("--ahead", action="store_true", help="go ahead of other work on the machine (root)")
    parser.add_argument("--save", type=Path, help="write all predictions and what was shown as JSON")
    parser.add_argument("--words", action="store_true", help="tell each release")


async def measure(bench: Bench) -> None:
    with going_ahead(bench.args.ahead) as ahead:
        await measure_releases(bench, ahead)


async def measure_releases(bench: Bench, ahead: bool) -> None:
    count = bench.args.releases or (10 if bench.quick else 20)
    folder = Path(tempfile.mkdtemp(prefix="greenlane-prediction-"))
    shop = Shop(folder)
    began, loads = time.monotonic(), []
    try:
        url = await shop.open()
        with bench.progress("releasing", total=count) as advance:
            for number, told in enumerate(draw_releases(count, bench.args.seed), start=1):
                async with TrafficSource(url, WORK, rate_rps=USERS_RPS * (1 + GROWTH) ** (number - 1)):
                    await shop.settle()
                    change = await shop.release(number, told)
                advance()
                loads.append(load_now())
                if bench.args.words:
                    say(bench, change)
        async with TrafficSource(url, WORK, rate_rps=USERS_RPS * (1 + GROWTH) ** count):
            await shop.settle()
        slots = await shop.store.slots(SERVICE.name, datetime.fromtimestamp(0, UTC))
    finally:
        shop.platform.release_all()
        await shop.traffic.close()
        await shutdown(folder / "state")
        shutil.rmtree(folder, ignore_errors=True)
    report(bench, shop.history.changes, slots)
    bench.goal("90 % intervals hold what came, from the 8th release on", "held_percent", ">=", 85)
    bench.goal("a plain fixed factor does worse", "fixed_over_learned", ">", 1)
    bench.note(
        f"{count} releases in {(time.monotonic() - began) / 60:.0f} minutes; staging by SIGSTOP and SIGCONT at "
        f"{CPU_SHARE:.0%} of the time in turns of 10 ms; {USERS_RPS:g} requests a second of users at first, and "
        f"{GROWTH:.0%} more from each release to the next"
        + ("; ahead of other work on the machine (CPU shares); " if ahead else "; ")
        + describe_load(loads)
    )


@contextmanager
def going_ahead(wanted: bool) -> Iterator[bool]:
    """Root may go ahead of what else runs on the machine, so that it is not what decides; whether that was possible.

    A CPU group of its own (cgroup v1) with the most shares: `nice` does nothing where the kernel groups by session.
    """
    if not wanted:
        yield False
        return
    group = Path(f"/sys/fs/cgroup/cpu/greenlane-bench-{os.getpid()}")
    try:
        group.mkdir()
        (group / "cpu.shares").write_text(str(AHEAD_SHARES))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (group.parent / "cgroup.procs").write_text(pid)
        with suppress(OSError):
            group.rmdir()


def say(bench: Bench, change: Change) -> None:
    for r in detect_releases([change], SERVICE.name):
        p = r.prediction
        bench.console.print(
            f"{r.run} {p.metric}: base {p.baseline:.4g} x {p.ratio:.3g} x {p.factor:.3g} = {p.predicted:.4g} "
            f"({p.low} to {p.high}); shown {r.shown:.4g}; staging {staged_p99(change):.1f}"
        )


if __name__ == "__main__":
    run("staging_prediction", "What staging predicts, and what production shows", measure, arguments=add_arguments)
