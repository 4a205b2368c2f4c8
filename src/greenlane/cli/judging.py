"""Commands by which people's judgement of findings comes back: feedback, and how each rule fared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, RunName, config_path_of, resolve_run, with_application
from greenlane.cli.sink import say
from greenlane.domain.errors import InputError

if TYPE_CHECKING:
    from greenlane.domain.change import Change
    from greenlane.policy.feedback import PromptVerdict, RuleRate
    from greenlane.ports.application import Application


def register(app: typer.Typer) -> None:
    app.command("feedback")(feedback)
    app.command("rules")(rules)
    app.add_typer(prompts, name="prompts")


prompts = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Examples for the model: try them before use.")


@prompts.command("check")
def check(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Examples (*.md) that are to be used.")
    ],
    json_: JsonFlag = False,
) -> None:
    """Say whether these examples may ship: recall on held-out confirmed findings must not fall.

    Each change with a confirmed finding that no example gives away is read twice by the model, with the examples of the
    base branch and with these. Exit code 3: they may not.
    """

    async def act(application: Application) -> PromptVerdict:
        from greenlane.bootstrap.model import check_prompts

        changes = [await application.change(view.run) for view in await application.runs()]
        return await check_prompts(
            config_path_of(ctx).parent, application.settings, application.state_dir, changes, folder,
            lambda left: say(f"readings to come: {left}"),
        )  # fmt: skip

    verdict = with_application(ctx, act, read_only=True)
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(verdict)
    else:
        say(("may ship: " if verdict.ships else "may not ship: ") + verdict.reason)
        for case in verdict.lost:
            say(f"  no longer found: {case}")
    if not verdict.ships:
        raise typer.Exit(3)


def feedback(
    ctx: typer.Context,
    name: RunName,
    finding: Annotated[str, typer.Argument(metavar="FINDING", help="A finding's name, as `explain` shows it.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so. It is kept in the ledger.")],
    false_positive: Annotated[bool, typer.Option("--false-positive", help="Nothing is wrong at that line.")] = False,
    confirmed: Annotated[bool, typer.Option("--confirmed", help="The finding is right.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the next reader sees it.")] = "",
    json_: JsonFlag = False,
) -> None:
    """Say how right a finding was: kept in the ledger, counted per rule.

    It changes nothing of the run. What an author says of their own change is kept and not counted.
    """
    if false_positive == confirmed:
        raise InputError("say either --false-positive or --confirmed", hint="exactly one of both")
    verdict = "confirmed" if confirmed else "false-positive"

    async def act(application: Application) -> None:
        from greenlane.pages.terminal import print_json
        from greenlane.pages.words import clean

        view = await resolve_run(application, name)
        judged = await application.judge(
            view.run, finding, "confirmed" if confirmed else "false-positive", by=by, reason=reason.strip() or verdict
        )
        if json_:
            print_json({"run": view.run, "judgement": judged})
            return
        say(clean(f"{by}: {judged.rule} at {judged.path}:{judged.line} of {view.run} is {verdict.replace('-', ' ')}"))
        if judged.by_author:
            say("  it is their own change: the word is kept, and not counted in the rule's rate")

    with_application(ctx, act)


def rules(
    ctx: typer.Context,
    examples: Annotated[
        Path | None,
        typer.Option("--examples", metavar="DIR", help="Write judged findings as candidate examples for the model."),
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Show how each rule fared: how often it fired, and the share of false alarms among those judged."""

    async def act(application: Application) -> list[Change]:
        return [await application.change(view.run) for view in await application.runs()]

    from greenlane.policy.feedback import compute_rates

    changes = with_application(ctx, act, read_only=True)
    rates = compute_rates(changes)
    if examples is not None:
        _write_examples(examples, changes)
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(rates)
    elif rates:
        _print_rates(rates)
    else:
        say("no rule has fired yet")


def _write_examples(folder: Path, changes: list[Change]) -> None:
    from greenlane.adapters.reports import write_atomically
    from greenlane.policy.feedback import judged_findings, write_example

    folder.mkdir(parents=True, exist_ok=True)
    judged = [item for change in changes for item in judged_findings(change) if item.verdict]
    for item in judged:
        write_atomically(folder / f"{item.finding_id}.md", write_example(item))
    say(f"written: {len(judged)} candidates in {folder}; read each before you put it under `model.examples_dir`")


def _print_rates(rates: tuple[RuleRate, ...]) -> None:
    from rich.table import Table

    from greenlane.pages.terminal import console

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("rule", no_wrap=True)
    for column in ("fired", "runs", "judged", "false", "rate", "95 %"):
        table.add_column(column, justify="right", no_wrap=True)
    for rate in rates:
        known = rate.judged > 0
        table.add_row(
            rate.rule,
            str(rate.fired),
            str(rate.runs),
            str(rate.judged) + (f" (+{rate.by_authors} by authors)" if rate.by_authors else ""),
            str(rate.false.count) if known else "–",
            f"{rate.false.share:.0%}" if known else "–",
            f"{rate.false.low:.0%} to {rate.false.high:.0%}" if known else "–",
        )
    console().print(table)
