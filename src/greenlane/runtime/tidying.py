"""Clearing up after runs that ended, and around runs that nobody works on. Used by the worker alone.

Clearing up is not cancelled with the agents: whoever stops the worker waits for it, for a bounded time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from greenlane.domain.change import Change
from greenlane.domain.errors import FencedError
from greenlane.policy.lifecycle import Standing, State

log = logging.getLogger(__name__)
PATIENCE_S = 20.0
"""Some services that ignore SIGTERM are gone by then; what is left is cleared up when the run goes on."""


class Tidier(Protocol):
    """Both may be repeated."""

    async def tidy(self, change: Change) -> None:
        """Remove what an ended run left behind (staging instances, work folders)."""

    async def rest(self, change: Change) -> None:
        """Stop what need not run while nobody works on the run (staging instances); an agent starts it again."""


class Tidying:
    def __init__(self, tidier: Tidier | None) -> None:
        self._tidier = tidier
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, change: Change, standing: Standing, *, stopping: bool = False) -> None:
        """Clear up as far as this standing asks for it, beside whatever goes on; `finish` waits for it."""
        rests = stopping or standing.state in (State.AWAITING_HUMAN, State.PAUSED, State.POSTPONED)
        if self._tidier is None or not (standing.ended or rests):
            return
        task = asyncio.get_running_loop().create_task(self._clear_up(self._tidier, change, ended=standing.ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _clear_up(tidier: Tidier, change: Change, *, ended: bool) -> None:
        try:
            await (tidier.tidy(change) if ended else tidier.rest(change))
        except FencedError:
            return  # another worker has the run by now, and what runs is its
        except Exception:
            log.warning("tidying up after %s failed", change.run, exc_info=True)

    async def finish(self) -> None:
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=PATIENCE_S)
