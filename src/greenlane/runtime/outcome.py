"""What the runtime writes when an agent could not go on, or waited: from the error, the history and the rules."""

from __future__ import annotations

import traceback
from datetime import datetime, timedelta

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.settings import Orchestration, Settings
from greenlane.policy.freeze import Frozen, find_freeze
from greenlane.ports.clock import Clock

MAX_BACKOFF_S = 300.0  # a proxy that is gone for a night is asked every five minutes, not every second
TRACEBACK_LINES = 12  # enough to find the place; the whole of it goes to the log


def attempts_so_far(change: Change, stage: e.Stage) -> int:
    """How often this agent has met a retryable error since something else happened to the run."""
    count = 0
    for recorded in reversed(change.history):
        if isinstance(recorded.event, e.AgentRetrying) and recorded.event.agent == stage:
            count += 1
        elif isinstance(recorded.event, e.StageResult | e.HumanApproved | e.PrOpened | e.BaseMoved):
            break
    return count


def retry_due(change: Change, stage: e.Stage, limits: Orchestration) -> datetime | None:
    """When the agent may act again after an error; None if it may act at once.

    A run that failed while its canary was on is due at once, because a canary is always ended; if ending it fails as
    well, the next attempt waits, longer each time.
    """
    last = change.history[-1]
    if isinstance(last.event, e.AgentRetrying) and last.event.agent == stage:
        return datetime.fromisoformat(last.event.not_before)
    failures = 0
    for recorded in reversed(change.history):
        if not isinstance(recorded.event, e.RunFailed):
            break
        failures += 1
    if failures < 2:
        return None
    wait_s = min(MAX_BACKOFF_S, limits.backoff_s * 2 ** (failures - 1))
    return datetime.fromisoformat(last.timestamp) + timedelta(seconds=wait_s)


class Postponements:
    """How long deployments wait for the end of a freeze. What was postponed under earlier rules, before this process
    began, waits no longer once the rules of now hold no freeze for it."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._began = clock.now()

    def seconds_left(self, change: Change) -> float:
        """0 or less: the deployment of this change is postponed no longer."""
        if change.postponed is None:
            return 0.0
        now = self._clock.now()
        written = next(r.timestamp for r in reversed(change.history) if isinstance(r.event, e.DeploymentPostponed))
        if datetime.fromisoformat(written) < self._began and self._find_freeze(change, now) is None:
            return 0.0
        return (datetime.fromisoformat(change.postponed.until) - now).total_seconds()

    def _find_freeze(self, change: Change, now: datetime) -> Frozen | None:
        staged = {s.service for s in change.staging.services} if change.staging else set()
        return find_freeze((s for s in self._settings.services if s.name in staged), self._settings, now)


def make_resumed(change: Change, now: datetime) -> e.DeploymentResumed:
    """The time has come for which the deployment was postponed, or the freeze was taken out of the rules."""
    assert change.postponed is not None, "it was postponed"
    lifted = datetime.fromisoformat(change.postponed.until) > now
    windows = ", ".join(change.postponed.windows)
    return e.DeploymentResumed(
        why=e.Reasoning(
            decision="go-on",
            rationale=f"The freeze {'is in force no more' if lifted else 'is over'} ({windows}, until "
            f"{change.postponed.until}): the deployment is assessed again.",
            rules_fired=("deployment.freeze_window",),
        )
    )


def describe_error(error: BaseException) -> str:
    if isinstance(error, GreenlaneError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return f"{type(error).__name__}: {error}"


def decide_failure(
    error: Exception, change: Change, stage: e.Stage, *, retryable: bool, now: datetime, limits: Orchestration
) -> e.AgentRetrying | e.RunFailed:
    """Retry with back-off if the error's type says so and attempts are left; else stop the run and ask a human."""
    said = describe_error(error)
    attempt = attempts_so_far(change, stage) + 1
    if retryable and attempt < limits.max_attempts:
        wait_s = limits.backoff_s * 2 ** (attempt - 1)
        return e.AgentRetrying(
            why=e.Reasoning(
                decision="retry",
                rationale=f"The {stage} agent met a passing error: {said}. Attempt {attempt} of {limits.max_attempts}; "
                f"the next one is in {wait_s:g} s.",
                rules_fired=("retryable-error",),
            ),
            agent=stage,
            attempt=attempt,
            error=said,
            not_before=(now + timedelta(seconds=wait_s)).isoformat(),
        )
    tried = f" after {attempt} attempts" if attempt > 1 else ""
    where = (
        "".join(traceback.format_exception(error)[-TRACEBACK_LINES:]) if not isinstance(error, GreenlaneError) else ""
    )
    return make_failure(change, stage, f"{said}{tried}", detail=where)


def make_failure(change: Change, stage: e.Stage, reason: str, *, detail: str = "") -> e.RunFailed:
    """The run stops before this stage until a human, whose approval means 'try again', has looked at it."""
    trigger = e.Trigger(
        rule="agent-failed",
        summary=f"the {stage} agent failed: {reason}",
        evidence=tuple(detail.splitlines()),
        clears_when="the cause is removed; approving makes the agent try again, a new commit starts over",
    )
    return e.RunFailed(
        why=e.Reasoning(
            decision="ask-human",
            rationale=f"The {stage} agent could not go on: {reason}. Nothing of this run is lost; a human is asked.",
            rules_fired=("agent-failed",),
        ),
        agent=stage,
        error=reason,
        gate=e.Gate(gate_id=f"failure-{change.version + 1}", before=stage, triggers=(trigger,)),
    )
