"""`greenlane status`: how many changes a human is asked about, and whether more may go through by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from greenlane.cli.notifying import undelivered_words
from greenlane.cli.session import JsonFlag, state_dir_of, with_application
from greenlane.cli.sink import say

if TYPE_CHECKING:
    from greenlane.policy.rollout import RolloutStatus
    from greenlane.ports.application import Application


def register(app: typer.Typer) -> None:
    app.command("status")(status)


def status(ctx: typer.Context, json_: JsonFlag = False) -> None:
    """Show how often a human is asked, and whether more changes may go through automation.

    By lane and by rule, with 95 % intervals; runs in shadow mode are counted apart.
    """

    async def act(application: Application) -> tuple[RolloutStatus, RolloutStatus]:
        from greenlane.policy.rollout import assess_status

        changes = [await application.change(view.run) for view in await application.runs()]
        rollout, now = application.settings.rollout, datetime.now(UTC)
        return (
            assess_status(changes, rollout, shadow=False, now=now),
            assess_status(changes, rollout, shadow=True, now=now),
        )

    live, shadow = with_application(ctx, act, read_only=True)
    untold = undelivered_words(state_dir_of(ctx))
    if json_:
        from greenlane.pages.terminal import print_json

        print_json({"live": live, "shadow": shadow, "undelivered": untold})
        return
    for line in untold:
        say(f"undelivered: {line}")
    for part in (live, shadow):
        if part.changes:
            _print(part)
    if not live.changes and not shadow.changes:
        say("no change was reviewed yet")


def _print(status: RolloutStatus) -> None:
    from rich.table import Table

    from greenlane.pages.terminal import console
    from greenlane.policy.shares import Share

    def words(share: Share) -> tuple[str, str, str]:
        return f"{share.count} of {share.total}", f"{share.share:.1%}", f"{share.low:.1%} to {share.high:.1%}"

    out = console()
    would = " would have been" if status.mode == "shadow" else " was"
    kind = "in shadow mode" if status.mode == "shadow" else "live"
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title_justify="left")
    table.add_column(f"{status.changes} changes {kind}, {status.days:.1f} days", no_wrap=True)
    for column in (f"a human{would} asked", "rate", "95 %"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_row("all", *words(status.asked))
    for rate in status.by_lane:
        table.add_row(f"{rate.name} lane", *words(rate.asked))
    for rate in status.by_rule:
        table.add_row(f"because of {rate.name}", *words(rate.asked))
    out.print(table)
    held = (
        f"of the last {status.lately.total} changes, {status.lately_days:.0f} days, {status.lately.share:.1%} went to"
    )
    if status.missing:
        out.print("not yet to be raised; still to come: " + "; ".join(status.missing))
    elif status.mode == "shadow":
        out.print(f"{held} a human: `orchestration.mode: automatic` with a small `rollout.percent` is the next step")
    elif status.percent < 100:
        out.print(f"{held} a human: `rollout.percent` may be raised from {status.percent:g}")
    else:
        out.print(f"{held} a human; automation takes all (`rollout.percent` is 100)")
