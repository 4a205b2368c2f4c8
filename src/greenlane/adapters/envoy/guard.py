"""The controller's end of the dead-man switch: it answers Envoy's question for as long as this process watches.

The answer comes from the event loop, so a controller that hangs gives none, as one that was killed.
"""

from __future__ import annotations

import asyncio

from greenlane.adapters.envoy.config import guard_words
from greenlane.adapters.sockets import LOOPBACK


class _Answer(asyncio.Protocol):
    def __init__(self, word: str, open_ones: set[asyncio.Transport]) -> None:
        self._ask, self._answer = guard_words(word)
        self._open = open_ones
        self._transport: asyncio.Transport | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._heard += data
        while len(self._heard) >= len(self._ask):
            asked, self._heard = self._heard[: len(self._ask)], self._heard[len(self._ask) :]
            if asked != self._ask:
                self._transport.abort()
                return
            self._transport.write(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self._transport is not None:
            self._open.discard(self._transport)


class Guard:
    """An open port that answers for one arming; closed at once with all its connections."""

    def __init__(self, server: asyncio.Server, port: int, word: str, open_ones: set[asyncio.Transport]) -> None:
        self._server = server
        self._open = open_ones
        self.port = port
        self.word = word

    @classmethod
    async def open(cls, word: str) -> Guard:
        connections: set[asyncio.Transport] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Answer(word, connections), LOOPBACK, 0)
        return cls(server, server.sockets[0].getsockname()[1], word, connections)

    @property
    def is_open(self) -> bool:
        return self._server.is_serving()

    def close(self) -> None:
        self._server.close()
        for transport in tuple(self._open):
            transport.abort()
