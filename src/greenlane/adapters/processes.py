"""Process trees that outlive the controller, or end with it. Used by the local platform and by the Envoy adapter.

Each tree has a folder: `spec.json` (what to run), `status.json` (what its supervisor says), `supervisor.lock` (held as
long as the supervisor lives), `log`. See `supervise.py` for what the supervisor does.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal, TypeVar
from uuid import uuid4

import msgspec
import psutil

from greenlane.adapters.pids import make_group, remove_group
from greenlane.domain.delivery import Usage
from greenlane.domain.errors import FinalError, RetryableError

T = TypeVar("T", bound=msgspec.Struct)

SUPERVISOR = Path(__file__).with_name("supervise.py")
BOUNDED = Path(__file__).with_name("bounded.py")
TOKEN_VARIABLE = "GREENLANE_TREE"
"""In the environment of every process of a tree: by it, what lost its supervisor is still found."""
GRACE_S = 3.0
POLL_S = 0.02
LOCK_WAIT_S = 120.0
LOG_TAIL_BYTES = 64 * 1024
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class TreeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor is to run. Sizes in bytes, times in seconds; `limits` by their names in `resource`."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    token: str = msgspec.field(default_factory=lambda: uuid4().hex)
    restart: bool = False
    timeout_s: float | None = None
    parent_pipe: bool = False
    grace_s: float = GRACE_S
    log_max_bytes: int = 1 << 20
    quota_folders: tuple[str, ...] = ()
    quota_bytes: int = 0
    limits: dict[str, int] = {}
    max_tasks: int = 0
    """Most processes and threads of the tree at once; 0: not bounded."""
    group: str = ""
    """The control group in which the kernel bounds them; written by `start_tree` and `run_tree`."""


class TreeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor says of its tree. `reason` is why it stopped the program, empty if it ended by itself."""

    token: str
    pid: int
    child: int
    state: Literal["running", "backing-off", "ended"]
    restarts: int = 0
    exit_code: int | None = None
    reason: str = ""


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a bounded command ended; `reason` is `timeout` or `quota` if it was stopped."""

    exit_code: int
    reason: str
    output: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.exit_code == 0 and not self.reason


# ------------------------------------------------------------------ files and locks


def write_struct(path: Path, value: msgspec.Struct) -> None:
    """Durably and atomically, readable by this user alone."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(value), indent=1))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RetryableError(f"{path} can't be written: {error.strerror}", hint="free some disk space") from error


def read_struct(path: Path, kind: type[T]) -> T | None:
    """The record in this file, or None if there is none. Raises FinalError if the file is not one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise FinalError(f"{path} is damaged: {error}", hint="stop what it names by hand and remove it") from error


@contextlib.asynccontextmanager
async def locked(path: Path, *, wait_s: float = LOCK_WAIT_S) -> AsyncIterator[None]:
    """Exclusive over tasks and processes; freed by the system when its holder dies.

    Raises RetryableError after `wait_s`: its holder may be stopped, or hang.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _take(descriptor):
            if time.monotonic() > until:
                raise RetryableError(
                    f"another worker has held {path} for {wait_s:g} s", hint=f"`fuser {path}` shows which one"
                )
            await asyncio.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# ------------------------------------------------------------------ a tree


