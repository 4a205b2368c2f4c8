"""Killing the real thing: one pull request of the demo's shop, its production with customers, and workers that die.

Used by `tests/crash` and `bench/crash.py`. Each scene is a fresh repository with figures shortened by configuration;
whoever opens it has to close it, which stops every process that runs for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from greenlane import bootstrap
from greenlane.adapters.envoy import EnvoyTraffic
from greenlane.adapters.load import TrafficSource
from greenlane.demo.repository import make_repository
from greenlane.demo.traffic import CUSTOMERS
from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded
from greenlane.domain.errors import GreenlaneError
from greenlane.ledger.verify import verify
from greenlane.policy.lifecycle import assess_standing

PR_SHIPS = "pr-1-free-shipping-limit"
PR_ASKS = "pr-3-gift-message"
PR_FAILS = "pr-7-say-what-is-saved"

CHILD = Path(__file__).with_name("crash_child.py")
SOURCE = Path(bootstrap.__file__).parent.parent.parent
USERS_RPS = 60.0
DELICATE = (
    "after tests.committing",
    "after staging.starting",
    "after canary.starting",
    "after canary.observed watch",
    "after canary.promoting 50",
    "after canary.promoted",
    "after base.advancing",
    "before deployment.complete",
)
"""Where a crash is worst: something is decided and not done yet, or done and not written down."""
UNWATCHED_LOOK_S = 0.1
LOOK_S = 0.1
FIRST_COMMITS = 2
"""The shop as it was, and the shorter figures."""
WORKER_TIMEOUT_S = 240.0
AGAIN_AND_AGAIN = frozenset({"canary.observed", "canary.promoting", "agent.retrying"})
"""What a worker that takes over may write once more: a phase that begins anew is observed anew."""

SHORTER: dict[str, dict[str, Any]] = {
    "orchestration": {"delivery_cap": 100, "lease_s": 3, "backoff_s": 0.5},
    "thresholds": {"canary_traffic_initial_pct": 20, "canary_monitoring_duration_min": 0.05,
                   "p99_latency_threshold_ms": 5000},
    "validation": {"load_duration_s": 2, "load_extend_max_factor": 1, "load_rate_rps": 90,
                   "latency_ratio_max": 10.0, "latency_floor_ms": 500, "error_rate_increase_max": 0.2},
    "canary": {"warmup_s": 1, "steps_pct": [50, 100], "step_duration_s": 1, "min_requests": 20,
               "detect_factor": 50, "observe_s": 0, "keep_previous_s": 600,
               "tick_s": 0.2, "extend_max_factor": 10},
    "staging": {"collect_s": 0},
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and everything about it that a crash may not change."""

    state: str
    lane: str
    decisions: tuple[str, ...]
    base_tree: str
    base_moves: int
    branch_commits: int
    tests_added: int
    production_starts: tuple[tuple[str, int], ...]
    serves_candidate: bool


@dataclass
class Kill:
    """One SIGKILL: where it struck, and how long the canary got requests after it (None: no canary had weight)."""

    where: str
    unwatched_s: float | None = None


