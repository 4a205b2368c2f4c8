"""A real service, its source tree and its deployments, for the tests of the delivery adapters."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform, shutdown
from greenlane.domain.delivery import Artifact, DeploymentSpec, Environment
from greenlane.domain.settings import Commands, SandboxSettings, Service, Settings, Staging
from greenlane.ports.environments import PythonEnvironment

PROGRAM = Path(__file__).with_name("service_program.py")


class ThisPython:
    """The interpreter that runs the tests, for every service."""

    async def prepare(self, service: Service, source: Path) -> PythonEnvironment:
        return PythonEnvironment(python=Path(sys.executable), read_only=(), digest="sha256:tests")


def make_service(name: str = "shop", *, port: int = 0, **commands: str) -> Service:
    return Service(name=name, port=port, commands=Commands(**{"start": "exec {python} service_program.py"} | commands))


def make_settings(*, start_timeout_s: float = 15.0, build_timeout_s: float = 20.0, max_file_mb: int = 64) -> Settings:
    return Settings(
        staging=Staging(start_timeout_s=start_timeout_s, build_timeout_s=build_timeout_s),
        sandbox=SandboxSettings(max_file_mb=max_file_mb, max_output_kb=128),
    )


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen within 20 s")


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


def make_spec(artifact: Artifact, deployment_id: str, environment: Environment = "staging") -> DeploymentSpec:
    return DeploymentSpec(
        deployment_id=deployment_id, service=artifact.service, artifact=artifact, environment=environment
    )
