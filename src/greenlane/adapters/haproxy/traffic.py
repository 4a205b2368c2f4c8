"""HAProxy behind the port `Traffic`: shares as weights of two servers, a third one as what both fall back to.

Dead-man switch: the health check of the server `canary` asks not the canary but the process that watches it. When that
is gone, HAProxy marks the canary down and sends its share to `stable`, or to `fallback`, which points to the same
version, where `stable` has no weight.
"""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from pathlib import Path

import msgspec

from greenlane.adapters.guard import Guard
from greenlane.adapters.haproxy.runtime import Runtime, Slot, SlotCounts
from greenlane.adapters.haproxy.section import BOUNDS_MS, CANARY, FALLBACK, GUARD_WORDS, STABLE
from greenlane.adapters.processes import locked, read_struct, write_struct
from greenlane.adapters.routing import Routed, check_fence, check_split, is_promotion
from greenlane.domain.delivery import Counters, Instance, Split, TrafficReading
from greenlane.domain.errors import FinalError, InputError, RetryableError
from greenlane.domain.production import ProductionReading
from greenlane.domain.service_settings import Service

MOST_WEIGHT = 256
ARM_TIMEOUT_S = 5.0
DRAIN_S = 3.0
POLL_S = 0.02


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """The counters when a canary was first routed, and the run of HAProxy in which they were read."""

    epoch: str
    canary_id: str
    stable: SlotCounts
    canary: SlotCounts


class Kept(Routed, frozen=True, kw_only=True):
    """`ended` is the last reading of a canary."""

    since: Since | None = None
    ended: TrafficReading | None = None


