"""`IndexGate`: the one way out of the build step. A proxy on a Unix socket that speaks to the package index alone.

The job that installs dependencies has a network namespace of its own, with nothing in it but loopback. A small program
in it (`sandbox/forward.py`) offers the usual proxy port there and hands what comes to this socket, which lies in the
job's folder. Names are looked up out here; a host that is not on the list is refused and remembered.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from greenlane.adapters.package_index import IndexSettings

_MAX_HEAD = 16 << 10
_MAX_CONNECTIONS = 64
_HEAD_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 30.0
_IDLE_S = 300.0
_CHUNK = 1 << 16
_MAX_REFUSED = 20
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _RefusedError(Exception):
    """A request that is not passed on."""


class IndexGate:
    """Lets connections through to `settings.hosts` and `also`, and to nothing else."""

    def __init__(self, settings: IndexSettings, also: frozenset[tuple[str, int]] = frozenset()) -> None:
        self._settings = settings
        self._hosts = settings.hosts | also
        self._refused: dict[str, None] = {}
        self._slots = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def refused(self) -> tuple[str, ...]:
        """`host:port` of what was asked for and not allowed, once each."""
        return tuple(self._refused)

    @contextlib.asynccontextmanager
    async def open(self, socket: Path) -> AsyncIterator[None]:
        """Listen on this socket while the block runs. Only its folder is opened by its whole name, since the kernel
        takes no long names for sockets."""
        folder = os.open(socket.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            server = await asyncio.start_unix_server(self._accept, f"/proc/self/fd/{folder}/{socket.name}")
        finally:
            os.close(folder)
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            socket.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with self._slots:
                await self._serve((reader, writer))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the other end is gone, or slow: the client sees a closed connection
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, client: Streams) -> None:
        reader, writer = client
        async with asyncio.timeout(_HEAD_TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
        try:
            host, port, first = self._read_head(head)
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                server = await self._connect(host, port)
        except _RefusedError as error:
            head_lines = ("HTTP/1.1 403 Forbidden", "Connection: close", "Content-Length: 0", f"X-Reason: {error}")
            writer.write("\r\n".join([*head_lines, "", ""]).encode())
            await writer.drain()
            return
        except (OSError, TimeoutError):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if first:
            server[1].write(first)
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join(client, server)

    def _read_head(self, head: bytes) -> tuple[str, int, bytes]:
        """Where a request leads, and what has to be sent there first (nothing for a tunnel). Raises _RefusedError."""
        if len(head) > _MAX_HEAD:
            raise _RefusedError("the request is too long")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3:
            raise _RefusedError("this is no request to a proxy")
        method, target, _ = words
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            self._check(host, port)
            return host, int(port), b""
        try:
            parts = urlsplit(target)
            host, port = parts.hostname or "", str(parts.port or 80)
        except ValueError as error:
            raise _RefusedError("this is no address") from error
        if parts.scheme != "http":
            raise _RefusedError("only a tunnel or plain HTTP is passed on")
        self._check(host, port)
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        kept = [line for line in lines[1:-2] if not re.match(r"(proxy-[\w-]+|connection|keep-alive):", line, re.I)]
        return (
            host,
            int(port),
            "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1"),
        )

    def _check(self, host: str, port: str) -> None:
        if not _HOST.fullmatch(host) or not port.isdecimal() or len(port) > 5:
            raise _RefusedError("this is no host and port")
        if (host.lower(), int(port)) not in self._hosts:
            if len(self._refused) < _MAX_REFUSED:
                self._refused[f"{host}:{port}"] = None
            raise _RefusedError("only the package index can be reached from here")

    async def _connect(self, host: str, port: int) -> Streams:
        proxy = self._settings.proxy
        if not proxy or _is_direct(host, self._settings.direct):
            return await asyncio.open_connection(host, port)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        streams = await asyncio.open_connection(parts.hostname, parts.port or 80)
        lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
        if parts.username:
            word = base64.b64encode(f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {word}")
        streams[1].write("\r\n".join([*lines, "", ""]).encode())
        answer = await streams[0].readuntil(b"\r\n\r\n")
        if not re.match(rb"HTTP/1\.\d 200", answer):
            streams[1].close()
            raise OSError(f"the proxy answered {answer[:40]!r}")
        return streams


def _is_direct(host: str, direct: tuple[str, ...]) -> bool:
    names = (name.lstrip("*").lower() for name in direct)
    return any(
        not name or host.lower() == name.lstrip(".") or host.lower().endswith(f".{name.lstrip('.')}") for name in names
    )


async def _join(one: Streams, other: Streams) -> None:
    """Pass bytes both ways until both ends are done, or nothing has come for long."""
    try:
        await asyncio.gather(_pass_on(one[0], other[1]), _pass_on(other[0], one[1]))
    finally:
        other[1].close()


async def _read_some(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(_IDLE_S):
        return await reader.read(_CHUNK)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await _read_some(reader):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