@dataclass
class Scene:
    """A shop in production, its customers, and one pull request."""

    root: Path
    branch: str
    users: TrafficSource
    traffic: EnvoyTraffic
    approve: bool = False
    run: str = ""
    kills: list[Kill] = field(default_factory=list)
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    # -------------------------------------------------------------- workers

    def start_worker(self, *options: str) -> subprocess.Popen[str]:
        """A worker of its own process; its words end up in `logs` when it is reaped."""
        more = ("--approve",) if self.approve else ()
        self.workers.append(start_child(self.root, "--branch", self.branch, *more, *options))
        return self.workers[-1]

    async def reap(self, worker: subprocess.Popen[str]) -> int:
        """Wait for a worker's end; its exit code (negative: the signal)."""
        try:
            out, err = await asyncio.to_thread(worker.communicate, timeout=WORKER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            out, err = await asyncio.to_thread(worker.communicate)
            self.logs.append(err)
            raise AssertionError(f"a worker did not end in {WORKER_TIMEOUT_S:g} s:\n{err[-4000:]}") from None
        self.run = out.split("\n")[0] or self.run
        self.logs.append(err)
        return worker.returncode

    async def finish(self, *options: str) -> None:
        """Let a worker bring the run to rest, undisturbed."""
        code = await self.reap(self.start_worker(*options))
        assert code == 0, f"the worker ended with {code}:\n{self.logs[-1][-4000:]}"

    async def die_at_boundaries(self, *only: str, progress: Any = None) -> None:
        """Worker after worker, each killed at the first boundary where none died before; the last one finishes."""
        passed = self.root.parent / f"{self.branch}.boundaries"
        options = ["--boundaries", str(passed), *(word for name in only for word in ("--only", name))]
        while True:
            code = await self.reap(self.start_worker(*options))
            if code == 0:
                return
            assert code == -signal.SIGKILL, f"a worker ended with {code}:\n{self.logs[-1][-4000:]}"
            await self.note_kill(passed.read_text(encoding="utf-8").splitlines()[-1])
            if progress:
                progress()

    async def die_at_random(self, times: int, draw: random.Random, longest_s: float, progress: Any = None) -> None:
        """Workers that are killed from outside at random instants, so many times at most; the last one finishes."""
        for _ in range(times):
            worker = self.start_worker()
            try:
                await asyncio.to_thread(worker.wait, draw.uniform(0.2, longest_s))
            except subprocess.TimeoutExpired:
                worker.kill()
            code = await self.reap(worker)
            if code == 0:
                return
            assert code == -signal.SIGKILL, f"a worker ended with {code}:\n{self.logs[-1][-4000:]}"
            await self.note_kill("at random")
            if progress:
                progress()
        await self.finish()

    async def note_kill(self, where: str) -> None:
        self.kills.append(Kill(where, await self.measure_unwatched()))

    async def measure_unwatched(self, for_s: float = 2.5) -> float | None:
        """How long from now on the canary still answers requests, watched for so long; None if it has no weight."""
        began = time.monotonic()
        split = await self.observe()
        if split is None or split.canary is None or not split.canary_weight:
            return None
        last_s, count = 0.0, (await self.traffic.read("shop")).canary.requests
        while time.monotonic() - began < for_s:
            await asyncio.sleep(UNWATCHED_LOOK_S)
            seen = (await self.traffic.read("shop")).canary.requests
            if seen > count:
                last_s, count = time.monotonic() - began, seen
        return last_s

    async def observe(self) -> Any:
        """The split that the router reports; None if it does not answer."""
        try:
            return await self.traffic.observe("shop")
        except GreenlaneError:
            return None

    async def is_answering(self) -> bool:
        """Whether the canary has got a request since the last look, within a moment."""
        before = (await self.traffic.read("shop")).canary.requests
        await asyncio.sleep(LOOK_S)
        return (await self.traffic.read("shop")).canary.requests > before

    async def until(self, holds: Callable[[], object], seconds: float = WORKER_TIMEOUT_S) -> None:
        """Wait until `holds()` (may be a coroutine function) is true."""
        async with asyncio.timeout(seconds):
            while True:
                answer = holds()
                if asyncio.iscoroutine(answer):
                    answer = await answer
                if answer:
                    return
                await asyncio.sleep(LOOK_S)

    async def until_recorded(self, wanted: Callable[[e.Event], object]) -> None:
        """Wait until such an event stands in the ledger."""

        async def there() -> bool:
            return any(wanted(r.event) for r in await self.history())

        await self.until(there)

    async def until_canary_answers(self) -> None:
        """Wait until the canary is watched at its first weight and has answered somebody."""
        await self.until_recorded(lambda o: isinstance(o, e.CanaryObserved) and o.reading.canary.requests > 0)

    async def history(self) -> tuple[Recorded, ...]:
        """Everything that happened to the one run so far; nothing before it begins."""
        application = await bootstrap.open_application(self.root, read_only=True)
        try:
            runs = await application.runs()
            return (await application.change(runs[0].run)).history if runs else ()
        finally:
            await application.close()

    # -------------------------------------------------------------- what came of it

    async def change(self) -> Change:
        application = await bootstrap.open_application(self.root, read_only=True)
        try:
            return await application.change(self.run)
        finally:
            await application.close()

    async def outcome(self) -> Outcome:
        change = await self.change()
        split = await self.observe()
        types = Counter(e.type_of(r.event) for r in change.history)
        candidates = {p.deployment_id for p in change.promoted}
        return Outcome(
            state=assess_standing(change).state.value,
            lane=change.review.lane.value if change.review else "",
            decisions=tuple(sorted(f"{n} {t}" for t, n in types.items() if t not in AGAIN_AND_AGAIN)),
            base_tree=self.git("rev-parse", "main^{tree}"),
            base_moves=int(self.git("rev-list", "--first-parent", "--count", "main")) - FIRST_COMMITS,
            branch_commits=int(self.git("rev-list", "--first-parent", "--count", self.branch)),
            tests_added=len(change.tests.written) if change.tests else 0,
            production_starts=tuple(sorted(self.production_starts().items())),
            serves_candidate=split is not None and split.stable.deployment_id in candidates,
        )

    def production_starts(self) -> dict[str, int]:
        """How often a process of each production deployment was started, as the service itself wrote it down."""
        lines = (self.root / ".greenlane" / "data" / "shop" / "starts").read_text(encoding="utf-8").splitlines()
        return dict(Counter(lines))

    def git(self, *words: str) -> str:
        return _git(self.root, *words)

    def verify_ledger(self) -> Any:
        return verify(self.root / ".greenlane" / "ledger.db")

    async def user_failures(self) -> tuple[int, int]:
        """(requests, failures that no version of the service answered with): users are sent home by this.

        A faulty canary answers 500; what the router counted as its errors is not due to a kill.
        """
        totals = await self.users.stop()
        own = (await self.traffic.read("shop")).canary.errors
        return totals.requests, totals.errors - min(own, totals.by_status.get("500", 0))


def _git(root: Path, *words: str) -> str:
    person = {"NAME": "Priya Raman", "EMAIL": "priya.raman@teashop.example", "DATE": "2025-03-02T08:00:00Z"}
    env = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in person.items()}
    env |= {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", *words], cwd=root, env=env, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def configure(root: Path) -> None:
    """Commit the shorter figures to `main`, and have each production process write down that it was started."""
    path = root / "greenlane.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, values in SHORTER.items():
        document.setdefault(section, {}).update(values)
    commands = document["services"][0]["commands"]
    commands["start"] = f"echo $GREENLANE_DEPLOYMENT >> {{data_dir}}/starts; exec {commands['start']}"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    _git(root, "commit", "--quiet", "--all", "--message", "Shorter figures")


def start_child(root: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(root), *options],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": os.environ.get("HOME", "/")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextlib.asynccontextmanager
async def open_scene(folder: Path, branch: str, *, approve: bool = False) -> AsyncIterator[Scene]:
    """The shop in production with customers; everything is stopped at the end, whatever happens."""
    root = folder / "shop"
    make_repository(root)
    configure(root)
    try:
        child = start_child(root)
        out, err = await asyncio.to_thread(child.communicate, timeout=WORKER_TIMEOUT_S)
        assert child.returncode == 0, err[-4000:]
        url = json.loads(out)["shop"]
        async with TrafficSource(url, CUSTOMERS, rate_rps=USERS_RPS, seed=7) as users:
            scene = Scene(root, branch, users, EnvoyTraffic(root / ".greenlane"), approve=approve)
            try:
                yield scene
            finally:
                for worker in scene.workers:
                    worker.kill()  # one that was collected already is left alone
    finally:
        await bootstrap.stop_leftovers(root)


def kills_with_canary(kills: Sequence[Kill]) -> list[float]:
    return [k.unwatched_s for k in kills if k.unwatched_s is not None]


# ------------------------------------------------------------------ workers that are not killed


async def two_at_once(scene: Scene) -> None:
    """Two workers on the same state folder from beginning to end."""
    first = scene.start_worker()
    await scene.until(lambda: (scene.root / ".greenlane" / "ledger.db").exists())
    second = scene.start_worker()
    codes = await asyncio.gather(scene.reap(first), scene.reap(second))
    assert codes == [0, 0], f"the workers ended with {codes}:\n{scene.logs[-1][-2000:]}\n{scene.logs[-2][-2000:]}"


async def stopped_and_continued(scene: Scene, dying: Sequence[str] = ()) -> None:
    """A worker is frozen during its canary, longer than its lease; another takes over; the first one thaws.

    The workers that take over die at the boundaries `dying` on top. What thawed goes on living beside them.
    """
    zombie = scene.start_worker()
    try:
        await scene.until_canary_answers()
        zombie.send_signal(signal.SIGSTOP)
        await scene.note_kill("SIGSTOP")
        others = asyncio.create_task(scene.die_at_boundaries(*dying) if dying else scene.finish())
        await scene.until_recorded(lambda o: isinstance(o, e.CanaryObserved) and o.phase == "resumed")
    finally:
        zombie.send_signal(signal.SIGCONT)
    code, _ = await asyncio.gather(scene.reap(zombie), others)
    assert code == 0, f"the worker that thawed ended with {code}:\n{scene.logs[-1][-4000:]}"


async def ledger_gone_for_a_while(scene: Scene, away_s: float) -> float:
    """The ledger takes no write from the middle of a canary on; for how long the canary still got requests (seconds).

    The worker lives. When the ledger is back, the same worker goes on.
    """
    worker = scene.start_worker()
    await scene.until_canary_answers()
    worker.send_signal(signal.SIGUSR1)
    began = time.monotonic()
    unwatched_s = await scene.measure_unwatched(away_s)
    assert unwatched_s is not None, "the canary had no weight"
    await asyncio.sleep(max(0.0, away_s - (time.monotonic() - began)))
    worker.send_signal(signal.SIGUSR2)
    code = await scene.reap(worker)
    assert code == 0, f"the worker ended with {code}:\n{scene.logs[-1][-4000:]}"
    return unwatched_s
