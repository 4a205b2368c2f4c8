"""A run at a glance: its five stages with their marks and times, and the one line that lists show. Pure."""

from __future__ import annotations

from datetime import datetime

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.events import STAGES, Stage
from greenlane.policy.lifecycle import Standing, State, assess_standing
from greenlane.ports.application import Mark, RunView, StageView

_BEGUN_ANEW: dict[type[e.Event], tuple[Stage, ...]] = {
    e.BaseMoved: (Stage.STAGING, Stage.VALIDATION),
    e.CanaryStarting: (Stage.DEPLOYMENT,),
}


def compute_run_view(change: Change, *, now: datetime, paused: e.Paused | None = None) -> RunView:
    """The run on one line, as it stands at `now` (aware, UTC)."""
    standing = assess_standing(change, paused)
    review = change.review
    started, updated = change.history[0].timestamp, change.history[-1].timestamp
    end = parse_time(updated) if standing.ended else now
    stages = compute_stages(change, standing, now=now)
    current = next((s for s in stages if s.mark in ("running", "waiting", "failed")), None)
    return RunView(
        run=change.run,
        pr_number=change.opened.pr_number,
        title=change.opened.title,
        author=change.opened.author,
        branch=change.opened.branch,
        lane=review.lane.value if review else None,
        state=standing.state.value,
        stage=current.stage.value if current else None,
        reason=standing.reason,
        started=started,
        updated=updated,
        seconds=max(0.0, (end - parse_time(started)).total_seconds()),
        head_sha=change.head_sha,
        services=review.services if review else (),
        risk_score=review.risk_score if review else None,
        tests_added=len(change.tests.written) if change.tests and change.tests.commit_sha else 0,
        stages=stages,
        asked="" if standing.ended else "; ".join(t.summary for g in change.open_gates for t in g.triggers),
    )


def compute_stages(change: Change, standing: Standing, *, now: datetime) -> tuple[StageView, ...]:
    """The five stages in order. A stage begins when the one before it ended, or a person opened its gate."""
    begun = parse_time(change.history[0].timestamp)
    views: list[StageView] = []
    reached = True
    for stage in STAGES:
        ended = _end_of(change, stage)
        since = max([begun, *_releases(change, stage)])
        if ended is not None:
            views.append(
                StageView(
                    stage=stage,
                    mark=_mark_of_ended(change, stage),
                    seconds=max(0.0, (parse_time(ended[0]) - since).total_seconds()),
                    decision=ended[1].why.decision,
                )
            )
            begun = parse_time(ended[0])
        elif reached:
            mark = _mark_of_current(standing)
            seconds = max(0.0, (now - since).total_seconds()) if mark != "pending" else None
            views.append(StageView(stage=stage, mark=mark, seconds=seconds))
            reached = False
        else:
            views.append(StageView(stage=stage, mark="pending"))
        if views[-1].mark == "failed":
            reached = False
    return tuple(views)


def parse_time(text: str) -> datetime:
    """ISO 8601 with an offset (`Z` too)."""
    return datetime.fromisoformat(text)


def _end_of(change: Change, stage: Stage) -> tuple[str, e.Decision] | None:
    """When the stage ended for good (some events make it begin anew), and with what."""
    found: tuple[str, e.Decision] | None = None
    for recorded in change.history:
        event = recorded.event
        if stage in _BEGUN_ANEW.get(type(event), ()):
            found = None
        elif event.completes is stage and isinstance(event, e.Decision):
            found = (recorded.timestamp, event)
    return found


def _releases(change: Change, stage: Stage) -> list[datetime]:
    """When people opened the gates that stood exactly before this stage."""
    gates = {g.gate_id for g in change.gates if g.before is stage}
    return [parse_time(a.timestamp) for a in change.approvals if a.gate_id in gates]


def _mark_of_ended(change: Change, stage: Stage) -> Mark:
    if stage is Stage.DEPLOYMENT:
        return "undone" if change.deployed is None or change.taken_back else "passed"
    results = {
        Stage.REVIEW: change.review,
        Stage.TEST: change.tests,
        Stage.STAGING: change.staging,
        Stage.VALIDATION: change.validation,
    }
    result = results[stage]
    return "passed" if result is not None and result.proceed else "failed"


def _mark_of_current(standing: Standing) -> Mark:
    if standing.state in (State.AWAITING_HUMAN, State.PAUSED, State.POSTPONED):
        return "waiting"
    if standing.state is State.REJECTED:
        return "failed"
    return "pending" if standing.ended else "running"
