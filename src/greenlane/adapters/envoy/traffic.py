"""Envoy behind the port `Traffic`: shares, counters, and the dead-man switch armed in the right order."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import msgspec

from greenlane.adapters.envoy.admin import Admin, compute_counters
from greenlane.adapters.envoy.config import guard_words, target_clusters, version_cluster
from greenlane.adapters.envoy.record import Arm, Past, Raw, Routes, ServiceRoutes, Since
from greenlane.adapters.envoy.router import Router
from greenlane.adapters.guard import Guard
from greenlane.adapters.processes import locked
from greenlane.adapters.routing import check_fence, check_split, is_promotion
from greenlane.adapters.sockets import LOOPBACK, find_free_port, find_obstacle
from greenlane.domain.delivery import Counters, Split, TrafficReading
from greenlane.domain.errors import InputError, RetryableError
from greenlane.domain.production import ProductionReading
from greenlane.domain.service_settings import Service

REQUEST_TIMEOUT_S = 15.0
"""A version that sends nothing for this long has failed the request (504)."""
KEEP_PAST_S = 120.0
"""How long Envoy keeps a version that lost its traffic, for answers that are still under way."""
DRAIN_S = 3.0
"""How long `route` waits for requests that a version without traffic still answers."""
ARM_TIMEOUT_S = 5.0
POLL_S = 0.02
FLUSH_S = 0.25
"""A little over Envoy's own interval of merging histograms (0.2 s)."""


