"""Releases: what this ledger knows of those that went wrong. For decisions about the next one."""

from __future__ import annotations

from typing import Protocol

from greenlane.domain.delivery import Spread
from greenlane.domain.release import Rollback


class Releases(Protocol):
    async def rollbacks(self) -> tuple[Rollback, ...]:
        """Every rollback of every run, oldest first. Raises LedgerUnavailableError, never an empty answer instead."""

    async def spreads(self, service: str, *, tick_s: float, p99_limit_ms: float) -> tuple[Spread, Spread] | None:
        """How failed and slow requests of the stable version were spread over the looks of this service's latest
        canaries, those with the same distance of looks (and, for slow ones, the same limit of latency); None: there
        were none."""
