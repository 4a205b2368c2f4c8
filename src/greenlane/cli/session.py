"""Opens the application for one command, finds runs by what a person typed, and runs the command's coroutine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

from greenlane.cli.sink import say
from greenlane.domain.errors import ConfigError, InputError

if TYPE_CHECKING:
    from greenlane.config import LoadedSettings
    from greenlane.ports.application import Application, RunView

T = TypeVar("T")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: its name, a unique beginning of it, #PR or branch.")
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides. It is kept in the ledger.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why. It is kept in the ledger.")]
MAX_CANDIDATES = 12
UNSAFE = """\
WARNING: --unsafe-no-sandbox. Code of the change runs WITHOUT ANY ISOLATION: it can read and change your files, use your
credentials and your network. Only for code that you would run by hand. The ledger keeps that it was so."""


def directory_of(ctx: typer.Context) -> Path:
    """The folder that `-C` names, or the present one."""
    return cast(Path, ctx.find_root().params.get("directory") or Path.cwd())


def config_path_of(ctx: typer.Context) -> Path:
    """The configuration that holds for this folder. Raises ConfigError if there is none."""
    from greenlane.config import CONFIG_NAME, find_config

    start = directory_of(ctx)
    path = find_config(start)
    if path is None:
        raise ConfigError(
            f"there is no {CONFIG_NAME} in {start} or above it, up to the root of its git repository",
            hint="`greenlane init` writes one by looking at the repository; `-C DIR` looks somewhere else",
        )
    return path


def load_config(ctx: typer.Context) -> LoadedSettings:
    from greenlane.config import load_settings

    return load_settings(config_path_of(ctx))


def state_dir_of(ctx: typer.Context) -> Path:
    """Where Greenlane keeps what it knows of this repository; need not exist yet."""
    from greenlane import bootstrap

    return bootstrap.state_dir_of(config_path_of(ctx).parent)


def ledger_path_of(ctx: typer.Context) -> Path:
    """The ledger of this repository, also if it can't be opened. Raises InputError if there is none yet."""
    from greenlane.bootstrap import LEDGER
    from greenlane.ledger.connect import check_not_lost

    path = state_dir_of(ctx) / LEDGER
    if not path.exists():
        check_not_lost(path)
        raise InputError("there is no run yet", hint="`greenlane run BRANCH` begins one")
    return path


def with_application(ctx: typer.Context, act: Callable[[Application], Awaitable[T]], *, read_only: bool = False) -> T:
    """Run a coroutine with the application of this folder, which is closed whatever happens.

    Raises InputError if it is only to look, and there is nothing to look at yet.
    """
    import asyncio

    # By name at call time: the composition imports every adapter, which no `--help` should wait for.
    from greenlane import bootstrap

    root = config_path_of(ctx).parent
    if read_only:
        ledger_path_of(ctx)
    unsafe = {"unsafe": True} if not read_only and ctx.find_root().params.get("unsafe_no_sandbox") else {}
    if unsafe:
        say(UNSAFE)

    async def session() -> T:
        application = await bootstrap.open_application(root, read_only=read_only, **unsafe)
        try:
            return await act(application)
        finally:
            await application.close()

    return asyncio.run(session())


async def resolve_run(application: Application, typed: str) -> RunView:
    """The run that was meant. Raises InputError that lists candidates if none or several fit."""
    views = await application.runs()
    found = match_runs(views, typed)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{typed} fits {len(found)} runs:\n" + _listed(found), hint="type more of the name, until only one fits"
        )
    if not views:
        raise InputError("there is no run yet", hint="`greenlane run BRANCH` begins one")
    raise InputError(f"there is no run {typed}; there are:\n" + _listed(views), hint="`greenlane list` shows all runs")


def match_runs(views: list[RunView], typed: str) -> list[RunView]:
    """By name, pull request (`12`, `#12`) or branch (their newest run), or beginning: the first way that finds any."""
    wanted = typed.strip()
    exact = [v for v in views if v.run == wanted]
    number = wanted.removeprefix("#")
    by_number = [v for v in views if number.isdigit() and v.pr_number == int(number)]
    by_branch = [v for v in views if v.branch == wanted]
    begins = [v for v in views if wanted and v.run.startswith(wanted)]
    return exact or by_number[-1:] or by_branch[-1:] or begins


def _listed(views: list[RunView]) -> str:
    from greenlane.pages.words import shorten, state_words

    lines = [f"  {v.run}  {state_words(v.state)}  {shorten(v.title, 60)}" for v in views[-MAX_CANDIDATES:]]
    more = len(views) - len(lines)
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)
