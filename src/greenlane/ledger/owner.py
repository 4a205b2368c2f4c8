"""Names of lease holders, `machine:pid:start`, and whether the process behind such a name is known to be gone."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

import psutil

START_TOLERANCE_S = 2.0
"""psutil derives wall-clock start times from the boot time, which is only known to about a second."""


@lru_cache(maxsize=1)
def machine_name() -> str:
    """The host's name and, on Linux, its pid namespace: two containers may share a host name, but not their pids."""
    host = socket.gethostname()
    if psutil.LINUX:
        try:
            return f"{host}.{Path('/proc/self/ns/pid').stat().st_ino}"
        except OSError:
            return host
    return host


def _start_of(pid: int) -> str | None:
    """When a process was started, None if it is gone: ticks since boot on Linux (wall clocks jump), else seconds."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if psutil.LINUX:
            # field 22 of proc(5) stat; the command's name before it is in brackets and may itself hold brackets
            return (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
            )
        return f"{process.create_time():.3f}"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError, IndexError):
        return None
    except (psutil.Error, OSError):
        return ""  # it is there but may not be looked at


def this_owner() -> str:
    """The name under which this process holds leases."""
    return f"{machine_name()}:{os.getpid()}:{_start_of(os.getpid())}"


def is_known_dead(owner: str) -> bool:
    """True only if `owner` was a process of this machine that has ended; names of another form are never known dead."""
    machine, _, rest = owner.rpartition(":")[0].rpartition(":")
    start = owner.rpartition(":")[2]
    if machine not in (machine_name(), socket.gethostname()) or not rest.isdecimal():
        return False
    pid = int(rest)
    now_there = _start_of(pid)
    if now_there is None:
        return True
    if not now_there or start == now_there:
        return False
    if start.isdecimal():
        return now_there.isdecimal()  # ticks against ticks: another process has the pid by now
    try:
        return abs(psutil.Process(pid).create_time() - float(start)) > START_TOLERANCE_S
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError):
        return False
