"""One task at a time works on a run, however they come and go."""

from __future__ import annotations

import asyncio

from greenlane.runtime.turns import Turns


async def test_no_two_tasks_ever_have_the_same_runs_turn() -> None:
    turns, inside, most = Turns(), 0, 0

    async def work(pause: int) -> None:
        nonlocal inside, most
        for _ in range(pause):
            await asyncio.sleep(0)
        async with turns.of("run"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    # one that comes just when another leaves and a third is about to enter must not get a lock of its own
    await asyncio.gather(*(work(pause) for pause in range(12) for _ in range(3)))
    assert most == 1
    assert "run" not in turns
