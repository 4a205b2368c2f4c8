"""A program of the adopter's as router, or as source of the canary's figures (docs/adapters.md has the contract).

What is routed, and by which worker, is kept here; the program is told, and answers with what its router reports. The
dead-man switch is the program's: `route` says after how many seconds without a `read` the canary must be at 0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from greenlane.adapters.processes import locked, read_struct, write_struct
from greenlane.adapters.programs import Answer, call_program
from greenlane.adapters.routing import Routed, check_fence, check_split
from greenlane.domain.delivery import Counters, Instance, Split, TrafficReading
from greenlane.domain.errors import GreenlaneError, InputError, RetryableError
from greenlane.domain.service_settings import Service

ROUTER_CONTRACT = "greenlane.router/1"
METRICS_CONTRACT = "greenlane.metrics/1"
TOLERANCE_PERCENT = 1.0
"""Routers share by whole numbers: what they report may differ by this from what they were told."""
LET_GO_S = 2.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the program gets. `call` is `route`, `observe`, `read` or `let_go`."""

    contract: str
    call: str
    service: str
    stable: Instance | None = None
    canary: Instance | None = None
    canary_weight: float = 0.0
    p99_limit_ms: float = 0.0
    fence: int = 0
    unwatched_after_s: float | None = None


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `route` and `observe`: the canary's share in percent as the router reports it."""

    canary_weight: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `read`: cumulative counters of both versions."""

    stable: Counters
    canary: Counters


class Done(msgspec.Struct, frozen=True):
    """Any answer."""


class CommandTraffic:
    def __init__(self, state_dir: Path, *, watch_gap_s: float | None = None) -> None:
        self._folder = state_dir.resolve() / "router"
        self._locks = state_dir.resolve() / "locks"
        self._watch_gap_s = watch_gap_s
        self._services: dict[str, Service] = {}

    def know(self, service: Service) -> None:
        """Its calls by name alone (`read`, `observe`) are answered from now on."""
        self._services[service.name] = service

    async def route(self, service: Service, split: Split, *, p99_limit_ms: float, fence: int, run: str = "") -> None:
        check_split(service, split)
        self.know(service)
        async with locked(self._locks / f"router-{service.name}.lock"):
            kept = Routed(
                stable=split.stable, canary=split.canary, weight=split.canary_weight, limit_ms=p99_limit_ms,
                fences=check_fence(self._read(service.name), run, fence),
            )  # fmt: skip
            self._folder.mkdir(parents=True, exist_ok=True)
            write_struct(self._folder / f"{service.name}.json", kept)
            shown = (await self._ask(service, "route", kept, Shares, fence=fence)).canary_weight
        if abs(shown - split.canary_weight) > TOLERANCE_PERCENT:
            raise RetryableError(
                f"the router reports {shown:g} % for the canary of {service.name}, not the "
                f"{split.canary_weight:g} % it was told"
            )

    async def let_go(self, service: str) -> None:
        """Told to the program as well; whether it hears or not, it is read no more."""
        kept, known = self._read(service), self._services.get(service)
        if kept is not None and known is not None:
            with contextlib.suppress(GreenlaneError):
                await self._ask(known, "let_go", kept, Done, timeout_s=LET_GO_S)

    async def observe(self, service: str) -> Split | None:
        kept, known = self._read(service), self._services.get(service)
        if kept is None or known is None:
            return None
        shown = await self._ask(known, "observe", kept, Shares)
        return Split(stable=kept.stable, canary=kept.canary, canary_weight=shown.canary_weight if kept.canary else 0.0)

    async def read(self, service: str) -> TrafficReading:
        kept, known = self._read(service), self._services.get(service)
        if kept is None or known is None:
            return TrafficReading(stable=Counters(), canary=Counters())
        figures = await self._ask(known, "read", kept, Figures)
        return TrafficReading(stable=figures.stable, canary=figures.canary)

    async def address(self, service: str) -> str:
        known = self._services.get(service)
        if known is None or self._read(service) is None:
            raise InputError(f"nothing is routed for service {service} yet", hint="deploy it first")
        return known.router.address or ""

    async def revive(self) -> None:
        """The router is not ours to start."""

    async def close(self) -> None:
        """Nothing is held here: canaries end at 0 when they are read no more."""

    def _read(self, service: str) -> Routed | None:
        return read_struct(self._folder / f"{service}.json", Routed)

    async def _ask(
        self,
        service: Service,
        call: str,
        kept: Routed,
        answer: type[Answer],
        *,
        fence: int = 0,
        timeout_s: float | None = None,
    ) -> Answer:
        asked = Asked(
            contract=ROUTER_CONTRACT, call=call, service=service.name, stable=kept.stable, canary=kept.canary,
            canary_weight=kept.weight, p99_limit_ms=kept.limit_ms, fence=fence, unwatched_after_s=self._watch_gap_s,
        )  # fmt: skip
        router = service.router
        return await call_program(router.command or "", asked, answer, timeout_s=timeout_s or router.timeout_s)


class CommandReadings:
    """Figures from a program, where another router shares the traffic."""

    def __init__(self, limits_ms: Mapping[str, float]) -> None:
        self._limits_ms = limits_ms

    async def read(self, service: Service, split: Split | None) -> TrafficReading:
        if split is None:
            return TrafficReading(stable=Counters(), canary=Counters())
        asked = Asked(
            contract=METRICS_CONTRACT, call="read", service=service.name, stable=split.stable, canary=split.canary,
            canary_weight=split.canary_weight, p99_limit_ms=self._limits_ms[service.name],
        )  # fmt: skip
        metrics = service.metrics
        figures = await call_program(metrics.command or "", asked, Figures, timeout_s=metrics.timeout_s)
        return TrafficReading(stable=figures.stable, canary=figures.canary)
