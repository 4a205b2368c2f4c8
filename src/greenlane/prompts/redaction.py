"""Takes secrets out of text before it leaves the machine, and out of logs before they are recorded.

Two nets: the lines where an analyzer found a secret are cut whole, and whatever looks like a credential anywhere in the
text is masked by its form. This errs on the side of masking: a masked hash costs a model nothing, a key that was sent
must be revoked.
"""

from __future__ import annotations

import functools
import re
from importlib import import_module
from typing import Any

MASK = "[redacted]"
_LOG_LINE_CHARS = 2000
_FORMATS = (
    "aws.AWSKeyDetector", "azure_storage_key.AzureStorageKeyDetector", "basic_auth.BasicAuthDetector",
    "discord.DiscordBotTokenDetector", "github_token.GitHubTokenDetector", "gitlab_token.GitLabTokenDetector",
    "jwt.JwtTokenDetector", "mailchimp.MailchimpDetector", "npm.NpmDetector", "openai.OpenAIDetector",
    "pypi_token.PypiTokenDetector", "sendgrid.SendGridDetector", "slack.SlackDetector",
    "square_oauth.SquareOAuthDetector", "stripe.StripeDetector", "telegram_token.TelegramBotTokenDetector",
)  # fmt: skip
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----.*", re.DOTALL)
_ANTHROPIC = re.compile(r"sk-ant-[A-Za-z0-9_-]{8,}")
_ASSIGNED = re.compile(
    r"""(?P<name>[\w.\-]*(?:passw(?:or)?d|pwd|secret|token|api_?key|access_?key|private_?key|auth_?key|credential)[\w\-]*
    ["'\]]*\s*(?::\s*\w+\s*)?(?:=>|=|:)\s*[rbuf]{0,2})(?P<quote>["'])(?P<value>[^"'\s]{8,})(?P=quote)""",
    re.IGNORECASE | re.VERBOSE,
)
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_\-]{32,}")
_MIXED = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"))


class Redactor:
    """Masks credentials in lines of text; `count` says how many were masked so far.

    Without `long_words`, only what has the form of a credential or is assigned to a name of one: long words are often
    paths in a stack trace, which are needed.
    """

    def __init__(self, *, long_words: bool = True) -> None:
        self.count = 0
        self._long_words = long_words
        self._patterns = [pattern for name in _FORMATS for pattern in _detector(name).denylist]

    def redact(self, text: str) -> str:
        """One line without what looks like a credential."""
        masked = _PRIVATE_KEY.sub(MASK, _ANTHROPIC.sub(MASK, text))
        for pattern in self._patterns:
            masked = pattern.sub(MASK, masked)
        masked = _ASSIGNED.sub(lambda m: f"{m['name']}{m['quote']}{MASK}{m['quote']}", masked)
        if self._long_words:
            masked = _LONG_WORD.sub(_mask_random, masked)
        self.count += masked != text
        return masked


@functools.cache
def _log_redactor() -> Redactor:
    return Redactor(long_words=False)


def redact_log(text: str) -> str:
    """A log of a service without credentials; its lines and stack traces stay as they are. Long lines are cut."""
    redact = _log_redactor().redact
    return "\n".join(redact(line[:_LOG_LINE_CHARS]) for line in text.split("\n"))


def _mask_random(match: re.Match[str]) -> str:
    """Long words of mixed case with digits are keys; long names in one case are names."""
    return MASK if all(kind.search(match[0]) for kind in _MIXED) else match[0]


def _detector(name: str) -> Any:
    """An instance of a detector class, which are untyped."""
    module, _, cls = name.partition(".")
    return getattr(import_module(f"detect_secrets.plugins.{module}"), cls)()
