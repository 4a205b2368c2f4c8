"""Agents that decide nothing, for tests and benchmarks of the runtime: each yields the event that ends its stage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from greenlane.agents.base import Yielded
from greenlane.domain import events as e
from greenlane.domain.change import Change

WHY = e.Reasoning(decision="proceed", rationale="nothing to object to", risk_score=1.0)


def opened(number: int = 1, head: str = "a" * 40, repo: str = "shop") -> e.PrOpened:
    return e.PrOpened(
        repo=repo,
        pr_number=number,
        title=f"change {number}",
        branch=f"pr-{number}",
        base_branch="main",
        head_sha=head,
        base_sha="b" * 40,
        merge_base_sha="b" * 40,
        author="Ada <ada@example.com>",
        diff_sha256="c" * 64,
    )


def review_complete(services: tuple[str, ...] = (), lane: e.Lane = e.Lane.GREEN) -> e.ReviewComplete:
    return e.ReviewComplete(
        why=WHY, proceed=True, risk_score=1.0, risk_points=(), threshold=7.0, lane=lane,
        lanes_matched=(lane,), services=services,
    )  # fmt: skip


def ask(before: e.Stage, gate_id: str = "schema") -> e.HumanRequested:
    trigger = e.Trigger(rule="schema_changes_detected", summary="a migration is in the change")
    return e.HumanRequested(why=WHY, gate=e.Gate(gate_id=gate_id, before=before, triggers=(trigger,)))


RESULTS: dict[e.Stage, Callable[[], e.Event]] = {
    e.Stage.REVIEW: review_complete,
    e.Stage.TEST: lambda: e.TestsComplete(why=WHY, proceed=True),
    e.Stage.STAGING: lambda: e.StagingComplete(
        why=WHY, proceed=True, staging_healthy=True, base_sha="b" * 40, merge_sha="d" * 40
    ),
    e.Stage.VALIDATION: lambda: e.StagingValidated(why=WHY, proceed=True),
    e.Stage.DEPLOYMENT: lambda: e.DeploymentComplete(why=WHY, merge_sha="d" * 40),
}

LISTENS: dict[e.Stage, tuple[type[e.Event], ...]] = {
    e.Stage.REVIEW: (e.PrOpened, e.PrUpdated),
    e.Stage.TEST: (e.ReviewComplete,),
    e.Stage.STAGING: (e.TestsComplete, e.HumanApproved, e.BaseMoved),
    e.Stage.VALIDATION: (e.StagingComplete,),
    e.Stage.DEPLOYMENT: (
        e.StagingValidated, e.HumanApproved, e.RollbackRequested, e.HumanRejected, e.RunSuperseded,
    ),
}  # fmt: skip


class PlainAgent:
    """Calls `before` (an effect, a pause, an error), then yields its events."""

    version = "1"

    def __init__(
        self,
        stage: e.Stage,
        events: Callable[[Change], tuple[Yielded, ...]] | None = None,
        before: Callable[[Change], Awaitable[None]] | None = None,
    ) -> None:
        self.stage = stage
        self.listens_to = LISTENS[stage]
        self._events = events or (lambda _: (RESULTS[stage](),))
        self._before = before
        self.acted: list[str] = []

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        self.acted.append(change.run)
        if self._before is not None:
            await self._before(change)
        for event in self._events(change):
            yield event


def plain_agents(**instead: PlainAgent) -> list[PlainAgent]:
    """The five of them, some replaced by stage name."""
    return [instead.get(stage.value, PlainAgent(stage)) for stage in e.STAGES]
