"""`greenlane audit`: what the ledger says, whether it is what was written, and proofs for somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, RunName, ledger_path_of, resolve_run, with_application
from greenlane.cli.sink import CORRUPT, OK, say

if TYPE_CHECKING:
    from greenlane.cli.diagnosis import Diagnosis
    from greenlane.domain.change import Change
    from greenlane.ledger.report import VerifyReport
    from greenlane.ports.application import Application

app = typer.Typer(help="The ledger: show a run's entries, verify, export, prove.", no_args_is_help=True)

LedgerFile = Annotated[
    Path | None, typer.Option("--ledger", metavar="FILE", help="Another ledger than the one of this repository.")
]
ExpectedHead = Annotated[
    str | None,
    typer.Option("--expect", metavar="SIZE:ROOT", help="A head that you kept elsewhere; it must still hold."),
]
Checkpoints = Annotated[
    Path | None, typer.Option("--checkpoints", metavar="FILE", help="Checkpoints that you kept elsewhere.")
]


def _ledger_path(ctx: typer.Context, given: Path | None) -> Path:
    """The ledger that was named, or the one of this repository. Raises InputError if there is none."""
    from greenlane.domain.errors import InputError

    if given is None:
        return ledger_path_of(ctx)
    if not given.is_file():
        raise InputError(f"there is no file {given}", hint="check the path")
    return given


@app.command()
def show(ctx: typer.Context, name: RunName, json_: JsonFlag = False) -> None:
    """Show every entry of a run: when, who, what, and why."""

    async def act(application: Application) -> Change:
        return await application.change((await resolve_run(application, name)).run)

    change = with_application(ctx, act, read_only=True)
    if json_:
        from greenlane.domain.events import event_fields
        from greenlane.pages.terminal import print_json

        for r in change.history:
            print_json(
                {
                    "seq": r.seq,
                    "event_id": r.event_id,
                    "agent": r.agent,
                    "timestamp": r.timestamp,
                    "event": event_fields(r.event),
                }
            )
    else:
        _print_history(change)


def _print_history(change: Change) -> None:
    from rich.table import Table
    from rich.text import Text

    from greenlane.domain.events import Decision, type_of
    from greenlane.pages.terminal import console
    from greenlane.pages.words import clean, event_words, time_words

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("seq", justify="right", no_wrap=True)
    table.add_column("time", no_wrap=True)
    table.add_column("by", no_wrap=True)
    table.add_column("event", no_wrap=True)
    table.add_column("what and why", ratio=1)
    for r in change.history:
        told = Text(event_words(r))
        if isinstance(r.event, Decision) and r.event.why.rules_fired:
            told.append(f"  [{clean(', '.join(r.event.why.rules_fired))}]", "dim")
        table.add_row(
            Text(str(r.seq)),
            Text(time_words(r.timestamp)[:19], "dim"),
            Text(clean(r.agent)),
            Text(type_of(r.event)),
            told,
        )
    console().print(table)


@app.command()
def verify(
    ctx: typer.Context,
    ledger: LedgerFile = None,
    expect: ExpectedHead = None,
    checkpoints: Checkpoints = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Check this export instead of a ledger.")
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Recompute the ledger from its file, and name the first bad entry.

    Exit code 4 if there is one.
    """
    from greenlane.domain.errors import InputError
    from greenlane.ledger.export import verify_export
    from greenlane.ledger.verify import verify as verify_ledger

    path = _ledger_path(ctx, export or ledger)
    check = verify_export if export else verify_ledger
    try:
        report = check(path, expected_head=expect, checkpoints=checkpoints)
    except ValueError as error:
        raise InputError(f"--expect: {error}", hint="give it as SIZE:ROOT, as `audit verify` prints it") from error
    if json_:
        from greenlane.pages.terminal import print_json

        print_json(report)
    else:
        _print_report(path, report)
    raise typer.Exit(OK if report.ok else CORRUPT)


