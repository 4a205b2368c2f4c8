# ruff: noqa: ARG002 - doubles take what their ports give and leave out what they do not model
"""The outside world in memory: a double of every port that a rollout needs, and a clock that jumps when slept on.

Ships with the package, so that agents can be tried without processes, a proxy or a repository: a canary of ten
minutes takes milliseconds. How a version behaves is set by the commit it was built from (`World.behaviours`).
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from greenlane.domain.contract import DocumentedGet
from greenlane.domain.delivery import (
    Artifact,
    Check,
    Counters,
    DeploymentSpec,
    Instance,
    Samples,
    Split,
    TrafficReading,
    Usage,
)
from greenlane.domain.errors import BuildFailedError, DeployFailedError, FencedError
from greenlane.domain.service_settings import HttpCheck, LoadRequest, Service
from greenlane.policy.contract import CHECK_PREFIX

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_FIRST_PORT = 20000


class MemoryClock:
    """Virtual time. `sleep` moves it on as soon as no other sleeper is due earlier; it never waits for real time."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._sleepers: list[tuple[float, int]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return _EPOCH + timedelta(seconds=self._now_s)

    def monotonic_s(self) -> float:
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        mine = (self._now_s + max(seconds, 0.0), next(self._numbers))
        heapq.heappush(self._sleepers, mine)
        try:
            await asyncio.sleep(0)
            while self._sleepers[0] != mine:  # noqa: ASYNC110 - the others move on in this loop; no event tells when
                await asyncio.sleep(0)
            self._now_s = max(self._now_s, mine[0])
        finally:
            self._sleepers.remove(mine)
            heapq.heapify(self._sleepers)


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How the version of one commit behaves. Rates are shares of requests, 0 to 1."""

    production_error_rate: float = 0.0
    production_slow_rate: float = 0.0
    staging_error_rate: float = 0.0
    latency_ms: float = 5.0
    rss_mb: float = 50.0
    rss_growth_mb: float = 0.0
    """Growth at each look."""
    log: str = ""
    builds: bool = True
    starts: bool = True
    failing_paths: tuple[str, ...] = ()
    failing_commands: tuple[str, ...] = ()
    dies_after_looks: int | None = None
    """The process is gone once it was asked for so often."""


class World:
    """All doubles together, sharing one clock, one list of effects, and one table of behaviours by commit.

    `on_effect` is called after each effect with its name (`start ID`, `retire ID`, `route SERVICE WEIGHT`,
    `advance BRANCH`); a test may raise from it, as a crash would strike.
    """

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.behaviours: dict[str, Behaviour] = {}
        self.effects: list[str] = []
        self.on_effect: Callable[[str], None] | None = None
        self.outage: BaseException | None = None
        """Raised, while set, by every call that would change something."""
        self.builder = MemoryBuilder(self)
        self.platform = MemoryPlatform(self)
        self.traffic = MemoryTraffic(self)
        self.load = MemoryLoad(self)
        self.probe = MemoryProbe(self)

    def behaviour_of(self, artifact: Artifact) -> Behaviour:
        return self.behaviours.get(artifact.commit, Behaviour())

    def reach(self) -> None:
        """Each effect asks first whether it can be had."""
        if self.outage is not None:
            raise self.outage

    def did(self, effect: str) -> None:
        self.effects.append(effect)
        if self.on_effect:
            self.on_effect(effect)

    def instance_at(self, url: str) -> Instance | None:
        return next((i for i in self.platform.running.values() if url == f"http://{i.host}:{i.port}"), None)


class _Fences:
    """The newest fence seen for each thing; an older one is refused."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def check(self, thing: str, fence: int | None) -> None:
        if fence is None:
            return
        if fence < self._newest.get(thing, 0):
            raise FencedError(f"{thing} is in the hands of a newer worker")
        self._newest[thing] = fence


