"""Commands that only look: list and explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, RunName, resolve_run, with_application
from greenlane.cli.sink import say

if TYPE_CHECKING:
    from greenlane.policy.context import ContextPackage
    from greenlane.ports.application import Application, RunView


def register(app: typer.Typer) -> None:
    app.command("list")(list_runs)
    app.command("explain")(explain)


def list_runs(
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option("--state", help="Only runs in this state, e.g. awaiting_human.")] = None,
    json_: JsonFlag = False,
) -> None:
    """Show every run: lane, state, time, and the reason."""
    from greenlane.domain.errors import InputError
    from greenlane.policy.lifecycle import State

    states = [s.value for s in State]
    if state and state not in states:
        raise InputError(f"there is no state {state}", hint=f"it is one of {', '.join(states)}")

    async def act(application: Application) -> list[RunView]:
        return [v for v in await application.runs() if state in (None, v.state)]

    views = with_application(ctx, act, read_only=True)
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(views)
    elif views:
        _print_table(views)
    else:
        say("no run" + (f" in state {state}" if state else " yet: `greenlane run BRANCH` begins one"))


def _print_table(views: list[RunView]) -> None:
    from rich.table import Table
    from rich.text import Text

    from greenlane.pages.terminal import LANE_STYLES, STATE_STYLES, console
    from greenlane.pages.words import clean, duration_words, state_words

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("run", no_wrap=True)
    table.add_column("lane", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("time", no_wrap=True, justify="right")
    table.add_column("title: reason", overflow="ellipsis", no_wrap=True, ratio=1)
    for v in views:
        told = Text(clean(v.title))
        if v.reason:
            told.append(f": {clean(v.reason)}", "dim")
        table.add_row(
            Text(v.run),
            Text(v.lane or "–", LANE_STYLES.get(v.lane or "", "dim")),
            Text(state_words(v.state), STATE_STYLES.get(v.state, "")),
            Text(duration_words(v.seconds)),
            told,
        )
    console().print(table)


def explain(
    ctx: typer.Context,
    name: RunName,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")] = None,
    json_: JsonFlag = False,
) -> None:
    """Say what a run waits for, who can unblock it, what next."""

    async def act(application: Application) -> tuple[RunView, ContextPackage]:
        from greenlane.policy.context import compute_context_package

        view = await resolve_run(application, name)
        change = await application.change(view.run)
        return view, compute_context_package(change, application.settings)

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
