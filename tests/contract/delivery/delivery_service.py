"""What the delivery tests share: a real service, its settings, and waiting for what happens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from greenlane.domain.delivery import Artifact, DeploymentSpec, Environment
from greenlane.domain.service_settings import Commands, Service
from greenlane.domain.settings import SandboxSettings, Settings, Staging
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


def make_spec(artifact: Artifact, deployment_id: str, environment: Environment = "staging") -> DeploymentSpec:
    return DeploymentSpec(
        deployment_id=deployment_id, service=artifact.service, artifact=artifact, environment=environment
    )
