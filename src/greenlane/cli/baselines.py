"""Commands that tell what is known of production: baselines, and predictions beside what came of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, RunName, resolve_run, with_application
from greenlane.cli.sink import say

if TYPE_CHECKING:
    from greenlane.domain.service_settings import Service
    from greenlane.domain.settings import Settings
    from greenlane.policy.baseline import Baseline
    from greenlane.policy.prediction import Release
    from greenlane.policy.staging import StagingAnswer
    from greenlane.ports.application import Application

    Known = tuple[Baseline | None, list[Baseline], tuple[str, ...], int, str]
    """All hours, hours of the week, warnings, requests that are needed, and what is missing."""

ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="A service of greenlane.yaml.")]
HtmlFile = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")]


def register(app: typer.Typer) -> None:
    app.command("baseline")(baseline)
    app.command("predictions")(predictions)
    app.command("staging")(staging)


def _service(settings: Settings, name: str) -> Service:
    """Raises InputError for a service that is not there."""
    from greenlane.domain.errors import InputError

    found = next((s for s in settings.services if s.name == name), None)
    if found is None:
        names = ", ".join(s.name for s in settings.services) or "none"
        raise InputError(f"there is no service {name}", hint=f"greenlane.yaml has: {names}")
    return found


def baseline(ctx: typer.Context, service: ServiceName, json_: JsonFlag = False) -> None:
    """Show what production of a service usually does, by hour of the week.

    From the last 30 days, incidents left out. It grows while `greenlane up` runs. Times are UTC.
    """

    async def act(application: Application) -> Known:
        return await _read_baselines(application, _service(application.settings, service))

    overall, hours, warnings, needed, missing = with_application(ctx, act, read_only=True)
    if json_:
        from greenlane.pages.terminal import print_json

        figures = {"all": overall, "hours": hours, "warnings": warnings, "min_requests": needed, "missing": missing}
        print_json({"service": service, **figures})
        return
    if overall is None:
        say(f"{service} has no baseline yet: {missing}")
        say("it grows while `greenlane up` runs")
        return
    _print_baselines([overall, *hours])
    for text in warnings:
        say(f"warning: {text}")
    few = 168 - len(hours)
    if few:
        say(f"{few} of 168 hours of the week have fewer than {needed} requests: all hours count for them")


async def _read_baselines(application: Application, service: Service) -> Known:
    from greenlane.adapters.baselines import FILE, BaselineStore
    from greenlane.domain.events import Lane
    from greenlane.policy import baseline as bl
    from greenlane.policy.canary import resolve_thresholds

    now, settings = datetime.now(UTC), application.settings
    needed = settings.validation.baseline_min_requests
    incidents = bl.detect_incidents(await application.past(), service.name)
    store = BaselineStore(application.state_dir / FILE)
    slots = await store.slots(service.name, now - timedelta(days=bl.DAYS))

    def of(hour: int | None) -> Baseline | None:
        return bl.compute_baseline(service.name, slots, incidents, now=now, hour=hour, min_requests=needed)

    overall = of(None)
    hours = [b for b in map(of, range(bl.HOURS)) if b is not None and not b.note] if overall else []
    rules = resolve_thresholds(settings, service, Lane.GREEN).rules
    p99_ms, rate = rules.p99_limit_ms, rules.error_rate_limit
    breaches = bl.detect_breaches(overall, p99_limit_ms=p99_ms, error_rate_limit=rate) if overall else ()
    breaches += bl.detect_breaches_by_hour(hours, p99_limit_ms=p99_ms, error_rate_limit=rate)
    missing = bl.describe_missing(slots, incidents, now=now, min_requests=needed) if overall is None else ""
    return overall, hours, breaches, needed, missing


def _print_baselines(rows: list[Baseline]) -> None:
    from rich.table import Table

    from greenlane.pages.terminal import console

    table = Table(box=None, pad_edge=False)
    table.add_column("hours")
    for name in ("requests", "a second", "failed", "p50 ms", "p95 ms", "p99 ms", "left out"):
        table.add_column(name, justify="right")
    for b in rows:
        quantiles = ("–" if q is None else f"{q:.1f}" for q in (b.p50_ms, b.p95_ms, b.p99_ms))
        table.add_row(
            b.scope, f"{b.requests:,}", f"{b.rate_rps:.2f}", f"{b.error_rate:.3%}", *quantiles, str(b.excluded)
        )
    console().print(table)


def predictions(ctx: typer.Context, service: ServiceName, html: HtmlFile = None, json_: JsonFlag = False) -> None:
    """Show what was predicted for each release, and what production showed."""
    from greenlane.adapters.baselines import FILE, BaselineStore
    from greenlane.policy.prediction import METRICS, detect_releases

    async def act(application: Application) -> tuple[tuple[Release, ...], int]:
        _service(application.settings, service)
        least = application.settings.validation.prediction_min_releases
        production = BaselineStore(application.state_dir / FILE)
        slots = await production.slots(service, datetime.fromtimestamp(0, UTC))
        return detect_releases(await application.past(), service, slots), least

    releases, least = with_application(ctx, act, read_only=True)
    if html is not None:
        from greenlane.adapters.reports import write_atomically
        from greenlane.pages.predictions import render_html

        write_atomically(html, render_html(service, releases, least))
        say(f"written: {html}")
    if json_:
        from greenlane.pages.terminal import print_json

        rows = [{"release": r, "held": r.held} for r in releases]
        print_json({"service": service, "min_releases": least, "releases": rows})
    elif html is None:
        _print_releases(releases)
    for metric in METRICS:
        count = sum(r.prediction.metric == metric for r in releases)
        if count < least:
            say(f"{metric}: {least - count} more releases are needed before its predictions decide anything")


def _print_releases(releases: tuple[Release, ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    from greenlane.pages.predictions import figure
    from greenlane.pages.terminal import console

    if not releases:
        say("no release with a prediction has reached production yet")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "metric", "predicted", "90 %", "shown", "factor", "inside"):
        table.add_column(name)
    for r in releases:
        p = r.prediction
        interval = (
            "–" if p.low is None or p.high is None else f"{figure(p.metric, p.low)} to {figure(p.metric, p.high)}"
        )
        table.add_row(
            Text(r.run), p.metric, figure(p.metric, p.predicted), interval, figure(p.metric, r.shown),
            f"{p.factor:.2f}", {None: "–", True: "yes", False: "no"}[r.held],
        )  # fmt: skip
    console().print(table)


def staging(ctx: typer.Context, name: RunName, json_: JsonFlag = False) -> None:
    """Show what staging says of a run: healthy or not, regressions, anomalies, differences, and why."""
    from greenlane.policy.staging import answer_of

    async def act(application: Application) -> StagingAnswer:
        view = await resolve_run(application, name)
        complete = (await application.change(view.run)).staging
        if complete is None:
            from greenlane.domain.errors import InputError

            raise InputError(f"{view.run} has not been in staging yet", hint="`greenlane list` shows where it is")
        return answer_of(complete)

    answer = with_application(ctx, act, read_only=True)
    from greenlane.pages.terminal import console, print_json

    if json_:
        print_json(answer)
        return
    out = console()
    lines = [
        answer.reasoning,
        f"healthy: {_yes(answer.staging_healthy)}, goes on: {_yes(answer.proceed_to_production)}",
    ]
    lines += [f"regression: {text}" for text in answer.regressions_detected]
    lines += [f"anomaly: {text}" for text in answer.anomalies]
    lines += [
        f"{d.service} {d.metric}: {d.current:.2f} -> {d.candidate:.2f} (ratio {d.ratio:.2f}, almost idle)"
        for d in answer.performance_delta
    ]
    for line in lines:
        out.print(line, markup=False, highlight=False)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