class EnvoyTraffic:
    """One router per state folder. Every method may be called from several processes at once.

    `watch_gap_s`: a canary whose counters this process has not read for so long counts as unwatched, and gets nothing
    until they are read again. None: it is watched for as long as the process lives and does not let go.
    """

    def __init__(
        self, state_dir: Path, *, request_timeout_s: float = REQUEST_TIMEOUT_S, watch_gap_s: float | None = None
    ) -> None:
        self._watch_gap_s = watch_gap_s
        self._router = Router(state_dir, request_timeout_s)
        self._lock_path = state_dir.resolve() / "locks" / "envoy.lock"
        self._guards: dict[str, tuple[int, Guard]] = {}
        """The switches that this process holds, with the number of the arm, by service."""

    # ------------------------------------------------------------------ the port

    async def route(self, service: Service, split: Split, *, p99_limit_ms: float, fence: int, run: str = "") -> None:
        """Share traffic like this; returns when Envoy says that it does. The first call opens the listener.

        A canary that this process does not watch yet gets its weight only after it was at 0, its switch was armed
        anew and Envoy found this process answering. Raises InputError if the service's port is in use.
        """
        check_split(service, split)
        async with locked(self._lock_path):
            routes = await self._router.ensure()
            old = routes.services.get(service.name)
            fences = check_fence(old, run, fence)
            if not is_promotion(old, split):
                self._drop_guard_unless(service.name, split)  # a second way to 0, should Envoy not take the first
            target = self._follow(service, old, split, p99_limit_ms, fences)
            target = await self._count_from_here(routes, target)
            armed = self._holds(target)
            if split.canary is not None and split.canary_weight > 0 and not armed:
                routes, target = await self._apply(routes, msgspec.structs.replace(target, weight=0.0, arm=None))
                routes, target = await self._arm(routes, target)
            routes, target = await self._apply(routes, msgspec.structs.replace(target, weight=split.canary_weight))
            self._drop_guard_unless(service.name, split)
            self._saw(service.name)
        await self._drain(routes, old, target)

    async def let_go(self, service: str) -> None:
        """Close our end of the switch: Envoy finds nobody watching within a second. Not held by us: nothing."""
        _, guard = self._guards.pop(service, (0, None))
        if guard is not None:
            guard.close()

    async def observe(self, service: str) -> Split | None:
        """The shares of Envoy's own route table. They stand while the dead-man switch sends all to stable."""
        routes = self._router.read()
        record = routes.services.get(service)
        if record is None or not self._router.is_running(routes):
            return None
        applied = (await Admin(routes.admin_socket).applied_routes()).get(service)
        if applied is None:
            return None
        known = {version_cluster(service, name): instance for name, instance in record.instances().items()}
        stable = [instance for name, instance in known.items() if name in applied.shares]
        weight = sum(share for name, share in applied.shares.items() if name not in known)
        return Split(stable=stable[0] if stable else record.stable, canary=record.canary, canary_weight=weight)

    async def read(self, service: str) -> TrafficReading:
        """Counters since the latest canary was first routed; they stay readable after its end. Zeros before any.

        If Envoy itself was started anew meanwhile, they count from then on.
        """
        routes = self._router.read()
        record = routes.services.get(service)
        if record is None or not self._router.is_running(routes):
            return TrafficReading(stable=Counters(), canary=Counters())
        admin = Admin(routes.admin_socket)
        since = record.since
        if since is None:
            stable_id = record.stable.deployment_id
            raw = await admin.read_versions(service, (stable_id,))
            stable = compute_counters(raw[stable_id], Raw(), record.limit_ms)
            return TrafficReading(stable=stable, canary=Counters())
        raw = await admin.read_versions(service, (since.stable_id, since.canary_id))
        self._saw(service)
        same = since.epoch == self._router.epoch()
        return TrafficReading(
            stable=compute_counters(raw[since.stable_id], since.stable if same else Raw(), record.limit_ms),
            canary=compute_counters(raw[since.canary_id], since.canary if same else Raw(), record.limit_ms),
        )

    async def production(self, service: str) -> ProductionReading | None:
        """The counters of the stable version; None while a canary takes part. Keeps no dead-man switch open."""
        routes = self._router.read()
        record = routes.services.get(service)
        if record is None or not self._router.is_running(routes) or (record.canary is not None and record.weight > 0):
            return None
        stable_id = record.stable.deployment_id
        raw = await Admin(routes.admin_socket).read_versions(service, (stable_id,))
        return ProductionReading(
            version=f"{stable_id} {self._router.epoch()}",
            counters=compute_counters(raw[stable_id], Raw(), record.limit_ms),
        )

    async def address(self, service: str) -> str:
        record = self._router.read().services.get(service)
        if record is None:
            raise InputError(f"nothing is routed for service {service} yet", hint="deploy it first")
        return f"http://{LOOPBACK}:{record.port}"

    async def revive(self) -> None:
        """Start the router again if it is gone (the machine was started anew): stable versions alone. For `up`."""
        async with locked(self._lock_path):
            if self._router.read().services:
                await self._router.ensure()

    async def close(self) -> None:
        """Watch nothing any more: canaries fall back to stable. Envoy and the services go on."""
        for _, guard in self._guards.values():
            guard.close()
        self._guards.clear()

    # ------------------------------------------------------------------ what is to be routed

    def _follow(
        self, service: Service, old: ServiceRoutes | None, split: Split, limit_ms: float, fences: dict[str, int]
    ) -> ServiceRoutes:
        """The record after this split; what it drops is kept for the answers still under way. Weight stays as is."""
        if old is None:
            new = ServiceRoutes(service=service.name, port=_claim_port(service, None), stable=split.stable)
        else:
            new = msgspec.structs.replace(old, port=_claim_port(service, old), stable=split.stable)
        new = msgspec.structs.replace(
            new, canary=split.canary, limit_ms=limit_ms, fences=fences, header=service.router.header,
            mirror_pct=service.router.mirror_pct,
        )  # fmt: skip
        if old is None:
            return new
        if old.arm is not None and not self._holds(new):
            new = msgspec.structs.replace(new, arm=None, weight=0.0)
        return msgspec.structs.replace(new, past=_keep_past(old, new))

    def _holds(self, record: ServiceRoutes) -> bool:
        """Whether this process holds the switch of exactly this canary over this stable version."""
        number, guard = self._guards.get(record.service, (-1, None))
        arm = record.arm
        return (
            arm is not None
            and guard is not None
            and guard.is_open
            and number == arm.number
            and record.canary is not None
            and arm.canary_id == record.canary.deployment_id
            and arm.stable_id == record.stable.deployment_id
        )

    def _saw(self, service: str) -> None:
        if service in self._guards:
            self._guards[service][1].saw()

    def _drop_guard_unless(self, service: str, split: Split) -> None:
        if (split.canary is None or split.canary_weight <= 0) and service in self._guards:
            self._guards.pop(service)[1].close()

    async def _count_from_here(self, routes: Routes, record: ServiceRoutes) -> ServiceRoutes:
        """Remember the counters at which a new canary begins."""
        canary = record.canary
        if canary is None:
            return record
        stable_id, canary_id = record.stable.deployment_id, canary.deployment_id
        since = record.since
        if since is not None and (since.canary_id, since.stable_id) == (canary_id, stable_id):
            return record
        await asyncio.sleep(FLUSH_S)  # so that its histograms hold what its counters do
        raw = await Admin(routes.admin_socket).read_versions(record.service, (stable_id, canary_id))
        begun = Since(
            canary_id=canary_id,
            stable_id=stable_id,
            epoch=self._router.epoch(),
            canary=raw[canary_id],
            stable=raw[stable_id],
        )
        return msgspec.structs.replace(record, since=begun)

    # ------------------------------------------------------------------ doing it

    async def _apply(self, routes: Routes, record: ServiceRoutes) -> tuple[Routes, ServiceRoutes]:
        """Write the record, tell Envoy, and hold what it reports against what was asked."""
        before = routes.services.get(record.service)
        leaving = before.arm if before is not None and before.arm != record.arm else None
        routes = msgspec.structs.replace(routes, services={**routes.services, record.service: record})
        self._router.write(routes)
        if await self._knows_already(routes, record):
            shares = await self._router.apply_shares(routes, record)  # a roll-back is one write, before all else
            await self._router.apply_targets(routes, record, None)
            await self._check_listener(routes, record)
        else:
            await self._router.apply_targets(routes, record, leaving)
            await self._check_listener(routes, record)
            shares = await self._router.apply_shares(routes, record)
            if leaving is not None:
                await self._router.drop_leavers(routes, record)
        stable = shares.get(version_cluster(record.service, record.stable.deployment_id), 0.0)
        if abs(100 - record.weight - stable) > 0.01:
            raise RetryableError(
                f"the router reports {stable:g} % for the stable version of {record.service}, "
                f"not the {100 - record.weight:g} % it was told"
            )
        return routes, record

    async def _knows_already(self, routes: Routes, record: ServiceRoutes) -> bool:
        """Whether Envoy's route table names every cluster that is to get requests, so that nothing need be added."""
        applied = (await Admin(routes.admin_socket).applied_routes()).get(record.service)
        return applied is not None and all(name in applied.shares for name in target_clusters(record))

    async def _check_listener(self, routes: Routes, record: ServiceRoutes) -> None:
        error = await Admin(routes.admin_socket).listener_error(record.service)
        if error:
            self._router.forget_listeners()
            obstacle = find_obstacle(record.port) or "was refused by the router"
            raise InputError(
                f"port {record.port} of service {record.service} {obstacle}: {error}", hint=_port_hint(record.service)
            )

    async def _arm(self, routes: Routes, record: ServiceRoutes) -> tuple[Routes, ServiceRoutes]:
        """Hold a switch in this process and wait until Envoy hears it. The canary is at weight 0 meanwhile."""
        assert record.canary is not None
        if record.service in self._guards:
            self._guards.pop(record.service)[1].close()
        word = uuid4().hex
        guard = await Guard.open(guard_words(word), self._watch_gap_s)
        number = routes.arms + 1
        arm = Arm(
            number=number,
            canary_id=record.canary.deployment_id,
            stable_id=record.stable.deployment_id,
            port=guard.port,
            word=word,
        )
        self._guards[record.service] = (number, guard)
        routes = msgspec.structs.replace(routes, arms=number)
        routes, record = await self._apply(routes, msgspec.structs.replace(record, arm=arm))
        admin = Admin(routes.admin_socket)
        name = f"cluster.{record.service}/hop/{number}.membership_healthy"
        until = time.monotonic() + ARM_TIMEOUT_S
        while time.monotonic() < until:
            guard.saw()
            if (await admin.values(f"^{name}$".replace(".", r"\."))).get(name) == 1:
                return routes, record
            await asyncio.sleep(POLL_S)
        self._guards.pop(record.service)[1].close()
        raise RetryableError(f"the router does not see that the canary of {record.service} is watched")

    async def _drain(self, routes: Routes, old: ServiceRoutes | None, new: ServiceRoutes) -> None:
        """Give versions that just lost all traffic a moment for the requests they are answering."""
        if old is None:
            return
        present = {new.stable.deployment_id}
        if new.canary is not None and new.weight > 0:
            present.add(new.canary.deployment_id)
        before = [old.stable] + ([old.canary] if old.canary and old.weight > 0 else [])
        left = tuple(version.deployment_id for version in before if version.deployment_id not in present)
        if not left:
            return
        admin = Admin(routes.admin_socket)
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until:
            raw = await admin.read_versions(new.service, left)
            if all(each.active == 0 for each in raw.values()):
                return
            await asyncio.sleep(POLL_S)


def _keep_past(old: ServiceRoutes, new: ServiceRoutes) -> tuple[Past, ...]:
    """What lost its place in this step, and what lost it not long ago."""
    now = time.time()
    kept = [past for past in old.past if now - past.dropped_at < KEEP_PAST_S]
    present = {version.deployment_id for version in (new.stable, new.canary) if version}
    dropped = [version for version in (old.stable, old.canary) if version and version.deployment_id not in present]
    kept = [past for past in kept if past.instance.deployment_id not in present]
    return (*kept, *(Past(dropped_at=now, instance=instance) for instance in dropped))


def _claim_port(service: Service, old: ServiceRoutes | None) -> int:
    """The port of the service's listener: the one it has, the one it is to have, or a free one."""
    if old is not None and service.port in (0, old.port):
        return old.port
    port = service.port or find_free_port()
    if obstacle := find_obstacle(port):
        raise InputError(f"port {port} of service {service.name} {obstacle}", hint=_port_hint(service.name))
    return port


def _port_hint(service: str) -> str:
    return f"set another `port` for service `{service}` under `services` in greenlane.yaml, or stop what listens there"
