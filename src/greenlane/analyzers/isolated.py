"""Runs an analyzer in a process of its own, so that no file of a change can hang, crash or fill the worker.

The content of a change is hostile: deep nesting, pathological regular expressions, cyclic imports. A process can be
ended at its time-out, its memory is bounded, and what it prints is kept only to explain its end. Whatever goes wrong is
a skipped analysis.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO

import msgspec

import greenlane
from greenlane.analyzers.base import EVERYTHING, AnalysisResult, ReviewInput
from greenlane.analyzers.worker import ENDED, JOB
from greenlane.domain.events import SkippedFile

_COMMAND = ("-P", "-m", "greenlane.analyzers.worker")
_MAX_RESULT_BYTES = 16 << 20
"""A worker caps its findings far below this; more is not a result."""
_TAIL_BYTES = 4096
_TAIL_CHARS = 300
_STOP_GRACE_S = 5.0
"""How long a job may take beyond its time-out: its parent ends it, unless that hangs too."""


class WorkerGoneError(Exception):
    """The process that forks the jobs has ended."""


class AnalyzerPool:
    """The process that has imported everything and forks a child for each job: started when the first job comes,
    started anew when it is gone, ended with this object or this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._end: weakref.finalize[..., AnalyzerPool] | None = None

    def begin(self, name: str, timeout_s: float, files: tuple[IO[bytes], IO[bytes], IO[bytes]]) -> socket.socket:
        """Begin a job with its request, answer and noise; the socket tells of its end. Raises WorkerGoneError."""
        header = JOB.pack(name.encode(), timeout_s)
        with self._lock:
            for _ in range(2):
                here, there = socket.socketpair()
                with there:
                    try:
                        control = self._control or self._start()
                        socket.send_fds(control, [header], [there.fileno(), *(f.fileno() for f in files)])
                    except OSError:
                        here.close()
                        self._stop()
                    else:
                        here.setblocking(False)
                        return here
        raise WorkerGoneError

    def close(self) -> None:
        """End the process with all of its jobs. The next job starts another."""
        with self._lock:
            self._stop()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # a list, no shell
                [sys.executable, *_COMMAND],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_clean_environment(),
                start_new_session=True,
            )
        self._control = ours
        self._end = weakref.finalize(self, _end, process, ours)
        return ours

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._control = self._end = None


class IsolatedAnalyzer:
    """An analyzer of `worker.ANALYZERS`, run in a child of the pool's process."""

    def __init__(self, name: str, version: str, *, timeout_s: float, pool: AnalyzerPool | None = None) -> None:
        self._name = name
        self._version = version
        self._timeout_s = timeout_s
        self._pool = pool or AnalyzerPool()

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return self._version

    async def analyze(self, review: ReviewInput) -> AnalysisResult:
        with (
            tempfile.TemporaryFile() as request,
            tempfile.TemporaryFile() as answer,
            tempfile.TemporaryFile() as noise,
        ):
            request.write(msgspec.json.encode(review))
            request.flush()
            request.seek(0)
            try:
                told = await self._run((request, answer, noise))
            except WorkerGoneError:
                return self._failed("its process could not be started")
            if len(told) < ENDED.size:
                return self._failed("its process is gone" + _tail(noise))
            code, late = ENDED.unpack(told)
            if late:
                return self._failed(f"it took longer than {self._timeout_s:g} s")
            if code != 0:
                return self._failed(f"its process ended with code {code}" + _tail(noise))
            answer.seek(0)
            data = answer.read(_MAX_RESULT_BYTES + 1)
        try:
            return msgspec.json.decode(data if len(data) <= _MAX_RESULT_BYTES else b"", type=AnalysisResult)
        except msgspec.MsgspecError:
            return self._failed("its answer could not be read")

    async def _run(self, files: tuple[IO[bytes], IO[bytes], IO[bytes]]) -> bytes:
        """How the job ended, as `ENDED`; nothing if the pool's process is gone. Closing the socket ends the job."""
        with await asyncio.to_thread(self._pool.begin, self._name, self._timeout_s, files) as told:
            async with asyncio.timeout(self._timeout_s + _STOP_GRACE_S):
                try:
                    return await asyncio.get_running_loop().sock_recv(told, ENDED.size)
                except ConnectionError:
                    return b""

    def _failed(self, reason: str) -> AnalysisResult:
        return AnalysisResult(skipped=(SkippedFile(path=EVERYTHING, analyzer=self._name, reason=reason),))


def _tail(noise: IO[bytes]) -> str:
    """The last line that was printed: of a traceback, the error."""
    size = noise.seek(0, os.SEEK_END)
    noise.seek(max(0, size - _TAIL_BYTES))
    lines = noise.read(_TAIL_BYTES).decode("utf-8", "replace").strip().splitlines()
    shown = "".join(c if c.isprintable() else " " for c in lines[-1])[-_TAIL_CHARS:] if lines else ""
    return f" ({shown})" if shown else ""


def _clean_environment() -> dict[str, str]:
    """No secrets, no settings of tools, and the same Greenlane that is running now."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(Path(greenlane.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "NO_COLOR": "1",
    }


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    """Closing its socket ends the process, which ends its jobs; a process that does not is killed."""
    control.close()
    try:
        process.wait(_STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(_STOP_GRACE_S)