class MemoryBuilder:
    """Digests the exported files; runs nothing."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def build(self, service: Service, source: Path, commit: str) -> Artifact:
        digest = hashlib.sha256(service.name.encode())
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            digest.update(str(file.relative_to(source)).encode() + b"\0" + file.read_bytes() + b"\0")
        artifact = Artifact(
            digest=f"sha256:{digest.hexdigest()}", service=service.name, commit=commit, location=f"memory:{commit}"
        )
        if not self._world.behaviour_of(artifact).builds:
            raise BuildFailedError(
                f"{service.name} does not build at {commit[:10]}", hint="last line of the build's log"
            )
        return artifact

    async def exercise(
        self, service: Service, artifact: Artifact, command: str, *, name: str, url: str, timeout_s: float
    ) -> Check:
        await self._world.clock.sleep(min(1.0, timeout_s))
        failed = command in self._world.behaviour_of(artifact).failing_commands
        return Check(name=name, passed=not failed, detail=f"`{command}` exited with 1" if failed else "", seconds=1.0)


class MemoryPlatform:
    """Instances are entries of `running`; `starts` lists every start, so that a doubled one shows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fences = _Fences()
        self._ports = itertools.count(_FIRST_PORT)
        self._looks: dict[str, int] = {}
        self.running: dict[str, Instance] = {}
        self.starts: list[str] = []

    async def deploy(self, service: Service, spec: DeploymentSpec, *, fence: int | None) -> Instance:
        self._world.reach()
        self._fences.check(spec.deployment_id, fence)
        if found := self.running.get(spec.deployment_id):
            return found
        if not self._world.behaviour_of(spec.artifact).starts:
            raise DeployFailedError(f"{service.name} did not become healthy", hint="last line of its log")
        instance = Instance(
            deployment_id=spec.deployment_id,
            service=service.name,
            artifact=spec.artifact,
            host="127.0.0.1",
            port=next(self._ports),
        )
        self.running[spec.deployment_id] = instance
        self.starts.append(spec.deployment_id)
        self._looks[spec.deployment_id] = 0
        self._world.did(f"start {spec.deployment_id}")
        return instance

    async def find(self, deployment_id: str) -> Instance | None:
        instance = self.running.get(deployment_id)
        if instance is None:
            return None
        self._looks[deployment_id] += 1
        dies = self._world.behaviour_of(instance.artifact).dies_after_looks
        if dies is not None and self._looks[deployment_id] > dies:
            self.kill(deployment_id)
            return None
        return instance

    async def retire(self, deployment_id: str, *, fence: int | None) -> None:
        self._world.reach()
        self._fences.check(deployment_id, fence)
        if self.running.pop(deployment_id, None):
            self._world.did(f"retire {deployment_id}")

    async def inspect(self, deployment_id: str) -> tuple[Usage, str]:
        instance = self.running.get(deployment_id)
        if instance is None:
            return Usage(cpu_s=0.0, rss_mb=0.0, processes=0), ""
        self._looks[deployment_id] += 1
        behaviour = self._world.behaviour_of(instance.artifact)
        rss = behaviour.rss_mb + behaviour.rss_growth_mb * self._looks[deployment_id]
        return Usage(cpu_s=1.0, rss_mb=rss, processes=1), behaviour.log

    def kill(self, deployment_id: str) -> None:
        """The process ends by itself, as a crash would."""
        del self.running[deployment_id]


class _Flow:
    """Requests of one service, as the virtual clock goes on."""

    def __init__(self) -> None:
        self.split: Split | None = None
        self.armed = False
        self.since_s = 0.0
        self.stable = [0.0, 0.0, 0.0]
        self.canary = [0.0, 0.0, 0.0]


