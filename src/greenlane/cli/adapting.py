"""What `greenlane doctor` asks of the parts that are not Greenlane's own: routers, sources of figures, programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from greenlane.cli.diagnosis import Diagnosis
from greenlane.domain.errors import GreenlaneError, InputError

if TYPE_CHECKING:
    from greenlane.domain.service_settings import Service
    from greenlane.domain.settings import Settings

ASK_S = 10.0


def check_adapters(settings: Settings) -> Iterator[Diagnosis]:
    """One diagnosis for each part of a service that is not Greenlane's own."""
    for service in settings.services:
        if service.router.kind == "haproxy":
            yield _try(f"router: {service.name}", lambda s=service: _ask_haproxy(s))  # type: ignore[misc]  # mypy can't infer a lambda with a default
        if service.metrics.source == "prometheus":
            yield _try(f"metrics: {service.name}", lambda s=service: _ask_prometheus(s))  # type: ignore[misc]  # as above
        for part, command in (
            ("router", service.router.command if service.router.kind == "command" else None),
            ("metrics", service.metrics.command if service.metrics.source == "command" else None),
            ("platform", service.platform.command if service.platform.kind == "command" else None),
        ):
            if command is not None:
                yield _try(f"{part}: {service.name}", lambda c=command: _find_program(c))  # type: ignore[misc]  # as above


def _try(name: str, ask: Callable[[], Coroutine[Any, Any, str]]) -> Diagnosis:
    async def ask_in_time() -> str:
        async with asyncio.timeout(ASK_S):
            return await ask()

    try:
        return Diagnosis(name=name, ok=True, detail=asyncio.run(ask_in_time()))
    except GreenlaneError as error:
        return Diagnosis(name=name, ok=False, detail=error.message, fix=error.hint)
    except TimeoutError:
        return Diagnosis(name=name, ok=False, detail=f"no answer within {ASK_S:g} s", fix="is it running?")


async def _ask_haproxy(service: Service) -> str:
    from greenlane.adapters.haproxy.runtime import Runtime
    from greenlane.adapters.haproxy.section import CANARY, FALLBACK, STABLE, limit_variable

    assert service.router.socket is not None, "settings without it are refused"
    runtime = Runtime(service.router.socket)
    backend = service.router.backend or service.name
    hint = f"`greenlane router {service.name}` prints what its configuration needs"
    slots = await runtime.slots(backend)
    missing = [name for name in (STABLE, CANARY, FALLBACK) if name not in slots]
    if missing:
        raise InputError(f"backend {backend} has no server {' and '.join(missing)}", hint=hint)
    if "value=" not in await runtime.ask(f"get var {limit_variable(service.name)}"):
        raise InputError(f"HAProxy does not know {limit_variable(service.name)}", hint=hint)
    await runtime.counts(backend)
    return f"HAProxy, backend {backend}"


async def _ask_prometheus(service: Service) -> str:
    import httpx

    url = service.metrics.url or ""
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=ASK_S) as client:
            (await client.get("/-/ready")).raise_for_status()
    except httpx.HTTPError as error:
        raise InputError(f"Prometheus is not ready at {url}: {error}", hint="see services[].metrics.url") from error
    return f"Prometheus at {url}"


async def _find_program(command: str) -> str:
    from greenlane.adapters.programs import split_command

    return split_command(command)[0]
