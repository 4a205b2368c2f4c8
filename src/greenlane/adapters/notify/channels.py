"""Each kind of receiver: how a notice is written for it. Builds requests and sends none.

Secrets are read from the environment when a request is built, and stand in the request alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from greenlane.domain.errors import ConfigError
from greenlane.domain.notifications import SECRET_ADDRESS, NoticeKind, Notifications, PagerDuty, Slack, Webhook
from greenlane.policy.notices import Notice

CONTRACT_VERSION = 1
_PAGERDUTY_SUMMARY = 1024
_PAGERDUTY_KEY = 255
_SLACK_TEXT = 2900
_SLACK_HEADER = 150
_WHSEC = "whsec_"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One POST. `secrets` must not be shown, wherever they turn up in an answer or an error."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    secrets: tuple[str, ...] = ()


class Channel(Protocol):
    @property
    def name(self) -> str:
        """What people read, and the key of its deliveries: it stays the same over restarts, and is no secret."""

    @property
    def events(self) -> Sequence[NoticeKind]: ...

    def request(self, notice: Notice, environ: Mapping[str, str], *, now_s: int) -> Request:
        """The notice as this receiver takes it. Raises ConfigError if a variable is absent."""


def make_channels(settings: Notifications) -> tuple[Channel, ...]:
    """Every receiver that is configured."""
    return (
        *(WebhookChannel(webhook) for webhook in settings.webhooks),
        *(SlackChannel(slack) for slack in settings.slack),
        *(PagerDutyChannel(duty) for duty in settings.pagerduty),
    )


def variables_of(settings: Notifications) -> tuple[str, ...]:
    """The environment variables that the receivers need, each once."""
    names = [v for w in settings.webhooks for v in (w.url_env, w.secret_env) if v]
    names += [s.url_env for s in settings.slack]
    names += [p.routing_key_env for p in settings.pagerduty]
    return tuple(dict.fromkeys(names))


class WebhookChannel:
    """JSON, with an `Idempotency-Key`, signed as the Standard Webhooks specification has it (v1, HMAC-SHA256)."""

    def __init__(self, settings: Webhook) -> None:
        self._settings = settings
        self.name = f"webhook {settings.url or settings.url_env}"
        self.events: Sequence[NoticeKind] = settings.events

    def request(self, notice: Notice, environ: Mapping[str, str], *, now_s: int) -> Request:
        settings = self._settings
        url = settings.url or _address(environ, settings.url_env or "")
        body = msgspec.json.encode({"version": CONTRACT_VERSION, **msgspec.to_builtins(notice)})
        key = short_key(notice)
        headers = [
            ("Content-Type", "application/json"),
            ("Idempotency-Key", key),
            ("webhook-id", key),
            ("webhook-timestamp", str(now_s)),
        ]
        secrets = [] if settings.url else [url]
        if settings.secret_env:
            secret = _variable(environ, settings.secret_env)
            secrets.append(secret)
            headers.append(("webhook-signature", sign(secret, key, now_s, body)))
        return Request(url=url, headers=tuple(headers), body=body, secrets=tuple(secrets))


class SlackChannel:
    """Block Kit with a plain text beside it; foreign text can neither mention anybody nor make a link."""

    def __init__(self, settings: Slack) -> None:
        self._settings = settings
        self.name = f"slack {settings.url_env}"
        self.events: Sequence[NoticeKind] = settings.events

    def request(self, notice: Notice, environ: Mapping[str, str], *, now_s: int) -> Request:
        del now_s
        url = _address(environ, self._settings.url_env)
        facts = "\n".join(f"• {f.name}: {f.value}" for f in notice.facts)
        steps = "\n".join(notice.next_steps)
        blocks: list[object] = [
            {"type": "header", "text": {"type": "plain_text", "text": notice.title[:_SLACK_HEADER], "emoji": False}}
        ]
        for text in (notice.text, facts, steps):
            if text:
                shown = _slack_escape(text)[:_SLACK_TEXT]
                if text is steps:
                    shown = f"```{shown.replace('`', chr(39))}```"
                    blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": shown, "verbatim": True}})
                else:
                    plain = text[:_SLACK_TEXT]
                    blocks.append({"type": "section", "text": {"type": "plain_text", "text": plain, "emoji": False}})
        body = msgspec.json.encode({"text": _slack_escape(notice.title)[:_SLACK_TEXT], "blocks": blocks})
        headers = (("Content-Type", "application/json"), ("Idempotency-Key", short_key(notice)))
        return Request(url=url, headers=headers, body=body, secrets=(url,))


class PagerDutyChannel:
    """An event of the Events API v2; `dedup_key` makes a repetition the same alert."""

    def __init__(self, settings: PagerDuty) -> None:
        self._settings = settings
        self.name = f"pagerduty {settings.routing_key_env}"
        self.events: Sequence[NoticeKind] = settings.events

    def request(self, notice: Notice, environ: Mapping[str, str], *, now_s: int) -> Request:
        del now_s
        routing_key = _variable(environ, self._settings.routing_key_env)
        body = msgspec.json.encode(
            {
                "routing_key": routing_key,
                "event_action": "trigger",
                "dedup_key": short_key(notice)[:_PAGERDUTY_KEY],
                "client": "Greenlane",
                "payload": {
                    "summary": f"{notice.title}: {notice.text}"[:_PAGERDUTY_SUMMARY],
                    "source": notice.repo or "greenlane",
                    "severity": notice.severity,
                    "timestamp": notice.timestamp,
                    "component": ", ".join(notice.services),
                    "group": notice.run,
                    "class": notice.kind,
                    "custom_details": {
                        "author": notice.author,
                        "head": notice.head_sha,
                        **{f.name: f.value for f in notice.facts},
                        "next": list(notice.next_steps),
                    },
                },
            }
        )
        url = self._settings.base_url.rstrip("/") + "/v2/enqueue"
        return Request(url=url, headers=(("Content-Type", "application/json"),), body=body, secrets=(routing_key,))


def short_key(notice: Notice) -> str:
    """The idempotency key: the same for every attempt to tell this event, another for each event."""
    return "greenlane-" + hashlib.sha256(notice.key.encode()).hexdigest()[:32]


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """`v1,BASE64` over `id.timestamp.body` (standardwebhooks.com); `whsec_...` is a key in base64, else its bytes."""
    key = secret.encode()
    if secret.startswith(_WHSEC):
        try:
            key = base64.b64decode(secret.removeprefix(_WHSEC), validate=True)
        except binascii.Error as error:
            raise ConfigError(
                "the webhook's secret begins with whsec_ and is no base64", hint="copy it again"
            ) from error
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise ConfigError(
            f"the environment variable {name} is not set", hint=f"set {name} where `greenlane up` is started"
        )
    return value


def _address(environ: Mapping[str, str], name: str) -> str:
    url = _variable(environ, name)
    if not re.fullmatch(SECRET_ADDRESS, url):
        raise ConfigError(
            f"what stands in {name} is no address with https (or http on this machine)", hint=f"set {name} anew"
        )
    return url


def _slack_escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
