"""A step whose failure costs what it would have found, and nothing else."""

from __future__ import annotations

import asyncio
import logging

import pytest

from greenlane.testgen.contained import contained


async def step(error: BaseException | None) -> list[str]:
    if error is not None:
        raise error
    return ["found"]


def test_a_fault_of_one_step_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def both() -> list[list[str]]:
        failing = contained(step(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no")), [], "hunting in shop.py")
        return [*await asyncio.gather(failing, contained(step(None), [], "growing"))]

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(both()) == [[], ["found"]]
    assert "hunting in shop.py" in caplog.text
    assert "UnicodeEncodeError" in caplog.text


@pytest.mark.parametrize("error", [OSError("no space"), asyncio.CancelledError(), MemoryError()])
def test_what_the_machine_can_not_do_is_for_whoever_asked(error: BaseException) -> None:
    with pytest.raises(type(error)):
        asyncio.run(contained(step(error), [], "hunting"))
