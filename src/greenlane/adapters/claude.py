"""The reviewer that is Claude: two passes, no tools, an answer of exactly eight fields.

Whatever goes wrong is an outcome that the policy judges (`claude_client.py`); nothing is raised and nothing passes for
a verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from greenlane.adapters.claude_client import ClaudeClient, Question, account_of, draw_marker
from greenlane.adapters.spending import Spending
from greenlane.analyzers import files
from greenlane.analyzers.summary import is_production
from greenlane.domain.opinion import Concern, ModelCall, ModelOpinion, ModelReview
from greenlane.domain.settings import ModelSettings
from greenlane.policy.opinion import merge_opinions
from greenlane.ports.clock import Clock
from greenlane.ports.reviewer import ReviewMaterial
from greenlane.prompts import Prompts
from greenlane.prompts.message import JUDGE, OPENING, believe, intent_message
from greenlane.prompts.packing import Packed, Relevance, pack_change
from greenlane.prompts.redaction import Redactor

_MAX_FILE_BYTES = 1 << 20


class _Item(BaseModel):
    """A concern as the model writes it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(max_length=1000)
    line: int = Field(ge=0, le=10_000_000)
    quotation: str = Field(max_length=2000)
    message: str = Field(max_length=4000)
    severity: str = Field(pattern="^(low|medium|high|critical)$")


class _Answer(BaseModel):
    """The eight fields, and no other."""

    model_config = ConfigDict(extra="forbid")

    risk_score: float = Field(ge=1, le=10)
    security_issues: list[_Item] = Field(max_length=50)
    performance_concerns: list[_Item] = Field(max_length=50)
    coverage_gaps: list[_Item] = Field(max_length=50)
    api_breaking_changes: list[_Item] = Field(max_length=50)
    auto_approvable: bool
    requires_human_review: bool
    review_rationale: str = Field(min_length=1, max_length=8000)


class ClaudeReviewer:
    """Implements `ports.reviewer.Reviewer`."""

    def __init__(
        self, name: str, settings: ModelSettings, prompts: Prompts, *, spending: Spending, clock: Clock
    ) -> None:
        self._settings = settings
        self._prompts = prompts
        self._client = ClaudeClient(name, settings, spending=spending, clock=clock)

    async def review(self, material: ReviewMaterial) -> ModelReview:
        packed = await asyncio.to_thread(pack_message, material, self._settings.max_input_tokens, self._client.redactor)
        if not packed.included:
            return _unread(packed)
        blind = Question(
            account=account_of(material.repo, material.pr_number),
            purpose="blind",
            instructions=self._prompts.instructions,
            prompt_digest=self._prompts.digest,
            material=OPENING + packed.text,
            ask=JUDGE,
        )
        answer, call = await self._client.ask(blind, _Answer)
        if answer is None:
            return _failed((call,), packed)
        first = _opinion(answer)
        asked = intent_message(
            self._prompts.intent,
            first,
            title=material.intent_title,
            description=material.intent_description,
            marker=draw_marker(),
            redact=self._client.redactor.redact,
        )
        again = msgspec.structs.replace(blind, purpose="intent", ask=asked)
        second, second_call = await self._client.ask(again, _Answer)
        if second is None:
            return _failed((call, second_call), packed)
        opinion, dropped = believe(
            merge_opinions(first, _opinion(second)), material.diff, lambda path: _lines(material.head, path)
        )
        return ModelReview(
            outcome="answered", opinion=opinion, calls=(call, second_call), dropped=dropped, left_out=packed.left_out
        )


def pack_message(material: ReviewMaterial, max_tokens: int, redactor: Redactor) -> Packed:
    """The change as it is sent: redacted, packed by relevance, between marker lines."""
    relevance = Relevance(
        findings=material.findings,
        sensitive_paths=frozenset(material.sensitive_paths),
        production=is_production,
    )
    return pack_change(
        material.diff,
        marker=draw_marker(),
        max_tokens=max_tokens,
        relevance=relevance,
        redact=redactor.redact,
        context_of=lambda path: _lines(material.head, path),
    )


def _lines(head: Path, path: str) -> Sequence[str]:
    """The lines of a file at the head, as the difference counts them; none if it can't be read."""
    try:
        return files.read_text(head, path, _MAX_FILE_BYTES).split("\n")
    except files.UnreadableError:
        return ()


def _opinion(answer: _Answer) -> ModelOpinion:
    def concerns(items: list[_Item]) -> tuple[Concern, ...]:
        return tuple(
            Concern(
                path=i.path,
                line=i.line,
                quotation=i.quotation,
                message=i.message,
                severity=i.severity,  # type: ignore[arg-type]  # the pattern above allows these four only
            )
            for i in items
        )

    return ModelOpinion(
        risk_score=answer.risk_score,
        security_issues=concerns(answer.security_issues),
        performance_concerns=concerns(answer.performance_concerns),
        coverage_gaps=concerns(answer.coverage_gaps),
        api_breaking_changes=concerns(answer.api_breaking_changes),
        auto_approvable=answer.auto_approvable,
        requires_human_review=answer.requires_human_review,
        review_rationale=answer.review_rationale,
    )


def _failed(calls: tuple[ModelCall, ...], packed: Packed) -> ModelReview:
    last = calls[-1]
    return ModelReview(outcome=last.outcome, calls=calls, left_out=packed.left_out, detail=last.detail)


def _unread(packed: Packed) -> ModelReview:
    """A change without lines (a mode, a picture) has nothing to read; one whose lines do not fit was not read."""
    if not packed.hunks:
        return ModelReview(outcome="nothing-to-read", left_out=packed.left_out)
    detail = "no part of the change fits into model.max_input_tokens"
    return ModelReview(outcome="unavailable", left_out=packed.left_out, detail=detail)
