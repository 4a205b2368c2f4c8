"""The live tree and its plain form."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from greenlane.domain import events as e
from greenlane.pages.live import Board, show_progress
from greenlane.policy.overview import compute_run_view

from . import changes as c
from .double import MemoryApplication


def drawn(board: Board, *, width: int = 100, height: int = 40) -> list[str]:
    out = Console(file=io.StringIO(), width=width, no_color=True)
    out.print(board.render(width=width, height=height))
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def board_of(*numbered: tuple[int, tuple[e.AnyEvent, ...]]) -> Board:
    board = Board()
    for number, happened in numbered:
        change = c.change_of(*happened, first=c.opened(number, title=f"Change {number}"))
        board.put(compute_run_view(change, now=c.START + timedelta(seconds=75)))
    return board


def test_the_top_line_says_what_needs_attention() -> None:
    quiet = board_of((1, (c.reviewed(),)))
    assert drawn(quiet)[0] == "1 change on the way, nobody is asked for anything"
    asked = board_of((1, (c.reviewed(),)), (2, (c.reviewed(), c.asked(before=e.Stage.TEST))))
    assert drawn(asked)[0] == "1 change waits for a human: #2 an SQL injection in shop/orders.py"
    later = board_of((1, (c.reviewed(), c.asked(c.MIGRATION, before=e.Stage.DEPLOYMENT))))
    assert drawn(later)[0].startswith("1 change on the way will need a human: #1 the migration 0007")
    ended = board_of((1, (*c.GREEN_WAY, c.deployed())))
    assert drawn(ended)[0] == "nothing left to do: 1 deployed"


def test_each_change_shows_its_stages_and_why_it_stopped() -> None:
    lines = drawn(board_of((7, (c.reviewed(), c.ran_tests(), c.staged(), c.validated(proceed=False, ratio=1.6)))))
    assert lines[1].startswith("#7 Change 7  green")
    assert lines[1].endswith("blocked 48 s")
    assert lines[2].strip().startswith("✓ review  ✓ test  ✓ staging  ✗ validation  · deployment")
    assert "p99 is 1.60 times" in lines[2]


def test_more_changes_than_fit_are_counted_and_those_that_move_stay() -> None:
    done = (*c.GREEN_WAY, c.deployed())
    board = board_of(*((n, done) for n in range(1, 9)), (9, (c.reviewed(),)))
    lines = drawn(board, height=10)
    assert any(line.startswith("#9 ") for line in lines)
    assert lines[-1] == "and 6 more runs"
    assert len(lines) <= 10


@pytest.mark.parametrize("width", [40, 60, 200])
def test_it_fits_the_width_of_the_terminal(width: int) -> None:
    board = board_of((1, (c.reviewed(), c.asked(before=e.Stage.TEST))))
    assert all(len(line) <= width for line in drawn(board, width=width))


async def test_piped_each_event_is_one_line_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = c.change_of()
    application = MemoryApplication(tmp_path, (change,))
    async with show_progress(application, to="stdout"):
        for event in (c.reviewed(), c.ran_tests()):
            application.happen(change.run, event)
        await asyncio.sleep(0.05)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["pr.opened:", "review.complete:", "tests.complete:"]
    assert all(line.split()[1] == change.run for line in lines)


async def test_as_json_each_event_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = c.change_of()
    application = MemoryApplication(tmp_path, (change,))
    async with show_progress(application, as_json=True, history=False):
        application.happen(change.run, c.reviewed())
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (told["run"], told["event"]["type"], told["event"]["risk_score"]) == (change.run, "review.complete", 2.4)
