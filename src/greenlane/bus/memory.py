"""The embedded bus: queues in this process. A restart loses nothing: outbox and ledger are the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from greenlane.bus.protocol import Delivery, Message

DEFAULT_VISIBILITY_S = 60.0  # an agent that says nothing for this long is taken for lost and its message goes out again


class InProcessBus:
    """Implements `Bus`. Everything happens on one event loop; nothing here blocks."""

    def __init__(self, visibility_s: float = DEFAULT_VISIBILITY_S) -> None:
        self._visibility_s = visibility_s
        self._queues: dict[str, asyncio.Queue[Delivery | None]] = {}
        self._groups_of: dict[str, list[str]] = {}
        self._in_flight: dict[str, asyncio.TimerHandle] = {}
        self._serial = 0
        self._closed = False

    async def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            for group in self._groups_of.get(message.type, ()):
                self._serial += 1
                self._enqueue(Delivery(f"{group}:{message.seq}:{self._serial}", group, message, 1))

    def subscribe(self, types: Sequence[str], group: str) -> AsyncIterator[Delivery]:
        """The group is known from this call on: what is published before its first read is kept for it."""
        for kind in types:
            groups = self._groups_of.setdefault(kind, [])
            if group not in groups:
                groups.append(group)
        return self._deliveries(self._queues.setdefault(group, asyncio.Queue()))

    async def _deliveries(self, queue: asyncio.Queue[Delivery | None]) -> AsyncIterator[Delivery]:
        loop = asyncio.get_running_loop()
        while (delivery := await queue.get()) is not None:
            self._in_flight[delivery.delivery_id] = loop.call_later(self._visibility_s, self._expire, delivery)
            yield delivery

    async def ack(self, delivery: Delivery) -> None:
        self._forget(delivery)

    async def extend(self, delivery: Delivery, seconds: float) -> None:
        if self._forget(delivery):
            loop = asyncio.get_running_loop()
            self._in_flight[delivery.delivery_id] = loop.call_later(seconds, self._expire, delivery)

    async def redeliver(self, delivery: Delivery, after_s: float = 0.0) -> None:
        if self._forget(delivery):
            asyncio.get_running_loop().call_later(after_s, self._again, delivery)

    async def close(self) -> None:
        self._closed = True
        for handle in self._in_flight.values():
            handle.cancel()
        self._in_flight.clear()
        for queue in self._queues.values():
            queue.put_nowait(None)

    def _forget(self, delivery: Delivery) -> bool:
        handle = self._in_flight.pop(delivery.delivery_id, None)
        if handle is None:
            return False
        handle.cancel()
        return True

    def _expire(self, delivery: Delivery) -> None:
        if self._in_flight.pop(delivery.delivery_id, None) is not None:
            self._again(delivery)

    def _again(self, delivery: Delivery) -> None:
        self._serial += 1
        again = f"{delivery.group}:{delivery.message.seq}:{self._serial}"
        self._enqueue(Delivery(again, delivery.group, delivery.message, delivery.attempt + 1))

    def _enqueue(self, delivery: Delivery) -> None:
        if not self._closed:
            self._queues[delivery.group].put_nowait(delivery)