def is_alive(folder: Path) -> bool:
    """Whether a supervisor lives in this folder: it holds the lock."""
    try:
        descriptor = os.open(folder / "supervisor.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_status(folder: Path) -> TreeStatus | None:
    return read_struct(folder / "status.json", TreeStatus)


def is_running(folder: Path, token: str) -> bool:
    """Whether the tree with this token runs, or waits to be started again, under a live supervisor."""
    status = read_status(folder)
    return status is not None and status.token == token and status.state != "ended" and is_alive(folder)


async def start_tree(folder: Path, spec: TreeSpec) -> TreeStatus:
    """Start a supervisor for this spec in this folder; returns once it says so. It outlives this process."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ready", "status.json"):
        (folder / name).unlink(missing_ok=True)
    write_struct(folder / "spec.json", _prepare(spec))
    process = subprocess.Popen(  # noqa: ASYNC220 - returns at once, and nothing waits for it
        _supervisor_argv(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env={"PATH": SYSTEM_PATH, TOKEN_VARIABLE: spec.token},
    )
    until = time.monotonic() + 10
    try:
        while time.monotonic() < until:
            status = read_status(folder)
            if status is not None and status.token == spec.token:
                _forget(process)
                return status
            if process.poll() is not None:
                break
            await asyncio.sleep(POLL_S)
    except asyncio.CancelledError:
        process.terminate()  # nobody knows of it yet, so nobody else would stop it
        _forget(process)
        raise
    raise RetryableError(
        f"no supervisor came up in {folder} (exit code {process.poll()})",
        hint="is the disk full, or the limit of processes reached?",
    )


def _prepare(spec: TreeSpec) -> TreeSpec:
    """The spec with what is the same for every tree: its mark, and the bound on its processes."""
    spec = msgspec.structs.replace(spec, env={**spec.env, TOKEN_VARIABLE: spec.token})
    if not spec.max_tasks:
        return spec
    group = make_group(spec.token, spec.max_tasks)
    bounded = (sys.executable, "-I", "-S", str(BOUNDED), str(group or "-"), str(spec.max_tasks))
    return msgspec.structs.replace(spec, argv=(*bounded, *spec.argv), group=str(group or ""))


def _supervisor_argv(folder: Path) -> list[str]:
    return [sys.executable, "-I", "-S", str(SUPERVISOR), str(folder)]


_started: list[subprocess.Popen[bytes]] = []


def _forget(process: subprocess.Popen[bytes]) -> None:
    """Keep the handle only to collect it when it ends, so that it leaves no zombie while this process lives."""
    _started[:] = [p for p in _started if p.poll() is None]
    _started.append(process)


async def stop_tree(folder: Path, token: str, grace_s: float = GRACE_S) -> None:
    """End the tree and its supervisor; nothing of it is left when this returns. Absent: nothing."""
    until = time.monotonic() + grace_s + 15
    while is_alive(folder) and time.monotonic() < until:
        status = read_status(folder)
        if status is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(status.pid, signal.SIGTERM)
        await asyncio.sleep(POLL_S)
    if is_alive(folder) and (status := read_status(folder)) is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(status.pid, signal.SIGKILL)
    await asyncio.to_thread(sweep, token)
    await asyncio.to_thread(remove_group, token)
    for process in _started:
        process.poll()


def sweep(*tokens: str) -> int:
    """Kill what carries one of these tokens in its environment but lost its supervisor; how many that were."""
    killed: set[int] = set()
    for _ in range(50):
        found = [process for process in _carriers(frozenset(tokens)) if process.pid != os.getpid()]
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed.add(process.pid)
        psutil.wait_procs(found, timeout=0.2)
    return len(killed)


def _carriers(tokens: frozenset[str]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(TOKEN_VARIABLE) in tokens:
                yield process


def measure_tree(folder: Path) -> Usage:
    """What the tree has used since its supervisor started; nothing if it does not run."""
    status = read_status(folder)
    if status is None or not is_alive(folder):
        return Usage(cpu_s=0.0, rss_mb=0.0, processes=0)
    cpu_s = rss = 0.0
    count = 0
    with contextlib.suppress(psutil.Error):
        supervisor = psutil.Process(status.pid)
        ended = supervisor.cpu_times()
        cpu_s += ended.children_user + ended.children_system  # programs that ended and were started again
        for process in supervisor.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                cpu_s += times.user + times.system + times.children_user + times.children_system
                rss += process.memory_info().rss
                count += 1
    return Usage(cpu_s=round(cpu_s, 3), rss_mb=round(rss / 2**20, 3), processes=count)


def listens_on(folder: Path, port: int) -> bool:
    """Whether a process of the tree listens on this TCP port; True where that can't be seen."""
    status = read_status(folder)
    if status is None:
        return False
    try:
        for process in psutil.Process(status.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                for connection in process.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                        return True
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return False


def tail_log(folder: Path, max_bytes: int = LOG_TAIL_BYTES) -> str:
    """The last bytes of the tree's log, as text."""
    data = b""
    for name in ("log", "log.1"):
        missing = max_bytes - len(data)
        if missing > 0:
            with contextlib.suppress(FileNotFoundError), (folder / name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - missing))
                data = file.read(missing) + data
    return data.decode("utf-8", "replace")


def last_lines(text: str, count: int = 15, max_chars: int = 2000) -> str:
    """The end of a log, for a message: each line marked, so that they can be told apart where a face joins them."""
    return "\n".join(f"| {line}" for line in text.strip()[-max_chars:].splitlines()[-count:])


# ------------------------------------------------------------------ commands that end with the controller


async def run_tree(folder: Path, spec: TreeSpec) -> CommandResult:
    """Run a command to its end. It is gone with its whole tree at its time-out, on cancelling, or when we die."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    spec = msgspec.structs.replace(spec, parent_pipe=True)
    write_struct(folder / "spec.json", _prepare(spec))
    process = await asyncio.create_subprocess_exec(
        *_supervisor_argv(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env={"PATH": SYSTEM_PATH, TOKEN_VARIABLE: spec.token},
    )
    try:
        await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        await asyncio.shield(process.wait())
        raise
    finally:
        if process.stdin is not None:
            process.stdin.close()
    status = read_status(folder)
    if status is None or status.state != "ended":
        await asyncio.to_thread(sweep, spec.token)
        await asyncio.to_thread(remove_group, spec.token)
        raise RetryableError(f"the supervisor of a command ended early (exit code {process.returncode})")
    return CommandResult(
        exit_code=-1 if status.exit_code is None else status.exit_code,
        reason=status.reason,
        output=tail_log(folder),
        seconds=time.monotonic() - began,
    )


# ------------------------------------------------------------------ all of a state folder


async def shutdown(state_dir: Path) -> int:
    """Stop every process tree recorded in this state folder (services, router); how many there were."""
    root = state_dir.resolve()
    folders = [spec.parent for pattern in ("*/spec.json", "*/*/spec.json") for spec in root.glob(pattern)]
    alive = [folder for folder in folders if is_alive(folder)]
    await asyncio.gather(*(_stop_recorded(folder) for folder in alive))
    # a supervisor that is only just starting holds no lock yet, but it carries its token
    specs = [read_struct(folder / "spec.json", TreeSpec) for folder in folders]
    tokens = [spec.token for spec in specs if spec is not None]
    swept = await asyncio.to_thread(sweep, *tokens)
    for token in tokens:
        remove_group(token)
    return len(alive) + swept


async def _stop_recorded(folder: Path) -> None:
    spec = read_struct(folder / "spec.json", TreeSpec)
    if spec is not None:
        await stop_tree(folder, spec.token)
