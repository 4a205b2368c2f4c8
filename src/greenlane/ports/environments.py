"""Environments: an interpreter with a project's dependencies, built once per lock file and cached."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from greenlane.domain.service_settings import Service


class FoundSuite(msgspec.Struct, frozen=True, kw_only=True):
    """What the project's own files say of its tests. All of it comes from a change: it is for the sandbox alone."""

    test: str | None = None
    """The command that runs them; None: pytest, as always."""
    source_roots: tuple[str, ...] = ()
    """Folders that go on the import path besides the configured ones."""
    tests_dir: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    """For the tests; `{tree}` in a value stands for the folder of the sources."""
    files: tuple[tuple[str, str], ...] = ()
    """What the project's build would write into the tree, by path."""
    reasons: tuple[str, ...] = ()
    """Where what was found."""
    notes: tuple[str, ...] = ()
    """What could not be understood, for people."""


class PythonEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An interpreter that can run the project's tests (pytest and coverage included), and the folders it needs."""

    python: Path
    read_only: tuple[Path, ...]
    digest: str
    folder: Path | None = None
    """The copy of the sources in which `commands.setup` ran, for what it put there (`node_modules`, `vendor`)."""
    found: FoundSuite | None = None
    """What the project's own files say of its tests, where there is anything."""
    variables: tuple[tuple[str, str], ...] = ()
    """What its programs find themselves by (`PATH`)."""


class Environments(Protocol):
    async def prepare(self, service: Service, source: Path) -> PythonEnvironment:
        """The environment for this source tree. Raises ChangeError if its dependencies can't be installed."""
