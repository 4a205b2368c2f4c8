"""Commands with which people decide. Each is written to the ledger with name and reason before anything is done."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import By, JsonFlag, Reason, RunName, resolve_run, with_application
from greenlane.cli.sink import say
from greenlane.domain.errors import InputError

if TYPE_CHECKING:
    from greenlane.ports.application import Application

Head = Annotated[
    str | None, typer.Option("--head", metavar="SHA", help="The commit you looked at; refused if it moved since.")
]
GateName = Annotated[
    str | None, typer.Option("--gate", metavar="ID", help="Only this question; otherwise all open ones.")
]
Scope = Annotated[str, typer.Option("--scope", metavar="SCOPE", help="`org`, or the name of a service.")]
ORG = "org"


def register(app: typer.Typer) -> None:
    for command in (approve, reject, pause, resume, hotfix, rollback):
        app.command(command.__name__)(command)


def approve(
    ctx: typer.Context, name: RunName, by: By, reason: Reason, head: Head = None, gate: GateName = None,
    json_: JsonFlag = False,
) -> None:  # fmt: skip
    """Let a change go on that waits for a human.

    Refused for its authors, for programs, and for a commit that is no longer its head.
    """

    async def act(application: Application) -> None:
        view = await resolve_run(application, name)
        gates = await application.approve(
            view.run, by=_word(by, "--by"), reason=_word(reason, "--reason"), head=head, gate=gate
        )
        _told(json_, f"{by} approved {', '.join(gates)} of {view.run}", run=view.run, decision="approved", gates=gates)
        if not json_:
            branch = shlex.quote(view.branch)
            say(f"  `greenlane run {branch}` goes on with it; where `greenlane up` runs, that has begun already")

    with_application(ctx, act)


def reject(
    ctx: typer.Context, name: RunName, by: By, reason: Reason, head: Head = None, gate: GateName = None,
    json_: JsonFlag = False,
) -> None:  # fmt: skip
    """End a change that waits for a human.

    Refused for its authors, for programs, and for a commit that is no longer its head.
    """

    async def act(application: Application) -> None:
        view = await resolve_run(application, name)
        gates = await application.reject(
            view.run, by=_word(by, "--by"), reason=_word(reason, "--reason"), head=head, gate=gate
        )
        _told(json_, f"{by} rejected {view.run}", run=view.run, decision="rejected", gates=gates)

    with_application(ctx, act)


def pause(ctx: typer.Context, by: By, reason: Reason, scope: Scope = ORG, json_: JsonFlag = False) -> None:
    """Begin no more work, everywhere or for one service.

    Canaries that are on are watched on, and rolling back still works.
    """

    async def act(application: Application) -> None:
        await application.pause(_scope(application, scope), by=_word(by, "--by"), reason=_word(reason, "--reason"))
        _told(json_, f"{by} paused {scope}", scope=scope, decision="paused")

    with_application(ctx, act)


def resume(ctx: typer.Context, by: By, reason: Reason, scope: Scope = ORG, json_: JsonFlag = False) -> None:
    """End a pause."""

    async def act(application: Application) -> None:
        await application.resume(_scope(application, scope), by=_word(by, "--by"), reason=_word(reason, "--reason"))
        _told(json_, f"{by} resumed {scope}", scope=scope, decision="resumed")

    with_application(ctx, act)


def hotfix(ctx: typer.Context, name: RunName, by: By, reason: Reason, json_: JsonFlag = False) -> None:
    """Ask for a change to pass a freeze instead of waiting for its end.

    Anybody may ask; a person who is not an author of the change has to approve it.
    """

    async def act(application: Application) -> None:
        view = await resolve_run(application, name)
        await application.hotfix(view.run, by=_word(by, "--by"), reason=_word(reason, "--reason"))
        _told(json_, f"{by} asks for a hotfix of {view.run}", run=view.run, decision="hotfix")
        if not json_:
            say(f"  `greenlane run {shlex.quote(view.branch)}` goes on with it, if `greenlane up` does not run")

    with_application(ctx, act)


def rollback(ctx: typer.Context, name: RunName, by: By, reason: Reason, json_: JsonFlag = False) -> None:
    """Bring the previous version back.

    During a canary or after a promotion, and by anybody: an author may do this too.
    """

    async def act(application: Application) -> None:
        from greenlane.pages.live import show_progress

        view = await resolve_run(application, name)
        await application.rollback(view.run, by=_word(by, "--by"), reason=_word(reason, "--reason"))
        async with show_progress(application, runs=(view.run,), history=False):
            await application.work(until=(view.run,))
        after = await application.view(view.run)
        _told(json_, f"{view.run}: {after.state}: {after.reason}", run=view.run, decision="rollback", state=after.state)

    with_application(ctx, act)


def _word(text: str, option: str) -> str:
    """A name or a reason that says something."""
    if not text.strip():
        raise InputError(f"{option} is empty", hint="it is kept in the ledger, for whoever asks later")
    return text.strip()


def _scope(application: Application, scope: str) -> str:
    known = (ORG, *(s.name for s in application.settings.services))
    if scope not in known:
        raise InputError(f"there is no scope {scope}", hint=f"it is one of {', '.join(known)}")
    return scope


def _told(as_json: bool, words: str, **facts: object) -> None:
    from greenlane.pages.terminal import print_json
    from greenlane.pages.words import clean

    if as_json:
        print_json(facts)
    else:
        say(clean(words))
