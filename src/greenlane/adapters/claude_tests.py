"""The writer of tests that is Claude: one question, then one more with what failed. Its claims are only recorded."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from greenlane.adapters.claude_client import ClaudeClient, Question, account_of, draw_marker
from greenlane.adapters.spending import Spending
from greenlane.domain.asked import AskedTest
from greenlane.domain.settings import ModelSettings
from greenlane.ports.clock import Clock
from greenlane.ports.test_writer import WritingAnswer, WritingTask
from greenlane.prompts import WritingPrompts
from greenlane.prompts.writing import compose_again, compose_first, compose_task

_MAX_CLAIMS = 40
_MAX_CLAIM = 200


class _Test(BaseModel):
    """A test as the model writes it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern="^test_[A-Za-z0-9_]{1,120}$")
    purpose: str = Field(min_length=1, max_length=600)
    imports: list[str] = Field(max_length=30)
    code: str = Field(min_length=1, max_length=12_000)


class _Tests(BaseModel):
    """The three fields, and no other."""

    model_config = ConfigDict(extra="forbid")

    tests: list[_Test] = Field(max_length=40)
    coverage_targets: list[str] = Field(max_length=400)
    edge_cases_covered: list[str] = Field(max_length=400)


class ClaudeTestWriter:
    """Implements `ports.test_writer.TestWriter`. Budgets are those of the review, counted together."""

    def __init__(
        self, name: str, settings: ModelSettings, prompts: WritingPrompts, *, spending: Spending, clock: Clock
    ) -> None:
        self._settings = settings
        self._prompts = prompts
        self._client = ClaudeClient(name, settings, spending=spending, clock=clock)

    async def write(self, task: WritingTask) -> WritingAnswer:
        redact = self._client.redactor.redact
        marker = draw_marker()
        ask = (
            compose_again(task, self._prompts.again, marker=marker, redact=redact)
            if task.failed
            else compose_first(task)
        )
        question = Question(
            account=account_of(task.repo, task.pr_number),
            purpose="tests-again" if task.failed else "tests",
            instructions=self._prompts.instructions,
            prompt_digest=self._prompts.digest,
            material=compose_task(task, marker=marker, max_tokens=self._settings.max_input_tokens, redact=redact),
            ask=ask,
        )
        answer, call = await self._client.ask(question, _Tests)
        if answer is None:
            return WritingAnswer(outcome=call.outcome, call=call)
        return WritingAnswer(
            outcome="answered",
            call=call,
            tests=_distinct(answer.tests, task.max_tests),
            coverage_targets=_claims(answer.coverage_targets),
            edge_cases_covered=_claims(answer.edge_cases_covered),
        )


def _distinct(tests: list[_Test], most: int) -> tuple[AskedTest, ...]:
    """The first tests, one of each name."""
    found: dict[str, AskedTest] = {}
    for test in tests:
        asked = AskedTest(name=test.name, purpose=test.purpose, imports=tuple(test.imports), code=test.code)
        found.setdefault(test.name, asked)
    return tuple(found.values())[:most]


def _claims(claims: list[str]) -> tuple[str, ...]:
    plain = (" ".join(claim.split())[:_MAX_CLAIM] for claim in claims)
    return tuple(claim for claim in plain if claim)[:_MAX_CLAIMS]
