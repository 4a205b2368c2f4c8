"""`greenlane calibrate`: fits the points of size and history to what became of the changes that were merged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, directory_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from greenlane.adapters.git.merged import Commit, MergedChange
    from greenlane.backtest.calibrating import Calibration, CalibrationResult
    from greenlane.backtest.ranking import Estimate
    from greenlane.backtest.settings import BacktestSettings
    from greenlane.backtest.szz import Traced
    from greenlane.domain.weights import FittedWeights

FILE = ".greenlane-risk.json"


def register(app: typer.Typer) -> None:
    app.command("calibrate")(calibrate)


def calibrate(
    ctx: typer.Context,
    last: Annotated[
        int, typer.Option("--last", min=50, max=100_000, metavar="N", help="How many merged changes.")
    ] = 2000,
    within_days: Annotated[
        int,
        typer.Option("--within-days", min=7, max=3650, metavar="DAYS", help="How soon a revert or fix counts."),
    ] = 180,
    minutes: Annotated[
        float,
        typer.Option("--minutes", min=0.0, max=1440, metavar="M", help="Time for following fixes to their lines."),
    ] = 10,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help=f"Where the points go; else where they are read, or {FILE}."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting for this time, as in backtest.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="NAME", help="Whose history; else the base branch, else HEAD.")
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Fit the risk score's points to what became of your merged changes.

    Fits on the older 70 %, tests on the newer ones, and writes a file only if it ranks those better than the present
    points do, by the lower end of a 95 % interval. Any git repository will do; it is only read.
    """
    import time

    from greenlane.adapters.git.merged import read_merged_changes
    from greenlane.backtest.calibrating import CalibrationResult
    from greenlane.backtest.settings import settings_for

    root = directory_of(ctx).resolve()
    loaded = settings_for(root, set_ or [], branch)
    target = out if out is not None else _default_target(root, loaded)
    rivals = _rivals(root, loaded, target)
    began = time.monotonic()
    changes, later = read_merged_changes(root, last=last, branch=loaded.branch)
    traced = _trace(root, changes, later, minutes * 60)
    result = _fit(root, changes, later, traced, loaded, rivals, within_days)
    complete = traced.traced == traced.fixes
    write = result.verdict == "better" and complete and not dry_run and target is not None
    if write and target is not None and result.file is not None:
        from greenlane.adapters.reports import write_atomically
        from greenlane.policy.fitted import render_weights

        write_atomically(target, render_weights(result.file).decode())
    told = CalibrationResult(
        repo=loaded.name,
        commit=changes[0].head_sha,
        calibration=result,
        fixes=traced.fixes,
        traced=traced.traced,
        written=str(target) if write else None,
        seconds=round(time.monotonic() - began, 1),
    )
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(told)
        return
    from greenlane.pages.terminal import console

    printer = console()
    for part in _tell(told):
        printer.print(part)
    for line in _what_next(told, target, dry_run=dry_run, complete=complete):
        printer.print(line)


def _default_target(root: Path, loaded: BacktestSettings) -> Path | None:
    """Beside greenlane.yaml, under the name that it gives; nowhere in a repository without a working tree."""
    from greenlane.adapters.git.process import Git
    from greenlane.config import find_config

    config, git = find_config(root), Git(root)
    if git.root == git.git_dir:
        return None
    return (config.parent if config else git.root) / (loaded.settings.risk.weights_file or FILE)


def _rivals(root: Path, loaded: BacktestSettings, target: Path | None) -> list[FittedWeights | None]:
    """The points that must be beaten, all of them: those in force, and those that would be written over."""
    from greenlane.backtest.settings import read_weights, weights_for
    from greenlane.config import find_config

    config, name = find_config(root), loaded.settings.risk.weights_file
    found: list[FittedWeights | None] = []
    if config is not None and name and (config.parent / name).is_file():
        found.append(weights_for(root, loaded.settings))
    if target is not None and target.is_file():
        there = read_weights(target)
        if not any(f is not None and f.sha256 == there.sha256 for f in found):
            found.append(there)
    return found or [None]


