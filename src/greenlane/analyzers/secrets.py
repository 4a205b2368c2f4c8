"""Secrets in the lines that a change adds: detect-secrets' detectors, with judgement about what is only an example.

Its own filters are off: an inline `pragma: allowlist secret` or a baseline in the branch silences nothing. A secret is
never stored: its quotation is redacted. What stood in the same file at the base is not new.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.diff import FileDiff, Line
from greenlane.domain.findings import Category, Finding, Severity

NAME = "secrets"
_MAX_LINE = 4000
_OVERLAP = 200
FORMATS = (
    "aws.AWSKeyDetector", "azure_storage_key.AzureStorageKeyDetector", "basic_auth.BasicAuthDetector",
    "discord.DiscordBotTokenDetector", "github_token.GitHubTokenDetector", "gitlab_token.GitLabTokenDetector",
    "jwt.JwtTokenDetector", "mailchimp.MailchimpDetector", "npm.NpmDetector", "openai.OpenAIDetector",
    "private_key.PrivateKeyDetector", "pypi_token.PypiTokenDetector", "sendgrid.SendGridDetector",
    "slack.SlackDetector", "square_oauth.SquareOAuthDetector", "stripe.StripeDetector",
    "telegram_token.TelegramBotTokenDetector",
)  # fmt: skip
"""Detectors of a fixed format. Those that match any 32 hex digits (Twilio, Artifactory, SoftLayer) are left out."""
_WEAK = frozenset({"Basic Auth Credentials", "JSON Web Token", "Secret Keyword", "Private Key"})
"""Kinds that tests and documentation are full of, rightly."""
_PLACEHOLDER = re.compile(
    r"example|placeholder|changeme|change[-_]me|your[-_]|dummy|sample|redacted|insert|fixme|todo|xxxx|\*\*\*|\.\.\."
    r"|^<.*>$|^\$|^\{|\{\{|^%|1234|abcd|foobar|password|passwd|secret$|^test|hunter2|not[-_]?a[-_]?real|fake|^none$|^null$|^django-insecure-",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(
    r"""(?P<name>[\w.\-\[\]"']*(?:passw(?:or)?d|passwd|pwd|secret|token|api_?key|apikey|access_?key|private_?key|auth_?key
    |credential|client_?secret|signing_?key)[\w\-]*["'\]]*)\s*(?::\s*str\s*)?(?:=|:|=>)\s*
    (?P<quote>["']|\b)(?P<value>[^\s"',;)}\]]{8,200})(?P=quote)""",
    re.IGNORECASE | re.VERBOSE,
)
_LOCAL_HOST = re.compile(
    r"""@(localhost|127\.|0\.0\.0\.0|\[::1\]|(db|postgres|redis|mysql|rabbitmq|host)(?=[:/\"'\s]|$)|([\w-]+\.)*example)"""
)
_KEY_BODY = re.compile(r"PRIVATE KEY( BLOCK)?-----[\\nr\"'\s(+]*[A-Za-z0-9+/=:\\ \-,]{24}")
"""A key's header with what follows it."""
_MIN_ENTROPY_BITS = 3.0
"""Bits a character, under which a text is a word rather than something random."""


def analyze(review: ReviewInput) -> AnalysisResult:
    detectors = [_detector(name) for name in FORMATS]
    findings = []
    for file in review.readable:
        if not file.added:
            continue
        before = _text_at_base(review, file)
        for index, line in enumerate(file.added):
            following = "".join(after.text.strip() for after in file.added[index : index + 4])
            findings += list(_judge_line(file.path, line, following, detectors, before))
    findings += _in_the_past(review, detectors)
    return AnalysisResult(findings=tuple(findings))


def _in_the_past(review: ReviewInput, detectors: list[Any]) -> Iterator[Finding]:
    """Secrets that a commit of the change added and a later one took out: they are published all the same."""
    before: dict[str, str] = {}
    for index, past in enumerate(review.past):
        if past.path not in before:
            before[past.path] = _text_at_base(review, FileDiff(path=past.path, status="modified"))
        following = "".join(p.text.strip() for p in review.past[index : index + 4] if p.commit == past.commit)
        for found in _judge_line(past.path, Line(past.number, past.text), following, detectors, before[past.path]):
            message = f"commit {past.commit[:10]} added it and a later one removed it: {found.message}"
            yield msgspec.structs.replace(found, message=message, line=0)


def _detector(name: str) -> Any:
    """An instance of a detector class, which are untyped."""
    module, _, cls = name.partition(".")
    return getattr(import_module(f"detect_secrets.plugins.{module}"), cls)()


def _text_at_base(review: ReviewInput, file: FileDiff) -> str:
    if file.status == "added":
        return ""
    try:
        return files.read_text(review.base, file.old_path or file.path, review.max_file_bytes)
    except files.UnreadableError:
        return ""


def _judge_line(path: str, line: Line, following: str, detectors: list[Any], before: str) -> Iterator[Finding]:
    if len(line.text) < 8:
        return
    seen: set[str] = set()
    for kind, value in _candidates(path, line.text, detectors):
        if value in seen or value in before:
            continue
        seen.add(value)
        severity = _severity(path, line.text, kind, value)
        if kind == "Private Key" and not _KEY_BODY.search(following):
            severity = Severity.LOW  # code that only speaks of keys
        if severity is None:
            continue
        where = " in code that production does not run" if files.is_support(path) else ""
        yield Finding(
            rule="secrets." + re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-"),
            category=Category.SECRET,
            severity=severity,
            message=f"this line adds what looks like a {kind}{where}",
            path=path,
            line=line.number,
            quotation=_redact(line.text, value, kind),
        )


def _candidates(path: str, text: str, detectors: list[Any]) -> Iterator[tuple[str, str]]:
    """(kind, secret) for all that may be one. Lock files are full of digests: only keys of a fixed format count."""
    for piece in _pieces(text):
        for detector in detectors:
            for pattern in detector.denylist:
                for match in pattern.finditer(piece):
                    yield detector.secret_type, _value_of(match)
    if files.is_lock_file(path) or len(text) > _MAX_LINE:
        return
    for match in _ASSIGNMENT.finditer(text):
        if match["quote"] or _is_settings_file(path):
            yield "Secret Keyword", match["value"]


def _value_of(match: re.Match[str]) -> str:
    """The secret itself: the longest group of the pattern, unless that is only a prefix (`ghp`) or an alternative."""
    groups = [g for g in match.groups() if g]
    longest = max(groups, key=len, default="")
    return longest if len(longest) >= 6 else match[0]


def _pieces(text: str) -> Iterator[str]:
    """A long line in overlapping pieces, so that no pattern runs over megabytes."""
    if len(text) <= _MAX_LINE:
        yield text
        return
    for start in range(0, len(text), _MAX_LINE - _OVERLAP):
        yield text[start : start + _MAX_LINE]


def _is_settings_file(path: str) -> bool:
    """Formats in which a value stands without quotes."""
    name = path.rsplit("/", 1)[-1].lower()
    return name.startswith(".env") or name.endswith((".env", ".ini", ".cfg", ".conf", ".properties", ".yaml", ".yml"))


def _severity(path: str, text: str, kind: str, value: str) -> Severity | None:
    """None for what is no secret: an example, a name of something, a local default."""
    if kind == "Private Key":
        return Severity.MEDIUM if files.is_support(path) else Severity.CRITICAL
    if _PLACEHOLDER.search(value) or (_entropy(value) < _MIN_ENTROPY_BITS and kind != "Basic Auth Credentials"):
        return None
    if kind == "Basic Auth Credentials" and (_LOCAL_HOST.search(text) or len(value) < 6):
        return None
    if kind == "Secret Keyword" and not _is_random(value):
        return None
    if kind in _WEAK and (files.is_support(path) or files.is_document(path)):
        return Severity.LOW
    return Severity.HIGH if kind in _WEAK else Severity.CRITICAL


def _is_random(value: str) -> bool:
    """Whether a text after `password =` is a secret and not a word, a name, a path or an expression."""
    if re.search(r"[(){}\[\]<>\s]|://|^[./~]|::", value):
        return False
    if re.fullmatch(r"[A-Za-z]+([_.\-:/]([A-Za-z]+|[0-9]{1,3}))*[0-9]?", value):
        return False  # words joined by separators
    kinds = sum(bool(re.search(p, value)) for p in (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^A-Za-z0-9]"))
    return kinds >= 2 and (len(value) >= 16 or kinds >= 3)


def _entropy(value: str) -> float:
    """Shannon entropy in bits a character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


def _redact(text: str, value: str, kind: str) -> str:
    """The line without its secret; of a private key nothing but its header is ever shown."""
    if kind == "Private Key":
        return "-----BEGIN ... PRIVATE KEY----- (redacted)"
    hidden = text.replace(value, "***")
    return re.sub(r"[A-Za-z0-9+/=_\-]{20,}", "***", hidden).strip()[:200]
