"""Runs inside the sandbox: a call that would sleep for long, between tries to reach something, say, ends at once."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Iterator
from typing import Any

_MOST_S = 2.0
"""All that one call may sleep: a test that sleeps longer is none that anybody wants."""
_slept: list[float] = []
"""What the calls that are being made slept so far, the innermost last."""


def watch_sleep(error: type[BaseException]) -> None:
    """From now on `time.sleep` raises this error where a call has slept enough."""
    plain = time.sleep

    @functools.wraps(plain)
    def sleep(seconds: Any, /) -> None:
        if _slept and isinstance(seconds, int | float) and threading.current_thread() is threading.main_thread():
            _slept[-1] += seconds
            if _slept[-1] > _MOST_S:
                raise error
        plain(seconds)

    time.sleep = sleep


@contextlib.contextmanager
def short_waits() -> Iterator[None]:
    """Around one call."""
    _slept.append(0.0)
    try:
        yield
    finally:
        _slept.pop()
