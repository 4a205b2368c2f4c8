"""Environments: an interpreter with a project's dependencies, built once per lock file and cached."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from greenlane.domain.service_settings import Service


class PythonEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An interpreter that can run the project's tests (pytest and coverage included), and the folders it needs."""

    python: Path
    read_only: tuple[Path, ...]
    digest: str
    folder: Path | None = None
    """The copy of the sources in which `commands.setup` ran, for what it put there (`node_modules`, `vendor`)."""


class Environments(Protocol):
    async def prepare(self, service: Service, source: Path) -> PythonEnvironment:
        """The environment for this source tree. Raises ChangeError if its dependencies can't be installed."""
