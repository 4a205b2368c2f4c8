"""Builds artifacts as folders on this machine (port: `Builder`)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from greenlane.adapters.artifacts import ArtifactStore, compute_tree_digest, copy_tree
from greenlane.adapters.commands import Place, explain_stop, plan_command
from greenlane.adapters.processes import LOCK_WAIT_S, last_lines, locked, read_struct, run_tree, write_struct
from greenlane.domain.delivery import Artifact, Check
from greenlane.domain.errors import BuildFailedError
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import Environments

STALE_SCRATCH_S = 6 * 3600
"""Scratch of a controller that was killed is removed when it is older than any build may last."""


_BUILD_TIME_S = 315_619_200
"""1980-01-02, UTC: the first day that every archive format can say in every time zone."""
_SAME_EACH_TIME = {"SOURCE_DATE_EPOCH": str(_BUILD_TIME_S), "PYTHONHASHSEED": "0"}
"""What makes common build tools give the same bytes for the same input (reproducible-builds.org)."""


class BuildRecord(msgspec.Struct, frozen=True):
    """What a build of these inputs gave: asked for again, it is answered and not built anew."""

    digest: str


class LocalBuilder:
    """`<state>/artifacts/<sha256>/` holds artifacts, `<state>/builds/` which inputs gave which of them."""

    def __init__(self, state_dir: Path, environments: Environments, settings: Settings) -> None:
        self._state = state_dir.resolve()
        self._environments = environments
        self._settings = settings
        self._store = ArtifactStore(self._state / "artifacts")

    async def build(self, service: Service, source: Path, commit: str) -> Artifact:
        """Copy the tree, run `commands.build` in the copy, keep it under the digest of what came out."""
        python = await self._environments.prepare(service, source)
        content = await asyncio.to_thread(compute_tree_digest, source)
        inputs = "\0".join((service.name, content, service.commands.build or "", python.digest))
        key = hashlib.sha256(inputs.encode()).hexdigest()[:32]
        record = self._state / "builds" / f"{key}.json"
        wait_s = LOCK_WAIT_S + self._settings.staging.build_timeout_s
        async with locked(self._state / "locks" / f"build-{key}.lock", wait_s=wait_s):
            known = read_struct(record, BuildRecord)
            if known is None or not self._store.has(known.digest):
                async with self._scratch() as scratch:
                    files = scratch / "files"
                    await asyncio.to_thread(copy_tree, source, files)
                    await asyncio.to_thread(_set_times, files)
                    place = Place(python=python, files=files, scratch=scratch / "tmp", data_dir=scratch / "data")
                    await self._run_build(service, place, scratch)
                    known = BuildRecord(await asyncio.to_thread(self._store.add, files))
                record.parent.mkdir(parents=True, exist_ok=True)
                write_struct(record, known)
        location = str(self._store.path_of(known.digest))
        return Artifact(digest=known.digest, service=service.name, commit=commit, location=location)

    async def _run_build(self, service: Service, place: Place, scratch: Path) -> None:
        command = service.commands.build
        if command is None:
            return
        sandbox, timeout_s = self._settings.sandbox, self._settings.staging.build_timeout_s
        place.scratch.mkdir()
        place.data_dir.mkdir()
        spec = plan_command(
            service, command, place, sandbox, env=_SAME_EACH_TIME, timeout_s=timeout_s, quota_folders=(scratch,)
        )
        result = await run_tree(scratch / "run", spec)
        if not result.passed:
            why = explain_stop(result.reason, timeout_s, sandbox) if result.reason else f"ended with {result.exit_code}"
            raise BuildFailedError(
                f"the build of {service.name} {why}; its last lines:\n{last_lines(result.output)}",
                hint=f"it ran: {command}",
            )

    async def exercise(
        self, service: Service, artifact: Artifact, command: str, *, name: str, url: str, timeout_s: float
    ) -> Check:
        """Run a command in a copy of the artifact's files that is thrown away, with `GREENLANE_URL` set."""
        began = time.monotonic()
        sandbox = self._settings.sandbox
        async with self._scratch() as scratch:
            files = scratch / "files"
            await asyncio.to_thread(self._store.check_out, artifact.digest, files)
            python = await self._environments.prepare(service, files)
            place = Place(python=python, files=files, scratch=scratch / "tmp", data_dir=scratch / "data")
            place.scratch.mkdir()
            place.data_dir.mkdir()
            env = {"GREENLANE_URL": url}
            spec = plan_command(
                service, command, place, sandbox, env=env, timeout_s=timeout_s, quota_folders=(scratch,)
            )
            result = await run_tree(scratch / "run", spec)
        why = explain_stop(result.reason, timeout_s, sandbox) if result.reason else f"exit code {result.exit_code}"
        return Check(
            name=name,
            passed=result.passed,
            detail=f"{why}\n{last_lines(result.output)}".strip(),
            seconds=round(time.monotonic() - began, 3),
        )

    @contextlib.asynccontextmanager
    async def _scratch(self) -> AsyncIterator[Path]:
        """A folder of our own that is removed afterwards; left-overs of killed controllers go as well."""
        root = self._state / "scratch"
        root.mkdir(parents=True, exist_ok=True)
        for old in root.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - old.stat().st_mtime > STALE_SCRATCH_S:
                    shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=root))
        try:
            yield folder
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def _set_times(root: Path) -> None:
    """One time for all files of a tree: archives that a build makes of them hold it."""
    for path in (root, *root.rglob("*")):
        os.utime(path, (_BUILD_TIME_S, _BUILD_TIME_S), follow_symlinks=False)
