"""Traffic: the router in front of a service's versions, and its counters."""

from __future__ import annotations

from typing import Protocol

from greenlane.domain.delivery import Split, TrafficReading
from greenlane.domain.service_settings import Service


class Traffic(Protocol):
    """Each call may be repeated safely; `fence` of an older worker is refused with FencedError: it counts the workers
    of `run`, on whose behalf is routed, and is checked in the same critical section as the change that it guards.

    While a canary has weight, the router itself sends its traffic to stable as soon as the process that called
    `route` is gone (a dead-man switch in the data plane). A worker that takes over routes again before it watches.
    """

    async def route(self, service: Service, split: Split, *, p99_limit_ms: float, fence: int, run: str = "") -> None:
        """Share the service's production traffic like this. A new canary starts with counters at 0."""

    async def let_go(self, service: str) -> None:
        """Stop holding the dead-man switch: the router sends canary traffic to stable by itself. For a watch that
        can't go on while its process lives; needs neither a fence nor the router's answer, and never raises."""

    async def observe(self, service: str) -> Split | None:
        """The split as the router itself reports it; None if nothing is routed yet."""

    async def read(self, service: str) -> TrafficReading:
        """The router's cumulative counters of both versions since the canary was first routed."""

    async def address(self, service: str) -> str:
        """Where users reach the service: `http://127.0.0.1:8080`."""
