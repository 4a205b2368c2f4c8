"""Asking Claude through pydantic-ai: one question, one typed answer, within the budget, and the record of what it took.

Shared by whoever asks it (the reviewer, the writer of tests). Whatever goes wrong (a refusal, a cut or malformed
answer, an overload, an outage, an exhausted budget) is an outcome; nothing is raised. The libraries are imported when
the first question is asked: they cost more than a second.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from pydantic import BaseModel

from greenlane.adapters.spending import Spending
from greenlane.domain.opinion import ModelCall, Outcome
from greenlane.domain.settings import ModelSettings
from greenlane.ports.clock import Clock
from greenlane.prompts.packing import estimate_tokens
from greenlane.prompts.redaction import Redactor

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

_ANSWER_ATTEMPTS = 2
"""An answer that can't be read is asked for once more, with what was wrong."""
_MAX_DETAIL = 300

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: `instructions` and `material` stand before a mark for the prompt cache, `ask` behind it. `account`
    is what the budget per pull request is counted on, `purpose` names the call in the record."""

    account: str
    purpose: str
    instructions: str
    prompt_digest: str
    material: str
    ask: str


class TokenUse(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were paid for. `sent` includes `cached`, read from the prompt cache, and `written`, written to it."""

    sent: int = 0
    cached: int = 0
    written: int = 0
    answered: int = 0


class ClaudeClient:
    """No tools, no state between questions: each gets a client of its own."""

    def __init__(self, name: str, settings: ModelSettings, *, spending: Spending, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._spending = spending
        self._clock = clock
        self.redactor = Redactor()

    @property
    def missing(self) -> str:
        """Why nobody can be asked; empty if somebody can."""
        name = self._settings.api_key_env
        return "" if os.environ.get(name) else f"the environment variable {name} holds no key"

    async def ask(self, question: Question, answer: type[AnswerT]) -> tuple[AnswerT | None, ModelCall]:
        """The answer, validated here; None with an outcome that says why there is none."""
        if self.missing:
            return None, self.record(question, "unavailable", detail=self.missing)
        settings = self._settings
        tokens = sum(estimate_tokens(t) for t in (question.instructions, question.material, question.ask))
        most = _ANSWER_ATTEMPTS * self._most(tokens + settings.max_output_tokens)
        day = self._clock.now().date().isoformat()
        reserved = await asyncio.to_thread(
            lambda: self._spending.reserve(
                day=day,
                account=question.account,
                usd=most,
                per_account=settings.usd_per_pr,
                per_day=settings.usd_per_day,
            )
        )
        if isinstance(reserved, str):
            return None, self.record(question, "over-budget", detail=reserved)
        started = time.perf_counter()
        output, outcome, detail, messages = await self._run(question, answer)
        use = _usage(messages)
        cost = self._cost(use)
        await asyncio.to_thread(self._spending.settle, reserved, cost)
        call = self.record(
            question, outcome, detail=detail, use=use, cost=cost, latency_s=time.perf_counter() - started,
        )  # fmt: skip
        return output, call

    async def _run(
        self, question: Question, answer: type[AnswerT]
    ) -> tuple[AnswerT | None, Outcome, str, Sequence[ModelMessage]]:
        from pydantic_ai import capture_run_messages
        from pydantic_ai.messages import CachePoint

        agent = self._agent(question.instructions, answer)
        with capture_run_messages() as messages:
            try:
                result = await agent.run([question.material, CachePoint(), question.ask])
            except Exception as error:  # every failure is an outcome; what each means is told apart below
                outcome, detail = _judge_failure(error, messages)
                return None, outcome, self._safe(detail), messages
        return result.output, "answered", "", messages

    def _agent(self, instructions: str, answer: type[BaseModel]) -> Any:
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
            output_type=NativeOutput(answer),
            instructions=instructions,
            retries=_ANSWER_ATTEMPTS - 1,
            model_settings=AnthropicModelSettings(
                max_tokens=settings.max_output_tokens, anthropic_cache_instructions=True, timeout=settings.timeout_s
            ),
        )

    def _safe(self, text: str) -> str:
        """A failure in words, without the key and without what looks like one."""
        key = os.environ.get(self._settings.api_key_env)
        plain = " ".join(text.split())
        return self.redactor.redact(plain.replace(key, "***") if key else plain)[:_MAX_DETAIL]

    def _cost(self, use: TokenUse) -> float:
        """US dollars at the configured prices."""
        s = self._settings
        dollars = (use.sent - use.cached - use.written) * s.input_usd_per_mtok
        dollars += use.cached * s.cached_usd_per_mtok + use.written * s.written_usd_per_mtok
        return (dollars + use.answered * s.output_usd_per_mtok) / 1e6

    def _most(self, sent: int) -> float:
        """The most that one attempt with so many tokens costs: nothing is read from the cache, and all is written."""
        answered = self._settings.max_output_tokens
        return max(self._cost(TokenUse(sent=sent, written=written, answered=answered)) for written in (0, sent))

    def record(
        self,
        question: Question,
        outcome: Outcome,
        *,
        detail: str = "",
        use: TokenUse | None = None,
        cost: float = 0.0,
        latency_s: float = 0.0,
    ) -> ModelCall:
        """What the ledger gets of a call, or of one that was not made."""
        use = use or TokenUse()
        return ModelCall(
            purpose=question.purpose,
            outcome=outcome,
            model_id=self._name,
            prompt_digest=question.prompt_digest,
            input_tokens=use.sent,
            cached_tokens=use.cached,
            cache_write_tokens=use.written,
            output_tokens=use.answered,
            cost_usd=round(cost, 6),
            latency_s=round(latency_s, 3),
            detail=detail,
        )


def account_of(repo: str, pr_number: int) -> str:
    """What a budget per pull request is counted on: all its heads together, so that pushing again buys nothing."""
    return f"{repo}#{pr_number}"


def draw_marker() -> str:
    """A line that nobody can have written into a change beforehand."""
    return f"=====[{secrets.token_hex(16)}]====="


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


def _usage(messages: Sequence[ModelMessage]) -> TokenUse:
    """The tokens of all answers that came."""
    from pydantic_ai.messages import ModelResponse

    answers = [m for m in messages if isinstance(m, ModelResponse)]
    return TokenUse(
        sent=sum(m.usage.input_tokens for m in answers),
        cached=sum(m.usage.cache_read_tokens for m in answers),
        written=sum(m.usage.cache_write_tokens for m in answers),
        answered=sum(m.usage.output_tokens for m in answers),
    )
