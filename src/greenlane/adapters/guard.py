"""The controller's end of the dead-man switch: it answers the router's question for as long as this process watches.

The answer comes from the event loop, so a controller that hangs gives none, as one that was killed. One whose event
loop runs but whose watch does not (it waits for a ledger that can't be written) gives none either: to watch is to read
the counters, and the last time that they were read must not be too long ago.
"""

from __future__ import annotations

import asyncio
import time

from greenlane.adapters.sockets import LOOPBACK


class _Answer(asyncio.Protocol):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._ask, self._answer = guard.words
        self._transport: asyncio.Transport | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._guard.open_ones.add(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._heard += data
        while len(self._heard) >= len(self._ask):
            asked, self._heard = self._heard[: len(self._ask)], self._heard[len(self._ask) :]
            if asked != self._ask or not self._guard.is_watched:
                self._transport.abort()
                return
            self._transport.write(self._answer)
            self._guard.answers += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self._transport is not None:
            self._guard.open_ones.discard(self._transport)


class Guard:
    """An open port that answers for one arming; closed at once with all its connections.

    `words` are what the router asks and what it must hear. With `gap_s`, it answers only for so long after the last
    `saw`. `answers` counts how often the router was answered.
    """

    def __init__(self, words: tuple[bytes, bytes], gap_s: float | None) -> None:
        self.words = words
        self.answers = 0
        self.open_ones: set[asyncio.Transport] = set()
        self._gap_s = gap_s
        self._seen_s = time.monotonic()
        self._server: asyncio.Server | None = None

    @classmethod
    async def open(cls, words: tuple[bytes, bytes], gap_s: float | None = None) -> Guard:
        guard = cls(words, gap_s)
        loop = asyncio.get_running_loop()
        guard._server = await loop.create_server(lambda: _Answer(guard), LOOPBACK, 0)
        return guard

    @property
    def port(self) -> int:
        assert self._server is not None, "made by `open`"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def is_open(self) -> bool:
        return self._server is not None and self._server.is_serving()

    @property
    def is_watched(self) -> bool:
        return self._gap_s is None or time.monotonic() - self._seen_s <= self._gap_s

    def saw(self) -> None:
        """The counters were read just now."""
        self._seen_s = time.monotonic()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for transport in tuple(self.open_ones):
            transport.abort()
