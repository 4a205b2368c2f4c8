"""Running a sandboxed process: the part that both implementations share.

The caller's process stays outside; it reads bounded output, holds the tree against its limits, and ends it as a whole
by killing the init of its PID namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from greenlane.adapters.pids import pids_group
from greenlane.adapters.sandbox.view import Mount, plan_view
from greenlane.adapters.sandbox.watch import Watch, survey_tree
from greenlane.domain.errors import FinalError, RetryableError
from greenlane.ports.sandbox import SandboxJob, SandboxResult

_CHUNK = 1 << 16
_WATCH_S = 0.05
"""How often the tree is held against its limits: a fork bomb as root gets this long."""
_START_S = 20.0
"""Time for the sandbox itself to come up, on a machine that is very busy."""
_GONE_S = 30.0
_MOST_AT_START = 64
_BWRAP_NO_PROGRAM = "bwrap: execvp "
INSIDE_ID = 1000
"""The user and group id that the job has inside."""
_ENVIRONMENT = (
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HOME", "/tmp"),
    ("TMPDIR", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("USER", "sandbox"),
)


class Status(msgspec.Struct, rename={"child_pid": "child-pid", "exit_code": "exit-code"}):
    """A line of the status channel: the init's process id on the host, how the job ended, or why it never began."""

    child_pid: int | None = None
    exit_code: int | None = None
    error: str = ""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What to start: arguments, and the descriptors that it inherits under their own numbers."""

    argv: tuple[str, ...]
    inherited: tuple[int, ...]


class BoundedOutput:
    """Keeps the first and the last half of what came, so that neither a header nor a summary is lost."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[max(room, 0) :]
        excess = len(self._tail) - self._half
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    @property
    def truncated(self) -> bool:
        return self._dropped > 0

    def text(self) -> str:
        gap = f"\n[... {self._dropped} bytes left out ...]\n".encode() if self._dropped else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", errors="replace")


def environment_of(job: SandboxJob) -> tuple[tuple[str, str], ...]:
    """The job's whole environment: a few harmless defaults, and what the job names itself."""
    return tuple((dict(_ENVIRONMENT) | dict(job.env)).items())


def limits_of(job: SandboxJob) -> tuple[tuple[str, int], ...]:
    """Resource limits of each process, by name in module `resource`."""
    return (
        ("RLIMIT_AS", job.memory_mb << 20),
        ("RLIMIT_CPU", int(job.timeout_s * (os.cpu_count() or 1)) + 1),
        ("RLIMIT_FSIZE", job.max_file_mb << 20),
        ("RLIMIT_NOFILE", 1024),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NPROC", job.max_processes),
    )


class ProcessSandbox(ABC):
    """A sandbox made of a launching program; subclasses say how to start it."""

    @property
    @abstractmethod
    def kind(self) -> str: ...

    @abstractmethod
    def _command(
        self, job: SandboxJob, view: tuple[Mount, ...], status: int, group: Path | None
    ) -> contextlib.AbstractContextManager[Command]:
        """The command for this job, reporting on descriptor `status`; cleans up after the process has ended.

        `group` is the control group that bounds its processes (`pids.py`), if there is one: the launcher joins it
        before the job starts, or `_started` puts init into it.
        """

    def _prepare(self, job: SandboxJob) -> None:
        """Called before anything is started, outside the event loop."""
        del job

    def _started(self, job: SandboxJob, init: int, group: Path | None) -> None:
        """Called once init exists, for a launcher that lets the job wait until then."""
        del job, init, group

    def _end(self, pidfd: int) -> None:
        """End the whole tree, given its init: the kernel ends a PID namespace with it."""
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    async def run(self, job: SandboxJob) -> SandboxResult:
        view = await asyncio.to_thread(plan_view, job)
        await asyncio.to_thread(self._prepare, job)
        started = time.monotonic()
        read_end, write_end = os.pipe()
        try:
            with pids_group(job.max_processes) as group, self._command(job, view, write_end, group) as command:
                process = await _spawn(command)
                os.close(write_end)
                write_end = -1
                return await self._attend(job, process, read_end, started, group)
        finally:
            os.close(read_end)
            if write_end >= 0:
                os.close(write_end)

    async def _attend(
        self,
        job: SandboxJob,
        process: asyncio.subprocess.Process,
        report: int,
        started: float,
        group: Path | None,
    ) -> SandboxResult:
        assert process.stdout is not None
        assert process.stderr is not None
        outputs = BoundedOutput(job.max_output_bytes), BoundedOutput(job.max_output_bytes)
        pumps = [
            asyncio.create_task(_pump(stream, output))
            for stream, output in zip((process.stdout, process.stderr), outputs, strict=True)
        ]
        stopped, init, statuses = "", None, _Statuses()
        try:
            async with _readable(report, statuses.feed):
                init = await self._await_start(job, process, statuses, group)
                if init is not None:
                    stopped = await _watch(job, process, init.pid)
                    init.kill()
                    await init.gone()
                await process.wait()
                await asyncio.gather(*pumps)
                statuses.drain(report)
        finally:
            if init is not None:
                init.kill()
                init.close()
            if init is None:
                _abort(process)
            for pump in pumps:
                pump.cancel()
            await process.wait()
        stdout, stderr = (output.text() for output in outputs)
        if statuses.exit_code is None and not stopped and stderr.startswith(_BWRAP_NO_PROGRAM):
            statuses.exit_code = 127  # as a shell says it; bubblewrap reports no exit code here
        if (statuses.exit_code is None or statuses.error) and not stopped:
            reason = statuses.error or stderr.strip()[-500:] or "it ended without a word"
            raise FinalError(f"the job could not be isolated ({self.kind}): {reason}", hint="see `greenlane doctor`")
        return SandboxResult(
            exit_code=_signed(statuses.exit_code) if not stopped else -signal.SIGKILL,
            stdout=stdout,
            stderr=stderr,
            seconds=time.monotonic() - started,
            timed_out=stopped == "time",
            truncated=any(output.truncated for output in outputs),
            stopped=stopped,
        )

    async def _await_start(
        self, job: SandboxJob, process: asyncio.subprocess.Process, statuses: _Statuses, group: Path | None
    ) -> _Init | None:
        ended = asyncio.create_task(process.wait())
        began = asyncio.create_task(statuses.began.wait())
        try:
            await asyncio.wait({ended, began}, timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            began.cancel()
        if statuses.child_pid is None:
            _abort(process)
            return None
        try:
            init = _Init(statuses.child_pid, self._end)
        except ProcessLookupError:
            return None  # it ended in the meantime: the status says how
        try:
            self._started(job, statuses.child_pid, group)
        except ProcessLookupError:
            init.close()
            return None  # likewise
        except PermissionError as error:  # it waits still, and never begins
            init.kill()
            init.close()
            raise FinalError(
                f"limits can't be set on a job ({self.kind}): {error}", hint="see `greenlane doctor`"
            ) from error
        return init


async def _spawn(command: Command) -> asyncio.subprocess.Process:
    """Start the launcher. Cancelled meanwhile, asyncio would end it alone, and wait for what it had started: so the
    start is seen through, and then all of it is ended."""
    spawning = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
            pass_fds=command.inherited,
            start_new_session=True,
            limit=_CHUNK,
        )
    )
    try:
        return await asyncio.shield(spawning)
    except asyncio.CancelledError:
        process = await spawning
        _abort(process)
        await process.wait()
        raise


