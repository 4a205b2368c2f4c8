"""One of each in turn: where room is short, no row takes it all. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def in_turn(rows: Iterable[Iterable[T]]) -> Iterator[T]:
    """The first of each row, then the second of each, and so on; rows may be of different lengths."""
    for row in itertools.zip_longest(*rows, fillvalue=_END):
        yield from (one for one in row if one is not _END)  # type: ignore[misc]  # what is left is of the rows
