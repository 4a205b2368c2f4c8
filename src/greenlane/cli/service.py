"""`greenlane up` and `down`: the agents and the status page in one process, and a note of which process that is."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
import uvicorn

from greenlane.adapters.local_platform import shutdown
from greenlane.adapters.reports import write_atomically
from greenlane.cli.sink import say
from greenlane.domain.errors import FinalError, GreenlaneError, InputError
from greenlane.pages.words import count_words
from greenlane.web.app import create_app

if TYPE_CHECKING:
    from greenlane.ports.application import Application

NOTE = "up.json"
STOP_S = 15.0
"""A service ends its current step and its requests in this time; then `down` says that it did not."""


RULES_EVERY_S = 3.0
"""How often a service looks whether the rules on the base branch are still those that it works by."""


class ServiceNote(msgspec.Struct, frozen=True, kw_only=True):
    """Which process serves this folder. `created` (epoch, seconds) tells it from a later process of the same id."""

    pid: int
    created: float
    url: str


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: one place decides when the whole service stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    application: Application, *, host: str, port: int, read_rules: Callable[[], Awaitable[str]] | None = None
) -> int | None:
    """Work and show until SIGINT or SIGTERM (None), or until the rules have changed: the port to go on at with them.

    Raises InputError if the port is taken or another service runs here.
    """
    note_path = application.state_dir / NOTE
    other = read_note(note_path)
    if other:
        raise InputError(f"a service runs here already: {other.url} (process {other.pid})", hint="`greenlane down`")
    listener = bind(host, port)
    port = listener.getsockname()[1]
    url = _url_of(host, port)
    config = uvicorn.Config(
        create_app(application, host=host), log_level="warning", access_log=False, lifespan="off", server_header=False
    )
    server = _Server(config)
    write_note(note_path, own_note(url))
    say(f"greenlane is up: {url}  (Ctrl-C stops it; unfinished runs go on at the next start)")
    try:
        return port if await _until_stopped(application, server, listener, read_rules) else None
    finally:
        note_path.unlink(missing_ok=True)
        listener.close()


async def _until_stopped(
    application: Application,
    server: _Server,
    listener: socket.socket,
    read_rules: Callable[[], Awaitable[str]] | None,
) -> bool:
    """Whether it was the rules that changed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    working = asyncio.create_task(application.work(until=None))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    changing = asyncio.create_task(_until_changed(application.rules, read_rules) if read_rules else stop.wait())
    tasks = (working, serving, stopping, changing)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return changing in done and not stop.is_set()
    finally:
        server.should_exit = True
        for task in (working, stopping, changing):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _until_changed(before: str, read_rules: Callable[[], Awaitable[str]]) -> None:
    """Until other rules stand on the base branch. Those that can't be used are told of, and change nothing."""
    told = ""
    while True:
        await asyncio.sleep(RULES_EVERY_S)
        try:
            if await read_rules() != before:
                say("the rules on the base branch have changed: going on with the new ones")
                return
            told = ""
        except GreenlaneError as error:
            if error.message != told:
                say(f"the new rules can't be used, so those of before stay in force: {error.message}")
            told = error.message


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises InputError that says what to do if it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is in use", hint="`--port 0` takes a free one") from error
        raise InputError(
            f"can't listen on {host}:{port}: {error.strerror or error}", hint="try --host 127.0.0.1"
        ) from error
    return listener


def _url_of(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def own_note(url: str) -> ServiceNote:
    process = psutil.Process(os.getpid())
    return ServiceNote(pid=process.pid, created=process.create_time(), url=url)


def write_note(path: Path, note: ServiceNote) -> None:
    write_atomically(path, msgspec.json.encode(note).decode())


def read_note(path: Path) -> ServiceNote | None:
    """The service that the note names, if exactly that process is still alive."""
    try:
        note = msgspec.json.decode(path.read_bytes(), type=ServiceNote)
        process = psutil.Process(note.pid)
        same = abs(process.create_time() - note.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, msgspec.DecodeError, psutil.Error):
        return None
    return note if same else None


async def stop_service(state_dir: Path) -> tuple[str, ...]:
    """End the service of this folder, if one runs; what was ended. Raises FinalError if it does not end."""
    note = read_note(state_dir / NOTE)
    if note is None or note.pid == os.getpid():
        return ()
    process = psutil.Process(note.pid)
    process.terminate()
    try:
        await asyncio.to_thread(process.wait, STOP_S)
    except psutil.TimeoutExpired:
        raise FinalError(
            f"the service (process {note.pid}) did not end in {STOP_S:g} s", hint=f"look at it, or: kill -9 {note.pid}"
        ) from None
    return (f"the service at {note.url} (process {note.pid})",)


async def stop_everything(state_dir: Path) -> tuple[str, ...]:
    """End the service of this folder, then the deployments and the proxy that outlive it on purpose; what was ended."""
    stopped = await stop_service(state_dir)
    trees = await shutdown(state_dir)
    return (*stopped, count_words(trees, "process tree") + " (deployments, proxy)") if trees else stopped
