"""A program of the adopter's as builder and platform (docs/adapters.md has the contract).

What was asked for under each deployment id is kept here, with the highest fence; where it runs is the program's to say.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from greenlane.adapters.processes import locked, read_struct, write_struct
from greenlane.adapters.programs import Answer, call_program
from greenlane.domain.delivery import Artifact, Check, DeploymentSpec, Instance, Usage
from greenlane.domain.errors import BuildFailedError, DeployFailedError, FencedError, FinalError, InputError
from greenlane.domain.service_settings import Service

CONTRACT = "greenlane.platform/1"
MAX_LOG = 64 << 10


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the program gets. `call` is `build`, `exercise`, `deploy`, `find`, `retire` or `inspect`."""

    contract: str = CONTRACT
    call: str
    service: str
    source: str | None = None
    commit: str | None = None
    artifact: Artifact | None = None
    command: str | None = None
    url: str | None = None
    timeout_s: float | None = None
    deployment_id: str | None = None
    environment: str | None = None
    fence: int | None = None


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `build`: `digest` names the content, `location` is whatever `deploy` needs to find it."""

    digest: str
    location: str


class Exercised(msgspec.Struct, frozen=True, kw_only=True):
    passed: bool
    detail: str = ""
    seconds: float = 0.0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `deploy` and `find`: where it answers over HTTP, if it runs."""

    running: bool
    host: str = ""
    port: int = 0


class Used(msgspec.Struct, frozen=True, kw_only=True):
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    processes: int = 0
    log: str = ""


class Done(msgspec.Struct, frozen=True):
    """Any answer."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    spec: DeploymentSpec
    fence: int = 0


class CommandBuilder:
    async def build(self, service: Service, source: Path, commit: str) -> Artifact:
        asked = Asked(call="build", service=service.name, source=str(source), commit=commit)
        try:
            built = await _call(service, asked, Built)
        except InputError:
            raise
        except FinalError as error:
            raise BuildFailedError(f"the build of {service.name}: {error.message}", hint=error.hint) from error
        if not built.digest.startswith("sha256:"):
            raise FinalError(f"the build of {service.name} answered {built.digest[:80]!r}, not `sha256:...`")
        return Artifact(digest=built.digest, service=service.name, commit=commit, location=built.location)

    async def exercise(
        self, service: Service, artifact: Artifact, command: str, *, name: str, url: str, timeout_s: float
    ) -> Check:
        asked = Asked(
            call="exercise", service=service.name, artifact=artifact, command=command, url=url, timeout_s=timeout_s
        )
        seen = await _call(service, asked, Exercised)
        return Check(name=name, passed=seen.passed, detail=seen.detail[-4000:], seconds=seen.seconds)


class CommandPlatform:
    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir.resolve() / "program-deployments"
        self._locks = state_dir.resolve() / "locks"

    def knows(self, deployment_id: str) -> str | None:
        """The service of a deployment that a program started; None for any other."""
        kept = self._read(deployment_id)
        return kept.spec.service if kept else None

    async def deploy(self, service: Service, spec: DeploymentSpec, *, fence: int | None) -> Instance:
        async with locked(self._locks / f"program-{spec.deployment_id}.lock", wait_s=service.platform.timeout_s + 60):
            self._fence(spec, fence)
            asked = Asked(
                call="deploy", service=service.name, deployment_id=spec.deployment_id, artifact=spec.artifact,
                environment=spec.environment, fence=fence,
            )  # fmt: skip
            try:
                found = await _call(service, asked, Found)
            except InputError:
                raise
            except FinalError as error:
                raise DeployFailedError(f"{spec.deployment_id}: {error.message}", hint=error.hint) from error
        if not found.running or not found.host or not 0 < found.port < 65536:
            raise DeployFailedError(f"{spec.deployment_id} does not run: the program said so")
        return _instance(spec, found)

    async def find(self, service: Service, deployment_id: str) -> Instance | None:
        kept = self._read(deployment_id)
        if kept is None:
            return None
        found = await _call(service, Asked(call="find", service=service.name, deployment_id=deployment_id), Found)
        return _instance(kept.spec, found) if found.running else None

    async def retire(self, service: Service, deployment_id: str, *, fence: int | None) -> None:
        kept = self._read(deployment_id)
        if kept is None:
            return
        async with locked(self._locks / f"program-{deployment_id}.lock", wait_s=service.platform.timeout_s + 60):
            self._fence(kept.spec, fence)
            asked = Asked(call="retire", service=service.name, deployment_id=deployment_id, fence=fence)
            await _call(service, asked, Done)

    async def inspect(self, service: Service, deployment_id: str) -> tuple[Usage, str]:
        used = await _call(service, Asked(call="inspect", service=service.name, deployment_id=deployment_id), Used)
        return Usage(cpu_s=used.cpu_s, rss_mb=used.rss_mb, processes=used.processes), used.log[-MAX_LOG:]

    def _fence(self, spec: DeploymentSpec, fence: int | None) -> None:
        """Keep the highest fence. Raises FencedError for a lower one."""
        kept = self._read(spec.deployment_id) or Kept(spec=spec)
        if fence is not None and fence < kept.fence:
            raise FencedError(f"{spec.deployment_id} is in the hands of a newer worker (fence {kept.fence})")
        self._folder.mkdir(parents=True, exist_ok=True)
        write_struct(self._path(spec.deployment_id), Kept(spec=spec, fence=max(kept.fence, fence or 0)))

    def _read(self, deployment_id: str) -> Kept | None:
        return read_struct(self._path(deployment_id), Kept)

    def _path(self, deployment_id: str) -> Path:
        if "/" in deployment_id or deployment_id.startswith("."):
            raise InputError(f"{deployment_id!r} is not a deployment id")
        return self._folder / f"{deployment_id}.json"


def _instance(spec: DeploymentSpec, found: Found) -> Instance:
    return Instance(
        deployment_id=spec.deployment_id, service=spec.service, artifact=spec.artifact, host=found.host, port=found.port
    )


async def _call(service: Service, asked: Asked, answer: type[Answer]) -> Answer:
    platform = service.platform
    return await call_program(platform.command or "", asked, answer, timeout_s=platform.timeout_s)
