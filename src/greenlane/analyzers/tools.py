"""Runs a program that analyses files: an argument list, a time-out, bounded output, a neutral folder.

Called inside an analyzer's own process, which bounds memory and passes a clean environment on.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

MAX_OUTPUT_BYTES = 64 << 20


class ToolError(Exception):
    """The tool did not do its work; the text says why."""


class ToolOutput(msgspec.Struct, frozen=True):
    exit_code: int
    stdout: bytes


def run_tool(argv: Sequence[str], *, cwd: Path, timeout_s: float) -> ToolOutput:
    """What the tool printed. Raises ToolError: absent, too slow, ended by a signal, or too talkative."""
    with tempfile.TemporaryFile() as out:
        try:
            done = subprocess.run(  # a list, no shell
                list(argv), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL,
                timeout=timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"took longer than {timeout_s:g} s") from error
        except OSError as error:
            raise ToolError(f"can't be started ({error.strerror})") from error
        if done.returncode < 0:
            raise ToolError(f"was ended by signal {-done.returncode}")
        if out.tell() > MAX_OUTPUT_BYTES:
            raise ToolError("printed more than can be read")
        out.seek(0)
        return ToolOutput(exit_code=done.returncode, stdout=out.read())
