"""`greenlane replay`: judges the recorded figures of a run again, and says whether the verdicts are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from greenlane.cli.session import JsonFlag, RunName, ledger_path_of, resolve_run, with_application
from greenlane.cli.sink import CORRUPT, FAILED, say

if TYPE_CHECKING:
    from greenlane.domain.change import Change
    from greenlane.policy.replay import Replayed
    from greenlane.ports.application import Application


def register(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(ctx: typer.Context, name: RunName, json_: JsonFlag = False) -> None:
    """Judge a run's recorded figures again, bit for bit.

    From the ledger alone, which is verified first. Exit code 1 if a verdict is not the same, 4 if the ledger was
    altered.
    """
    from greenlane.ledger.verify import verify
    from greenlane.policy.replay import replay_run

    path = ledger_path_of(ctx)
    report = verify(path)
    if not report.ok:
        where = report.first_bad
        say(f"error: {path} is not what was written" + (f": {where.what}" if where else ""))
        say("hint:  `greenlane audit verify` names every bad entry; nothing was judged")
        raise typer.Exit(CORRUPT)

    async def act(application: Application) -> Change:
        return await application.change((await resolve_run(application, name)).run)

    change = with_application(ctx, act, read_only=True)
    found = replay_run(change.history)
    different = [r for r in found if r.differences]
    if json_:
        from greenlane.pages.terminal import print_json

        print_json({"run": change.run, "same": not different, "judgements": found})
    else:
        _print(change.run, found, len(different))
    if different:
        raise typer.Exit(FAILED)


def _print(run: str, found: tuple[Replayed, ...], different: int) -> None:
    from greenlane.pages.terminal import print_line
    from greenlane.pages.words import clean, count_words

    if not found:
        say(f"{run} has no verdict on a canary or on a comparison yet: there is nothing to judge again")
        return
    for r in found:
        mark = "DIFFERS" if r.differences else "same" if r.again == r.recorded else "told"
        print_line(clean(f"{r.seq:>5}  {mark:<7}  {r.what}: {r.recorded}"))
        for text in r.differences:
            print_line(clean(f"       {text}"))
    judged = count_words(len(found), "verdict")
    looks = count_words(sum(r.looks for r in found), "look")
    if different:
        say(f"{different} of {judged} not the same as recorded")
    else:
        say(f"{judged} judged again from {looks}: the same bit for bit")
