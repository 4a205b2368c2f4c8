"""One run at a glance: what lists, the live tree and the web page show."""

from __future__ import annotations

from datetime import datetime

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.policy.lifecycle import Standing, State


class StageView(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a run: `waiting`, `running`, `passed`, `blocked` or `skipped`, and how long it took or has taken."""

    stage: e.Stage
    status: str
    seconds: float
    verdict: str


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run at a glance. Times are UTC, ISO 8601; `seconds` is from open to the last event (or to now)."""

    run: str
    pr_number: int
    title: str
    branch: str
    author: str
    lane: str
    state: State
    due: e.Stage | None
    reason: str
    started: str
    updated: str
    seconds: float
    head_sha: str
    services: tuple[str, ...]
    risk_score: float | None
    tests_added: int
    stages: tuple[StageView, ...]


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _results(change: Change) -> dict[e.Stage, tuple[str, e.Decision]]:
    """When each stage ended, and with which event (the last time it did)."""
    found: dict[e.Stage, tuple[str, e.Decision]] = {}
    for recorded in change.history:
        event = recorded.event
        if isinstance(event, e.BaseMoved):
            found.pop(e.Stage.STAGING, None)
            found.pop(e.Stage.VALIDATION, None)
        elif isinstance(event, e.Decision) and event.completes is not None:
            found[event.completes] = (recorded.timestamp, event)
    return found


def _view_stages(change: Change, standing: Standing, now: str) -> tuple[StageView, ...]:
    results = _results(change)
    views = []
    entered = change.history[0].timestamp
    for stage in e.STAGES:
        ended = results.get(stage)
        if ended:
            at, event = ended
            proceeds = not isinstance(event, e.StageResult) or event.proceed
            good = proceeds and not isinstance(event, e.IncidentReported | e.DeploymentRolledBack)
            status = "passed" if good else "blocked"
            views.append(
                StageView(
                    stage=stage,
                    status=status,
                    seconds=max(0.0, _seconds_between(entered, at)),
                    verdict=event.why.decision,
                )
            )
            entered = at
        elif standing.due is stage:
            seconds = max(0.0, _seconds_between(entered, now))
            views.append(StageView(stage=stage, status="running", seconds=seconds, verdict=""))
        else:
            views.append(StageView(stage=stage, status="waiting", seconds=0.0, verdict=""))
    return tuple(views)


def compute_run_view(change: Change, standing: Standing, now: datetime) -> RunView:
    """The run as it stands at `now`."""
    last = change.history[-1].timestamp
    until = last if standing.due is None else now.isoformat()
    return RunView(
        run=change.run,
        pr_number=change.opened.pr_number,
        title=change.opened.title,
        branch=change.opened.branch,
        author=change.opened.author,
        lane=change.review.lane if change.review else "",
        state=standing.state,
        due=standing.due,
        reason=standing.reason,
        started=change.history[0].timestamp,
        updated=last,
        seconds=max(0.0, _seconds_between(change.history[0].timestamp, until)),
        head_sha=change.head_sha,
        services=change.review.services if change.review else (),
        risk_score=change.review.risk_score if change.review else None,
        tests_added=len(change.tests.written) if change.tests else 0,
        stages=_view_stages(change, standing, until),
    )
