"""Pynguin beside ours: the same module, in the same sandbox, with a time for its search. For `bench/testgen.py`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox, SandboxJob
from greenlane.suite.runner import copy_tree, work_folder

_STARTS_S = 120.0
"""Beyond its search it instruments, minimises and writes; then it is ended: sometimes it does not end by itself."""
_SEED = "1"


class Pynguin:
    def __init__(self, sandbox: Sandbox, python: Path, project: PythonEnvironment) -> None:
        self._sandbox, self._python, self._project = sandbox, python.absolute(), project

    async def write(self, tree: Path, roots: tuple[str, ...], module: str, seconds: int) -> tuple[bytes, str]:
        """The test file for a module, or why there is none."""
        with work_folder() as folder:
            await asyncio.to_thread(copy_tree, tree, folder / "tree")
            (folder / "out").mkdir()
            result = await self._sandbox.run(self._job(folder, roots, module, seconds))
            found = sorted((folder / "out").glob("test_*.py"))
            written = [f for f in found if "failing" not in f.name] or found
            if written:
                return written[0].read_bytes(), ""
            last = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
            return b"", f"Pynguin wrote nothing: {result.stopped or result.exit_code} {' '.join(last)}"[:300]

    def _job(self, folder: Path, roots: tuple[str, ...], module: str, seconds: int) -> SandboxJob:
        project = [str(folder / "tree" / root) for root in roots]
        site = next(self._project.python.parent.parent.glob("lib/python*/site-packages"))
        return SandboxJob(
            argv=(
                str(self._python), "-m", "pynguin", "--project-path", project[0], "--module-name", module,
                "--output-path", str(folder / "out"), "--maximum-search-time", str(seconds), "--seed", _SEED,
                "--assertion-generation", "SIMPLE",
            ),
            workdir=folder,
            read_only=(*self._project.read_only, self._python.parent.parent, self._python.resolve().parent.parent),
            env=(
                ("PYNGUIN_DANGER_AWARE", "1"),
                ("PYTHONPATH", os.pathsep.join([*project, str(site)])),
                ("PYTHONDONTWRITEBYTECODE", "1"),
                ("PYTHONHASHSEED", "0"),
            ),
            timeout_s=seconds + _STARTS_S,
            memory_mb=6144,
        )  # fmt: skip
