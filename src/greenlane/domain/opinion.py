"""What a language model said of a change, as it was validated here: it may make a decision stricter, never laxer."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["answered", "nothing-to-read", "refused", "truncated", "malformed", "unavailable", "over-budget"]


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the model points at. `quotation` stands at `path`:`line` of the head (or of what was removed):
    a concern whose quotation does not exist is dropped before it gets here."""

    path: str
    line: int
    quotation: str
    message: str
    severity: Literal["low", "medium", "high", "critical"] = "medium"


class ModelOpinion(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, field by field as it is asked for. `auto_approvable` is kept for the record and never acted on."""

    risk_score: float
    security_issues: tuple[Concern, ...] = ()
    performance_concerns: tuple[Concern, ...] = ()
    coverage_gaps: tuple[Concern, ...] = ()
    api_breaking_changes: tuple[Concern, ...] = ()
    auto_approvable: bool = False
    requires_human_review: bool = True
    review_rationale: str = ""


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call: which pass (`blind`, `intent`), how it ended, and what it took. `cost_usd` is computed from the
    configured prices; tokens are those that the model's host reported (0: it reported none). `input_tokens` includes
    those that were read from the prompt cache (`cached_tokens`) and those that were written to it."""

    purpose: str
    outcome: Outcome
    model_id: str
    prompt_digest: str
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    detail: str = ""


class ModelReview(msgspec.Struct, frozen=True, kw_only=True):
    """All that came of asking. `opinion` is None unless the outcome is `answered`.

    `dropped` counts concerns without a quotation that exists; `left_out` names what did not fit into the request,
    with the reason.
    """

    outcome: Outcome
    opinion: ModelOpinion | None = None
    calls: tuple[ModelCall, ...] = ()
    dropped: int = 0
    left_out: tuple[str, ...] = ()
    detail: str = ""
