"""The process that analyzers run in: it imports all of their libraries once, and forks a child for each job.

Started by `isolated.py` as `python -m greenlane.analyzers.worker`, with a socket as its standard input. A job is one
message: a header (`JOB`) with four file descriptors: a socket on which the end of the job is told, the request (a
`ReviewInput` as JSON), and the files that the answer (an `AnalysisResult`) and all other output go to. The parent never
looks at a change, so nothing of one can reach the next: each child begins as the parent was after its imports. It ends
its children at their time-out, or when whoever asked has gone; and itself when its own socket is closed.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path

import msgspec

from greenlane.analyzers import files, tools
from greenlane.analyzers.base import EVERYTHING, AnalysisResult, ReviewInput
from greenlane.analyzers.secrets import FORMATS
from greenlane.domain.events import SkippedFile

ANALYZERS = {
    "reading": "greenlane.analyzers.reading",
    "security": "greenlane.analyzers.security",
    "secrets": "greenlane.analyzers.secrets",
    "api": "greenlane.analyzers.api",
    "schema": "greenlane.analyzers.schema",
    "integrations": "greenlane.analyzers.integrations",
    "infrastructure": "greenlane.analyzers.infrastructure",
    "guards": "greenlane.analyzers.guards",
    "performance": "greenlane.analyzers.performance",
    "suppressions": "greenlane.analyzers.suppressions",
    "weakened": "greenlane.analyzers.weakened",
    "scripts": "greenlane.analyzers.scripts",
}
READS_ADDED_LINES = frozenset({"secrets"})
"""Analyzers that go through every added line as the difference has it, and open no file for that."""
_IMPORTED_LATE = (
    "greenlane.analyzers.library", "bandit.cli.main", "bandit.core.extension_loader", "bandit.formatters.json",
    "sqlglot.dialects.postgres", "sqlglot.dialects.mysql", "sqlglot.dialects.sqlite",
    *(f"detect_secrets.plugins.{name.partition('.')[0]}" for name in FORMATS),
)  # fmt: skip
"""What analyzers import only where they need it, and would pay for in each child."""
IMPORTED = (*ANALYZERS.values(), *_IMPORTED_LATE)
"""All modules that a child finds imported already."""
JOB = struct.Struct("=32sd")
"""The name of an analyzer, and its time-out in seconds."""
ENDED = struct.Struct("=iB")
"""The exit code of a job (negative: the signal), and whether it was ended at its time-out."""
MAX_MEMORY_BYTES = 4 << 30
"""Address space of a child and its tools: thread stacks count, so it is far above what they use."""
MAX_DATA_BYTES = 768 << 20
"""Memory of a child, and of each tool, that is its own. An analysis that needs more is one that did not happen."""
MAX_FILE_BYTES = 256 << 20
"""Of any file that a child or its tools write, the answer included."""
MAX_FINDINGS = 2000
"""More findings of one analyzer help nobody; that there were more is said."""
_RECURSION = 6000
"""Room for visitors on trees of `files.MAX_DEPTH` levels, several frames a level."""
_FIRST_FREE = 64
"""Descriptors of a child that it needs itself are moved here; all others are closed."""


def run(name: str, review: ReviewInput) -> AnalysisResult:
    """The analyzer's result; its failure is a skipped analysis of everything."""
    files.opened.clear()
    try:
        result: AnalysisResult = importlib.import_module(ANALYZERS[name]).analyze(review)
    except Exception as error:  # whatever the content of a change provokes, it must not look like 'nothing found'
        text = f"it failed ({type(error).__name__}: {str(error)[:200]})"
        return AnalysisResult(skipped=(SkippedFile(path=EVERYTHING, analyzer=name, reason=text),))
    if result.read is None:
        result = msgspec.structs.replace(result, read=_what_was_read(name, review))
    if len(result.findings) <= MAX_FINDINGS:
        return result
    more = SkippedFile(path=EVERYTHING, analyzer=name, reason=f"it has more than {MAX_FINDINGS} findings")
    return msgspec.structs.replace(result, findings=result.findings[:MAX_FINDINGS], skipped=(*result.skipped, more))


def _what_was_read(name: str, review: ReviewInput) -> tuple[str, ...]:
    """The files of the change that the analyzer opened, on either side; secrets are looked for in the added lines."""
    opened = {f.path for f in review.diff.files if f.path in files.opened or f.old_path in files.opened}
    if name in READS_ADDED_LINES:
        opened |= {f.path for f in review.readable if f.added}
    return tuple(sorted(opened))


# ------------------------------------------------------------------ the child


