"""What came of the seven pull requests: the table at the end of the demo, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from greenlane.demo.pulls import PULLS, Pull
from greenlane.pages.terminal import LANE_STYLES, STATE_STYLES, console
from greenlane.pages.words import count_words, duration_words, shorten, state_words
from greenlane.ports.application import RunView

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MAX_REASON = 300
"""Characters of a reason in the table; `greenlane explain RUN` has all of it."""


class PullResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the result. `seconds` is from the opening of the pull request to its end, or to its question."""

    branch: str
    lane: str
    outcome: str
    reason: str
    tests_added: int
    seconds: float
    run: str


class LedgerResult(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    root: str
    verified: bool


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """All that `greenlane demo --json` prints as its last line."""

    prs: tuple[PullResult, ...]
    ledger: LedgerResult

    @property
    def as_expected(self) -> bool:
        """Whether every change went its expected lane to its expected end, and the ledger is whole."""
        ended = {pr.branch: pr for pr in self.prs}
        all_there = ended.keys() == {pull.branch for pull in PULLS}
        return all_there and all(went_as_told(ended[pull.branch], pull) for pull in PULLS) and self.ledger.verified


def went_as_told(pr: PullResult, pull: Pull) -> bool:
    tested = pr.tests_added > 0 or not pull.tests_written
    return (pr.lane, pr.outcome) == (pull.lane, pull.outcome) and tested


def result_of(view: RunView) -> PullResult:
    return PullResult(
        branch=view.branch,
        lane=view.lane or "",
        outcome=view.state,
        reason=view.reason,
        tests_added=view.tests_added,
        seconds=round(_seconds(view.started, view.updated), 1),
        run=view.run,
    )


def _seconds(started: str, updated: str) -> float:
    return (datetime.fromisoformat(updated) - datetime.fromisoformat(started)).total_seconds()


def print_result(result: DemoResult, *, files: Sequence[tuple[str, Path]], seconds: float, stderr: bool) -> None:
    """The table, and below it what there is to look at. Each change has a line of facts, and below it the reason."""
    out = console(stderr=stderr)
    out.print()
    out.print(_row("Pull request", "Lane", "Outcome", "Time", "Tests", style="bold"))
    for pr in result.prs:
        _print_pull(out, pr)
    ledger = result.ledger
    state = "verified" if ledger.verified else "NOT VERIFIED"
    out.print()
    out.print(_text(f"Ledger: {count_words(ledger.entries, 'entry', 'entries')}, {state}, root {ledger.root}"))
    out.print(_text(f"Time: {duration_words(seconds)}"))
    if files:
        out.print(_text("To look at:"))
    for what, path in files:
        out.print(_text(f"  {what}: {path}"), soft_wrap=True)


def _print_pull(out: Console, pr: PullResult) -> None:
    from rich.padding import Padding

    pull = next(pull for pull in PULLS if pull.branch == pr.branch)
    line = _row(
        pr.branch,
        pr.lane,
        state_words(pr.outcome),
        duration_words(pr.seconds),
        f"+{pr.tests_added}" if pr.tests_added else "",
        lane_style=LANE_STYLES.get(pr.lane, ""),
        outcome_style=STATE_STYLES.get(pr.outcome, ""),
    )
    out.print(line)
    out.print(Padding(_text(shorten(pr.reason, MAX_REASON), "dim"), (0, 0, 0, 4)))
    if not went_as_told(pr, pull):
        words = f"expected was: {pull.lane} lane, {state_words(pull.outcome)} ({pull.shows})"
        out.print(Padding(_text(words, "bold red"), (0, 0, 0, 4)))


def _row(
    branch: str, lane: str, outcome: str, time: str, tests: str,
    *, style: str = "", lane_style: str = "", outcome_style: str = "",
) -> Text:  # fmt: skip
    line = _text(f"{branch:<33}", style or "bold")
    line.append(f"{lane:<13}", style or lane_style)
    line.append(f"{outcome:<20}", style or outcome_style)
    line.append(f"{time:>10}{tests:>7}", style)
    return line


def _text(words: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(words, style=style)
