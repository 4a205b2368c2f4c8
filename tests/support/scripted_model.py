"""A model's host on loopback that answers what a test scripts, over HTTP, and remembers all that it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "sk-ant-scripted-0123456789abcdef"

HARMLESS: dict[str, Any] = {
    "risk_score": 1,
    "security_issues": [],
    "performance_concerns": [],
    "coverage_gaps": [],
    "api_breaking_changes": [],
    "auto_approvable": True,
    "requires_human_review": False,
    "review_rationale": "Nothing here matters in production.",
}
"""What a model answers that was talked round: approve, risk 1."""


def message(answer: Any, *, stop_reason: str = "end_turn", text: str | None = None) -> dict[str, Any]:
    """The body of an answer of the Messages API."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-scripted",
        "content": [{"type": "text", "text": json.dumps(answer) if text is None else text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 1000,
            "output_tokens": 100,
            "cache_read_input_tokens": 400,
            "cache_creation_input_tokens": 0,
        },
    }


def failure(status: int) -> tuple[int, dict[str, Any]]:
    """An error of the host."""
    return status, {"type": "error", "error": {"type": "overloaded_error", "message": "try again"}}


Reply = dict[str, Any] | tuple[int, dict[str, Any]] | float
"""A body; a status with a body; or a wait in seconds that is longer than the client's patience."""


@dataclass
class Host:
    url: str = ""
    bodies: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    replies: Callable[[int], Reply] = lambda n: message(HARMLESS)

    @property
    def sent(self) -> str:
        """All that went over the wire, but for the credential in its own header."""
        heads = [
            f"{k}: {v}" for h in self.headers for k, v in h.items() if k.lower() not in ("authorization", "x-api-key")
        ]
        return "\n".join((*self.bodies, *heads))


@asynccontextmanager
async def scripted_host(*replies: Reply) -> AsyncIterator[Host]:
    """A host that gives these replies in their order, and the last one from then on."""
    host = Host()
    if replies:
        host.replies = lambda n: replies[min(n, len(replies) - 1)]

    async def answer(request: web.Request) -> web.Response:
        host.headers.append(dict(request.headers))
        host.bodies.append(await request.text())
        reply = host.replies(len(host.bodies) - 1)
        if isinstance(reply, float):
            await asyncio.sleep(reply)
            reply = message(HARMLESS)
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        return web.json_response(body, status=status, headers={"retry-after-ms": "5"})

    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/v1/messages", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    host.url = f"http://127.0.0.1:{port}"
    try:
        yield host
    finally:
        await runner.cleanup()
