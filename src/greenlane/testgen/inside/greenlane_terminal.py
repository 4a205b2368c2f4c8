"""Runs inside the sandbox: a test may not wait for someone to type."""

from __future__ import annotations

import functools
import sys
from typing import Any

_asked: list[bool] = []


def watch_terminal() -> None:
    """Whatever asks pytest's stand-in for the standard input is told."""
    stand_in: Any = getattr(sys.modules.get("_pytest.capture"), "DontReadFromInput", None)
    for name in ("read", "readline", "readlines", "__next__"):
        before = getattr(stand_in, name, None)
        if before is not None:
            setattr(stand_in, name, _telling(before))


def was_asked() -> bool:
    """Whether it was, since this was called last."""
    asked = bool(_asked)
    _asked.clear()
    return asked


def _telling(read: Any) -> Any:
    @functools.wraps(read)
    def told(*args: Any, **options: Any) -> Any:
        _asked.append(True)
        return read(*args, **options)

    return told
