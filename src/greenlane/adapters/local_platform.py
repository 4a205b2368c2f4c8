"""Runs services as processes of this machine (port: `Platform`).

A deployment is a folder `<state>/deployments/<id>/`: `record.json` (what was asked, written before anything starts),
its private copy of the artifact's files, its log, and the process tree's own files (`processes.py`). The trees outlive
the controller; another one finds them again by their records.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal

import httpx
import msgspec

from greenlane.adapters.artifacts import ArtifactStore
from greenlane.adapters.commands import PRODUCTION_FILE_FACTOR, Place, explain_stop, plan_command
from greenlane.adapters.local_builder import LocalBuilder
from greenlane.adapters.processes import (
    LOCK_WAIT_S,
    TreeSpec,
    is_alive,
    is_running,
    last_lines,
    listens_on,
    locked,
    measure_tree,
    read_status,
    read_struct,
    run_tree,
    shutdown,
    start_tree,
    stop_tree,
    tail_log,
    write_struct,
)
from greenlane.adapters.sockets import LOOPBACK, find_free_port, is_free
from greenlane.domain.delivery import DeploymentSpec, Instance, Usage
from greenlane.domain.errors import DeployFailedError, FencedError, FinalError, InputError
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import Environments
from greenlane.prompts.redaction import redact_log

__all__ = ["LocalBuilder", "LocalPlatform", "shutdown"]

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
PORT_TRIES = 3
HEALTH_POLL_S = 0.05
HEALTH_TIMEOUT_S = 2.0


class DeploymentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for under one deployment id, and how far it came. `fence` is the highest seen."""

    spec: DeploymentSpec
    fence: int
    phase: Literal["starting", "healthy", "failed", "retired"]
    token: str = ""
    port: int = 0

    def instance(self) -> Instance:
        return Instance(
            deployment_id=self.spec.deployment_id,
            service=self.spec.service,
            artifact=self.spec.artifact,
            host=LOOPBACK,
            port=self.port,
        )


