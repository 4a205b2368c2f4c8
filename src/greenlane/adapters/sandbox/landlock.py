"""`LandlockSandbox`: for machines where no namespaces can be made. `BareSandbox`: no isolation at all, on demand.

Landlock hides the content of every file outside the job's list, refuses signals to others, and seccomp refuses every
socket. What namespaces do besides, it does not: names and sizes of files outside can be asked for, other processes are
counted in the job's limit, there is no loopback interface, `/tmp` and `/dev/shm` are not to be had (`TMPDIR` is).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from greenlane.adapters.sandbox.namespaces import STRANGER_ID, give_away, spec_word
from greenlane.adapters.sandbox.process import Command, ProcessSandbox, environment_of, limits_of
from greenlane.adapters.sandbox.seccomp import compute_filter
from greenlane.adapters.sandbox.view import Mount, is_open, plan_view
from greenlane.domain.errors import FinalError
from greenlane.ports.sandbox import SandboxJob

_PROGRAM = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import confine; sys.exit(confine.main())"
_READ_ETC = ("/etc/passwd", "/etc/group", "/etc/hosts")  # what every user may read, and libraries ask for
_SCRATCH = ".sandbox-tmp"


class ConfineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the launcher is told, in its one argument. Read by `confine.py`, which can't import this."""

    parent: int
    status_fd: int
    confined: bool
    network: bool
    uid: int
    """Whom the job runs as, and its group, if started by root."""
    cwd: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, int], ...]
    read: tuple[str, ...]
    write: tuple[str, ...]
    seccomp: str
    group: str


class LandlockSandbox(ProcessSandbox):
    """Needs Linux 6.12. Started by root, jobs run as a user who is nobody; where that user can't reach what they need
    (an interpreter in root's home), as root without any capability, with a control group to bound their processes."""

    confined = True

    @property
    def kind(self) -> str:
        return "landlock"

    def _prepare(self, job: SandboxJob) -> None:
        workdir = job.workdir.resolve()
        (workdir / _SCRATCH).mkdir(exist_ok=True)
        if self._uid_for(plan_view(job)) == STRANGER_ID:
            give_away(workdir)

    def _uid_for(self, view: tuple[Mount, ...]) -> int:
        """The user that a job runs as."""
        if os.geteuid() != 0 or not self.confined:
            return os.geteuid()
        return STRANGER_ID if is_open(view) else 0

    def _end(self, pidfd: int) -> None:
        """The keeper ends the whole tree, and then itself."""
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)

    @contextlib.contextmanager
    def _command(self, job: SandboxJob, view: tuple[Mount, ...], status: int, group: Path | None) -> Iterator[Command]:
        workdir = job.workdir.resolve()
        scratch = str(workdir / _SCRATCH)
        uid = self._uid_for(view)
        if uid == 0 and self.confined and group is None:
            raise FinalError(
                "as root, a job that nobody else can read needs a control group to bound its processes",
                hint="start Greenlane as an ordinary user",
            )
        shown = dict.fromkeys((*(entry.source for entry in view if entry.kind == "ro"), *_READ_ETC))
        spec = ConfineSpec(
            parent=os.getpid(),
            status_fd=status,
            confined=self.confined,
            network=job.network,
            uid=uid,
            cwd=str(workdir),
            argv=job.argv,
            env=tuple((dict(environment_of(job)) | {"TMPDIR": scratch, "HOME": scratch} | dict(job.env)).items()),
            limits=_limits_of(job, uid),
            read=tuple(path for path in shown if Path(path).exists()),
            write=(str(workdir),),
            seccomp=compute_filter(sockets=job.network).hex(),
            group=str(group or ""),
        )
        launcher = (sys.executable, "-I", "-S", "-c", _PROGRAM, spec_word(spec))
        yield Command(argv=launcher, inherited=(status,))


class BareSandbox(LandlockSandbox):
    """Time, memory, output and leftover processes are bounded; **nothing is isolated**: a job reads and writes whatever
    whoever started Greenlane may, and has the network. For one's own code only (`--unsafe-no-sandbox`)."""

    confined = False

    @property
    def kind(self) -> str:
        return "none"


def _limits_of(job: SandboxJob, uid: int) -> tuple[tuple[str, int], ...]:
    """Outside a namespace the limit of processes counts all those of the user: what runs already is added."""
    there = 0
    for status in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            there += len(os.listdir(status / "task")) if status.stat().st_uid == uid else 0  # noqa: PTH208 - names only
    return tuple((name, limit + there if name == "RLIMIT_NPROC" else limit) for name, limit in limits_of(job))
