"""The routers of all services behind the one port `Traffic`: each service has its own kind, and its own figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from greenlane.adapters.command_router import CommandReadings, CommandTraffic
from greenlane.adapters.envoy import EnvoyTraffic
from greenlane.adapters.haproxy import HaproxyTraffic
from greenlane.adapters.prometheus import PrometheusReadings
from greenlane.domain.delivery import Split, TrafficReading
from greenlane.domain.production import ProductionReading
from greenlane.domain.service_settings import Service
from greenlane.ports.traffic import Traffic


class Router(Traffic, Protocol):
    async def revive(self) -> None: ...

    async def close(self) -> None: ...


class Readings(Protocol):
    async def read(self, service: Service, split: Split | None) -> TrafficReading: ...


class Routers:
    """Implements `Traffic`. A service that is not in the settings any more is looked for at Envoy."""

    def __init__(
        self,
        state_dir: Path,
        services: Sequence[Service],
        *,
        limits_ms: Mapping[str, float],
        watch_gap_s: float | None = None,
    ) -> None:
        self._services = {service.name: service for service in services}
        self._envoy = envoy = EnvoyTraffic(state_dir, watch_gap_s=watch_gap_s)
        self._haproxy = haproxy = HaproxyTraffic(state_dir, watch_gap_s=watch_gap_s)
        program = CommandTraffic(state_dir, watch_gap_s=watch_gap_s)
        self._all: dict[str, Router] = {"envoy": envoy, "haproxy": haproxy, "command": program}
        for service in services:
            if service.router.kind == "haproxy":
                haproxy.know(service)
            if service.router.kind == "command":
                program.know(service)
        self._readings: dict[str, Readings] = {
            "prometheus": PrometheusReadings(limits_ms),
            "command": CommandReadings(limits_ms),
        }

    def _of(self, name: str) -> Router:
        known = self._services.get(name)
        return self._all[known.router.kind if known else "envoy"]

    async def route(self, service: Service, split: Split, *, p99_limit_ms: float, fence: int, run: str = "") -> None:
        await self._of(service.name).route(service, split, p99_limit_ms=p99_limit_ms, fence=fence, run=run)

    async def let_go(self, service: str) -> None:
        await self._of(service).let_go(service)

    async def observe(self, service: str) -> Split | None:
        return await self._of(service).observe(service)

    async def read(self, service: str) -> TrafficReading:
        """The router is read even where the figures come from elsewhere: to read is to watch (the dead-man switch)."""
        router = self._of(service)
        counted = await router.read(service)
        known = self._services.get(service)
        if known is None or known.metrics.source == "proxy":
            return counted
        return await self._readings[known.metrics.source].read(known, await router.observe(service))

    async def production(self, service: str) -> ProductionReading | None:
        """Implements `ProductionCounters` for the routers that count by themselves; None for programs."""
        known = self._services.get(service)
        if known is None or known.router.kind == "envoy":
            return await self._envoy.production(service)
        return await self._haproxy.production(service) if known.router.kind == "haproxy" else None

    async def address(self, service: str) -> str:
        return await self._of(service).address(service)

    async def revive(self) -> None:
        for router in self._all.values():
            await router.revive()

    async def close(self) -> None:
        for router in self._all.values():
            await router.close()