class HaproxyTraffic:
    """The services whose router is this HAProxy. Every method may be called from several processes at once.

    `watch_gap_s`: a canary whose counters this process has not read for so long counts as unwatched.
    """

    def __init__(self, state_dir: Path, *, watch_gap_s: float | None = None) -> None:
        self._folder = state_dir.resolve() / "haproxy"
        self._locks = state_dir.resolve() / "locks"
        self._watch_gap_s = watch_gap_s
        self._guards: dict[str, tuple[str, Guard]] = {}
        """The switches that this process holds, with the canary they are for, by service."""
        self._services: dict[str, Service] = {}

    # ------------------------------------------------------------------ the port

    def know(self, service: Service) -> None:
        """Its calls by name alone (`read`, `observe`) are answered from now on."""
        self._services[service.name] = service

    async def route(self, service: Service, split: Split, *, p99_limit_ms: float, fence: int, run: str = "") -> None:
        """Share traffic like this; returns when HAProxy shows that it does. Raises InputError, FencedError."""
        check_split(service, split)
        self.know(service)
        runtime, backend = self._reach(service)
        async with locked(self._locks / f"haproxy-{service.name}.lock"):
            old = self._read(service.name)
            fences = check_fence(old, run, fence)
            promotes = is_promotion(old, split)
            await runtime.slots(backend)  # before anything is written: is there such a backend?
            if not promotes and (split.canary is None or split.canary_weight <= 0):
                await self.let_go(service.name)  # a second way to 0, should HAProxy not take the first
            if old is not None and old.canary is not None and split.canary_weight == 0 and not promotes:
                await runtime.set_slots(backend, f"{STABLE} weight {MOST_WEIGHT}", f"{CANARY} weight 0")
            await runtime.set_limit(service.name, p99_limit_ms)
            kept = Kept(
                stable=split.stable, canary=split.canary, weight=split.canary_weight, limit_ms=p99_limit_ms,
                fences=fences, since=old.since if old else None, ended=old.ended if old else None,
            )  # fmt: skip
            kept = await self._count_from_here(runtime, backend, old, kept)
            self._write(service.name, kept)
            await self._apply(runtime, backend, service.name, kept)
            if split.canary is None or split.canary_weight <= 0:
                await self.let_go(service.name)
        if old is not None and old.weight > 0 and split.canary_weight == 0:
            await self._drain(runtime, backend)

    async def let_go(self, service: str) -> None:
        """Close our end of the switch: HAProxy finds nobody watching within a second. Not held by us: nothing."""
        _, guard = self._guards.pop(service, ("", None))
        if guard is not None:
            guard.close()

    async def observe(self, service: str) -> Split | None:
        """The shares by the weights that HAProxy has. They stand while the dead-man switch sends all to stable."""
        kept = self._read(service)
        if kept is None or service not in self._services:
            return None
        runtime, backend = self._reach(self._services[service])
        slots = await runtime.slots(backend)
        if slots[STABLE].address != _address(kept.stable):
            raise FinalError(
                f"HAProxy sends {service} to {slots[STABLE].address}, not to {_address(kept.stable)} as it was told",
                hint="was it reloaded without `load-server-state-from-file`? `greenlane up` points it back",
            )
        return Split(stable=kept.stable, canary=kept.canary, canary_weight=_share(slots) if kept.canary else 0.0)

    async def read(self, service: str) -> TrafficReading:
        """Counters since the latest canary was first routed; after its end, as they were then. Zeros before any."""
        kept = self._read(service)
        if kept is None or service not in self._services:
            return TrafficReading(stable=Counters(), canary=Counters())
        if kept.canary is None and kept.ended is not None:
            return kept.ended
        reading = await self._reading(*self._reach(self._services[service]), kept)
        if service in self._guards:
            self._guards[service][1].saw()
        return reading

    async def production(self, service: str) -> ProductionReading | None:
        """The counters of what serves users, whichever version it is; None while a canary takes part."""
        kept = self._read(service)
        if kept is None or service not in self._services or (kept.canary is not None and kept.weight > 0):
            return None
        runtime, backend = self._reach(self._services[service])
        counts = await runtime.counts(backend)
        return ProductionReading(
            version=await runtime.epoch(), counters=_between(_stable(counts), SlotCounts(), kept.limit_ms)
        )

    async def address(self, service: str) -> str:
        known = self._services.get(service)
        if known is None or self._read(service) is None:
            raise InputError(f"nothing is routed for service {service} yet", hint="deploy it first")
        return known.router.address or ""

    async def revive(self) -> None:
        """Point HAProxy to what was routed, if it was started anew; no canary gets any weight. For `up`."""
        for name, service in self._services.items():
            kept = self._read(name)
            if kept is None:
                continue
            runtime, backend = self._reach(service)
            async with locked(self._locks / f"haproxy-{name}.lock"):
                slots = await runtime.slots(backend)
                if slots[STABLE].address != _address(kept.stable):
                    await runtime.set_limit(name, kept.limit_ms)
                    await self._apply(runtime, backend, name, msgspec.structs.replace(kept, canary=None, weight=0.0))

    async def close(self) -> None:
        """Watch nothing any more: canaries fall back to stable. HAProxy and the services go on."""
        for name in tuple(self._guards):
            await self.let_go(name)

    # ------------------------------------------------------------------ doing it

    async def _apply(self, runtime: Runtime, backend: str, service: str, kept: Kept) -> None:
        stable, canary = kept.stable, kept.canary
        to_stable = [f"{name} addr {stable.host} port {stable.port}" for name in (STABLE, FALLBACK)]
        if canary is None or kept.weight <= 0:
            ending = (f"{STABLE} weight {MOST_WEIGHT}", f"{CANARY} weight 0", f"{CANARY} state maint")
            await runtime.set_slots(backend, *to_stable, *ending)
        else:
            await runtime.set_slots(backend, *to_stable)
            if not self._holds(service, canary):
                await self._arm(runtime, backend, service, canary)
            of_canary, of_stable = _weights(kept.weight)
            await runtime.set_slots(backend, f"{CANARY} weight {of_canary}", f"{STABLE} weight {of_stable}")
        slots = await runtime.slots(backend)
        shown = _share(slots)
        if abs(shown - kept.weight) > 0.5 or slots[STABLE].address != _address(stable):
            raise RetryableError(
                f"HAProxy shows {shown:g} % for the canary of {service} and {slots[STABLE].address} as stable, "
                f"not {kept.weight:g} % and {_address(stable)} as it was told"
            )

    def _holds(self, service: str, canary: Instance) -> bool:
        held, guard = self._guards.get(service, ("", None))
        return guard is not None and guard.is_open and held == canary.deployment_id

    async def _arm(self, runtime: Runtime, backend: str, service: str, canary: Instance) -> None:
        """At weight 0: point the canary's check to a port of this process and wait until it was answered."""
        await self.let_go(service)
        guard = await Guard.open(GUARD_WORDS, self._watch_gap_s)
        self._guards[service] = (canary.deployment_id, guard)
        await runtime.set_slots(
            backend,
            f"{CANARY} weight 0",
            f"{CANARY} state maint",
            f"{CANARY} addr {canary.host} port {canary.port}",
            f"{CANARY} check-addr 127.0.0.1 port {guard.port}",
            f"{CANARY} state ready",
        )
        until = time.monotonic() + ARM_TIMEOUT_S
        while time.monotonic() < until:
            guard.saw()
            if guard.answers:
                slot = (await runtime.slots(backend))[CANARY]
                if slot.is_up and not slot.in_maintenance:
                    return
            await asyncio.sleep(POLL_S)
        await self.let_go(service)
        raise RetryableError(f"HAProxy does not see that the canary of {service} is watched")

    async def _count_from_here(self, runtime: Runtime, backend: str, old: Kept | None, kept: Kept) -> Kept:
        """Remember the counters at which a new canary begins, and those at which the last one ended."""
        if kept.canary is None:
            if old is not None and old.canary is not None:
                return msgspec.structs.replace(kept, ended=await self._reading(runtime, backend, old))
            return kept
        since = kept.since
        if since is not None and since.canary_id == kept.canary.deployment_id and old is not None and old.canary:
            return kept
        counts = await runtime.counts(backend)
        begun = Since(
            epoch=await runtime.epoch(), canary_id=kept.canary.deployment_id, stable=_stable(counts),
            canary=counts[CANARY],
        )  # fmt: skip
        return msgspec.structs.replace(kept, since=begun, ended=None)

    async def _reading(self, runtime: Runtime, backend: str, kept: Kept) -> TrafficReading:
        counts = await runtime.counts(backend)
        since = kept.since
        if since is None:
            return TrafficReading(stable=_between(_stable(counts), SlotCounts(), kept.limit_ms), canary=Counters())
        if since.epoch != await runtime.epoch():
            since = msgspec.structs.replace(since, stable=SlotCounts(), canary=SlotCounts())
        return TrafficReading(
            stable=_between(_stable(counts), since.stable, kept.limit_ms),
            canary=_between(counts[CANARY], since.canary, kept.limit_ms),
        )

    async def _drain(self, runtime: Runtime, backend: str) -> None:
        """Give the version that lost its traffic a moment for the requests it is answering."""
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until:
            if not (await runtime.counts(backend))[CANARY].open:
                return
            await asyncio.sleep(POLL_S)

    # ------------------------------------------------------------------ the record

    def _reach(self, service: Service) -> tuple[Runtime, str]:
        assert service.router.socket is not None, "settings without it are refused"
        return Runtime(service.router.socket), service.router.backend or service.name

    def _read(self, service: str) -> Kept | None:
        return read_struct(self._folder / f"{service}.json", Kept)

    def _write(self, service: str, kept: Kept) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_struct(self._folder / f"{service}.json", kept)


