"""Delivers notices: writes them down first, then tries until the receiver takes them or the attempts are used up.

`notify` only writes a row to a local file, so no receiver can hold up what is told of. A message can arrive twice (a
crash between the answer and its record): its key is the same then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec

from greenlane.adapters.notify.channels import Channel, Request, make_channels
from greenlane.adapters.notify.outbox import Claim, Outbox, State
from greenlane.domain.change import Change, Recorded
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.notifications import Notifications
from greenlane.policy.notices import Notice, compute_notice
from greenlane.ports.notifier import Notifier
from greenlane.prompts.redaction import MASK, Redactor

log = logging.getLogger(__name__)
BACKOFF_MAX_S = 900.0
BATCH = 16
"""Attempts at the same time: a receiver that hangs must not hold up the others for long."""
LOOK_S = 5.0
"""How often rows of other processes are looked for."""
ANSWER_BYTES = 2048
_ANSWER_CHARS = 200
_RETRYABLE = frozenset({408, 409, 425, 429})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt. `again`: another one may help. `wait_s`: the receiver asked to wait so long."""

    delivered: bool
    answer: str
    again: bool = True
    wait_s: float = 0.0


class FanOut:
    """Several notifiers as one: each is told, whatever happens to the others. Raises the first error, afterwards."""

    def __init__(self, *notifiers: Notifier) -> None:
        self._notifiers = notifiers

    async def notify(self, change: Change, recorded: Recorded) -> None:
        results = await asyncio.gather(*(n.notify(change, recorded) for n in self._notifiers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


class Courier:
    """Implements `ports.notifier.Notifier`; `run` and `flush` do the sending."""

    def __init__(self, settings: Notifications, path: Path, environ: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._channels: dict[str, Channel] = {channel.name: channel for channel in make_channels(settings)}
        self._environ = os.environ if environ is None else environ
        self._outbox = Outbox(path)
        self._more = asyncio.Event()
        self._redactor: Redactor | None = None

    async def notify(self, change: Change, recorded: Recorded) -> None:
        """Write down what this event is told as, for each receiver that wants it. Sends nothing."""
        notice = compute_notice(change, recorded)
        wanting = [c.name for c in self._channels.values() if notice and notice.kind in c.events]
        if notice is not None and wanting:
            await asyncio.to_thread(self._keep, notice, wanting)
            self._more.set()

    async def run(self) -> None:
        """Deliver until cancelled. Whatever goes wrong is logged, and tried again."""
        if not self._channels:
            return
        begun = False
        while True:
            self._more.clear()
            wait_s = LOOK_S
            try:
                if not begun:
                    await asyncio.to_thread(self._outbox.wake)
                    begun = True
                await self.flush()
                due_s = await asyncio.to_thread(self._outbox.next_due_s, tuple(self._channels))
                if due_s is not None:
                    wait_s = min(LOOK_S, max(0.05, due_s - time.time()))
            except Exception:
                log.warning("notifications could not be delivered; they are tried again", exc_info=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._more.wait()

    async def flush(self) -> int:
        """Attempt everything that is due now, once; how many were attempted."""
        attempted = 0
        while self._channels:
            now_s = time.time()
            claims = await asyncio.to_thread(
                self._outbox.claim,
                receivers=tuple(self._channels),
                now_s=now_s,
                until_s=now_s + self._settings.timeout_s * 2 + 5,
                limit=BATCH,
            )
            if not claims:
                break
            attempted += len(claims)
            await asyncio.gather(*(self._deliver(claim) for claim in claims))
        return attempted

    async def send(self, notice: Notice) -> dict[str, Attempt]:
        """One attempt at each receiver, now, whatever it wants to be told of; what came of it, by receiver."""
        channels = tuple(self._channels.values())
        done = await asyncio.gather(*(self._attempt(channel, notice) for channel in channels))
        return {channel.name: attempt for channel, attempt in zip(channels, done, strict=True)}

    # ------------------------------------------------------------------ one delivery

    def _keep(self, notice: Notice, receivers: Sequence[str]) -> None:
        body = msgspec.json.encode(self._redacted(notice))
        for receiver in receivers:
            self._outbox.put(
                notice=notice.key, receiver=receiver, kind=notice.kind, run=notice.run,
                title=notice.title, body=body, now=_now(),
            )  # fmt: skip

    def _redacted(self, notice: Notice) -> Notice:
        """Texts come from pull requests and logs: what looks like a credential does not leave the machine."""
        redactor = self._redactor = self._redactor or Redactor()
        return msgspec.structs.replace(
            notice,
            title=redactor.redact(notice.title),
            text=redactor.redact(notice.text),
            facts=tuple(msgspec.structs.replace(f, value=redactor.redact(f.value)) for f in notice.facts),
        )

    async def _deliver(self, claim: Claim) -> None:
        try:
            notice = msgspec.json.decode(claim.body, type=Notice)
            attempt = await self._attempt(self._channels[claim.receiver], notice)
        except msgspec.MsgspecError as error:  # written by another version
            attempt = Attempt(delivered=False, again=False, answer=f"the notice can't be read any more: {error}")
        state: State = "delivered" if attempt.delivered else "waiting"
        if not attempt.delivered and (not attempt.again or claim.attempts + 1 >= self._settings.max_attempts):
            state = "undelivered"
            log.warning("%s did not get the notice %s: %s", claim.receiver, claim.notice, attempt.answer)
        due_s = time.time() + max(attempt.wait_s, self._backoff_s(claim.attempts))
        await asyncio.to_thread(self._outbox.settle, claim, state=state, answer=attempt.answer, due_s=due_s, now=_now())

    def _backoff_s(self, attempts: int) -> float:
        """Doubled with each attempt; a fifth of it at random, so that many runs do not come back at once."""
        wait_s = min(BACKOFF_MAX_S, self._settings.backoff_s * 2.0 ** min(attempts, 20))
        return wait_s * random.uniform(0.9, 1.1)

    async def _attempt(self, channel: Channel, notice: Notice) -> Attempt:
        """Never raises for what a receiver does."""
        secrets: tuple[str, ...] = ()
        try:
            request = channel.request(notice, self._environ, now_s=int(time.time()))
            secrets = request.secrets
            async with asyncio.timeout(self._settings.timeout_s):
                attempt = await self._post(request)
        except GreenlaneError as error:
            attempt = Attempt(delivered=False, answer=f"{error.message} ({error.hint})")
        except TimeoutError:
            attempt = Attempt(delivered=False, answer=f"no answer within {self._settings.timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            attempt = Attempt(delivered=False, answer=f"{type(error).__name__}: {error}")
        return msgspec.structs.replace(attempt, answer=_shown(attempt.answer, secrets))

    async def _post(self, request: Request) -> Attempt:
        """One request. No redirect is followed: a receiver may not send us elsewhere."""
        local = urlsplit(request.url).hostname in _LOOPBACK
        async with (
            httpx.AsyncClient(timeout=self._settings.timeout_s, follow_redirects=False, trust_env=not local) as client,
            client.stream("POST", request.url, content=request.body, headers=dict(request.headers)) as response,
        ):
            said = await _read_some(response)
            code = response.status_code
            answer = f"HTTP {code} {said}".strip()
            if 200 <= code < 300:
                return Attempt(delivered=True, answer=answer)
            again = code in _RETRYABLE or code >= 500
            return Attempt(delivered=False, answer=answer, again=again, wait_s=_asked_wait_s(response))


async def _read_some(response: httpx.Response) -> str:
    """The beginning of the answer's body: enough to see what is wrong. The status counts, whatever the body does."""
    data = b""
    with contextlib.suppress(httpx.HTTPError):
        async for chunk in response.aiter_bytes(ANSWER_BYTES):
            data += chunk
            if len(data) >= ANSWER_BYTES:
                break
    return data[:ANSWER_BYTES].decode("utf-8", "replace")


def _asked_wait_s(response: httpx.Response) -> float:
    """Seconds of `Retry-After`, up to the longest back-off; a date there is left out."""
    asked = response.headers.get("Retry-After", "")
    return min(BACKOFF_MAX_S, float(asked)) if re.fullmatch(r"\d{1,6}", asked) else 0.0


def _shown(answer: str, secrets: tuple[str, ...]) -> str:
    """An answer as it may be kept and shown: one short line without what was secret in the request."""
    for secret in secrets:
        answer = answer.replace(secret, MASK)
    return _UNPRINTABLE.sub(" ", answer).strip()[:_ANSWER_CHARS]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
