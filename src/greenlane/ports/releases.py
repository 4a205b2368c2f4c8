"""Releases: what this ledger knows of those that went wrong. For decisions about the next one."""

from __future__ import annotations

from typing import Protocol

from greenlane.domain.release import Rollback


class Releases(Protocol):
    async def rollbacks(self) -> tuple[Rollback, ...]:
        """Every rollback of every run, oldest first. Raises LedgerUnavailableError, never an empty answer instead."""