def _weights(percent: float) -> tuple[int, int]:
    """Weights (canary, stable), 0 to 256 each, as large as they can be, whose share is nearest to this one."""
    share = Fraction(percent / 100).limit_denominator(MOST_WEIGHT)
    canary, stable = share.numerator, share.denominator - share.numerator
    scale = MOST_WEIGHT // max(canary, stable)
    return canary * scale, stable * scale


def _share(slots: dict[str, Slot]) -> float:
    """The canary's share in percent, by the weights."""
    canary, stable = slots[CANARY], slots[STABLE]
    if canary.in_maintenance or canary.weight == 0:
        return 0.0
    return round(100 * canary.weight / (canary.weight + stable.weight), 2)


def _address(instance: Instance) -> str:
    return f"{instance.host}:{instance.port}"


def _stable(counts: dict[str, SlotCounts]) -> SlotCounts:
    """What the stable version answered, as `stable` or in place of a canary that nobody watched."""
    one, other = counts[STABLE], counts[FALLBACK]
    return SlotCounts(
        requests=one.requests + other.requests,
        errors=one.errors + other.errors,
        over_limit=one.over_limit + other.over_limit,
        over=tuple(a + b for a, b in zip(one.over, other.over, strict=True)),
        open=one.open + other.open,
    )


def _between(now: SlotCounts, since: SlotCounts, limit_ms: float) -> Counters:
    requests = max(0, now.requests - since.requests)
    over = {float(b): max(0, n - s) for b, n, s in zip(BOUNDS_MS, now.over, since.over, strict=True)}
    over_limit = max(0, now.over_limit - since.over_limit)
    if limit_ms:
        over[float(limit_ms)] = over_limit
    histogram = tuple((bound, max(0, requests - over[bound])) for bound in sorted(over))
    return Counters(
        requests=requests,
        errors=max(0, now.errors - since.errors),
        over_limit=over_limit,
        histogram=(*histogram, (1e7, requests)),
    )
