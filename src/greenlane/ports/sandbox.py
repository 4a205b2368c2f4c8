"""The sandbox: the only place where code of a pull request, and generated code, runs before it is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec


class SandboxJob(msgspec.Struct, frozen=True, kw_only=True):
    """A command to run. `workdir` is the one writable folder; `read_only` are further folders it may see."""

    argv: tuple[str, ...]
    workdir: Path
    read_only: tuple[Path, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 60.0
    memory_mb: int = 2048
    max_processes: int = 256
    max_file_mb: int = 512
    max_output_bytes: int = 1 << 20
    network: bool = False
    """Only for installing dependencies from a lock file of the base; never for code under test."""


class SandboxResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `exit_code` is negative for a signal; `stopped` says which limit ended it, if one did."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    truncated: bool = False
    stopped: str = ""


class Sandbox(Protocol):
    @property
    def kind(self) -> str:
        """`bubblewrap`, `namespaces`, `landlock` or `none`; written into decisions."""

    async def run(self, job: SandboxJob) -> SandboxResult:
        """Run the job; its whole process tree is gone when this returns. Raises FinalError if it can't be isolated."""
