"""The live tree: every run with its five stages, and on the top line what needs attention. Used by run, watch and demo.

On a terminal it is drawn anew a few times a second; elsewhere each event is one plain line (or one JSON object).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from greenlane.domain.change import Recorded
from greenlane.domain.delivery import Verdict
from greenlane.domain.events import CanaryObserved, event_fields
from greenlane.pages.terminal import LANE_STYLES, MARK_STYLES, STATE_STYLES, console, print_json, prints_unicode
from greenlane.pages.words import (
    ASCII_GLYPHS,
    GLYPHS,
    count_words,
    duration_words,
    event_words,
    shorten,
    state_words,
)
from greenlane.policy.lifecycle import ENDED, State
from greenlane.ports.application import Application, RunView, StageView

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

DRAW_S = 0.2
"""How often the tree is drawn anew: seconds that pass are seen to pass."""
SYNC_S = 2.0
"""How often runs are read anew without an event: a pause, or an event that was missed."""
WATCH_LINE_S = 30.0
"""Of the looks at a canary that say 'wait', the plain lines show one in this time; the ledger has them all."""
LINES_PER_RUN = 2
MIN_REASON_WIDTH = 20
"""In less room than this a reason says nothing; the top line has it."""
ENDED_STATES = frozenset(s.value for s in ENDED)


class Board:
    """What is shown: the newest view of each run, and when it was read (so that running times go on between reads)."""

    def __init__(self, *, unicode: bool = True) -> None:
        self._views: dict[str, tuple[RunView, float]] = {}
        self._glyphs = GLYPHS if unicode else ASCII_GLYPHS
        self._moved = asyncio.Event()

    def put(self, view: RunView) -> None:
        self._views[view.run] = (view, time.monotonic())
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def all_ended(self) -> None:
        """Wait until every run that is shown has ended."""
        while any(v.state not in ENDED_STATES for v in self.views):
            await self._moved.wait()

    @property
    def views(self) -> list[RunView]:
        return [view for view, _ in self._views.values()]

    def render(self, *, width: int, height: int) -> RenderableType:
        """The tree, cut to a terminal of this size: runs that still move come before those that ended."""
        from rich.console import Group

        room = max(1, (height - 4) // LINES_PER_RUN)
        shown = list(self._views.values())
        if len(shown) > room:
            moving = [x for x in shown if x[0].state not in ENDED_STATES]
            ended = [x for x in shown if x[0].state in ENDED_STATES]
            shown = (ended[-max(0, room - len(moving)) :] if room > len(moving) else []) + moving[:room]
        lines = [self.headline(width)]
        for view, read_at in shown:
            age_s = time.monotonic() - read_at
            lines += [self._title(view, age_s, width), self._stages(view, age_s, width)]
        hidden = len(self._views) - len(shown)
        if hidden:
            lines.append(_text(f"and {count_words(hidden, 'more run')}", "dim"))
        return Group(*lines)

    def headline(self, width: int) -> Text:
        """What needs attention, in one line."""
        views = self.views
        waiting = [v for v in views if v.state == State.AWAITING_HUMAN.value]
        if waiting:
            first = waiting[0]
            words = f"{count_words(len(waiting), 'change')} {'waits' if len(waiting) == 1 else 'wait'} for a human: "
            return _text(shorten(f"{words}#{first.pr_number} {first.reason}", width), STATE_STYLES["awaiting_human"])
        asked = [v for v in views if v.asked and v.state not in ENDED_STATES]
        if asked:
            first = asked[0]
            words = (
                f"{count_words(len(asked), 'change')} on the way will need a human: #{first.pr_number} {first.asked}"
            )
            return _text(shorten(words, width), STATE_STYLES["awaiting_human"])
        paused = [v for v in views if v.state == State.PAUSED.value]
        if paused:
            return _text(shorten(f"automation is paused: {paused[0].reason}", width), STATE_STYLES["paused"])
        working = sum(v.state not in ENDED_STATES for v in views)
        if working:
            return _text(f"{count_words(working, 'change')} on the way, nobody is asked for anything", "bold")
        if not views:
            return _text("no change yet", "bold")
        counts = Counter(state_words(v.state) for v in views)
        return _text("nothing left to do: " + ", ".join(f"{n} {words}" for words, n in counts.items()), "bold")

    def _title(self, view: RunView, age_s: float, width: int) -> Text:
        """Number, title and lane on the left; state and time on the right."""
        ended = view.state in ENDED_STATES
        seconds = view.seconds if ended else view.seconds + age_s
        right = f"{state_words(view.state)} {duration_words(seconds)}"
        lane = f"  {view.lane}" if view.lane else ""
        number = f"#{view.pr_number} "
        room = max(8, width - len(number) - len(lane) - len(right) - 2)
        line = _text(number, "bold")
        line.append(shorten(view.title, room), "" if ended else "bold")
        line.append(lane, LANE_STYLES.get(view.lane or "", ""))
        line.append(" " * max(2, width - line.cell_len - len(right)))
        line.append(right, STATE_STYLES.get(view.state, ""))
        line.truncate(width, overflow="ellipsis")
        return line

    def _stages(self, view: RunView, age_s: float, width: int) -> Text:
        """The five stages, and behind them why it does not go on, or what is asked meanwhile."""
        line = _text("   ", "")
        for stage in view.stages:
            line.append_text(self._stage(stage, age_s)).append("  ")
        stopped = view.state in STATE_STYLES
        told = view.reason if stopped else f"asked: {view.asked}" if view.asked else ""
        room = width - line.cell_len
        if told and room >= MIN_REASON_WIDTH:
            line.append(shorten(told, room), "dim" if stopped else STATE_STYLES["awaiting_human"])
        line.truncate(width, overflow="ellipsis")
        return line

    def _stage(self, stage: StageView, age_s: float) -> Text:
        style = MARK_STYLES[stage.mark]
        words = f"{self._glyphs[stage.mark]} {stage.stage.value}"
        if stage.mark == "running" and stage.seconds is not None:
            words += f" {duration_words(stage.seconds + age_s)}"
        return _text(words, style)


def _text(words: str, style: str) -> Text:
    from rich.text import Text

    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


class _Follower:
    """Keeps the board up to date, and tells each event once."""

    def __init__(self, application: Application, board: Board, runs: Collection[str] | None, *, tells: str) -> None:
        self._application = application
        self._board = board
        self._runs = runs
        self._tells = tells
        self._told: dict[str, int] = {}
        self._watched: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def follow(self) -> None:
        async for run, _ in self._application.follow():
            if self._runs is None or run in self._runs:
                await self.sync((run,))

    async def keep_in_step(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            await self.sync()

    async def sync(self, runs: Collection[str] | None = None) -> None:
        """Read these runs (all that are watched) anew, and tell what is new."""
        async with self._lock:
            names = runs or self._runs or [v.run for v in await self._application.runs()]
            for run in names:
                view = await self._application.view(run)
                self._board.put(view)
                if self._tells != "tree":
                    await self._tell(view)

    async def _tell(self, view: RunView) -> None:
        change = await self._application.change(view.run)
        for recorded in change.history:
            if recorded.seq > self._told.get(view.run, 0):
                self._told[view.run] = recorded.seq
                if self._tells != "json" and self._is_repetition(view.run, recorded):
                    continue
                _print_event(view.run, recorded, as_json=self._tells == "json", stderr=self._tells == "words")

    def _is_repetition(self, run: str, recorded: Recorded) -> bool:
        """One more look at a canary that goes on being watched, soon after the last one that was told."""
        event = recorded.event
        if not isinstance(event, CanaryObserved) or event.judgement.verdict is not Verdict.WAIT:
            self._watched.pop(run, None)
            return False
        at = datetime.fromisoformat(recorded.timestamp).timestamp()
        if at - self._watched.get(run, 0.0) < WATCH_LINE_S:
            return True
        self._watched[run] = at
        return False

    async def skip_past(self) -> None:
        """Tell only what happens from now on."""
        for view in await self._application.runs():
            change = await self._application.change(view.run)
            self._told[view.run] = change.history[-1].seq


def _print_event(run: str, recorded: Recorded, *, as_json: bool, stderr: bool) -> None:
    if as_json:
        print_json(
            {
                "run": run,
                "seq": recorded.seq,
                "timestamp": recorded.timestamp,
                "agent": recorded.agent,
                "text": event_words(recorded),
                "event": event_fields(recorded.event),
            }
        )
        return
    stream = sys.stderr if stderr else sys.stdout
    at = datetime.fromisoformat(recorded.timestamp).astimezone(UTC).strftime("%H:%M:%S")
    kind = event_fields(recorded.event)["type"]
    stream.write(f"{at} {run} {kind}: {event_words(recorded)}\n")
    stream.flush()


@contextlib.asynccontextmanager
async def show_progress(
    application: Application,
    *,
    runs: Collection[str] | None = None,
    to: Literal["stdout", "stderr"] = "stderr",
    as_json: bool = False,
    history: bool = True,
) -> AsyncIterator[Board]:
    """Show these runs (None: all) while the body of the `async with` works; the last state stays on the screen.

    Without a terminal each event is a line on `to`; `as_json` prints one JSON object an event on stdout.
    `history` false leaves out what happened before.
    """
    out = console(stderr=to == "stderr")
    tells = "json" if as_json else "tree" if out.is_terminal else "words" if to == "stderr" else "lines"
    board = Board(unicode=prints_unicode(out.encoding))
    follower = _Follower(application, board, runs, tells=tells)
    if not history:
        await follower.skip_past()
    await follower.sync()
    tasks = [asyncio.create_task(follower.follow()), asyncio.create_task(follower.keep_in_step())]
    try:
        if tells == "tree":
            async with _drawing(board, out):
                yield board
                await follower.sync()
        else:
            yield board
            await follower.sync()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _drawing(board: Board, out: Console) -> AsyncIterator[None]:
    from rich.live import Live

    with Live(
        console=out,
        auto_refresh=False,
        get_renderable=lambda: board.render(width=out.width, height=out.height),
        vertical_overflow="crop",
    ) as live:

        async def draw() -> None:
            while True:
                live.refresh()
                await asyncio.sleep(DRAW_S)

        task = asyncio.create_task(draw())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            live.refresh()
