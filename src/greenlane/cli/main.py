"""`greenlane`: the entry point, and the list of commands."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from greenlane import __version__
from greenlane.cli import (
    audit,
    backtesting,
    baselines,
    calibrating,
    decide,
    judging,
    look,
    notifying,
    progress,
    replaying,
    routing,
    setup,
    work,
)
from greenlane.cli.session import JsonFlag
from greenlane.cli.sink import SinkGroup

app = typer.Typer(
    name="greenlane",
    cls=SinkGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Takes a pull request from open to production through five agents, with a ledger of every decision.",
    epilog="Exit codes: 0 done, 1 failed or blocked, 2 bad input, 3 refused, 4 ledger corrupt, 5 waits for a person, "
    "130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"greenlane {__version__}")
        raise typer.Exit


@app.callback()
def root(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory", "-C", metavar="DIR", exists=True, file_okay=False, help="Act as if started in DIR."
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    unsafe_no_sandbox: Annotated[
        bool,
        typer.Option("--unsafe-no-sandbox", help="Run code of changes without isolation. Only for code of your own."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del directory, debug, unsafe_no_sandbox, version  # read from the context where they are needed


@app.command()
def demo(ctx: typer.Context, json_: JsonFlag = False) -> None:
    """Send seven pull requests through the whole pipeline, live.

    Of a small service of its own, in a fresh folder (`-C DIR`: in DIR/greenlane-demo): nothing of yours is touched.
    """
    # By name: the demo composes everything, which no `--help` should wait for.
    command: Any = importlib.import_module("greenlane.demo.command")
    raise typer.Exit(command.run_demo(json_output=json_, directory=ctx.find_root().params.get("directory")))


setup.register(app)
work.register(app)
look.register(app)
decide.register(app)
judging.register(app)
progress.register(app)
notifying.register(app)
backtesting.register(app)
routing.register(app)
calibrating.register(app)
baselines.register(app)
replaying.register(app)
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run a command; `greenlane.__main__` does so for the installed program."""
    app()


if __name__ == "__main__":
    main()
