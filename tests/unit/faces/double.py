"""The application in memory: the same port, with changes that are made by events, and every call noted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, apply
from greenlane.domain.errors import InputError, RefusedError
from greenlane.domain.settings import Settings
from greenlane.policy.feedback import assess_feedback
from greenlane.policy.overview import compute_run_view
from greenlane.policy.people import Refused, assess_approval
from greenlane.ports.application import RunView


class MemoryApplication:
    def __init__(self, state_dir: Path, changes: Collection[Change] = (), settings: Settings | None = None) -> None:
        self.rules = ""
        self.settings = settings or Settings()
        self.state_dir = state_dir
        self.ledger_path = state_dir / "ledger.db"
        self.changes = {c.run: c for c in changes}
        self.submittable: dict[str, Change] = {}
        self.script: list[tuple[str, e.AnyEvent]] = []
        self.calls: list[tuple[str, ...]] = []
        self.paused: e.Paused | None = None
        self.closed = False
        self._queues: list[asyncio.Queue[tuple[str, Recorded]]] = []

    def happen(self, run: str, event: e.AnyEvent, *, agent: str = "deployment") -> None:
        change = self.changes[run]
        seq = 1 + sum(c.version for c in self.changes.values())
        recorded = Recorded(
            seq=seq, event_id=f"e{seq}", agent=agent, timestamp=datetime.now(UTC).isoformat(), event=event
        )
        self.changes[run] = apply(change, recorded, run)
        for queue in self._queues:
            queue.put_nowait((run, recorded))

    async def submit(self, ref: str) -> str:
        if ref not in self.submittable:
            raise InputError(f"there is no branch {ref}", hint="`git branch` lists them")
        change = self.submittable[ref]
        self.changes.setdefault(change.run, change)
        return change.run

    async def work(self, *, until: Collection[str] | None) -> None:
        self.calls.append(("work",))
        for run, event in self.script:
            self.happen(run, event)
            await asyncio.sleep(0.01)
        if until is None:
            await asyncio.Event().wait()

    async def addresses(self) -> dict[str, str]:
        return {}

    async def runs(self) -> list[RunView]:
        return [await self.view(run) for run in self.changes]

    async def past(self) -> tuple[Change, ...]:
        return tuple(self.changes.values())

    async def change(self, run: str) -> Change:
        if run not in self.changes:
            raise InputError(f"there is no run {run}")
        return self.changes[run]

    async def view(self, run: str) -> RunView:
        return compute_run_view(await self.change(run), now=datetime.now(UTC), paused=self.paused)

    async def follow(self) -> AsyncIterator[tuple[str, Recorded]]:
        queue: asyncio.Queue[tuple[str, Recorded]] = asyncio.Queue()
        self._queues.append(queue)
        while True:
            yield await queue.get()

    async def approve(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        verdict = assess_approval(self.changes[run], by=by, head=head, gate=gate)
        if isinstance(verdict, Refused):
            raise RefusedError(verdict.reason, hint=verdict.hint)
        self.calls.append(("approve", run, by, reason))
        return verdict.gate_ids

    async def reject(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        self.calls.append(("reject", run, by, reason))
        return ("review-1",)

    async def pause(self, scope: str, *, by: str, reason: str) -> None:
        self.calls.append(("pause", scope, by, reason))

    async def resume(self, scope: str, *, by: str, reason: str) -> None:
        self.calls.append(("resume", scope, by, reason))

    async def rollback(self, run: str, *, by: str, reason: str) -> None:
        self.calls.append(("rollback", run, by, reason))

    async def hotfix(self, run: str, *, by: str, reason: str) -> None:
        self.calls.append(("hotfix", run, by, reason))

    async def judge(
        self, run: str, finding: str, verdict: Literal["false-positive", "confirmed"], *, by: str, reason: str
    ) -> e.FindingJudged:
        judged = assess_feedback(self.changes[run], finding, verdict, by=by, reason=reason)
        if isinstance(judged, Refused):
            raise RefusedError(judged.reason, hint=judged.hint)
        self.happen(run, judged, agent="human")
        return judged

    async def close(self) -> None:
        self.closed = True
