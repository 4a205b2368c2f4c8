"""The reviewer that is Claude, through pydantic-ai: two passes, no tools, an answer of exactly eight fields.

Whatever goes wrong (a refusal, a cut or malformed answer, an overload, an outage, an exhausted budget) is an outcome
that the policy judges; nothing is raised and nothing passes for a verdict. The libraries are imported when the first
change is read: they cost more than a second.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from greenlane.adapters.spending import Spending
from greenlane.analyzers import files
from greenlane.analyzers.summary import is_production
from greenlane.domain.opinion import Concern, ModelCall, ModelOpinion, ModelReview, Outcome
from greenlane.domain.settings import ModelSettings
from greenlane.policy.opinion import merge_opinions
from greenlane.ports.clock import Clock
from greenlane.ports.reviewer import ReviewMaterial
from greenlane.prompts import Prompts
from greenlane.prompts.message import JUDGE, OPENING, believe, intent_message
from greenlane.prompts.packing import Packed, Relevance, estimate_tokens, pack_change
from greenlane.prompts.redaction import Redactor

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

_MAX_FILE_BYTES = 1 << 20
_ANSWER_ATTEMPTS = 2
"""An answer that can't be read is asked for once more, with what was wrong."""
_MAX_DETAIL = 300


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
        self._name = name
        self._settings = settings
        self._prompts = prompts
        self._spending = spending
        self._clock = clock
        self._redactor = Redactor()

    async def review(self, material: ReviewMaterial) -> ModelReview:
        packed = await asyncio.to_thread(self._pack, material)
        if not packed.included:
            return _unread(packed)
        if not os.environ.get(self._settings.api_key_env):
            missing = f"the environment variable {self._settings.api_key_env} holds no key"
            return _failed((self._call("blind", "unavailable", detail=missing),), packed)
        first, call = await self._ask(_account(material), "blind", [OPENING + packed.text], JUDGE)
        if first is None:
            return _failed((call,), packed)
        marker = _marker()
        asked = intent_message(
            self._prompts.intent,
            first,
            title=material.intent_title,
            description=material.intent_description,
            marker=marker,
            redact=self._redactor.redact,
        )
        second, second_call = await self._ask(_account(material), "intent", [OPENING + packed.text], asked)
        if second is None:
            return _failed((call, second_call), packed)
        opinion, dropped = believe(
            merge_opinions(first, second), material.diff, lambda path: _lines(material.head, path)
        )
        return ModelReview(
            outcome="answered", opinion=opinion, calls=(call, second_call), dropped=dropped, left_out=packed.left_out
        )

    def _pack(self, material: ReviewMaterial) -> Packed:
        return pack_message(material, self._settings.max_input_tokens, self._redactor)

    async def _ask(
        self, account: str, purpose: str, change: list[str], question: str
    ) -> tuple[ModelOpinion | None, ModelCall]:
        """One pass: within the budget, one answer, and the record of what it took."""
        settings = self._settings
        tokens = sum(estimate_tokens(t) for t in (self._prompts.instructions, *change, question))
        most = _ANSWER_ATTEMPTS * self._cost(tokens + settings.max_output_tokens, 0, settings.max_output_tokens)
        day = self._clock.now().date().isoformat()
        reserved = await asyncio.to_thread(
            lambda: self._spending.reserve(
                day=day, account=account, usd=most, per_account=settings.usd_per_pr, per_day=settings.usd_per_day
            )
        )
        if isinstance(reserved, str):
            return None, self._call(purpose, "over-budget", detail=reserved)
        started = time.perf_counter()
        opinion, outcome, detail, messages = await self._run(change, question)
        tokens_in, cached, tokens_out = _usage(messages)
        cost = self._cost(tokens_in, cached, tokens_out)
        await asyncio.to_thread(self._spending.settle, reserved, cost)
        call = self._call(
            purpose, outcome, detail=detail, tokens=(tokens_in, cached, tokens_out), cost=cost,
            latency_s=time.perf_counter() - started,
        )  # fmt: skip
        return opinion, call

    async def _run(
        self, change: list[str], question: str
    ) -> tuple[ModelOpinion | None, Outcome, str, Sequence[ModelMessage]]:
        from pydantic_ai import capture_run_messages
        from pydantic_ai.messages import CachePoint

        agent = self._agent()
        with capture_run_messages() as messages:
            try:
                result = await agent.run([*change, CachePoint(), question])
            except Exception as error:  # every failure is an outcome; what each means is told apart below
                outcome, detail = _judge_failure(error, messages)
                return None, outcome, self._safe(detail), messages
        return _opinion(result.output), "answered", "", messages

    def _agent(self) -> Any:
        """A fresh agent and client for each call: no state of one change reaches another."""
        from anthropic import AsyncAnthropic
        from pydantic_ai import Agent, NativeOutput
        from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
        from pydantic_ai.providers.anthropic import AnthropicProvider

        settings = self._settings
        client = AsyncAnthropic(
            api_key=os.environ[settings.api_key_env],
            base_url=settings.base_url,
            timeout=settings.timeout_s,
            max_retries=settings.max_retries,
        )
        return Agent(
            AnthropicModel(self._name, provider=AnthropicProvider(anthropic_client=client)),
            output_type=NativeOutput(_Answer),
            instructions=self._prompts.instructions,
            retries=_ANSWER_ATTEMPTS - 1,
            model_settings=AnthropicModelSettings(
                max_tokens=settings.max_output_tokens, anthropic_cache_instructions=True, timeout=settings.timeout_s
            ),
        )

    def _safe(self, text: str) -> str:
        """A failure in words, without the key and without what looks like one."""
        key = os.environ.get(self._settings.api_key_env)
        plain = " ".join(text.split())
        return self._redactor.redact(plain.replace(key, "***") if key else plain)[:_MAX_DETAIL]

    def _cost(self, tokens_in: int, cached: int, tokens_out: int) -> float:
        """US dollars at the configured prices. `tokens_in` includes those that were read from the cache."""
        s = self._settings
        dollars = (tokens_in - cached) * s.input_usd_per_mtok + cached * s.cached_usd_per_mtok
        return (dollars + tokens_out * s.output_usd_per_mtok) / 1e6

    def _call(
        self,
        purpose: str,
        outcome: Outcome,
        *,
        detail: str = "",
        tokens: tuple[int, int, int] = (0, 0, 0),
        cost: float = 0.0,
        latency_s: float = 0.0,
    ) -> ModelCall:
        return ModelCall(
            purpose=purpose,
            outcome=outcome,
            model_id=self._name,
            prompt_digest=self._prompts.digest,
            input_tokens=tokens[0],
            cached_tokens=tokens[1],
            output_tokens=tokens[2],
            cost_usd=round(cost, 6),
            latency_s=round(latency_s, 3),
            detail=detail,
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
        marker=_marker(),
        max_tokens=max_tokens,
        relevance=relevance,
        redact=redactor.redact,
        context_of=lambda path: _lines(material.head, path),
    )