class LocalPlatform:
    def __init__(self, state_dir: Path, environments: Environments, settings: Settings) -> None:
        self._state = state_dir.resolve()
        self._environments = environments
        self._settings = settings
        self._store = ArtifactStore(self._state / "artifacts")

    # ------------------------------------------------------------------ the port

    async def deploy(self, service: Service, spec: DeploymentSpec, *, fence: int | None) -> Instance:
        """Start it once and wait until it is healthy. A crash in between is made good by calling it again."""
        if service.commands.start is None:
            raise InputError(
                f"service {service.name} has no start command",
                hint=f"set `commands.start` of service `{service.name}` in greenlane.yaml",
            )
        folder = self._folder(spec.deployment_id)
        async with self._lock(spec.deployment_id):
            record = self._fenced(spec.deployment_id, fence)
            if record is not None and _is_other(record.spec, spec):
                raise FinalError(
                    f"deployment {spec.deployment_id} is {_describe(record.spec)}, not {_describe(spec)}",
                    hint="an id names one artifact in one place for ever: use another attempt",
                )
            if record is None or not is_running(folder, record.token):
                record = await self._start(service, spec, record, record.fence if record else fence or 0)
            if record.phase != "healthy":
                record = await self._await_health(service, record)
            return record.instance()

    async def find(self, deployment_id: str) -> Instance | None:
        folder = self._folder(deployment_id)
        record = self._read(deployment_id)
        if record is None or record.phase != "healthy" or not is_running(folder, record.token):
            return None
        return record.instance()

    async def retire(self, deployment_id: str, *, fence: int | None) -> None:
        folder = self._folder(deployment_id)
        async with self._lock(deployment_id):
            record = self._fenced(deployment_id, fence)
            if record is None:
                return
            self._write(msgspec.structs.replace(record, phase="retired"))
            await self._stop(folder, record)

    async def inspect(self, deployment_id: str) -> tuple[Usage, str]:
        folder = self._folder(deployment_id)
        return await asyncio.to_thread(measure_tree, folder), await asyncio.to_thread(tail_log, folder)

    async def revive(self, services: Sequence[Service]) -> list[Instance]:
        """Start again what was in production and lost its supervisor: the machine was started anew. For `up`."""
        revived = []
        by_name = {service.name: service for service in services}
        for path in sorted((self._state / "deployments").glob("*/record.json")):
            record = read_struct(path, DeploymentRecord)
            service = by_name.get(record.spec.service) if record is not None else None
            if record is None or service is None or record.spec.environment != "production":
                continue
            if record.phase == "healthy" and not is_running(path.parent, record.token):
                revived.append(await self.deploy(service, record.spec, fence=record.fence))
        return revived

    async def restarts(self, deployment_id: str) -> int:
        """How often its supervisor had to start it again since it was deployed."""
        status = read_status(self._folder(deployment_id))
        return status.restarts if status else 0

    # ------------------------------------------------------------------ records

    def _folder(self, deployment_id: str) -> Path:
        if not SAFE_ID.fullmatch(deployment_id):
            raise InputError(
                f"{deployment_id!r} is no deployment id", hint="letters, digits, `.`, `_` and `-` make one"
            )
        return self._state / "deployments" / deployment_id

    def _lock(self, deployment_id: str) -> AbstractAsyncContextManager[None]:
        staging = self._settings.staging
        wait_s = LOCK_WAIT_S + staging.build_timeout_s + PORT_TRIES * staging.start_timeout_s
        return locked(self._state / "locks" / f"deployment-{deployment_id}.lock", wait_s=wait_s)

    def _read(self, deployment_id: str) -> DeploymentRecord | None:
        return read_struct(self._folder(deployment_id) / "record.json", DeploymentRecord)

    def _write(self, record: DeploymentRecord) -> None:
        folder = self._folder(record.spec.deployment_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_struct(folder / "record.json", record)

    def _fenced(self, deployment_id: str, fence: int | None) -> DeploymentRecord | None:
        """The record, which holds the highest fence from now on. Raises FencedError for a lower one."""
        record = self._read(deployment_id)
        if record is None or fence is None:
            return record
        if fence < record.fence:
            raise FencedError(f"{deployment_id} is in the hands of a newer worker (fence {record.fence}, not {fence})")
        if fence > record.fence:
            record = msgspec.structs.replace(record, fence=fence)
            self._write(record)
        return record

    # ------------------------------------------------------------------ starting

    async def _start(
        self, service: Service, spec: DeploymentSpec, old: DeploymentRecord | None, fence: int
    ) -> DeploymentRecord:
        """Put the files in place, migrate, start. The record that names what is started is written before it is."""
        folder = self._folder(spec.deployment_id)
        if old is not None:
            await self._stop(folder, old)
        folder.mkdir(parents=True, exist_ok=True)
        files, scratch = folder / "files", folder / "tmp"
        await asyncio.to_thread(shutil.rmtree, files, ignore_errors=True)
        await asyncio.to_thread(self._store.check_out, spec.artifact.digest, files)
        scratch.mkdir(exist_ok=True)
        data_dir = self._data_dir(spec)
        data_dir.mkdir(parents=True, exist_ok=True)
        place = Place(
            python=await self._environments.prepare(service, files),
            files=files,
            scratch=scratch,
            data_dir=data_dir,
            port=self._choose_port(old),
        )
        await self._migrate(service, spec, place)
        tree = self._plan(service, spec, place, service.commands.start or "", timeout_s=None)
        record = DeploymentRecord(spec=spec, fence=fence, phase="starting", token=tree.token, port=place.port)
        self._write(record)
        await start_tree(folder, tree)
        return record

    def _data_dir(self, spec: DeploymentSpec) -> Path:
        """Production versions of a service share one; what is staged gets an empty one of its own."""
        if spec.environment == "production":
            return self._state / "data" / spec.service
        return self._folder(spec.deployment_id) / "data"

    def _choose_port(self, old: DeploymentRecord | None) -> int:
        """The port it had, if that is still free; else one that no other record claims."""
        if old is not None and old.phase in ("healthy", "retired") and old.port and is_free(old.port):
            return old.port
        records = (read_struct(path, DeploymentRecord) for path in (self._state / "deployments").glob("*/record.json"))
        claimed = frozenset(record.port for record in records if record and record.phase in ("starting", "healthy"))
        return find_free_port(claimed)

    def _plan(
        self, service: Service, spec: DeploymentSpec, place: Place, command: str, *, timeout_s: float | None
    ) -> TreeSpec:
        production = spec.environment == "production"
        env = {
            "HOST": place.host,
            "PORT": str(place.port),
            "DATA_DIR": str(place.data_dir),
            "GREENLANE_DEPLOYMENT": spec.deployment_id,
            "GREENLANE_ENVIRONMENT": spec.environment,
        }
        folder = self._folder(spec.deployment_id)
        tree = plan_command(
            service,
            command,
            place,
            self._settings.sandbox,
            env=env,
            timeout_s=timeout_s,
            file_factor=PRODUCTION_FILE_FACTOR if production else 1,
            quota_folders=() if production else (folder / "files", folder / "tmp", folder / "data"),
        )
        return msgspec.structs.replace(tree, restart=production and timeout_s is None)

    async def _migrate(self, service: Service, spec: DeploymentSpec, place: Place) -> None:
        """Run `commands.migrate` once per data folder and artifact. A crash in the middle runs it again."""
        command = service.commands.migrate
        if command is None:
            return
        marks = place.data_dir.with_name(place.data_dir.name + ".migrated")
        mark = marks / spec.artifact.digest.removeprefix("sha256:")
        timeout_s = self._settings.staging.build_timeout_s
        lock = self._state / "locks" / f"migrate-{spec.service}-{spec.environment}.lock"
        async with locked(lock, wait_s=LOCK_WAIT_S + timeout_s):
            if mark.exists():
                return
            tree = self._plan(service, spec, place, command, timeout_s=timeout_s)
            result = await run_tree(self._folder(spec.deployment_id) / "migration", tree)
            if not result.passed:
                why = (
                    explain_stop(result.reason, timeout_s, self._settings.sandbox)
                    if result.reason
                    else f"ended with {result.exit_code}"
                )
                raise DeployFailedError(
                    f"the migration of {service.name} {why}; its last lines:\n{last_lines(result.output)}",
                    hint=f"it ran: {command}",
                )
            marks.mkdir(exist_ok=True)
            mark.touch()

    # ------------------------------------------------------------------ becoming healthy

    async def _await_health(self, service: Service, record: DeploymentRecord) -> DeploymentRecord:
        """Wait for the health check; what does not pass it is stopped. A port that somebody took is changed."""
        folder = self._folder(record.spec.deployment_id)
        for attempt in range(1, PORT_TRIES + 1):
            why = await self._poll_health(service, record)
            if not why:
                healthy = msgspec.structs.replace(record, phase="healthy")
                self._write(healthy)
                (folder / "ready").touch()
                return healthy
            log = redact_log(last_lines(await asyncio.to_thread(tail_log, folder)))
            failed = msgspec.structs.replace(record, phase="failed")
            self._write(failed)
            await self._stop(folder, failed, keep_files=True)
            if is_free(record.port):
                break
            why = f"its port {record.port} was taken by another program"
            if attempt < PORT_TRIES:
                record = await self._start(service, record.spec, failed, record.fence)
        raise DeployFailedError(
            f"service {service.name} {why}" + (f"; its last log lines:\n{log}" if log else "; it logged nothing"),
            hint=f"its start command is: {service.commands.start}",
        )

    async def _poll_health(self, service: Service, record: DeploymentRecord) -> str:
        """Empty once it is healthy, else why it is not."""
        folder = self._folder(record.spec.deployment_id)
        timeout_s = self._settings.staging.start_timeout_s
        until = time.monotonic() + timeout_s
        url = f"http://{LOOPBACK}:{record.port}{service.health.path}"
        last = "nobody listens on its port"
        # plain HTTP on loopback: loading the certificate authorities would cost 30 ms for nothing
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=HEALTH_TIMEOUT_S) as client:
            while time.monotonic() < until:
                status = read_status(folder)
                if status is not None and (status.state == "ended" or not is_alive(folder)):
                    if status.reason == "quota":
                        return explain_stop("quota", 0, self._settings.sandbox)
                    return f"exited with code {status.exit_code} before it was healthy"
                last = await _ask_health(client, url) or last
                if last == "200":
                    if await asyncio.to_thread(listens_on, folder, record.port):
                        return ""
                    last = "another program answers on its port"
                await asyncio.sleep(HEALTH_POLL_S)
        return f"did not answer 200 at {service.health.path} within {timeout_s:g} s ({last})"

    async def _stop(self, folder: Path, record: DeploymentRecord, *, keep_files: bool = False) -> None:
        """End the tree; drop what only a running deployment needs. Its record and log stay."""
        await stop_tree(folder, record.token)
        if not keep_files:
            for name in ("files", "tmp", "data", "data.migrated", "migration"):
                await asyncio.to_thread(shutil.rmtree, folder / name, ignore_errors=True)


def _is_other(one: DeploymentSpec, other: DeploymentSpec) -> bool:
    return (one.service, one.environment, one.artifact.digest) != (
        other.service,
        other.environment,
        other.artifact.digest,
    )


def _describe(spec: DeploymentSpec) -> str:
    return f"{spec.artifact.digest[:19]} of {spec.service} in {spec.environment}"


async def _ask_health(client: httpx.AsyncClient, url: str) -> str:
    """The status of the answer, or why there is none; the body is not read (it may be endless)."""
    try:
        async with client.stream("GET", url) as answer:
            return str(answer.status_code) if answer.status_code == 200 else f"it answered {answer.status_code}"
    except httpx.TimeoutException:
        return "it accepts connections but does not answer"
    except httpx.HTTPError:
        return ""
    except httpx.InvalidURL:
        return "its health path makes no valid address"
