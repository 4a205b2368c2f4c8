"""Runs an analyzer in a process of its own, so that no file of a change can hang, crash or fill the worker.

The content of a change is hostile: deep nesting, pathological regular expressions, cyclic imports. A process can be
ended at its time-out, its memory is bounded, and what it prints is ignored. Whatever goes wrong is a skipped analysis.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

import greenlane
from greenlane.analyzers.base import EVERYTHING, AnalysisResult, ReviewInput
from greenlane.domain.events import SkippedFile

_MAX_RESULT_BYTES = 16 << 20
"""A worker caps its findings far below this; more is not a result."""
_STOP_GRACE_S = 5.0


class IsolatedAnalyzer:
    """An analyzer of `worker.ANALYZERS`, run as `python -m greenlane.analyzers.worker NAME`."""

    def __init__(self, name: str, version: str, *, timeout_s: float) -> None:
        self._name = name
        self._version = version
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return self._version

    async def analyze(self, review: ReviewInput) -> AnalysisResult:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "greenlane.analyzers.worker",
            self._name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env=_clean_environment(),
            start_new_session=True,
            limit=_MAX_RESULT_BYTES,
        )
        try:
            answer, _ = await asyncio.wait_for(process.communicate(msgspec.json.encode(review)), self._timeout_s)
        except TimeoutError:
            return self._failed(f"it took longer than {self._timeout_s:g} s")
        finally:
            await _end(process)
        if process.returncode != 0:
            return self._failed(f"its process ended with code {process.returncode}")
        try:
            return msgspec.json.decode(answer, type=AnalysisResult)
        except msgspec.MsgspecError:
            return self._failed("its answer could not be read")

    def _failed(self, reason: str) -> AnalysisResult:
        return AnalysisResult(skipped=(SkippedFile(path=EVERYTHING, analyzer=self._name, reason=reason),))


def _clean_environment() -> dict[str, str]:
    """No secrets, no settings of tools, and the same Greenlane that is running now."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(Path(greenlane.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "NO_COLOR": "1",
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the whole session of the worker: its tools are in it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS says so of a group whose members are all gone
        return
    await asyncio.wait_for(process.wait(), _STOP_GRACE_S)
