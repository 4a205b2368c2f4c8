"""Where a change stands and what is due next: the one place that says when a stage may begin.

Called by the runtime before an agent acts, and by the faces to show a state. Drawn in docs/states.md.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.events import STAGES, Stage


class State(StrEnum):
    REVIEWING = "reviewing"
    TESTING = "testing"
    STAGING = "staging"
    VALIDATING = "validating"
    DEPLOYING = "deploying"
    AWAITING_HUMAN = "awaiting_human"
    PAUSED = "paused"
    POSTPONED = "postponed"
    DEPLOYED = "deployed"
    ROLLED_BACK = "rolled_back"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    OBSERVED = "observed"


ENDED = frozenset({State.DEPLOYED, State.ROLLED_BACK, State.BLOCKED, State.REJECTED, State.SUPERSEDED, State.OBSERVED})

ATTEMPTS_TO_END_A_CANARY = 3

_WORKING = dict(
    zip(
        STAGES,
        (State.REVIEWING, State.TESTING, State.STAGING, State.VALIDATING, State.DEPLOYING),
        strict=True,
    )
)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a change stands: its state, the stage that is due (None: nothing is), and why in one sentence."""

    state: State
    due: Stage | None
    reason: str

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def _results(change: Change) -> tuple[e.StageResult | None, ...]:
    """What the stages before deployment came to, in order."""
    return (change.review, change.tests, change.staging, change.validation)


def _assess_winding_down(change: Change) -> Standing | None:
    """A canary that was begun is always ended, whatever else happened meanwhile."""
    if change.canary is None and not (change.promoted and change.deployed is None and change.rolled_back is None):
        return None
    why = ""
    if change.superseded:
        why = "a newer commit superseded this run while its canary was on"
    elif change.rejected:
        why = f"{change.rejected.by} rejected the change while its canary was on"
    elif change.rollback_requested and change.deployed is None:
        why = f"{change.rollback_requested.by} asked for a rollback"
    return Standing(state=State.DEPLOYING, due=Stage.DEPLOYMENT, reason=why) if why else None


def _failed_since_rollback(change: Change) -> e.Gate | None:
    """The open gate of an agent that failed at taking a deployed change back: a person first, not the agent again."""
    open_gates = {g.gate_id for g in change.open_gates}
    for recorded in reversed(change.history):
        if isinstance(recorded.event, e.RollbackRequested):
            return None
        if isinstance(recorded.event, e.RunFailed) and recorded.event.gate.gate_id in open_gates:
            return recorded.event.gate
    return None


def _failed_in_flight(change: Change) -> e.Gate | None:
    """The open gate of the agent that failed after its canary began: a person first, never the agent without end.

    While the canary has not ended the agent gets a few more attempts at that, since nobody else would.
    """
    open_gates = {g.gate_id for g in change.open_gates}
    failures = [failed.gate for failed in change.all_of(e.RunFailed) if failed.gate.gate_id in open_gates]
    patience = 1 if change.canary is None else ATTEMPTS_TO_END_A_CANARY
    return failures[-1] if len(failures) >= patience else None


def _assess_ended(change: Change) -> Standing | None:
    if change.taken_back:
        return Standing(state=State.ROLLED_BACK, due=None, reason=change.taken_back.why.rationale)
    if change.deployed:
        if change.rollback_requested:
            if failed := _failed_since_rollback(change):
                return Standing(state=State.AWAITING_HUMAN, due=None, reason=failed.triggers[0].summary)
            asked = change.rollback_requested
            return Standing(
                state=State.DEPLOYING,
                due=Stage.DEPLOYMENT,
                reason=f"{asked.by} asked for a rollback: {asked.reason}",
            )
        return Standing(state=State.DEPLOYED, due=None, reason=change.deployed.why.rationale)
    if change.superseded:
        return Standing(
            state=State.SUPERSEDED,
            due=None,
            reason=f"a newer commit is handled by {change.superseded.by_run}",
        )
    if change.rejected:
        rejected = change.rejected
        return Standing(state=State.REJECTED, due=None, reason=f"{rejected.by} rejected it: {rejected.why.rationale}")
    if change.incident:
        return Standing(state=State.ROLLED_BACK, due=None, reason=change.incident.title)
    if change.rolled_back:
        return Standing(state=State.DEPLOYING, due=Stage.DEPLOYMENT, reason="the incident report is being written")
    return None


def _observed(review: e.ReviewComplete) -> str:
    """What would have been done with a change that was only looked at."""
    if not review.gates:
        return f"shadow mode: it would have gone on by itself in the {review.lane} lane"
    asked = "; ".join(t.summary for g in review.gates for t in g.triggers)
    return f"shadow mode: a human would have been asked ({asked})"


def assess_standing(change: Change, paused: e.Paused | None = None) -> Standing:
    """Where the change stands. `paused` is the pause in force for it (organisation or one of its services)."""
    ended = _assess_winding_down(change) or _assess_ended(change)
    if ended:
        return ended
    if change.review and change.review.shadow:
        return Standing(state=State.OBSERVED, due=None, reason=_observed(change.review))
    results = _results(change)
    for result in results:
        if result is not None and not result.proceed:
            return Standing(state=State.BLOCKED, due=None, reason=result.why.rationale)
    reached = results.index(None) if None in results else len(results)
    stage = STAGES[reached]
    waiting = [g for g in change.open_gates if STAGES.index(g.before) <= reached] if change.gates else []
    in_flight = change.canary is not None or bool(change.promoted)
    if in_flight and (failed := _failed_in_flight(change)):
        return Standing(state=State.AWAITING_HUMAN, due=None, reason=failed.triggers[0].summary)
    if waiting and not in_flight:
        asked = "; ".join(t.summary for g in waiting for t in g.triggers)
        return Standing(state=State.AWAITING_HUMAN, due=None, reason=asked)
    if paused and not in_flight:
        return Standing(state=State.PAUSED, due=None, reason=f"{paused.by} paused {paused.scope}: {paused.reason}")
    if change.postponed and stage is Stage.DEPLOYMENT and not in_flight:
        return Standing(state=State.POSTPONED, due=None, reason=change.postponed.why.rationale)
    return Standing(state=_WORKING[stage], due=stage, reason=f"the {stage} stage is due")
