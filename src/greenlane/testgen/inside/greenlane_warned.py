"""Runs inside the sandbox: which warning the project's own code gives during a call."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def warned(project: str, progress: dict[str, Any]) -> Iterator[None]:
    """Notes the first warning that a file below `project` gives as `progress["warned"]`: module and name of its class,
    and its text. Whatever the project's settings make of warnings, none becomes an error here."""

    def note(message: warnings.WarningMessage) -> None:
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename == warnings.__file__:
            frame = frame.f_back  # type: ignore[assignment]  # the outermost has none
        if frame is not None and frame.f_code.co_filename.startswith(project + os.sep) and "warned" not in progress:
            kind = message.category
            progress["warned"] = [kind.__module__, kind.__qualname__, str(message.message)[:200]]

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings._showwarnmsg_impl = note  # type: ignore[attr-defined]  # where `catch_warnings(record=True)` listens
        warnings.showwarning = warnings._showwarning_orig  # type: ignore[attr-defined]  # likewise
        yield
