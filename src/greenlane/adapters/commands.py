"""Commands of a service: what is filled in, the clean environment they get, the limits they run under."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from greenlane.adapters.processes import GRACE_S, SYSTEM_PATH, TreeSpec
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import SandboxSettings
from greenlane.ports.environments import PythonEnvironment

ADDRESS_SPACE_FACTOR = 8
"""RLIMIT_AS over `sandbox.memory_mb`: runtimes reserve far more address space than they use."""
PRODUCTION_FILE_FACTOR = 64
"""A production database may grow far beyond what a test run may write."""
FOLDER_QUOTA_FACTOR = 4
"""All files of a build or a staged service together, over `sandbox.max_file_mb` for one of them."""
OPEN_FILES = 4096
COMMAND_GRACE_S = 1.0
"""A command over its time has nobody to answer: it gets less time to end by itself than a service."""
MEBIBYTE = 1 << 20


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command runs: its files, its scratch folder, and what is filled into its text."""

    python: PythonEnvironment
    files: Path
    scratch: Path
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0


def fill_in(command: str, place: Place) -> str:
    """The command with `{python}`, `{host}`, `{port}`, `{data_dir}` as shell words; other braces are left alone."""
    values = {
        "{python}": str(place.python.python),
        "{host}": place.host,
        "{port}": str(place.port),
        "{data_dir}": str(place.data_dir),
    }
    for name, value in values.items():
        command = command.replace(name, shlex.quote(value))
    return command


def clean_environment(service: Service, place: Place, more: Mapping[str, str]) -> dict[str, str]:
    """Nothing of our own environment: no secret of the controller reaches a service or its build."""
    roots = [str(place.files / root) for root in service.source_roots]
    return {
        "PATH": f"{place.python.python.parent}{os.pathsep}{SYSTEM_PATH}",
        "HOME": str(place.scratch),
        "TMPDIR": str(place.scratch),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(roots),
        "GREENLANE_SERVICE": service.name,
        **more,
    }


def plan_command(
    service: Service,
    command: str,
    place: Place,
    sandbox: SandboxSettings,
    *,
    env: Mapping[str, str],
    timeout_s: float | None = None,
    file_factor: int = 1,
    quota_folders: tuple[Path, ...] = (),
) -> TreeSpec:
    """The process tree that runs this command through the shell."""
    return TreeSpec(
        argv=("/bin/sh", "-c", fill_in(command, place)),
        env=clean_environment(service, place, env),
        cwd=str(place.files),
        timeout_s=timeout_s,
        grace_s=GRACE_S if timeout_s is None else COMMAND_GRACE_S,
        log_max_bytes=max(sandbox.max_output_kb << 10, 2 * 64 * 1024),
        quota_folders=tuple(map(str, quota_folders)),
        quota_bytes=FOLDER_QUOTA_FACTOR * sandbox.max_file_mb * MEBIBYTE if quota_folders else 0,
        limits={
            "RLIMIT_FSIZE": sandbox.max_file_mb * file_factor * MEBIBYTE,
            "RLIMIT_AS": sandbox.memory_mb * ADDRESS_SPACE_FACTOR * MEBIBYTE,
            "RLIMIT_NOFILE": OPEN_FILES,
            "RLIMIT_CORE": 0,
        },
        max_tasks=service.max_processes,
    )


def explain_stop(reason: str, timeout_s: float, sandbox: SandboxSettings) -> str:
    """Words for why a command was stopped."""
    if reason == "timeout":
        return f"did not end within {timeout_s:g} s and was stopped"
    if reason == "quota":
        return f"wrote more than {FOLDER_QUOTA_FACTOR * sandbox.max_file_mb} MB of files and was stopped"
    return f"was stopped: {reason}"