class MemoryTraffic:
    """A router with `rates_rps` requests a second for each service, shared exactly by weight."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fences = _Fences()
        self._flows: dict[str, _Flow] = {}
        self.rates_rps: dict[str, float] = {}
        self.default_rps = 100.0
        self.added_rps: dict[str, float] = {}
        """Requests a second that a load generator sends to the service's address, beside those of the users."""
        self.unreadable: list[Exception] = []
        """Raised by the next calls of `read`, one each."""

    async def route(self, service: Service, split: Split, *, p99_limit_ms: float, fence: int, run: str = "") -> None:
        self._world.reach()
        self._fences.check(f"{service.name} {run}", fence)
        flow = self._flow(service.name)
        before = flow.split.canary.deployment_id if flow.split and flow.split.canary else None
        if split.canary is not None and split.canary.deployment_id != before:
            flow.stable, flow.canary = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        flow.split, flow.armed = split, True
        self._world.did(f"route {service.name} {split.canary_weight if split.canary else 0:g}")

    async def let_go(self, service: str) -> None:
        self._flow(service).armed = False

    async def observe(self, service: str) -> Split | None:
        return self._flow(service).split

    async def read(self, service: str) -> TrafficReading:
        if self.unreadable:
            raise self.unreadable.pop(0)
        flow = self._flow(service)
        return TrafficReading(stable=_counters(flow.stable), canary=_counters(flow.canary))

    async def address(self, service: str) -> str:
        return f"http://{service}.memory:80"

    @property
    def known(self) -> tuple[str, ...]:
        """Services that were asked for."""
        return tuple(self._flows)

    def add_load(self, service: str, rate_rps: float) -> None:
        """From now on so many requests a second come in beside those of the users."""
        self._flow(service)
        self.added_rps[service] = rate_rps

    def controller_gone(self) -> None:
        """The dead-man switch: until somebody routes again, canaries get nothing."""
        for name in self._flows:
            self._flow(name).armed = False

    def reset_counters(self, service: str) -> None:
        """As a restarted proxy would."""
        flow = self._flow(service)
        flow.stable, flow.canary = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]

    def _flow(self, service: str) -> _Flow:
        """The flow, brought up to the present."""
        flow = self._flows.setdefault(service, _Flow())
        now_s = self._world.clock.monotonic_s()
        passed_s, flow.since_s = now_s - flow.since_s, now_s
        if flow.split is None:
            return flow
        total = passed_s * (self.rates_rps.get(service, self.default_rps) + self.added_rps.get(service, 0.0))
        share = flow.split.canary_weight / 100 if flow.split.canary and flow.armed else 0.0
        self._count(flow.stable, flow.split.stable, total * (1 - share))
        if flow.split.canary:
            self._count(flow.canary, flow.split.canary, total * share)
        return flow

    def _count(self, counts: list[float], instance: Instance, requests: float) -> None:
        behaviour = self._world.behaviour_of(instance.artifact)
        gone = instance.deployment_id not in self._world.platform.running
        counts[0] += requests
        counts[1] += requests * (1.0 if gone else behaviour.production_error_rate)
        counts[2] += requests * behaviour.production_slow_rate


def _counters(counts: list[float]) -> Counters:
    requests, errors, slow = (int(c + 1e-6) for c in counts)
    return Counters(requests=requests, errors=errors, over_limit=slow)


class MemoryLoad:
    """Latencies are log-normal around `latency_ms`, the same each time."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def compare(
        self,
        targets: Mapping[str, str],
        requests: Sequence[LoadRequest],
        *,
        rate_rps: float,
        duration_s: float,
    ) -> Mapping[str, Samples]:
        at = {f"http://{name}.memory:80": name for name in self._world.traffic.known}
        routed = [at[url] for url in targets.values() if url in at]
        try:
            for service in routed:
                self._world.traffic.add_load(service, rate_rps)
            await self._world.clock.sleep(duration_s)
        finally:
            for service in routed:
                self._world.traffic.add_load(service, 0.0)
        return {name: self._samples(name, url, int(rate_rps * duration_s)) for name, url in targets.items()}

    def _samples(self, name: str, url: str, count: int) -> Samples:
        instance = self._world.instance_at(url)
        if instance is None:
            return Samples(latencies_ms=(), errors=count, requests=count)
        behaviour = self._world.behaviour_of(instance.artifact)
        errors = round(count * behaviour.staging_error_rate)
        draw = random.Random(name)
        latencies = tuple(behaviour.latency_ms * draw.lognormvariate(0, 0.3) for _ in range(count - errors))
        return Samples(latencies_ms=latencies, errors=errors, requests=count)


class MemoryProbe:
    """Fails for paths in `failing_paths`, and where nothing runs."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def check(self, base_url: str, check: HttpCheck, *, timeout_s: float) -> Check:
        name = f"{check.method} {check.path}"
        instance = self._world.instance_at(base_url)
        if instance is None:
            return Check(name=name, passed=False, detail="no answer")
        behaviour = self._world.behaviour_of(instance.artifact)
        if check.path in behaviour.failing_paths:
            return Check(name=name, passed=False, detail=f"status 500, expected {check.status}")
        return Check(name=name, passed=True, seconds=behaviour.latency_ms / 1000)

    async def documented(self, base_url: str, request: DocumentedGet, *, timeout_s: float) -> Check:
        asked = await self.check(base_url, HttpCheck(path=request.path), timeout_s=timeout_s)
        return msgspec.structs.replace(asked, name=f"{CHECK_PREFIX}GET {request.path}")
