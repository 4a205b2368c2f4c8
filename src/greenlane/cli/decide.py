"""Commands with which people decide. Each is written to the ledger with name and reason before anything is done."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from greenlane.cli.session import By, JsonFlag, Reason, RunName, resolve_run, with_application
from greenlane.cli.sink import OK, WAITING, say
from greenlane.domain.errors import InputError

if TYPE_CHECKING:
    from greenlane.ports.application import Application, RunView

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

    view = _answer(ctx, "approved", name, by=by, reason=reason, head=head, gate=gate, as_json=json_)
    if not json_:
        branch = shlex.quote(view.branch)
        say(f"  `greenlane run {branch}` goes on with it; where `greenlane up` runs, that has begun already")


def reject(
    ctx: typer.Context, name: RunName, by: By, reason: Reason, head: Head = None, gate: GateName = None,
    json_: JsonFlag = False,
) -> None:  # fmt: skip
    """End a change that waits for a human.

    Refused for its authors, for programs, and for a commit that is no longer its head.
    """

    _answer(ctx, "rejected", name, by=by, reason=reason, head=head, gate=gate, as_json=json_)


def _answer(
    ctx: typer.Context, decision: Literal["approved", "rejected"], name: str, *, by: str, reason: str,
    head: str | None, gate: str | None, as_json: bool,
) -> RunView:  # fmt: skip
    """A person's answer to the open questions of a run: recorded, and told."""

    async def act(application: Application) -> RunView:
        view = await resolve_run(application, name)
        decide = application.approve if decision == "approved" else application.reject
        gates = await decide(view.run, by=_word(by, "--by"), reason=_word(reason, "--reason"), head=head, gate=gate)
        words = f"{by} {decision} {', '.join(gates)} of {view.run}"
        _told(as_json, words, run=view.run, decision=decision, gates=gates)
        return view

    return with_application(ctx, act)


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

    During a canary or after a promotion, and by anybody: an author may do this too. Exit code 5: a person has to help.
    """

    async def act(application: Application) -> str:
        from greenlane.pages.live import show_progress
        from greenlane.pages.words import state_words

        view = await resolve_run(application, name)
        await application.rollback(view.run, by=_word(by, "--by"), reason=_word(reason, "--reason"))
        async with show_progress(application, runs=(view.run,), history=False):
            await application.work(until=(view.run,))
        after = await application.view(view.run)
        words = f"{view.run}: {state_words(after.state)}: {after.reason}"
        _told(json_, words, run=view.run, decision="rollback", state=after.state)
        return after.state

    state = with_application(ctx, act)
    raise typer.Exit(OK if state == "rolled_back" else WAITING)


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
