"""The application as the faces see it: what the command line and the web page ask of a Greenlane that is put together.

Implemented by `greenlane.bootstrap`; an in-memory double stands in the tests of the faces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from greenlane.domain.change import Change, Recorded
from greenlane.domain.events import FindingJudged, Stage
from greenlane.domain.settings import Settings

Mark = Literal["pending", "running", "waiting", "passed", "failed", "undone"]
"""How a stage stands: `undone` is a deployment that was taken back."""


class StageView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the five stages of a run. `seconds` is how long it took, or has been going on; None: not begun."""

    stage: Stage
    mark: Mark
    seconds: float | None = None
    decision: str = ""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run on one line. Times are UTC, ISO 8601; `seconds` is from its first event to its end, or to now."""

    run: str
    pr_number: int
    title: str
    author: str
    branch: str
    lane: str | None
    state: str
    stage: str | None
    reason: str
    started: str
    updated: str
    seconds: float
    head_sha: str
    services: tuple[str, ...]
    risk_score: float | None
    tests_added: int
    stages: tuple[StageView, ...] = ()
    asked: str = ""
    """What a human is asked now; the run may still go on with the stages before that gate."""


class Application(Protocol):
    """Every call that changes something is in the ledger when it returns. Raises GreenlaneError with a hint."""

    @property
    def rules(self) -> str:
        """A digest of the configuration that this application works by."""

    @property
    def settings(self) -> Settings: ...

    @property
    def state_dir(self) -> Path: ...

    @property
    def ledger_path(self) -> Path: ...

    async def submit(self, ref: str) -> str:
        """Take up the pull request of this branch or number; its run. Asking again gives the same run."""

    async def work(self, *, until: Collection[str] | None) -> None:
        """Run the agents until each of these runs has ended or waits for a human; None: until cancelled."""

    async def addresses(self) -> dict[str, str]:
        """Where the services that are in production answer; name to address. They go on when Greenlane ends."""

    async def runs(self) -> list[RunView]:
        """Every run, newest last."""

    async def change(self, run: str) -> Change: ...

    async def past(self) -> tuple[Change, ...]:
        """The newest runs, oldest first, as far as a likeness or a rate is computed over them."""

    async def view(self, run: str) -> RunView: ...

    def follow(self) -> AsyncIterator[tuple[str, Recorded]]:
        """Events of all runs (run, event), from now on."""

    async def approve(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        """Approve the open gates (or one of them); their ids. Raises RefusedError."""

    async def reject(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        """Reject the change at its open gates; their ids. Raises RefusedError."""

    async def pause(self, scope: str, *, by: str, reason: str) -> None:
        """No agent begins work in this scope: `org`, or a service's name. Rolling back still works."""

    async def resume(self, scope: str, *, by: str, reason: str) -> None: ...

    async def rollback(self, run: str, *, by: str, reason: str) -> None: ...

    async def hotfix(self, run: str, *, by: str, reason: str) -> None:
        """Ask for the change to pass a freeze; a person who is no author has to approve. Raises RefusedError."""

    async def judge(
        self, run: str, finding: str, verdict: Literal["false-positive", "confirmed"], *, by: str, reason: str
    ) -> FindingJudged:
        """Keep a person's word on a finding of this run. Raises RefusedError (no such finding, a program)."""

    async def close(self) -> None: ...
