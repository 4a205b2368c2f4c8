"""`greenlane router`: what a router that the adopter runs has to be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from greenlane.domain.errors import InputError


def register(app: typer.Typer) -> None:
    app.command("router")(router)


def router(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="A service whose router is an HAProxy.")],
) -> None:
    """Print what HAProxy's configuration needs for a service.

    Put it into haproxy.cfg once; addresses and weights are then set through the runtime socket.
    """
    from greenlane.adapters.haproxy import render_section
    from greenlane.agents.production import p99_limit_ms
    from greenlane.config import CONFIG_NAME, find_config, load_settings

    start = ctx.find_root().params.get("directory") or Path.cwd()
    path = find_config(start)
    if path is None:
        raise InputError(f"there is no {CONFIG_NAME} in {start} or above it", hint="`greenlane init` writes one")
    settings = load_settings(path).settings
    named = next((each for each in settings.services if each.name == service), None)
    if named is None:
        names = ", ".join(each.name for each in settings.services) or "none"
        raise InputError(f"there is no service {service!r} in {path.name}", hint=f"its services: {names}")
    if named.router.kind != "haproxy":
        raise InputError(
            f"the router of {service} is {named.router.kind}, which needs nothing printed",
            hint="set services[].router.kind to haproxy",
        )
    typer.echo(render_section(named.name, named.router.backend or named.name, p99_limit_ms(settings, named)).rstrip())