def _trace(root: Path, changes: list[MergedChange], later: list[Commit], seconds: float) -> Traced:
    """With a bar on stderr, where a person looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from greenlane.backtest.szz import trace_fixes
    from greenlane.pages.terminal import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = console(stderr=True)
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task("following fixes to the lines they changed", total=None)
        return trace_fixes(
            root, changes, later, seconds=seconds,
            on_traced=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip


def _fit(
    root: Path,
    changes: list[MergedChange],
    later: list[Commit],
    traced: Traced,
    loaded: BacktestSettings,
    rivals: list[FittedWeights | None],
    within_days: int,
) -> Calibration:
    """The verdict against each rival; the worst counts."""
    from greenlane.backtest.calibrating import calibrate as decide
    from greenlane.backtest.cases import read_cases

    cases = read_cases(root, changes, later, traced, loaded.settings)
    results = [
        decide(
            cases,
            loaded.settings,
            present=rival,
            newest_at=changes[0].at,
            commit=changes[0].head_sha,
            within_days=within_days,
        )
        for rival in rivals
    ]
    return next((r for r in results if r.verdict != "better"), results[0])


# ------------------------------------------------------------------ in words


def _tell(told: CalibrationResult) -> Iterator[RenderableType]:
    from rich.text import Text

    result = told.calibration
    older, newer = result.older, result.newer
    yield Text(
        f"{told.repo}: {older.changes + newer.changes} changes of production code up to {told.commit[:10]}, "
        f"read in {told.seconds:g} s ({result.kept_out} younger than {result.within_days} days left out)"
    )
    yield Text(
        f"Reverted or fixed within {result.within_days} days: {older.outcomes} of the {older.changes} older ones, as "
        f"far as it was known on {newer.first or '-'}; {newer.outcomes} of the {newer.changes} newer ones"
    )
    yield Text(
        f"  {result.told} are named by a message; the rest wrote lines that one of {told.traced} later fixes changed"
    )
    found = result.comparison
    if found is not None:
        yield Text("\nHow well the score ranks the newer changes (area under the ROC curve, 95 % interval)")
        yield Text(f"  present points  {_interval(found.old)}  ({result.present})")
        yield Text(f"  fitted points   {_interval(found.new)}  (fitted on {older.first} to {older.last})")
        yield Text(f"  difference      {_interval(found.gain, sign=True)}  (paired)")
        yield Text(f"  lines alone     {result.lines_alone:.3f}")
        yield Text()
        yield _table(result)


def _interval(figure: Estimate, *, sign: bool = False) -> str:
    form = "+.3f" if sign else ".3f"
    return f"{figure.value:{form}}  ({figure.low:{form}} to {figure.high:{form}})"


def _table(result: Calibration) -> RenderableType:
    from rich.table import Table

    words = {
        "lines": "lines of code from {} on", "files": "files from {} on", "folders": "folders from {} on",
        "busy": "commits on these files in 180 days, from {} on",
        "mended_lately": "fixes of these files in 180 days, from {} on",
        "newcomer": "the author's first change", "new_to_files": "the author is new to these files",
        "reverted": "earlier changes to these files were taken back", "often_fixed": "40 % of their commits are fixes",
        "spread": "spread evenly over 10 files or more",
    }  # fmt: skip
    table = Table(box=None, pad_edge=False)
    table.add_column("points for")
    table.add_column("present", justify="right")
    table.add_column("fitted", justify="right")
    for move in result.moves:
        if move.before or move.after:
            table.add_row(words[move.rule].format(move.start), f"{move.before:.2f}", f"{move.after:.2f}")
    return table


def _what_next(told: CalibrationResult, target: Path | None, *, dry_run: bool, complete: bool) -> Iterator[str]:
    result = told.calibration
    yield ""
    if result.verdict == "too-few":
        yield f"Nothing is written: {result.reason}. Try a longer history (--last) or window (--within-days)."
    elif result.verdict == "not-better":
        yield f"Nothing is written: the fit is not proved better than the present points ({result.reason})."
    elif not complete:
        yield (
            f"Nothing is written: only {told.traced} of {told.fixes} fixes were followed in time, so another run could "
            "come out otherwise. Give more --minutes."
        )
    elif told.written:
        yield f"Written: {told.written} ({result.reason})."
        yield "It counts once it is on the base branch and greenlane.yaml there names it:"
        yield f"  risk: {{weights_file: {Path(told.written).name}}}"
    elif dry_run:
        yield f"The fit is better ({result.reason}); nothing is written, as asked (--dry-run)."
    elif target is None:
        yield f"The fit is better ({result.reason}). There is no working tree to write it to: name a file with --out."
