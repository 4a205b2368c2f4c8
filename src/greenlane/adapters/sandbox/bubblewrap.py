"""`BubblewrapSandbox`: jobs in namespaces that `bwrap` makes."""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

from greenlane.adapters.pids import join
from greenlane.adapters.sandbox.process import INSIDE_ID, Command, ProcessSandbox, environment_of, limits_of
from greenlane.adapters.sandbox.seccomp import compute_filter
from greenlane.adapters.sandbox.view import Mount
from greenlane.ports.sandbox import SandboxJob


class BubblewrapSandbox(ProcessSandbox):
    """Uses bubblewrap 0.8 or later (Debian 12 has it), which can forbid further user namespaces.

    Started by root, a job is still root to the kernel, if without capabilities: a control group has to bound its
    processes then, and `choose_sandbox` takes `NamespaceSandbox` first.
    """

    def __init__(self, executable: Path = Path("/usr/bin/bwrap")) -> None:
        self._executable = executable
        self._gates: dict[int, int] = {}

    @property
    def kind(self) -> str:
        return "bubblewrap"

    @contextlib.contextmanager
    def _command(self, job: SandboxJob, view: tuple[Mount, ...], status: int, group: Path | None) -> Iterator[Command]:
        del group  # init joins it while it waits
        gate_read, gate_write = os.pipe()
        with contextlib.ExitStack() as open_files:
            open_files.callback(os.close, gate_write)
            open_files.callback(os.close, gate_read)
            seccomp = open_files.enter_context(tempfile.TemporaryFile())
            seccomp.write(compute_filter())
            seccomp.flush()
            seccomp.seek(0)
            arguments = [
                *_isolation(network=job.network),
                *("--json-status-fd", str(status), "--block-fd", str(gate_read)),
                *(("--seccomp", str(seccomp.fileno())) if compute_filter() else ()),
                *(argument for entry in view for argument in _mount(entry)),
                *(
                    "--remount-ro",
                    "/proc",
                    "--remount-ro",
                    "/dev",
                    "--remount-ro",
                    "/",
                    "--chdir",
                    str(job.workdir.resolve()),
                    "--clearenv",
                ),
                *(argument for name, value in environment_of(job) for argument in ("--setenv", name, value)),
            ]
            self._gates[id(job)] = gate_write
            try:
                yield Command(
                    argv=(str(self._executable), *arguments, "--", *job.argv),
                    inherited=(status, gate_read, seccomp.fileno()),
                )
            finally:
                del self._gates[id(job)]

    def _started(self, job: SandboxJob, init: int, group: Path | None) -> None:
        """Limits are set from outside on the waiting init, so that RLIMIT_NPROC counts the sandbox's own alone."""
        for name, limit in limits_of(job):
            resource.prlimit(init, getattr(resource, name), (limit, limit))
        join(group, init)
        os.write(self._gates[id(job)], b"go")


def _isolation(*, network: bool) -> list[str]:
    arguments = [
        "--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--hostname", "sandbox", "--uid", str(INSIDE_ID), "--gid", str(INSIDE_ID),
        "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    ]  # fmt: skip
    return arguments if network else [*arguments, "--unshare-net"]


def _mount(entry: Mount) -> tuple[str, ...]:
    match entry.kind:
        case "ro":
            return ("--ro-bind", entry.source, entry.target)
        case "bind":
            return ("--bind", entry.source, entry.target)
        case "symlink":
            return ("--symlink", entry.source, entry.target)
        case "tmpfs":
            return ("--perms", "1777", "--size", str(entry.size_mb << 20), "--tmpfs", entry.target)
        case "proc":
            return ("--proc", entry.target)
        case "dev":
            size = str(entry.size_mb << 20)
            return ("--dev", entry.target, "--perms", "1777", "--size", size, "--tmpfs", f"{entry.target}/shm")
