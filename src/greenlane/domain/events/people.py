"""Events by people, and by the machine itself."""

from __future__ import annotations

from typing import Literal

from greenlane.domain.events.base import Decision, Event, Gate

# ------------------------------------------------------------------ people


class HumanRequested(Decision, tag="human.requested", frozen=True, kw_only=True):
    """A human is asked. The run goes on with stages before `gate.before` and waits there."""

    gate: Gate


class HumanApproved(Decision, tag="human.approved", frozen=True, kw_only=True):
    gate_id: str
    by: str
    head_sha: str


class HumanRejected(Decision, tag="human.rejected", frozen=True, kw_only=True):
    gate_id: str
    by: str
    head_sha: str


class FindingJudged(Decision, tag="finding.judged", frozen=True, kw_only=True):
    """A person's word on a finding of the review. It changes nothing of the run; `by_author` words are in no rate."""

    finding_id: str
    rule: str
    path: str
    line: int
    verdict: Literal["false-positive", "confirmed"]
    by: str
    by_author: bool


# ------------------------------------------------------------------ the machine itself


class AgentRetrying(Decision, tag="agent.retrying", frozen=True, kw_only=True):
    """An agent met a retryable error; it acts again not before `not_before` (UTC, ISO 8601)."""

    agent: str
    attempt: int
    error: str
    not_before: str


class RunFailed(Decision, tag="run.failed", frozen=True, kw_only=True):
    """An agent could not go on. Nothing is lost: `gate` asks a human, whose approval makes it try again."""

    agent: str
    error: str
    gate: Gate


class ServiceInstalling(Decision, tag="service.installing", frozen=True, kw_only=True):
    """Intent: nothing serves this service in production yet, so its base version is built, started and routed."""

    service: str
    commit: str


class Paused(Event, tag="automation.paused", frozen=True, kw_only=True):
    """No agent begins work in this scope (`org`, or a service's name). Rolling back still works."""

    scope: str
    by: str
    reason: str


class Resumed(Event, tag="automation.resumed", frozen=True, kw_only=True):
    scope: str
    by: str
    reason: str


class SandboxOff(Decision, tag="sandbox.off", frozen=True, kw_only=True):
    """Intent: from now on this process runs code of changes without any isolation, because a person asked for it."""
