"""Reports as files: a person who is asked finds the context package, and after a rollback the incident report.

Implements `ports.notifier`. Later notifiers (chat, e-mail) point at the same files.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded
from greenlane.domain.errors import InputError
from greenlane.domain.settings import Settings
from greenlane.pages import incident as incident_page
from greenlane.pages.context import render_html
from greenlane.policy.context import compute_context_package
from greenlane.policy.usual import Around

FOLDER = "reports"
"""Below the folder in which everything of a repository is kept."""
CONTEXT_PAGE = "context.html"
INCIDENT_TEXT = "incident.md"
INCIDENT_PAGE = "incident.html"
INCIDENT_DATA = "incident.json"
_SAFE_RUN = re.compile(r"[a-z0-9][a-z0-9._-]{0,120}")


LookAround = Callable[[Change], Awaitable[Around]]
"""Who knows what stands around a change: production's figures and earlier runs."""


class FileNotifier:
    """Writes `<reports_dir>/<run>/`. Each file is replaced whole, so a reader never sees half of one."""

    def __init__(self, reports_dir: Path, settings: Settings, look_around: LookAround | None = None) -> None:
        self._dir = reports_dir
        self._settings = settings
        self._look_around = look_around

    async def notify(self, change: Change, recorded: Recorded) -> None:
        """Write what this event calls for; every event that no person waits for writes nothing."""
        match recorded.event:
            case e.HumanRequested() | e.RunFailed() | e.CanaryInconclusive():
                await self._tell_context(change)
            case e.TestsComplete() | e.StagingComplete() | e.StagingValidated() if change.open_gates:
                await self._tell_context(change)  # who decides later sees what is known by then
            case e.IncidentReported() as incident:
                await asyncio.to_thread(self._write_incident, change, incident)
            case _:
                pass

    def paths_for(self, run: str) -> tuple[Path, ...]:
        """The reports of this run that exist, in the order in which a person reads them."""
        folder = self._folder(run)
        return tuple(
            p for p in (folder / n for n in (CONTEXT_PAGE, INCIDENT_PAGE, INCIDENT_TEXT, INCIDENT_DATA)) if p.is_file()
        )

    def _folder(self, run: str) -> Path:
        if not _SAFE_RUN.fullmatch(run):
            raise InputError(f"{run!r} is no name of a run")
        return self._dir / run

    async def _tell_context(self, change: Change) -> None:
        around = await self._look_around(change) if self._look_around else None
        await asyncio.to_thread(self._write_context, change, around)

    def _write_context(self, change: Change, around: Around | None) -> None:
        package = compute_context_package(
            change,
            self._settings,
            production=around.production if around else (),
            past=around.past if around else None,
        )
        write_atomically(self._folder(change.run) / CONTEXT_PAGE, render_html(package))

    def _write_incident(self, change: Change, incident: e.IncidentReported) -> None:
        folder = self._folder(change.run)
        write_atomically(folder / INCIDENT_TEXT, incident.markdown)
        write_atomically(folder / INCIDENT_PAGE, incident_page.render_html(change))
        write_atomically(folder / INCIDENT_DATA, incident_page.render_json(change).decode())


def write_atomically(path: Path, text: str) -> None:
    """Write a text file in one step: whole or not at all, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
