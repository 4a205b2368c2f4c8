"""`greenlane notify`: what was told to whom, a test message, and another try for what did not arrive."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, load_config, state_dir_of
from greenlane.cli.sink import FAILED, OK, say

if TYPE_CHECKING:
    from greenlane.adapters.notify import Delivery
    from greenlane.cli.diagnosis import Diagnosis
    from greenlane.domain.notifications import Notifications

SHOWN = 20


def register(app: typer.Typer) -> None:
    app.command("notify")(notify)


def notify(
    ctx: typer.Context,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to every receiver, now.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again what was given up; `greenlane up` sends it.")
    ] = False,
    json_: JsonFlag = False,
) -> None:
    """Show what was told to whom, and what did not arrive.

    Receivers stand under `notifications` in greenlane.yaml. Exit code 1: a test message did not arrive.
    """
    from greenlane.adapters.notify import DELIVERIES, Outbox

    path = state_dir_of(ctx) / DELIVERIES
    if test:
        raise typer.Exit(_send_test(ctx, path, as_json=json_))
    outbox = Outbox(path)
    if retry:
        again = outbox.retry() if path.exists() else 0
        say(f"{again} to be tried again; `greenlane up` sends them, or the next `greenlane run`")
    deliveries = outbox.deliveries(limit=SHOWN)
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(deliveries)
    elif deliveries:
        _print(deliveries)
    else:
        say("nothing was told to anybody yet; `greenlane notify --test` sends a message to every receiver")


def _send_test(ctx: typer.Context, path: Path, *, as_json: bool) -> int:
    import asyncio

    from greenlane.adapters.notify import Courier
    from greenlane.domain.errors import ConfigError
    from greenlane.pages.terminal import print_json, print_line
    from greenlane.policy.notices import make_test_notice

    loaded = load_config(ctx)
    settings = loaded.settings.notifications
    if not (settings.webhooks or settings.slack or settings.pagerduty):
        raise ConfigError(
            "no receiver is configured", hint="add webhooks, slack or pagerduty under `notifications` in greenlane.yaml"
        )
    name = loaded.settings.repository.name or loaded.path.parent.name
    notice = make_test_notice(name, datetime.now(UTC).isoformat())
    done = asyncio.run(Courier(settings, path).send(notice))
    if as_json:
        print_json(
            {"receivers": [{"receiver": r, "delivered": a.delivered, "answer": a.answer} for r, a in done.items()]}
        )
    else:
        for receiver, attempt in done.items():
            print_line(f"{'delivered' if attempt.delivered else 'NOT delivered'}  {receiver}: {attempt.answer}")
    return OK if all(a.delivered for a in done.values()) else FAILED


def _print(deliveries: tuple[Delivery, ...]) -> None:
    from greenlane.pages.terminal import print_line
    from greenlane.pages.words import clean, shorten

    for d in deliveries:
        tries = f", {d.attempts} attempts" if d.attempts > 1 else ""
        print_line(
            f"{d.created}  {d.state:<11}  {d.kind:<15}  {d.run}  {d.receiver}{tries}"
            + (f": {shorten(clean(d.answer), 80)}" if d.answer else "")
        )


def undelivered_words(state_dir: Path) -> tuple[str, ...]:
    """What did not arrive, a line for each; for `status` and the doctor."""
    from greenlane.adapters.notify import DELIVERIES, Outbox

    failed = [d for d in Outbox(state_dir / DELIVERIES).deliveries(unsettled=True) if d.attempts]
    return tuple(
        f"{d.receiver} was not told that {d.run} was {d.kind.replace('_', ' ')}: {d.answer} "
        f"({d.attempts} attempts, {'given up' if d.state == 'undelivered' else 'tried again'})"
        for d in failed
    )


def check_notifications(settings: Notifications, state_dir: Path) -> Diagnosis:
    """For the doctor: whether every receiver can be reached as far as this machine knows, and what did not arrive."""
    import os

    from greenlane.adapters.notify.channels import make_channels, variables_of
    from greenlane.cli.diagnosis import Diagnosis

    missing = [name for name in variables_of(settings) if not os.environ.get(name, "").strip()]
    if missing:
        return Diagnosis(
            name="notifications", ok=False, detail=f"not set here: {', '.join(missing)}",
            fix="set them where `greenlane up` is started, then `greenlane notify --test`",
        )  # fmt: skip
    late = undelivered_words(state_dir)
    if late:
        more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
        return Diagnosis(
            name="notifications", ok=False, detail=late[-1] + more,
            fix="`greenlane notify --test` tries now, `greenlane notify --retry` sends what was given up again",
        )  # fmt: skip
    receivers = len(make_channels(settings))
    return Diagnosis(
        name="notifications", ok=True,
        detail=f"{receivers} receivers (`greenlane notify --test`)" if receivers else "nobody outside is told",
    )  # fmt: skip
