"""The status page: read-only, without scripts, cookies or anything to log in to. Served by `greenlane up`.

Decisions are taken with the command line, where the person is known to the machine; the page says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenlane import __version__
from greenlane.bootstrap.around import look_around
from greenlane.domain.errors import GreenlaneError, InputError
from greenlane.pages.site import content_security_policy, render
from greenlane.policy.context import ContextPackage, compute_context_package
from greenlane.policy.lifecycle import ENDED
from greenlane.ports.application import Application

REFRESH_S = 3
"""How often a browser reads a page again."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
ENDED_STATES = frozenset(s.value for s in ENDED)


def create_app(application: Application, *, host: str = "127.0.0.1") -> ASGIApp:
    """The pages of this application. Only requests that name `host` or this machine itself are answered."""

    async def index(_: Request) -> Response:
        views = await application.runs()
        waiting = sum(bool(v.asked) for v in views)
        repo = application.settings.repository.name or "Greenlane"
        return HTMLResponse(render("runs.html.j2", views=views[::-1], waiting=waiting, repo=repo, refresh_s=REFRESH_S))

    async def package_of(run: str) -> ContextPackage:
        change, past = await application.change(run), await application.past()
        around = await look_around(change, application.settings, application.state_dir, past, now=datetime.now(UTC))
        return compute_context_package(change, application.settings, production=around.production, past=past)

    async def run_page(request: Request) -> Response:
        view = await application.view(request.path_params["run"])
        package = await package_of(view.run)
        refresh_s = None if view.state in ENDED_STATES else REFRESH_S
        return HTMLResponse(render("run.html.j2", view=view, package=package, refresh_s=refresh_s))

    async def api_runs(_: Request) -> Response:
        return _json({"runs": await application.runs()})

    async def api_run(request: Request) -> Response:
        view = await application.view(request.path_params["run"])
        package = await package_of(view.run)
        return _json({"view": view, "context": package})

    async def health(_: Request) -> Response:
        return _json({"status": "ok", "version": __version__})

    routes = [
        Route("/", index),
        Route("/runs/{run}", run_page),
        Route("/healthz", health),
        Route("/api/runs", api_runs),
        Route("/api/runs/{run}", api_run),
    ]
    handlers: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
        GreenlaneError: _explain,
        HTTPException: _explain_http,
    }
    return Guard(Starlette(routes=routes, exception_handlers=handlers), allowed_hosts(host))


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, GreenlaneError)
    status = 404 if isinstance(error, InputError) else 503
    return _error(request, status, f"{error.message} {error.hint}".strip())


async def _explain_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(request, error.status_code, error.detail)


def _error(request: Request, status: int, words: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": words}, status_code=status)
    return PlainTextResponse(words + "\n", status_code=status)


def allowed_hosts(host: str) -> frozenset[str] | None:
    """Names under which this machine may be asked; None: any.

    Bound to loopback, every other name in `Host` is a page elsewhere that has its own name point here (DNS rebinding).
    Bound to a wildcard address, nobody can say under which names it is reached.
    """
    try:
        if ip_address(host).is_unspecified:
            return None
    except ValueError:
        pass
    return LOOPBACK_HOSTS | {host.lower()}


class Guard:
    """Around every request: the `Host` is ours, and every answer says what a browser may not do with it."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._hosts is not None and _host_of(scope) not in self._hosts:
            refusal = PlainTextResponse("this page is not served under that name\n", status_code=421)
            await refusal(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))


def _host_of(scope: Scope) -> str:
    """The name in the `Host` header, without port and brackets; empty if there is none."""
    host = next((v for k, v in scope["headers"] if k == b"host"), b"").decode("latin-1").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _with_headers(send: Send) -> Send:
    extra = [
        (b"content-security-policy", (content_security_policy() + "; frame-ancestors 'none'").encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return send_guarded
