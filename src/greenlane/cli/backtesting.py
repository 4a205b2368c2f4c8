"""`greenlane backtest`: what Greenlane would have done with the changes that were merged last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, directory_of
from greenlane.cli.sink import say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from greenlane.adapters.git.merged import MergedChange
    from greenlane.backtest.judging import JudgedChange
    from greenlane.backtest.summing import BacktestReport, Prices
    from greenlane.domain.settings import Settings
    from greenlane.domain.weights import FittedWeights

SHOWN_RULES = 12
SHOWN_MISSED = 8


def register(app: typer.Typer) -> None:
    app.command("backtest")(backtest)


def backtest(
    ctx: typer.Context,
    last: Annotated[
        int, typer.Option("--last", min=1, max=100_000, metavar="N", help="How many merged changes.")
    ] = 300,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting for this time: thresholds.risk_score_max=8."),
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="NAME", help="Whose history; else the base branch, else HEAD.")
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(
            "--price",
            metavar="IN,OUT[,CACHED[,WRITTEN]]",
            help="Dollars a million tokens; else those of `model`. Without CACHED there is no cache; without WRITTEN, "
            "what is written to it costs 1.25 times IN.",
        ),
    ] = None,
    trace_s: Annotated[
        float,
        typer.Option(
            "--trace-s", min=0, max=86_400, metavar="S", help="Seconds for following later fixes to their lines."
        ),
    ] = 60,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")] = None,
    json_: JsonFlag = False,
) -> None:
    """Say what Greenlane would have done with the last merged changes.

    Each is judged as the review agent judges a pull request, without running tests and without a model. Any git
    repository will do, bare ones and such without greenlane.yaml included; nothing in it is written.
    """
    import time

    from greenlane.adapters.git.merged import read_merged_changes
    from greenlane.backtest.outcomes import add_traced, label_outcomes
    from greenlane.backtest.settings import settings_for, weights_for
    from greenlane.backtest.summing import Prices, sum_up
    from greenlane.backtest.szz import trace_fixes

    root = directory_of(ctx).resolve()
    asked = _prices(price)
    loaded = settings_for(root, set_ or [], branch)
    model = loaded.settings.model
    prices = asked or Prices(
        sent=model.input_usd_per_mtok,
        cached=model.cached_usd_per_mtok,
        written=model.written_usd_per_mtok,
        answered=model.output_usd_per_mtok,
    )
    weights = weights_for(root, loaded.settings)
    began = time.monotonic()
    changes, later = read_merged_changes(root, last=last, branch=loaded.branch)
    judged = _judge(root, changes, loaded.settings, weights)
    traced = trace_fixes(root, changes, later, seconds=trace_s)
    report = sum_up(
        judged,
        add_traced(label_outcomes(changes, later), traced),
        repo=loaded.name,
        settings=tuple(set_ or ()),
        prices=prices,
        usd_per_pr=model.usd_per_pr,
        traced=(traced.traced, traced.fixes),
        seconds=time.monotonic() - began,
    )
    if html is not None:
        from greenlane.adapters.reports import write_atomically
        from greenlane.backtest.page import render_html

        write_atomically(html, render_html(report))
        say(f"written: {html}")
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(report)
    else:
        from greenlane.pages.terminal import console

        out = console()
        for part in _tables(report):
            out.print(part)


def _prices(text: str | None) -> Prices | None:
    """Raises InputError."""
    from greenlane.backtest.summing import Prices
    from greenlane.domain.errors import InputError
    from greenlane.domain.settings import CACHE_WRITE_FACTOR

    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not 2 <= len(numbers) <= 4 or not all(0 <= number < 1e6 for number in numbers):
        raise InputError(
            f"--price {text}: it is not two to four prices",
            hint="e.g. --price 3,15 or --price 3,15,0.3 or --price 3,15,0.3,3.75: dollars a million tokens sent, "
            "answered, read from the cache, written to it",
        )
    sent, answered, *cache = numbers
    if not cache:
        return Prices(sent=sent, answered=answered, cached=sent, written=sent)
    written = cache[1] if len(cache) == 2 else CACHE_WRITE_FACTOR * sent
    return Prices(sent=sent, answered=answered, cached=cache[0], written=written)


def _judge(
    root: Path, changes: list[MergedChange], settings: Settings, weights: FittedWeights | None
) -> list[JudgedChange]:
    """With a bar on stderr, where a person looks."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from greenlane.backtest.judging import judge_changes
    from greenlane.pages.terminal import console

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    out = console(stderr=True)
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("judging", total=len(changes))
        return judge_changes(root, changes, settings, weights=weights, on_judged=lambda _: bar.advance(task))


def _tables(report: BacktestReport) -> list[RenderableType]:
    from rich.text import Text

    from greenlane.backtest.page import headline, recall_words

    parts: list[RenderableType] = [Text(line) for line in headline(report)]
    parts += [Text(), _lane_table(report), Text(), _rule_table(report)]
    missed = [x for x in report.labelled if not x.to_human]
    parts += [Text(), Text("What became of them later"), *(Text(f"  {line}") for line in recall_words(report))]
    parts += [
        Text(f"  let through: {x.sha[:10]} {x.title[:70]} ({x.kind} by {x.by[:10]})") for x in missed[:SHOWN_MISSED]
    ]
    if len(missed) > SHOWN_MISSED:
        parts.append(Text(f"  and {len(missed) - SHOWN_MISSED} more (--json and --html have them)"))
    return parts


def _lane_table(report: BacktestReport) -> RenderableType:
    from rich.table import Table

    from greenlane.backtest.page import interval_words

    table = Table(box=None, pad_edge=False)
    table.add_column("lane")
    for name in ("changes", "share", "95 %", "to a human"):
        table.add_column(name, justify="right")
    for row in report.lanes:
        if row.changes.count:
            table.add_row(
                row.lane,
                str(row.changes.count),
                f"{row.changes.share:.1%}",
                interval_words(row.changes),
                str(row.to_human),
            )
    return table


def _rule_table(report: BacktestReport) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from greenlane.backtest.page import interval_words

    if not report.rules:
        return Text("No rule asked for a human.")
    table = Table(box=None, pad_edge=False)
    table.add_column("rule that asked", overflow="fold")
    table.add_column("kind")
    for name in ("asked", "share", "95 %", "alone"):
        table.add_column(name, justify="right")
    for row in report.rules[:SHOWN_RULES]:
        kind = "policy" if row.mandated else "risk"
        table.add_row(
            Text(row.rule),
            kind,
            str(row.asked.count),
            f"{row.asked.share:.1%}",
            interval_words(row.asked),
            str(row.alone),
        )
    return table
