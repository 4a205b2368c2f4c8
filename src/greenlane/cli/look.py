"""Commands that only look: list, explain, incident."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, RunName, resolve_run, state_dir_of, with_application
from greenlane.cli.sink import say

if TYPE_CHECKING:
    from greenlane.domain.change import Change
    from greenlane.policy.context import ContextPackage
    from greenlane.ports.application import Application, RunView

MIN_REASON_WIDTH = 24
TIME_COLUMN = 3


def register(app: typer.Typer) -> None:
    app.command("list")(list_runs)
    app.command("explain")(explain)
    app.command("incident")(incident)


def list_runs(
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option("--state", help="Only runs in this state, e.g. awaiting_human.")] = None,
    json_: JsonFlag = False,
) -> None:
    """Show every run: lane, state, time, and the reason."""
    from greenlane.bootstrap import LEDGER
    from greenlane.domain.errors import InputError
    from greenlane.ledger.connect import check_not_lost
    from greenlane.policy.lifecycle import State

    states = [s.value for s in State]
    if state and state not in states:
        raise InputError(f"there is no state {state}", hint=f"it is one of {', '.join(states)}")

    async def act(application: Application) -> list[RunView]:
        return [v for v in await application.runs() if state in (None, v.state)]

    ledger = state_dir_of(ctx) / LEDGER
    check_not_lost(ledger)
    begun = ledger.exists()
    views = with_application(ctx, act, read_only=True) if begun else []
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(views)
    elif views:
        _print_table(views)
    else:
        say("no run" + (f" in state {state}" if state else " yet: `greenlane run BRANCH` begins one"))


def _print_table(views: list[RunView]) -> None:
    """Aligned columns; names are never cut, since people copy them, and the reason gets what room is left."""
    from rich.text import Text

    from greenlane.pages.terminal import LANE_STYLES, STATE_STYLES, console
    from greenlane.pages.words import clean, duration_words, shorten, state_words

    head = ("run", "lane", "state", "time")
    rows = [(v.run, v.lane or "–", state_words(v.state), duration_words(v.seconds)) for v in views]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    out = console()
    room = max(MIN_REASON_WIDTH, out.width - sum(widths) - 2 * len(widths))

    def line(row: tuple[str, ...], styles: tuple[str, ...]) -> Text:
        text = Text(no_wrap=True, overflow="ignore")
        for i, (word, style) in enumerate(zip(row, styles, strict=True)):
            text.append(word.rjust(widths[i]) if i == TIME_COLUMN else word.ljust(widths[i]), style).append("  ")
        return text

    out.print(line(head, ("bold",) * len(head)).append("title: reason", "bold"))
    for v, row in zip(views, rows, strict=True):
        styles = ("", LANE_STYLES.get(v.lane or "", "dim"), STATE_STYLES.get(v.state, ""), "")
        told = f"{clean(v.title)}: {clean(v.reason)}" if v.reason else v.title
        out.print(line(row, styles).append(shorten(told, room)), crop=False, overflow="ignore")


def explain(
    ctx: typer.Context,
    name: RunName,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")] = None,
    json_: JsonFlag = False,
) -> None:
    """Say what a run waits for, who can unblock it, what next."""

    async def act(application: Application) -> tuple[RunView, ContextPackage]:
        from greenlane.bootstrap.around import look_around
        from greenlane.policy.context import compute_context_package

        view, settings = await resolve_run(application, name), application.settings
        change, past = await application.change(view.run), await application.past()
        around = await look_around(change, settings, application.state_dir, past, now=datetime.now(UTC))
        return view, compute_context_package(change, settings, production=around.production, past=past)

    view, package = with_application(ctx, act, read_only=True)
    if html is not None:
        from greenlane.adapters.reports import write_atomically
        from greenlane.pages.context import render_html

        write_atomically(html, render_html(package))
        say(f"written: {html}")
    if json_:
        from greenlane.pages.terminal import print_json

        print_json({"view": view, "context": package})
    elif html is None:
        from greenlane.cli.explaining import render_explanation
        from greenlane.pages.terminal import console

        out = console()
        out.print(render_explanation(view, package))


def incident(
    ctx: typer.Context,
    name: RunName,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")] = None,
    json_: JsonFlag = False,
) -> None:
    """Print the incident report of a run that was rolled back.

    As Markdown; with plots in the HTML file; every figure in JSON.
    """
    from greenlane.domain.errors import InputError
    from greenlane.pages.incident import render_html, render_json

    async def act(application: Application) -> Change:
        return await application.change((await resolve_run(application, name)).run)

    change = with_application(ctx, act, read_only=True)
    if change.incident is None:
        raise InputError(f"{change.run} has no incident: it was not rolled back", hint="`greenlane explain` says why")
    if html is not None:
        from greenlane.adapters.reports import write_atomically

        write_atomically(html, render_html(change))
        say(f"written: {html}")
    if json_:
        from greenlane.pages.terminal import print_line

        print_line(render_json(change).decode())
    elif html is None:
        from greenlane.pages.terminal import print_line

        for line in change.incident.markdown.splitlines():
            print_line(line)
