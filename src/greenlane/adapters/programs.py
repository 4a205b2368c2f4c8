"""A program of the adopter's behind a port: one JSON document on standard input, one on standard output.

It is run for each call, from the settings of the base branch, with the environment that Greenlane was started with. Its
first word is an absolute path or is found on PATH: a relative path could be a file of a change. Exit code 0: the
answer counts. 75 (EX_TEMPFAIL) and a time-out: the call may be repeated. Any other: it would fail again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from pathlib import Path
from typing import TypeVar

import msgspec

from greenlane.domain.errors import FinalError, InputError, RetryableError

MAX_ANSWER = 1 << 20
MAX_SHOWN = 2000
TEMPORARY = 75
Answer = TypeVar("Answer", bound=msgspec.Struct)


async def call_program(command: str, document: msgspec.Struct, answer: type[Answer], *, timeout_s: float) -> Answer:
    """The program's answer to this document, as this type. Raises InputError, RetryableError, FinalError."""
    argv = split_command(command)
    asked = msgspec.json.encode(document)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise InputError(f"{argv[0]} can't be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout_s):
            said, complained = await _exchange(process, asked)
            code = await process.wait()
    except TimeoutError as error:
        raise RetryableError(f"{argv[0]} did not answer within {timeout_s:g} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left behind, and itself if it is late
        await process.wait()
    words = complained.decode("utf-8", "replace").strip()[-MAX_SHOWN:]
    if code == TEMPORARY:
        raise RetryableError(f"{argv[0]} asks to be called again: {words}")
    if code != 0:
        raise FinalError(f"{argv[0]} ended with {code}: {words}")
    try:
        return msgspec.json.decode(said, type=answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FinalError(
            f"{argv[0]} answered what the contract does not have: {error}", hint="docs/adapters.md has the contract"
        ) from error


def split_command(command: str) -> list[str]:
    """The words of a command. Raises InputError for one that can't be run, or that could be a file of a change."""
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise InputError(f"the command {command!r} can't be read: {error}") from error
    if not argv:
        raise InputError("the command is empty")
    if not Path(argv[0]).is_absolute() and ("/" in argv[0] or shutil.which(argv[0]) is None):
        raise InputError(
            f"{argv[0]} is not on PATH", hint="give an absolute path: a relative one could be a file of a change"
        )
    return argv


async def _exchange(process: asyncio.subprocess.Process, asked: bytes) -> tuple[bytes, bytes]:
    """Write, and read both outputs to their ends; more than the limit is read and dropped."""
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None
    assert stdout is not None
    assert stderr is not None

    async def write() -> None:
        with contextlib.suppress(OSError):  # it may answer without having read all
            stdin.write(asked)
            await stdin.drain()
        stdin.close()

    async def read(stream: asyncio.StreamReader) -> bytes:
        kept = b""
        while part := await stream.read(1 << 16):
            kept += part[: MAX_ANSWER + 1 - len(kept)]
        return kept

    _, said, complained = await asyncio.gather(write(), read(stdout), read(stderr))
    return said, complained
