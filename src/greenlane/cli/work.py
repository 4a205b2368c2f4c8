"""Commands that make things move: run, up, down; and watch, which looks on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, config_path_of, resolve_run, with_application
from greenlane.cli.sink import FAILED, OK, WAITING, say

if TYPE_CHECKING:
    from greenlane.ports.application import Application, RunView

DEFAULT_PORT = 8700


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("up")(up)
    app.command("down")(down)
    app.command("watch")(watch)


def outcome_code(state: str) -> int:
    """The exit code of a run that ended, or that waits."""
    if state in ("awaiting_human", "paused", "postponed"):
        return WAITING
    return OK if state in ("deployed", "observed") else FAILED


def run(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="BRANCH", help="A branch of this repository, or a number of a PR.")],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Work until it ends or waits; or leave the work to `greenlane up`.")
    ] = True,
    hotfix: Annotated[
        str | None, typer.Option("--hotfix", metavar="REASON", help="Pass a freeze, once another person approved it.")
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Take a branch as a pull request, and see it through.

    Works until it has ended or waits for a human; what was begun before goes on where it was.
    """

    import asyncio

    async def act(application: Application) -> tuple[RunView, dict[str, str]]:
        name = await application.submit(ref)
        if hotfix is not None:
            change = await application.change(name)
            if change.hotfix is None:
                await application.hotfix(name, by=change.opened.author, reason=hotfix.strip() or "no reason was given")
        if not wait:
            return await application.view(name), {}
        try:
            await _see_through(application, name)
        except asyncio.CancelledError:  # Ctrl-C: say what goes on without us
            if (await application.change(name)).canary is not None:
                say("the canary has no traffic from now on: all of it goes to the version before")
            _say_what_stays(await application.addresses())
            raise
        return await application.view(name), await application.addresses()

    view, addresses = with_application(ctx, act)
    _print_outcome(view, as_json=json_)
    _say_what_stays(addresses)
    raise typer.Exit(outcome_code(view.state) if wait else OK)


def _say_what_stays(addresses: dict[str, str]) -> None:
    for service, address in addresses.items():
        say(f"  {service} is in production at {address} and stays up; `greenlane down` stops it")


async def _see_through(application: Application, name: str) -> None:
    """Show the run while it is worked on. One that has ended before is not told again."""
    from greenlane.pages.live import ENDED_STATES, show_progress

    if (await application.view(name)).state in ENDED_STATES:
        say("this commit had its run already; commit to the branch to begin a new one")
        return
    async with show_progress(application, runs=(name,)):
        await application.work(until=(name,))


def _print_outcome(view: RunView, *, as_json: bool) -> None:
    from greenlane.pages.terminal import print_json, print_line
    from greenlane.pages.words import clean, duration_words, state_words

    if as_json:
        print_json(view)
        return
    print_line(f"{view.run}: {state_words(view.state)} after {duration_words(view.seconds)}: {clean(view.reason)}")
    if view.state in ("awaiting_human", "blocked", "rolled_back", "paused", "postponed"):
        say(f"  `greenlane explain {view.run}` shows why, and what to do next")
    if view.state == "postponed":
        say("  `greenlane up` goes on with it when the time has come; so does `greenlane run` after that")


def watch(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run, until it has ended.")] = None,
    json_: JsonFlag = False,
) -> None:
    """Look on, live; what needs attention stands on the top line.

    Ctrl-C ends it. Without a terminal, each event is a line.
    """

    import asyncio

    async def act(application: Application) -> None:
        from greenlane.pages.live import show_progress

        runs = ((await resolve_run(application, name)).run,) if name else None
        async with show_progress(application, runs=runs, to="stdout", as_json=json_, history=bool(name)) as board:
            await (board.all_ended() if runs else asyncio.Event().wait())

    with_application(ctx, act, read_only=True)


def up(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="The address of the status page.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes a free one.")] = DEFAULT_PORT,
) -> None:
    """Run as a service: agents that work, and a page that shows it.

    Ctrl-C or SIGTERM stops it; unfinished runs go on at the next start. Rules that change on the base branch are
    followed at once.
    """

    from greenlane.bootstrap import read_rules
    from greenlane.cli.service import serve

    root = config_path_of(ctx).parent
    again: int | None = port

    async def act(application: Application) -> int | None:
        return await serve(application, host=host, port=again or 0, read_rules=lambda: read_rules(root))

    while again is not None:
        again = with_application(ctx, act)


def down(ctx: typer.Context, json_: JsonFlag = False) -> None:
    """Stop what runs here: the service, deployments, the proxy."""

    import asyncio

    from greenlane.cli.service import stop_everything
    from greenlane.cli.session import state_dir_of
    from greenlane.pages.terminal import print_json, print_line

    stopped = asyncio.run(stop_everything(state_dir_of(ctx)))
    if json_:
        print_json({"stopped": stopped})
        return
    for what in stopped:
        print_line(f"stopped {what}")
    if not stopped:
        say("nothing was running")