def _print_report(path: Path, report: VerifyReport) -> None:
    from greenlane.pages.terminal import print_line
    from greenlane.pages.words import clean, count_words

    if report.ok:
        print_line(f"{path}: {count_words(report.size, 'entry', 'entries')} verified in {report.seconds:.2f} s")
        print_line(f"head {report.size}:{report.root}")
        say(f"  {count_words(report.checkpoints_matched, 'checkpoint')} matched; seal: {report.seal}")
    else:
        print_line(f"{path}: NOT what was written")
        if report.first_bad:
            print_line(f"first bad: {clean(str(report.first_bad))}")
        for problem in report.problems:
            if problem != report.first_bad:
                print_line(f"also: {clean(str(problem))}")
        if report.problems_left_out:
            print_line(f"and {report.problems_left_out} more")
        say("  hint: stop Greenlane, keep this file as evidence, and restore a copy whose head you know")
    for note in report.notes:
        say(f"  note: {clean(note)}")


@app.command()
def export(
    ctx: typer.Context,
    to: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; `-` is stdout.")],
    ledger: LedgerFile = None,
) -> None:
    """Write every entry, a line each, and the head of the tree.

    The bytes are those that were hashed, so the file can be checked without a database.
    """
    import sys

    from greenlane.domain.errors import InputError
    from greenlane.ledger.export import write_export

    path = _ledger_path(ctx, ledger)
    try:
        if str(to) == "-":
            head = write_export(path, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with to.open("wb") as out:
                head = write_export(path, out)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{to} can't be written: {error.strerror or error}", hint="choose another place") from error
    say(f"{head.size} entries, head {head.size}:{head.root}")


@app.command()
def proof(
    ctx: typer.Context,
    seq: Annotated[int, typer.Argument(min=1, metavar="SEQ", help="The entry, as `audit show` numbers them.")],
    size: Annotated[int | None, typer.Option("--size", min=1, help="In the tree of that many entries.")] = None,
    ledger: LedgerFile = None,
) -> None:
    """Print an entry with the proof that the ledger holds it.

    As JSON; the hashes are an inclusion proof by RFC 6962, 2.1.1.
    """
    import asyncio

    from greenlane.pages.terminal import print_json

    path = _ledger_path(ctx, ledger)
    print_json(asyncio.run(_prove(path, seq, size)))


async def _prove(path: Path, seq: int, size: int | None) -> dict[str, object]:
    from greenlane.domain.errors import InputError
    from greenlane.ledger.merkle import hash_leaf
    from greenlane.ledger.sqlite import SqliteLedger

    async with SqliteLedger.open(path, read_only=True) as store:
        head = await store.head()
        whole = size or head.size
        if not 1 <= seq <= whole <= head.size:
            raise InputError(
                f"there is no entry {seq} in a tree of {whole} (the ledger has {head.size})",
                hint="give 1 <= SEQ <= SIZE <= the number of entries",
            )
        data = await store.read_bytes(seq)
        assert data is not None, "seq is within the ledger"
        return {
            "seq": seq,
            "tree_size": whole,
            "root": (await store.head(whole)).root,
            "leaf_hash": hash_leaf(data).hex(),
            "inclusion_proof": await store.inclusion_proof(seq, whole),
            "entry": data.decode(),
        }


def check_ledger(path: Path) -> Diagnosis:
    """For the doctor: whether the ledger is what was written."""
    from greenlane.cli.diagnosis import Diagnosis
    from greenlane.ledger.verify import verify as verify_ledger

    report = verify_ledger(path)
    if report.ok:
        return Diagnosis(name="ledger", ok=True, detail=f"{report.size} entries verified")
    return Diagnosis(
        name="ledger",
        ok=False,
        detail=f"it is not what was written: {report.first_bad}",
        fix="stop Greenlane, keep the file as evidence, and restore a copy whose head you know",
    )
