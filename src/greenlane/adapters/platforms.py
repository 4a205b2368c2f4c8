"""The platforms of all services behind the ports `Builder` and `Platform`: local processes, or a program of yours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from greenlane.adapters.command_platform import CommandBuilder, CommandPlatform
from greenlane.adapters.local_builder import LocalBuilder
from greenlane.adapters.local_platform import LocalPlatform
from greenlane.domain.delivery import Artifact, Check, DeploymentSpec, Instance, Usage
from greenlane.domain.errors import InputError
from greenlane.domain.service_settings import Service


class Builders:
    def __init__(self, local: LocalBuilder) -> None:
        self._local = local
        self._program = CommandBuilder()

    def _of(self, service: Service) -> LocalBuilder | CommandBuilder:
        return self._program if service.platform.kind == "command" else self._local

    async def build(self, service: Service, source: Path, commit: str) -> Artifact:
        return await self._of(service).build(service, source, commit)

    async def exercise(
        self, service: Service, artifact: Artifact, command: str, *, name: str, url: str, timeout_s: float
    ) -> Check:
        return await self._of(service).exercise(service, artifact, command, name=name, url=url, timeout_s=timeout_s)


class Platforms:
    def __init__(self, local: LocalPlatform, state_dir: Path, services: Sequence[Service]) -> None:
        self._local = local
        self._program = CommandPlatform(state_dir)
        self._services = {service.name: service for service in services}

    async def deploy(self, service: Service, spec: DeploymentSpec, *, fence: int | None) -> Instance:
        if service.platform.kind == "command":
            return await self._program.deploy(service, spec, fence=fence)
        return await self._local.deploy(service, spec, fence=fence)

    async def find(self, deployment_id: str) -> Instance | None:
        if service := self._program_of(deployment_id):
            return await self._program.find(service, deployment_id)
        return await self._local.find(deployment_id)

    async def retire(self, deployment_id: str, *, fence: int | None) -> None:
        if service := self._program_of(deployment_id):
            return await self._program.retire(service, deployment_id, fence=fence)
        return await self._local.retire(deployment_id, fence=fence)

    async def inspect(self, deployment_id: str) -> tuple[Usage, str]:
        if service := self._program_of(deployment_id):
            return await self._program.inspect(service, deployment_id)
        return await self._local.inspect(deployment_id)

    async def revive(self, services: Sequence[Service]) -> None:
        """What a program runs is its own to keep alive."""
        await self._local.revive([service for service in services if service.platform.kind == "local"])

    def _program_of(self, deployment_id: str) -> Service | None:
        """The service of a deployment that a program started. Raises InputError if the settings dropped it."""
        name = self._program.knows(deployment_id)
        if name is None:
            return None
        service = self._services.get(name)
        if service is None or service.platform.kind != "command":
            raise InputError(
                f"{deployment_id} was started by the program of service {name}, which the settings no longer name",
                hint=f"put services[{name}].platform back until nothing of it runs",
            )
        return service
