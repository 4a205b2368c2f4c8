"""What the runtime asks of a bus. In-process now; Redis Streams, Kafka and SQS are further implementations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True):
    """A committed entry to be handed over: its seq, type and stream."""

    seq: int
    type: str
    stream: str


class Delivery(msgspec.Struct, frozen=True):
    """A message as one consumer group got it. `attempt` counts deliveries to that group, from 1."""

    delivery_id: str
    group: str
    message: Message
    attempt: int


class Bus(Protocol):
    """At least once, in any order: consumers must bear duplicates."""

    async def publish(self, messages: Sequence[Message]) -> None: ...

    def subscribe(self, types: Sequence[str], group: str) -> AsyncIterator[Delivery]:
        """Deliveries of these types to this group; ends when the bus is closed."""

    async def ack(self, delivery: Delivery) -> None:
        """It is handled and never delivered again (to this group)."""

    async def extend(self, delivery: Delivery, seconds: float) -> None:
        """It is still worked on: do not redeliver it before that time."""

    async def redeliver(self, delivery: Delivery, after_s: float = 0.0) -> None:
        """It could not be handled now: deliver it again."""

    async def close(self) -> None: ...
