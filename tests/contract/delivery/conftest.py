"""Fixtures of the delivery tests: a state folder, source trees, the builder and the platform."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform, shutdown
from tests.contract.delivery.delivery_service import PROGRAM, ThisPython, make_settings


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[Path]:
    """A state folder whose processes are stopped afterwards."""
    folder = tmp_path / "state"
    folder.mkdir()
    yield folder
    await shutdown(folder)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Path]:
    """Makes a source tree of the service, with a version and faults."""

    def make(version: str = "1", **faults: object) -> Path:
        folder = tmp_path / f"source-{version}"
        folder.mkdir()
        (folder / "service_program.py").write_bytes(PROGRAM.read_bytes())
        (folder / "version.txt").write_text(version)
        (folder / "faults.json").write_text(json.dumps(faults))
        return folder

    return make


@pytest.fixture
def builder(state: Path) -> LocalBuilder:
    return LocalBuilder(state, ThisPython(), make_settings())


@pytest.fixture
def platform(state: Path) -> LocalPlatform:
    return LocalPlatform(state, ThisPython(), make_settings())