def _abort(process: asyncio.subprocess.Process) -> None:
    """End a launcher that has not come as far as to name its init, with whatever it started: that waits for a word
    which never comes, and has lost its parent-death signal when it got its namespaces."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGSTOP)
        for pid in reversed(survey_tree(process.pid, _MOST_AT_START).pids):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        process.kill()


class _Statuses:
    """The status channel: JSON lines, put together from whatever pieces arrive."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.child_pid: int | None = None
        self.exit_code: int | None = None
        self.error = ""
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError):
                status = msgspec.json.decode(line, type=Status)
                self.child_pid = status.child_pid if status.child_pid is not None else self.child_pid
                self.exit_code = status.exit_code if status.exit_code is not None else self.exit_code
                self.error = status.error or self.error
        if self.child_pid is not None:
            self.began.set()

    def drain(self, descriptor: int) -> None:
        """Take what is still in the pipe once every writer is gone."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(descriptor, _CHUNK):
                self.feed(data)


class _Init:
    """The init of a job's PID namespace, held by a pidfd so that no other process can be hit."""

    def __init__(self, pid: int, end: Callable[[int], None]) -> None:
        self.pid = pid
        self._end = end
        self._descriptor = os.pidfd_open(pid)

    def kill(self) -> None:
        self._end(self._descriptor)

    async def gone(self) -> None:
        """Wait until it has ended; the kernel ends everything in its namespace before that. Raises RetryableError."""
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._descriptor, event.set)
        try:
            async with asyncio.timeout(_GONE_S):
                await event.wait()
        except TimeoutError as error:
            raise RetryableError("the processes of a sandboxed job were killed and have not ended yet") from error
        finally:
            loop.remove_reader(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


async def _pump(stream: asyncio.StreamReader, output: BoundedOutput) -> None:
    while data := await stream.read(_CHUNK):
        output.add(data)


async def _watch(job: SandboxJob, process: asyncio.subprocess.Process, init: int) -> str:
    """Wait for the job's end; the name of the limit that it broke (`time`, `memory`, ...), empty if none."""
    watch = Watch(job, init)
    deadline = time.monotonic() + job.timeout_s
    ended = asyncio.create_task(process.wait())
    try:
        while True:
            left = deadline - time.monotonic()
            done, _ = await asyncio.wait({ended}, timeout=max(min(_WATCH_S, left), 0))
            if done:
                return ""
            if left <= 0:
                return "time"
            if broken := watch.exceeded():
                return broken
    finally:
        ended.cancel()


@contextlib.asynccontextmanager
async def _readable(descriptor: int, feed: Callable[[bytes], None]) -> AsyncIterator[None]:
    os.set_blocking(descriptor, False)
    loop = asyncio.get_running_loop()

    def on_data() -> None:
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(descriptor, _CHUNK)
        if data:
            feed(data)
        else:
            loop.remove_reader(descriptor)

    loop.add_reader(descriptor, on_data)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)


def _signed(code: int | None) -> int:
    """Launchers report a signal as 128 + its number, as shells do."""
    if code is None:
        return -signal.SIGKILL
    return 128 - code if 128 < code <= 128 + 64 else code
