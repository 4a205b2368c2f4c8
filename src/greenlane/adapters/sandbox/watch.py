"""What a job's process tree uses, read from /proc of the host: the bounds that no rlimit sets for a whole tree.

RLIMIT_AS binds one process and not a tree, RLIMIT_FSIZE one file and not a folder. Processes are bound by the kernel
(RLIMIT_NPROC, counted inside the job's user namespace); counting them here is the second line.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from greenlane.ports.sandbox import SandboxJob

_PAGE = os.sysconf("SC_PAGE_SIZE")
_OWN_TASKS = 8  # init and launcher, and room: the kernel is to refuse before this ends the job
_TREE_FACTOR = 4
"""A whole job may write this many times what one file may hold; enough for a build, far from a full disk."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """Threads of the whole tree, bytes of memory that its processes do not share, and their ids."""

    tasks: int
    private_bytes: int
    pids: tuple[int, ...]


def survey_tree(root: int, task_limit: int) -> Survey:
    """Walk the tree under `root`; stops early once more than `task_limit` threads are seen."""
    waiting, pids, tasks, private = [root], [], 0, 0
    while waiting and tasks <= task_limit:
        pid = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - hot path, names only
            size, resident, shared = _read(f"/proc/{pid}/statm").split()[:3]
            del size
            for thread in threads:
                waiting += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
        except (OSError, ValueError):
            continue  # it ended while we looked
        pids.append(pid)
        tasks += len(threads)
        private += (int(resident) - int(shared)) * _PAGE
    return Survey(tasks=tasks, private_bytes=private, pids=tuple(pids))


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - hot path
        return file.read()


def _proportional_bytes(pids: tuple[int, ...]) -> int:
    """Memory with shared pages counted once (PSS); dear, so asked only when the cheap figure is over the limit."""
    total = 0
    for pid in pids:
        try:
            lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
        except (OSError, ValueError):
            continue
    return total


class Watch:
    """Holds one job against its limits; asked a few times a second while it runs."""

    def __init__(self, job: SandboxJob, init: int) -> None:
        self._job = job
        self._init = init
        self._free_at_start = self._free_bytes()
        self._started_ns = job.workdir.stat().st_ctime_ns

    def exceeded(self) -> str:
        """Which limit is broken now: `processes`, `memory`, `disk`; empty if none is."""
        limit = self._job.max_processes + _OWN_TASKS
        survey = survey_tree(self._init, limit)
        if survey.tasks > limit:
            return "processes"
        memory_limit = self._job.memory_mb << 20
        if survey.private_bytes > memory_limit and _proportional_bytes(survey.pids) > memory_limit:
            return "memory"
        disk_limit = (self._job.max_file_mb << 20) * _TREE_FACTOR
        if self._free_at_start - self._free_bytes() > disk_limit and self._written_bytes() > disk_limit:
            return "disk"
        return ""

    def _free_bytes(self) -> int:
        status = os.statvfs(self._job.workdir)
        return status.f_bavail * status.f_frsize

    def _written_bytes(self) -> int:
        """Bytes of the files in the workdir that were changed since the job began."""
        total = 0
        for folder, _, names in os.walk(self._job.workdir):
            for name in names:
                try:
                    status = Path(folder, name).lstat()
                except OSError:
                    continue
                if status.st_ctime_ns >= self._started_ns:
                    total += status.st_blocks * 512
        return total
