"""One HTTP request to a running instance (port: `Probe`)."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Coroutine
from typing import Any

import httpx

from greenlane.adapters.load_worker import content_type
from greenlane.domain.contract import DocumentedGet
from greenlane.domain.delivery import Check
from greenlane.domain.service_settings import HttpCheck
from greenlane.policy.contract import CHECK_PREFIX, judge_answer

MAX_BODY_BYTES = 1 << 20
SHOWN_CHARS = 200


class HttpProbe:
    async def check(self, base_url: str, check: HttpCheck, *, timeout_s: float) -> Check:
        """Status and text as expected, or a check that failed and says why. Reads at most 1 MiB of the answer."""
        asking = _ask(base_url.rstrip("/") + check.path, check, timeout_s)
        return await _timed(f"{check.method} {check.path}", asking, timeout_s)

    async def documented(self, base_url: str, request: DocumentedGet, *, timeout_s: float) -> Check:
        """Status and media type as the service's document has them; the body is read but not judged."""
        asking = _ask_documented(base_url.rstrip("/") + request.path, request, timeout_s)
        return await _timed(f"{CHECK_PREFIX}GET {request.path}", asking, timeout_s)


async def _timed(name: str, asking: Coroutine[Any, Any, tuple[bool, str]], timeout_s: float) -> Check:
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            passed, detail = await asking
    except (TimeoutError, httpx.TimeoutException):
        passed, detail = False, f"no answer within {timeout_s:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        passed, detail = False, f"no answer: {error or type(error).__name__}"
    return Check(name=name, passed=passed, detail=detail, seconds=round(time.monotonic() - began, 3))


async def _ask_documented(url: str, request: DocumentedGet, timeout_s: float) -> tuple[bool, str]:
    read = 0
    async with (
        httpx.AsyncClient(trust_env=False, verify=_trusted(), timeout=timeout_s, follow_redirects=False) as client,
        client.stream("GET", url, headers={"Accept": "*/*"}) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            read += len(chunk)
            if read >= MAX_BODY_BYTES:
                break
    wrong = judge_answer(request, answer.status_code, answer.headers.get("content-type", ""))
    return not wrong, wrong or f"status {answer.status_code}"


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted, read once: reading them for each request takes longer than the request."""
    return httpx.create_ssl_context(trust_env=False)


async def _ask(url: str, check: HttpCheck, timeout_s: float) -> tuple[bool, str]:
    headers = {"Content-Type": content_type(check.body)} if check.body is not None else {}
    body = b""
    async with (
        httpx.AsyncClient(trust_env=False, verify=_trusted(), timeout=timeout_s, follow_redirects=False) as client,
        client.stream(check.method, url, content=check.body, headers=headers) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) >= MAX_BODY_BYTES:
                break
    text = body[:MAX_BODY_BYTES].decode("utf-8", "replace")
    shown = text[:SHOWN_CHARS].strip()
    if answer.status_code != check.status:
        return False, f"status {answer.status_code}, expected {check.status}: {shown}"
    if check.contains is not None and check.contains not in text:
        return False, f"status {answer.status_code}, but {check.contains!r} is not in the answer: {shown}"
    return True, f"status {answer.status_code}"
