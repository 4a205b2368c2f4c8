"""What asking a model about a change would take, in tokens: the change is packed as for a call, and nothing is sent."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.summary import is_production
from greenlane.domain.diff import Diff
from greenlane.domain.findings import Finding
from greenlane.prompts.message import JUDGE, OPENING
from greenlane.prompts.packing import CHARS_PER_TOKEN, Relevance, pack_change

ANSWER_TOKENS = 900
"""Of one pass: the eight fields with a rationale and a few concerns."""
STATED_TOKENS = 300
"""Of a pull request's title and description, which only the second pass is given and no commit holds."""
_MARKER = "=" * 44
_MAX_FILE_BYTES = 1 << 20


class ModelUse(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of both passes together. `input_tokens` includes `cache_write_tokens`, those that the first pass writes to
    the prompt cache, and `cached_tokens`, those that the second one reads from it."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with every call, in characters: before the change, and before the author's words; and the most tokens
    of a change."""

    always_chars: int
    intent_chars: int
    max_tokens: int


def estimate_use(
    diff: Diff, head: Path, instructions: Instructions, *, findings: Sequence[Finding], sensitive_paths: Sequence[str]
) -> ModelUse:
    """Both passes of a review; nothing for a change without a line to read. `head` is its tree. Blocks."""
    packed = pack_change(
        diff,
        marker=_MARKER,
        max_tokens=instructions.max_tokens,
        relevance=Relevance(
            findings=tuple(findings), sensitive_paths=frozenset(sensitive_paths), production=is_production
        ),
        redact=str,  # what is masked is about as long
        context_of=functools.cache(lambda path: _lines(head, path)),
    )
    if not packed.included:
        return ModelUse()
    shared = _tokens(instructions.always_chars + len(OPENING) + len(packed.text))
    again = _tokens(instructions.intent_chars) + STATED_TOKENS
    return ModelUse(
        input_tokens=2 * shared + _tokens(len(JUDGE)) + again,
        cached_tokens=shared,
        cache_write_tokens=shared,
        output_tokens=2 * ANSWER_TOKENS,
    )


def _tokens(chars: int) -> int:
    return round(chars / CHARS_PER_TOKEN)


def _lines(head: Path, path: str) -> tuple[str, ...]:
    try:
        return tuple(files.read_text(head, path, _MAX_FILE_BYTES).split("\n"))
    except files.UnreadableError:
        return ()
