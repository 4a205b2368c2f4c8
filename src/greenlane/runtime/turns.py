"""Turns: one task of this process at a time works on a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock per run that is there for as long as somebody has it or waits for it, and no longer."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    def __contains__(self, run: str) -> bool:
        """Whether somebody works on the run, or waits to."""
        return run in self._locks

    @asynccontextmanager
    async def of(self, run: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(run, (asyncio.Lock(), 0))
        self._locks[run] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[run]
            if users == 1:
                del self._locks[run]
            else:
                self._locks[run] = (lock, users - 1)
