"""A process tree whose start was interrupted (Ctrl-C at any moment) is not left behind."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import psutil
import pytest

from greenlane.adapters.processes import TOKEN_VARIABLE, TreeSpec, shutdown, start_tree


def carriers(token: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(TOKEN_VARIABLE) == token:
                found.append(process)
    return found


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.3])
async def test_a_start_that_is_interrupted_leaves_nothing(tmp_path: Path, after_s: float) -> None:
    spec = TreeSpec(argv=("/bin/sleep", "60"), env={"PATH": "/usr/bin:/bin"}, cwd=str(tmp_path))
    starting = asyncio.create_task(start_tree(tmp_path / "services" / "shop", spec))
    await asyncio.sleep(after_s)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await shutdown(tmp_path)
    await asyncio.sleep(0.5)
    assert carriers(spec.token) == []
