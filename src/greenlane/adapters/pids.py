"""A bound on the processes of a job or a service that the kernel itself holds, where Greenlane runs as root.

RLIMIT_NPROC does not bind root, and a fork bomb makes thousands of processes between two looks of a watch. A control
group with the `pids` controller refuses the fork. Where none can be made, the watch alone bounds it.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

HIERARCHIES = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
"""Version 1 has a hierarchy for each controller, version 2 one for all."""
_OWN_TASKS = 4
"""The launcher's own processes and threads, which are counted with the job's."""
_REMOVE_S = 0.5


@contextlib.contextmanager
def pids_group(limit: int) -> Iterator[Path | None]:
    """A control group for one job of at most `limit` tasks; None if this process is not root or the kernel has none.

    Who writes its process id to the file `cgroup.procs` in it is counted from then on, with all that it starts.
    """
    name = uuid.uuid4().hex[:12]
    group = make_group(name, limit)
    try:
        yield group
    finally:
        if group is not None:
            remove_group(name)


def join(group: Path | None, pid: int) -> None:
    """Count this process, and all that it will start, in the group. Gone already, or no group: nothing."""
    if group is not None:
        with contextlib.suppress(OSError):
            (group / "cgroup.procs").write_text(str(pid), encoding="ascii")


def make_group(name: str, limit: int) -> Path | None:
    """A control group for at most `limit` tasks, until `remove_group` with this name; None as with `pids_group`."""
    if os.geteuid() != 0:
        return None
    for hierarchy in HIERARCHIES:
        group = hierarchy / f"greenlane-{name}"
        try:
            if not (hierarchy / "cgroup.procs").exists():
                continue  # version 1: the folder that holds the hierarchies is no group itself
            group.mkdir()
        except OSError:
            continue
        try:
            (group / "pids.max").write_text(str(limit + _OWN_TASKS), encoding="ascii")
        except OSError:
            _remove(group)
            continue
        return group
    return None


def remove_group(name: str) -> None:
    """Remove what `make_group` made, once its processes are gone. There is none: nothing."""
    for hierarchy in HIERARCHIES:
        if (group := hierarchy / f"greenlane-{name}").exists():
            _remove(group)


def _remove(group: Path) -> None:
    """The kernel lets go of a group when its last process is gone, which may be a moment after its end was seen."""
    deadline = time.monotonic() + _REMOVE_S
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)
        else:
            return
