"""The section `notifications`: who is told of what, and how. No secret stands here, only names of variables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from greenlane.domain.section import Section

NoticeKind = Literal["human_requested", "rolled_back", "inconclusive", "deployed"]
NOTICE_KINDS: tuple[NoticeKind, ...] = ("human_requested", "rolled_back", "inconclusive", "deployed")

_LOOPBACK = r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?"
ADDRESS = rf"^(https://[^\s@/?#]+|{_LOOPBACK})(/[^\s@?#]*)?$"
"""Where a message may go: by https, or to this machine. Neither user nor query, since secrets would stand there."""
SECRET_ADDRESS = rf"^(https://[^\s@/?#]+|{_LOOPBACK})(/[^\s@#]*)?$"
"""Likewise for an address that comes from the environment."""
VARIABLE = "^[A-Z][A-Z0-9_]{0,63}$"


class Webhook(Section):
    """A receiver of JSON (docs/incidents.md has the contract). Give `url` or `url_env`."""

    url: str | None = Field(None, pattern=ADDRESS)
    """Where messages are posted: https, or this machine. One with a token in it belongs into `url_env`."""
    url_env: str | None = Field(None, pattern=VARIABLE)
    """Name of the environment variable that holds the address."""
    secret_env: str | None = Field(None, pattern=VARIABLE)
    """Name of the environment variable with the secret that messages are signed with (HMAC-SHA256)."""
    events: tuple[NoticeKind, ...] = NOTICE_KINDS
    """What it is told of."""


class Slack(Section):
    """An incoming webhook of Slack, or of a service that takes the same messages."""

    url_env: str = Field("SLACK_WEBHOOK_URL", pattern=VARIABLE)
    """Name of the environment variable that holds the webhook's address, which is a secret."""
    events: tuple[NoticeKind, ...] = NOTICE_KINDS
    """What it is told of."""


class PagerDuty(Section):
    """PagerDuty's Events API, version 2."""

    routing_key_env: str = Field("PAGERDUTY_ROUTING_KEY", pattern=VARIABLE)
    """Name of the environment variable that holds the integration key."""
    base_url: str = Field("https://events.pagerduty.com", pattern=ADDRESS)
    """The service region's address (`https://events.eu.pagerduty.com` in Europe)."""
    events: tuple[NoticeKind, ...] = ("rolled_back", "inconclusive")
    """What it is told of."""


class Notifications(Section):
    """Who is told outside of this machine. Reports as files are written in any case."""

    webhooks: tuple[Webhook, ...] = ()
    slack: tuple[Slack, ...] = ()
    pagerduty: tuple[PagerDuty, ...] = ()
    timeout_s: float = Field(10, gt=0, le=120)
    """Time for one attempt, in seconds."""
    max_attempts: int = Field(8, ge=1, le=50)
    """Attempts to deliver one message, over restarts. After the last one it is kept as undelivered, and shown."""
    backoff_s: float = Field(2.0, gt=0, le=3600)
    """Wait before the second attempt, in seconds; doubled with each further one, up to 15 minutes."""