def _work(name: str, request: int, answer: int, noise: int) -> None:
    """Do one job in a child, and leave it; never returns."""
    code = 1
    try:
        _settle(answer, noise)
        with os.fdopen(request, "rb") as stream:
            review = msgspec.json.decode(stream.read(), type=ReviewInput)
        # What is left behind at a time-out goes with the folder of the change.
        tempfile.tempdir = _own_folder(review)
        result = msgspec.json.encode(run(name, review))
        with os.fdopen(_FIRST_FREE, "wb") as out:
            out.write(result)
        code = 0
    except BaseException:  # the reason is in the noise, whose tail is told
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stderr.flush()
        os._exit(code)


def _settle(answer: int, noise: int) -> None:
    """A session, limits and descriptors of its own: libraries that print must not spoil the answer."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (noise, 1), (noise, 2), (answer, _FIRST_FREE)):
        os.dup2(source, target)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(_RECURSION)
    tools.may_fork = True


def _own_folder(review: ReviewInput) -> str | None:
    """The folder that holds the trees; None, the system's, if it is not to be written to."""
    folder = Path(review.head_tree).parent
    return str(folder) if folder.is_dir() and os.access(folder, os.W_OK) else None


# ------------------------------------------------------------------ the parent


class _Job(msgspec.Struct):
    """A child that works: its process, who waits for it, and until when (monotonic seconds)."""

    pid: int
    asker: socket.socket
    deadline: float
    late: bool = False


class _Parent:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._jobs: dict[int, _Job] = {}
        self._wake, wake = os.pipe()
        for end in (self._wake, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the control socket is closed; then no child is left."""
        try:
            while self._once():
                pass
        finally:
            for job in self._jobs.values():
                _kill(job.pid)

    def _once(self) -> bool:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        askers = {job.asker.fileno(): job for job in self._jobs.values()}
        for number in askers:
            poll.register(number, 0)  # only whether the other end was closed
        ready = {number for number, _ in poll.poll(self._patience_ms())}
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
        self._reap()
        for number in ready & askers.keys():
            if askers[number].pid in self._jobs:
                _kill(askers[number].pid)
        for job in self._jobs.values():
            if not job.late and time.monotonic() >= job.deadline:
                job.late = True
                _kill(job.pid)
        return self._control.fileno() not in ready or self._accept()

    def _patience_ms(self) -> int | None:
        waiting = [job.deadline for job in self._jobs.values() if not job.late]
        return max(0, int((min(waiting) - time.monotonic()) * 1000) + 1) if waiting else None

    def _accept(self) -> bool:
        """Begin the next job; False if there will be none any more."""
        header, descriptors, _, _ = socket.recv_fds(self._control, JOB.size, 4)
        if len(header) != JOB.size or len(descriptors) != 4:
            return False
        name, timeout_s = JOB.unpack(header)
        asker, request, answer, noise = descriptors
        pid = os.fork()
        if pid == 0:
            _close_others({request, answer, noise})
            _work(name.rstrip(b"\0").decode(), request, answer, noise)
        for number in (request, answer, noise):
            os.close(number)
        job = _Job(pid=pid, asker=socket.socket(fileno=asker), deadline=time.monotonic() + timeout_s)
        self._jobs[pid] = job
        return True

    def _reap(self) -> None:
        """Tell of children that have ended; their tools, which share their session, are ended too."""
        for pid, job in tuple(self._jobs.items()):
            # Only looked at first: while its process is not reaped, no other can get its number.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill(pid)
            _, status = os.waitpid(pid, 0)
            del self._jobs[pid]
            with job.asker, contextlib.suppress(OSError):
                job.asker.sendall(ENDED.pack(os.waitstatus_to_exitcode(status), job.late))


def _close_others(kept: set[int]) -> None:
    """Close all that the parent has open for others: a child must not see another job's files."""
    begin = 3
    for number in sorted({n for n in kept if n >= begin} | {_MAX_DESCRIPTOR}):
        os.closerange(begin, number)
        begin = number + 1


_MAX_DESCRIPTOR = 1 << 12


def _kill(pid: int) -> None:
    """End a child and everything in its session; it may not have made that yet."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except OSError as error:
            if error.errno not in (errno.ESRCH, errno.EPERM):  # EPERM: a group whose members are all gone, on macOS
                raise


def main() -> None:
    for name in IMPORTED:
        with contextlib.suppress(Exception):  # a child meets the same error, and tells it
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page of what was imported
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_DESCRIPTOR, _MAX_DESCRIPTOR))
    _Parent(control).serve()


if __name__ == "__main__":
    main()
