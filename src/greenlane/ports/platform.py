"""The platform: where artifacts are built and run. Embedded: local processes; later Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from greenlane.domain.delivery import Artifact, Check, DeploymentSpec, Instance, Usage
from greenlane.domain.service_settings import Service


class Builder(Protocol):
    async def build(self, service: Service, source: Path, commit: str) -> Artifact:
        """Build the source tree of a commit; the same content gives the same digest. Raises BuildFailedError."""

    async def exercise(
        self, service: Service, artifact: Artifact, command: str, *, name: str, url: str, timeout_s: float
    ) -> Check:
        """Run a command of the service (smoke, integration) in a copy of the artifact's files against `url`."""


class Platform(Protocol):
    """Each call may be repeated safely; `fence` of an older worker is refused with FencedError.

    A fence counts the workers of one run, so it is held against that run's deployments only. For what another run left
    in production (the version before this change) it is None: who holds the production slot may start or stop it.
    """

    async def deploy(self, service: Service, spec: DeploymentSpec, *, fence: int | None) -> Instance:
        """Start it and wait until it is healthy; an id that runs already is returned. Raises DeployFailedError."""

    async def find(self, deployment_id: str) -> Instance | None:
        """The running instance of this id, or None: the answer to 'did I begin this?'."""

    async def retire(self, deployment_id: str, *, fence: int | None) -> None:
        """Stop it with its whole process tree. Absent: nothing."""

    async def inspect(self, deployment_id: str) -> tuple[Usage, str]:
        """What it has used so far, and the last 64 KiB of its log."""
