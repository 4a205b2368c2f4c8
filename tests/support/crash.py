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
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from greenlane import bootstrap
from greenlane.adapters.envoy import EnvoyTraffic
from greenlane.adapters.load import TrafficSource, TrafficTotals
from greenlane.demo.repository import make_repository
from greenlane.demo.traffic import CUSTOMERS
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.errors import GreenlaneError
from greenlane.ledger.verify import verify
from greenlane.policy.lifecycle import assess_standing

PR_SHIPS = "pr-1-free-shipping-limit"
PR_ASKS = "pr-3-gift-message"
PR_FAILS = "pr-7-say-what-is-saved"

CHILD = Path(__file__).with_name("crash_child.py")
SOURCE = Path(bootstrap.__file__).parent.parent.parent
USERS_RPS = 60.0
UNWATCHED_LOOK_S = 0.1
WORKER_TIMEOUT_S = 240.0
AGAIN_AND_AGAIN = frozenset({"canary.observed", "canary.promoting", "agent.retrying"})
"""What a worker that takes over may write once more: a phase that begins anew is observed anew."""

SHORTER: dict[str, dict[str, Any]] = {
    "orchestration": {"delivery_cap": 100, "lease_s": 3, "backoff_s": 0.5},
    "thresholds": {"canary_traffic_initial_pct": 20, "canary_monitoring_duration_min": 0.05,
                   "p99_latency_threshold_ms": 5000},
    "validation": {"load_duration_s": 2, "load_rate_rps": 90, "latency_ratio_max": 10.0, "latency_floor_ms": 500,
                   "error_rate_increase_max": 0.2},
    "canary": {"warmup_s": 1, "steps_pct": [50, 100], "step_duration_s": 1, "min_requests": 20, "keep_previous_s": 600,
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
    production_starts: dict[str, int]
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
    logs: list[str] = field(default_factory=list)

    # -------------------------------------------------------------- workers

    def start_worker(self, *options: str) -> subprocess.Popen[str]:
        """A worker of its own process; its words end up in `logs` when it is reaped."""
        more = ("--approve",) if self.approve else ()
        return start_child(self.root, "--branch", self.branch, *more, *options)

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
            await self._note_kill(passed.read_text(encoding="utf-8").splitlines()[-1])
            if progress:
                progress()

    async def die_at_random(self, times: int, draw: random.Random, longest_s: float, progress: Any = None) -> None:
        """Workers that are killed from outside at random instants, so many times at most; the last one finishes."""
        for _ in range(times):
            worker = self.start_worker()
            died = False
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(worker.wait, draw.uniform(0.2, longest_s))
                died = True
            if not died:
                worker.kill()
            code = await self.reap(worker)
            if code == 0:
                return
            assert code == -signal.SIGKILL, f"a worker ended with {code}:\n{self.logs[-1][-4000:]}"
            await self._note_kill("at random")
            if progress:
                progress()
        await self.finish()

    async def _note_kill(self, where: str) -> None:
        self.kills.append(Kill(where, await self.measure_unwatched()))

    async def measure_unwatched(self, for_s: float = 3.0) -> float | None:
        """How long from now on the canary still answers requests, watched for so long; None if it has no weight."""
        began = time.monotonic()
        split = await self._observe()
        if split is None or split.canary is None or not split.canary_weight:
            return None
        last_s, count = 0.0, (await self.traffic.read("shop")).canary.requests
        while (now_s := time.monotonic() - began) < for_s:
            await asyncio.sleep(UNWATCHED_LOOK_S)
            seen = (await self.traffic.read("shop")).canary.requests
            if seen > count:
                last_s, count = time.monotonic() - began, seen
            del now_s
        return last_s

    async def _observe(self) -> Any:
        try:
            return await self.traffic.observe("shop")
        except GreenlaneError:
            return None

    async def canary_requests(self) -> int:
        return (await self.traffic.read("shop")).canary.requests

    # -------------------------------------------------------------- what came of it

    async def change(self) -> Change:
        application = await bootstrap.open_application(self.root, read_only=True)
        try:
            return await application.change(self.run)
        finally:
            await application.close()

    async def outcome(self) -> Outcome:
        change = await self.change()
        split = await self._observe()
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
            production_starts=self.production_starts(),
            serves_candidate=split is not None and split.stable.deployment_id in candidates,
        )

    def production_starts(self) -> dict[str, int]:
        """How often a process of each production deployment was started, as the service itself wrote it down."""
        lines = (self.root / ".greenlane" / "data" / "shop" / "starts").read_text(encoding="utf-8").splitlines()
        return dict(Counter(_kind_of(line) for line in lines))

    def git(self, *words: str) -> str:
        return _git(self.root, *words)

    def verify_ledger(self) -> Any:
        return verify(self.root / ".greenlane" / "ledger.db")

    async def user_totals(self) -> TrafficTotals:
        return await self.users.stop()


FIRST_COMMITS = 2


def _kind_of(deployment_id: str) -> str:
    """`base` for the version that stood there first; for others the id without the commit, which differs by nothing."""
    return "base" if deployment_id.startswith("base") or "-base-" in deployment_id else "candidate"


def _git(root: Path, *words: str) -> str:
    env = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
        **{f"GIT_{r}_{k}": v for r in ("AUTHOR", "COMMITTER")
           for k, v in (("NAME", "Priya Raman"), ("EMAIL", "priya@teashop.example"), ("DATE", "2025-03-02T08:00:00Z"))},
    }  # fmt: skip
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
            yield Scene(root, branch, users, EnvoyTraffic(root / ".greenlane"), approve=approve)
    finally:
        await bootstrap.stop_leftovers(root)


def kills_with_canary(kills: Sequence[Kill]) -> list[float]:
    return [k.unwatched_s for k in kills if k.unwatched_s is not None]
