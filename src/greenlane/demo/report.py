"""What came of the seven pull requests: the table at the end of the demo, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from greenlane.demo.pulls import PULLS
from greenlane.pages.terminal import LANE_STYLES, STATE_STYLES, console
from greenlane.pages.words import count_words, duration_words, shorten, state_words
from greenlane.ports.application import RunView

if TYPE_CHECKING:
    from rich.text import Text


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
        expected = {pull.branch: (pull.lane, pull.outcome) for pull in PULLS}
        ended = {pr.branch: (pr.lane, pr.outcome) for pr in self.prs}
        return ended == expected and self.ledger.verified


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
    """The table, and below it what there is to look at."""
    from rich.table import Table

    out = console(stderr=stderr)
    table = Table(title="Seven pull requests", title_justify="left", box=None, padding=(0, 1), pad_edge=False)
    for heading, justify in (("Pull request", "left"), ("Lane", "left"), ("Outcome", "left"), ("Time", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("Tests", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold", ratio=1)
    expected = {pull.branch: pull for pull in PULLS}
    for pr in result.prs:
        pull = expected[pr.branch]
        as_told = (pr.lane, pr.outcome) == (pull.lane, pull.outcome)
        surprise = "" if as_told else f" (expected: {pull.lane}, {state_words(pull.outcome)})"
        table.add_row(
            _text(pr.branch),
            _text(pr.lane, LANE_STYLES.get(pr.lane, "")),
            _text(state_words(pr.outcome), STATE_STYLES.get(pr.outcome, "")),
            _text(duration_words(pr.seconds)),
            _text(f"+{pr.tests_added}" if pr.tests_added else ""),
            _text(shorten(pr.reason, 240) + surprise),
        )
    out.print()
    out.print(table)
    out.print()
    ledger = result.ledger
    state = "verified" if ledger.verified else "NOT VERIFIED"
    out.print(_text(f"Ledger: {count_words(ledger.entries, 'entry', 'entries')}, {state}, root {ledger.root}"))
    out.print(_text(f"Time: {duration_words(seconds)}"))
    if files:
        out.print(_text("To look at:"))
    for what, path in files:
        out.print(_text(f"  {what}: {path}"), soft_wrap=True)


def _text(words: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(words, style=style)
