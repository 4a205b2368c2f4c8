"""Words and signs that people read, used by every face: one word for one thing, wherever it is shown."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from greenlane.domain import events as e
from greenlane.domain.change import Recorded
from greenlane.ports.application import Mark

GLYPHS: dict[Mark, str] = {
    "pending": "·",
    "running": "▶",
    "waiting": "◆",
    "passed": "✓",
    "failed": "✗",
    "undone": "◀",
}
ASCII_GLYPHS: dict[Mark, str] = {
    "pending": ".", "running": ">", "waiting": "?", "passed": "+", "failed": "x", "undone": "<",
}  # fmt: skip
"""For terminals that can't print the others."""
GLYPH_WORDS: dict[Mark, str] = {
    "pending": "not begun",
    "running": "running",
    "waiting": "waiting",
    "passed": "passed",
    "failed": "stopped",
    "undone": "taken back",
}

STATE_WORDS: dict[str, str] = {
    "reviewing": "review",
    "testing": "tests",
    "staging": "staging",
    "validating": "validation",
    "deploying": "deployment",
    "awaiting_human": "waits for a human",
    "paused": "paused",
    "postponed": "waits for a freeze",
    "deployed": "deployed",
    "rolled_back": "rolled back",
    "blocked": "blocked",
    "rejected": "rejected",
    "superseded": "superseded",
    "observed": "observed",
}

METRIC_WORDS: dict[str, str] = {
    "p50_ms": "latency, median",
    "p95_ms": "latency, p95",
    "p99_ms": "latency, p99",
    "error_rate": "failed requests",
    "error_rate_increase": "failed requests",
    "p99_latency": "latency, p99",
    "rss_mb": "memory",
    "cpu_s": "CPU time",
    "rate_rps": "requests",
}
UNIT_WORDS = {"ms": " ms", "mb": " MB", "s": " s", "rps": " a second", "share": "", "": ""}


def clean(text: str) -> str:
    """One line of foreign text, without anything that could move a cursor, hide, or turn the direction of writing."""
    flat = " ".join(text.split())
    return "".join("�" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") else c for c in flat)


def clean_lines(text: str) -> str:
    """The same for a text of several lines; the indentation of each is kept."""
    lines = (line.expandtabs(4) for line in text.splitlines())
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + clean(line) for line in lines)


def shorten(text: str, width: int) -> str:
    text = clean(text)
    return text if len(text) <= width else text[: max(0, width - 1)].rstrip() + "…"


def duration_words(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 m 05 s`, `2 h 10 m`, `3 d 4 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def time_words(timestamp: str) -> str:
    """`2026-03-01 10:21:07 UTC`; a text that is no time is given back."""
    try:
        return datetime.fromisoformat(timestamp).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return clean(timestamp)


def state_words(state: str) -> str:
    return STATE_WORDS.get(state, state.replace("_", " "))


def metric_words(metric: str) -> str:
    return METRIC_WORDS.get(metric, metric.replace("_", " "))


def figure_words(value: float | None, unit: str) -> str:
    """`12.4 ms`, `0.50 %`; a dash for what was not measured."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{value * 100:.2f} %"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}{UNIT_WORDS.get(unit, ' ' + unit)}"


def count_words(count: int, singular: str, plural: str = "") -> str:
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def event_words(recorded: Recorded) -> str:
    """What happened, in one sentence."""
    event = recorded.event
    told = _told(event)
    if told:
        return clean(told)
    if isinstance(event, e.Decision):
        return clean(f"{event.why.decision}: {event.why.rationale}")
    return e.type_of(event)


def _told(event: e.AnyEvent) -> str:
    match event:
        case e.PrOpened():
            return f"#{event.pr_number} {event.title} ({event.branch}, by {event.author})"
        case e.RunSuperseded():
            return f"a newer commit {event.new_head_sha[:10]} is handled by {event.by_run}"
        case e.ReviewComplete():
            return (
                f"risk {event.risk_score:.1f} of {event.threshold:.1f}, {event.lane.value} lane: {event.why.rationale}"
            )
        case e.CanaryObserved():
            canary = event.reading.canary
            return (
                f"{event.weight_percent:g} % canary, {event.elapsed_s:.0f} s: {canary.requests} requests, "
                f"{canary.errors} failed: {event.judgement.verdict.value}, {event.judgement.reason}"
            )
        case e.HumanApproved() | e.HumanRejected():
            done = "approved" if isinstance(event, e.HumanApproved) else "rejected"
            reason = event.why.rationale.removeprefix(f"{event.by}: ")
            return f"{event.by} {done} {event.gate_id}: {reason}"
        case e.FindingJudged():
            apart = " (an author: not counted)" if event.by_author else ""
            return f"{event.by}{apart} on {event.rule} {event.finding_id}: {event.verdict.replace('-', ' ')}"
        case e.Paused() | e.Resumed():
            done = "paused" if isinstance(event, e.Paused) else "resumed"
            return f"{event.by} {done} {event.scope}: {event.reason}"
        case e.RollbackRequested():
            return f"{event.by} wants the previous version back: {event.reason}"
        case e.HotfixRequested():
            return f"{event.by} asks for a hotfix: {event.reason}"
        case e.AgentRetrying():
            return f"attempt {event.attempt} of {event.agent} failed ({event.error}); again at {event.not_before}"
        case e.RunFailed():
            return f"{event.agent} could not go on: {event.error}"
    return ""
