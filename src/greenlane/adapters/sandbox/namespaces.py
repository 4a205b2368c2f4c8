"""`NamespaceSandbox`: jobs in namespaces that Greenlane's own launcher makes, where bubblewrap is not installed."""

from __future__ import annotations

import contextlib
import marshal
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from greenlane.adapters.sandbox.process import INSIDE_ID, Command, ProcessSandbox, environment_of, limits_of
from greenlane.adapters.sandbox.seccomp import compute_filter
from greenlane.adapters.sandbox.view import Mount
from greenlane.ports.sandbox import SandboxJob

_PROGRAM = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import launch; sys.exit(launch.main())"
"""Imported rather than run as a file, so that its compiled form is cached; the folder holds nothing but our own."""


class LaunchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the launcher is told, in its one argument. Read by `launch.py`, which can't import this."""

    parent: int
    status_fd: int
    network: bool
    uid: int
    gid: int
    stranger: int
    """User and group id outside, if started by root; otherwise it is the starter's own."""
    cwd: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, int], ...]
    view: tuple[Mount, ...]
    seccomp: str
    group: str
    """The control group that it joins first; empty if there is none."""


STRANGER_ID = 65530
"""Whom a job of root really runs as: a user and group that nothing else on the machine is. Root's own id would not do,
even without capabilities: the kernel holds root to no limit of processes, and root's files would be the job's own."""


class NamespaceSandbox(ProcessSandbox):
    """Needs nothing but Python and a kernel (5.12 or later) that allows unprivileged user namespaces.

    Started by root, jobs run as `STRANGER_ID` and their folder is given to it.
    """

    def _prepare(self, job: SandboxJob) -> None:
        if os.geteuid() == 0:
            give_away(job.workdir.resolve())

    @property
    def kind(self) -> str:
        return "namespaces"

    @contextlib.contextmanager
    def _command(self, job: SandboxJob, view: tuple[Mount, ...], status: int, group: Path | None) -> Iterator[Command]:
        spec = LaunchSpec(
            parent=os.getpid(),
            status_fd=status,
            network=job.network,
            uid=INSIDE_ID,
            gid=INSIDE_ID,
            stranger=STRANGER_ID,
            cwd=str(job.workdir.resolve()),
            argv=job.argv,
            env=environment_of(job),
            limits=limits_of(job),
            view=view,
            seccomp=compute_filter().hex(),
            group=str(group or ""),
        )
        launcher = (sys.executable, "-I", "-S", "-c", _PROGRAM, spec_word(spec))
        yield Command(argv=launcher, inherited=(status,))


def spec_word(spec: msgspec.Struct) -> str:
    """What a launcher is told, in the form in which the same interpreter reads it quickest."""
    return marshal.dumps(msgspec.to_builtins(spec)).hex()


def give_away(folder: Path) -> None:
    """Make the stranger own a folder with all that is in it; links themselves, never what they lead to."""
    os.chown(folder, STRANGER_ID, STRANGER_ID)
    for path, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        del path
        for name in (*folders, *files):
            os.chown(name, STRANGER_ID, STRANGER_ID, dir_fd=descriptor, follow_symlinks=False)
