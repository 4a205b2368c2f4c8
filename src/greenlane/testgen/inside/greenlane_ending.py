"""Runs inside the sandbox: ends the process with a call that no signal ends, and says beforehand which call it is.

What runs in C alone (`seen.update(range(10**17))`) never comes to look at a signal; the tests after it would wait for
the end of the whole run. The generator makes the other calls anew without it (`explore.py`).
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

_MOST_S = 3
"""Processor time from one step of a call to the next; what signals end takes a second at most."""
_before: list[int] = []
_SOON_S, _NEAR = 0.02, 8


@contextlib.contextmanager
def ending(number: int, output: str) -> Iterator[None]:
    """Around all that is done for one call; without an `output` nothing is ended."""
    if not output:
        yield
        return
    with open(output, "a", encoding="utf-8") as file:  # noqa: PTH123 - appends, often
        file.write(json.dumps({"begun": number}) + "\n")
    _before.append(resource.getrlimit(resource.RLIMIT_CPU)[0])
    go_on()
    try:
        yield
    finally:
        _allow(_before.pop())


def go_on() -> None:
    """A call came to its next step, which has as much time again."""
    if _before:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _allow(int(used.ru_utime + used.ru_stime) + 1 + _MOST_S)


def _allow(seconds: int) -> None:
    """Up to what the sandbox itself allows."""
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    allowed = most if seconds == resource.RLIM_INFINITY else seconds
    if most != resource.RLIM_INFINITY:
        allowed = min(allowed, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))


def stopping(error: type[BaseException]) -> Callable[[int, Any], None]:
    """What a signal does with a call that took too long: raises this error, but not in the midst of what measures the
    lines, which would keep its lock for ever; a little later then."""

    def stop(_signal: int, frame: Any) -> None:
        if _measures(frame):
            signal.setitimer(signal.ITIMER_REAL, _SOON_S)
            return
        raise error

    return stop


def _measures(frame: Any) -> bool:
    """Whether one of the innermost frames is coverage's own; the outermost may be, where it started the tests."""
    home = (getattr(sys.modules.get("coverage"), "__file__", None) or "").removesuffix("__init__.py")
    for _ in range(_NEAR if home else 0):
        if frame is None or frame.f_code.co_filename.startswith(home):
            return frame is not None
        frame = frame.f_back
    return False
