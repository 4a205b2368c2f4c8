"""Runs a program that analyses files: an argument list, a time-out, bounded output, a neutral folder.

Called inside an analyzer's own process, which bounds memory and passes a clean environment on.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

MAX_OUTPUT_BYTES = 64 << 20


_LOOK_S = 0.005
"""How often it is looked whether a forked tool has ended."""

may_fork = False
"""Set in the children of `worker.py`, where modules are imported already and no other thread runs."""


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


def run_module(module: str, argv: Sequence[str], *, cwd: Path, timeout_s: float) -> ToolOutput:
    """Like `run_tool` for `python -m PACKAGE`, whose `main` is in `module` (`bandit.cli.main`).

    In a worker the tool runs in a fork, which spares it a fresh interpreter and all imports.
    """
    if not may_fork:
        package = module.split(".")[0]
        return run_tool([sys.executable, "-P", "-m", package, *argv], cwd=cwd, timeout_s=timeout_s)
    with tempfile.TemporaryFile() as out:
        pid = os.fork()
        if pid == 0:
            _become(module, argv, cwd, out.fileno())
        code = _wait(pid, timeout_s)
        if code is None:
            raise ToolError(f"took longer than {timeout_s:g} s")
        if code < 0:
            raise ToolError(f"was ended by signal {-code}")
        if out.seek(0, os.SEEK_END) > MAX_OUTPUT_BYTES:
            raise ToolError("printed more than can be read")
        out.seek(0)
        return ToolOutput(exit_code=code, stdout=out.read())


def _become(module: str, argv: Sequence[str], cwd: Path, out: int) -> None:
    """The tool, in a fork; never returns."""
    code: object = 1
    try:
        os.chdir(cwd)
        os.dup2(out, 1)
        sys.argv = [module, *argv]
        importlib.import_module(module).main()
        code = 0
    except SystemExit as error:
        code = error.code or 0
    finally:
        with contextlib.suppress(BaseException):  # the tool may have closed it
            sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def _wait(pid: int, timeout_s: float) -> int | None:
    """The exit code (negative: the signal); None if it had to be ended at its time-out."""
    deadline = time.monotonic() + timeout_s
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(_LOOK_S)
