"""Packs a change into a message of bounded size: whole hunks, the most telling first, and says what is left out.

The text of a change is hostile. It stands between two lines with a marker that nobody can have known when the change
was written, and characters that hide or reorder text are shown as escapes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import msgspec

from greenlane.domain.diff import Diff, FileDiff, Line
from greenlane.domain.findings import Category, Finding, Severity

CHARS_PER_TOKEN = 3.0
"""Of code, for the tokenisers in use, on the careful side: an estimate before anything is sent."""
_CONTEXT_LINES = 3
_MAX_LINE = 600
_RISKY = re.compile(
    r"auth|passw|secret|token|permission|login|session|crypt|hmac|verify|sanitiz|escape|sql|execute|subprocess|eval"
    r"|pickle|yaml|request|redirect|path|open\(|delete|admin|csrf|cors|timeout|limit",
    re.IGNORECASE,
)
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """Changed lines that stand together, with a few lines around them (`context`, of the head)."""

    path: str
    status: str
    removed: tuple[Line, ...]
    added: tuple[Line, ...]
    context: tuple[Line, ...] = ()

    @property
    def place(self) -> str:
        first = (self.added or self.removed)[0].number if self.added or self.removed else 0
        return f"{self.path}:{first}"


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """The message, the hunks in it, what is not in it (with the reason), its estimated size in tokens, and how many
    hunks the change has at all."""

    text: str
    included: tuple[str, ...]
    left_out: tuple[str, ...]
    tokens: int
    hunks: int


class Relevance(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a hunk worth reading first."""

    findings: tuple[Finding, ...] = ()
    sensitive_paths: frozenset[str] = frozenset()
    production: Callable[[str], bool] = bool
    """Whether a path is code that production runs; every path, if nobody knows."""


def split_hunks(file: FileDiff) -> tuple[Hunk, ...]:
    """The hunks of a file: runs of changed lines, a removed run together with the added run that replaces it."""
    removed, added = _runs(file.removed), _runs(file.added)
    hunks: list[Hunk] = []
    shift = at = 0
    for run in removed:
        while at < len(added) and added[at][0].number < run[0].number + shift:
            hunks.append(_hunk(file, (), added[at]))
            shift += len(added[at])
            at += 1
        fits = at < len(added) and added[at][0].number == run[0].number + shift
        hunks.append(_hunk(file, run, added[at] if fits else ()))
        shift -= len(run)
        if fits:
            shift += len(added[at])
            at += 1
    hunks += [_hunk(file, (), run) for run in added[at:]]
    return tuple(hunks)


def pack_change(
    diff: Diff,
    *,
    marker: str,
    max_tokens: int,
    relevance: Relevance,
    redact: Callable[[str], str],
    context_of: Callable[[str], Sequence[str]],
) -> Packed:
    """The change as one message. `context_of` gives the lines of a file at the head, for the lines around a hunk."""
    secrets = {(f.path, f.line) for f in relevance.findings if f.category is Category.SECRET}
    ranked: list[tuple[tuple[float, int, int], Hunk]] = []
    left_out: list[str] = []
    for order, file in enumerate(diff.files):
        if file.skipped:
            left_out.append(f"{file.path}: {file.skipped}")
            continue
        hunks = split_hunks(file)
        if not hunks:
            left_out.append(f"{file.path}: {file.status} without a line that can be shown")
        for hunk in hunks:
            ranked.append(((-score_hunk(hunk, relevance), order, _first_line(hunk)), hunk))
    ranked.sort(key=lambda pair: pair[0])
    budget = int(max_tokens * CHARS_PER_TOKEN)
    shown: list[tuple[int, int, str, Hunk]] = []
    used = 2 * len(marker) + 64
    for (_, order, line), hunk in ranked:
        rendered = render_hunk(hunk, secrets, redact, context_of(hunk.path))
        if used + len(rendered) > budget:
            left_out.append(f"{hunk.place}: {len(hunk.added) + len(hunk.removed)} lines beyond the token budget")
            continue
        used += len(rendered)
        shown.append((order, line, rendered, hunk))
    shown.sort(key=lambda item: item[:2])
    body = "".join(rendered for _, _, rendered, _ in shown)
    text = f"{marker}\n{body}{marker}\n"
    return Packed(
        text=text,
        included=tuple(h.place for *_, h in shown),
        left_out=tuple(left_out),
        tokens=estimate_tokens(text),
        hunks=len(ranked),
    )


