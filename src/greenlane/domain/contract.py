"""What a service's own document says of its answers."""

from __future__ import annotations

import msgspec


class DocumentedGet(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can be sent as it is, and what may come back.

    `answers` holds (status, media types): a status is `200`, `2XX` or `default`; without media types any will do.
    """

    path: str
    answers: tuple[tuple[str, tuple[str, ...]], ...]