def _account(material: ReviewMaterial) -> str:
    """What a budget per pull request is counted on: all its heads together, so that pushing again buys nothing."""
    return f"{material.repo}#{material.pr_number}"


def _marker() -> str:
    """A line that nobody can have written into a change beforehand."""
    return f"=====[{secrets.token_hex(16)}]====="


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


def _judge_failure(error: Exception, messages: Sequence[ModelMessage]) -> tuple[Outcome, str]:
    """Which outcome an error stands for. The last answer's own word on why it stopped goes before the error's type."""
    from pydantic_ai import exceptions as x
    from pydantic_ai.messages import ModelResponse

    status = getattr(error, "status_code", None)
    text = f"its host answered with status {status}" if status else f"{type(error).__name__}: {error}"
    last = next((m for m in reversed(messages) if isinstance(m, ModelResponse)), None)
    if isinstance(error, x.ContentFilterError) or (last is not None and last.finish_reason == "content_filter"):
        return "refused", text
    if isinstance(error, x.IncompleteToolCall) or (last is not None and last.finish_reason == "length"):
        return "truncated", text
    if isinstance(error, x.UnexpectedModelBehavior):
        return "malformed", text
    return "unavailable", text


def _usage(messages: Sequence[ModelMessage]) -> tuple[int, int, int]:
    """Input tokens (cached ones included), cached ones, and output tokens of all answers that came."""
    from pydantic_ai.messages import ModelResponse

    answers = [m for m in messages if isinstance(m, ModelResponse)]
    return (
        sum(m.usage.input_tokens for m in answers),
        sum(m.usage.cache_read_tokens for m in answers),
        sum(m.usage.output_tokens for m in answers),
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