def estimate_tokens(text: str) -> int:
    """Tokens that a text will count, on the careful side."""
    return int(len(text) / CHARS_PER_TOKEN) + 1


def score_hunk(hunk: Hunk, relevance: Relevance) -> float:
    """How much it tells: findings in it first, then sensitive places, production code, risky words, deletions."""
    lines = {line.number for line in hunk.added}
    worst = max((_RANK[f.severity] for f in relevance.findings if f.path == hunk.path and f.line in lines), default=-1)
    text = "\n".join(line.text for line in (*hunk.added, *hunk.removed))
    score = 10.0 * (worst + 1)
    score += 15 if hunk.path in relevance.sensitive_paths else 0
    score += 20 if relevance.production(hunk.path) else 0
    score += min(len(_RISKY.findall(text[:20_000])), 8)
    return score + (3 if hunk.removed else 0)


def render_hunk(
    hunk: Hunk, secrets: set[tuple[str, int]], redact: Callable[[str], str], context: Sequence[str] = ()
) -> str:
    """A hunk as text: its file, then each line with its sign and number. Lines that hold a secret are cut whole."""
    lines = [f"=== {escape(redact(hunk.path))} ({hunk.status})"]
    first, last = _span(hunk)
    for number in range(max(1, first - _CONTEXT_LINES), first):
        lines += _context(context, number, hunk.path, secrets, redact)
    lines += [f"- {line.number} {_clean(line.text, redact)}" for line in hunk.removed]
    for line in hunk.added:
        hidden = (hunk.path, line.number) in secrets
        lines.append(f"+ {line.number} " + ("[redacted: a secret]" if hidden else _clean(line.text, redact)))
    for number in range(last + 1, last + 1 + _CONTEXT_LINES):
        lines += _context(context, number, hunk.path, secrets, redact)
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """The text with control, format and private characters shown as escapes: nothing hides or runs backwards."""
    return "".join(
        c if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp") else f"\\u{ord(c):04x}"
        for c in text
    )


def _clean(text: str, redact: Callable[[str], str]) -> str:
    shown = escape(redact(text))
    return shown if len(shown) <= _MAX_LINE else f"{shown[:_MAX_LINE]} [... {len(shown) - _MAX_LINE} more characters]"


def _context(
    lines: Sequence[str], number: int, path: str, secrets: set[tuple[str, int]], redact: Callable[[str], str]
) -> list[str]:
    if not 1 <= number <= len(lines) or (path, number) in secrets:
        return []
    return [f"  {number} {_clean(lines[number - 1], redact)}"]


def _span(hunk: Hunk) -> tuple[int, int]:
    """First and last line of the hunk at the head; for a pure deletion there is none, and no context is shown."""
    if not hunk.added:
        return 0, -_CONTEXT_LINES - 1
    return hunk.added[0].number, hunk.added[-1].number


def _first_line(hunk: Hunk) -> int:
    return (hunk.added or hunk.removed)[0].number


def _hunk(file: FileDiff, removed: tuple[Line, ...], added: tuple[Line, ...]) -> Hunk:
    return Hunk(path=file.path, status=file.status, removed=removed, added=added)


def _runs(lines: Sequence[Line]) -> list[tuple[Line, ...]]:
    runs: list[list[Line]] = []
    for line in lines:
        if runs and line.number == runs[-1][-1].number + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return [tuple(run) for run in runs]
