"""`Change`: the fold of all events of one pull request at one head commit. What agents and policies read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from greenlane.domain import events as e

EventT = TypeVar("EventT", bound=e.Event)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the ledger: its place (`seq`), who wrote it, and when (UTC, ISO 8601)."""

    seq: int
    event_id: str
    agent: str
    timestamp: str
    event: e.AnyEvent


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    gate_id: str
    by: str
    head_sha: str
    timestamp: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change on its way. Derived from `history` alone; never stored beside it.

    `head_sha` moves only with commits that Greenlane itself put on the branch (generated tests); a push by anybody
    else starts a run of its own. `version` is the number of events, which an append must expect. `fence` grows with
    each worker that takes the run over; platforms refuse an effect that carries an older one.
    """

    run: str
    opened: e.PrOpened
    head_sha: str
    version: int
    history: tuple[Recorded, ...]
    fence: int = 0
    review: e.ReviewComplete | None = None
    tests: e.TestsComplete | None = None
    staging: e.StagingComplete | None = None
    validation: e.StagingValidated | None = None
    gates: tuple[e.Gate, ...] = ()
    approvals: tuple[Approval, ...] = ()
    rejected: e.HumanRejected | None = None
    superseded: e.RunSuperseded | None = None
    postponed: e.DeploymentPostponed | None = None
    """The deployment waits for the end of a freeze. Gone as soon as there is reason to look again."""
    hotfix: e.HotfixRequested | None = None
    canary: e.CanaryStarting | None = None
    """The canary that was begun and neither promoted nor rolled back yet."""
    promoted: tuple[e.CanaryPromoted, ...] = ()
    """Services of this change whose candidate has all traffic. Taken back before `CanaryInconclusive`, `BaseMoved`."""
    rolled_back: e.CanaryRolledBack | None = None
    incident: e.IncidentReported | None = None
    deployed: e.DeploymentComplete | None = None
    rollback_requested: e.RollbackRequested | None = None
    taken_back: e.DeploymentRolledBack | None = None

    @property
    def authors(self) -> tuple[str, ...]:
        return (self.opened.author, *self.opened.coauthors)

    @property
    def risk_score(self) -> float:
        """The risk score; 10 before the review has one, because what was not analysed is not approved."""
        return self.review.risk_score if self.review else 10.0

    @property
    def open_gates(self) -> tuple[e.Gate, ...]:
        approved = {a.gate_id for a in self.approvals}
        return tuple(g for g in self.gates if g.gate_id not in approved)

    def all_of(self, kind: type[EventT]) -> tuple[EventT, ...]:
        """Every event of one type, oldest first."""
        return tuple(r.event for r in self.history if isinstance(r.event, kind))

    def last_of(self, kind: type[EventT]) -> EventT | None:
        found = self.all_of(kind)
        return found[-1] if found else None


def apply(change: Change | None, recorded: Recorded, run: str) -> Change:  # noqa: C901, PLR0915 - one flat table
    """The change after one more event. Pure; raises ValueError if a history does not begin with a pull request."""
    event = recorded.event
    if change is None:
        if not isinstance(event, e.PrOpened):
            raise ValueError(f"the history of {run} begins with {e.type_of(event)}, not with a pull request")
        return Change(run=run, opened=event, head_sha=event.head_sha, version=1, history=(recorded,))
    moved: dict[str, object] = {"version": change.version + 1, "history": (*change.history, recorded)}
    match event:
        case e.ReviewComplete():
            moved["review"] = event
        case e.TestsComplete():
            moved["tests"] = event
            if event.commit_sha:
                moved["head_sha"] = event.commit_sha
        case e.StagingComplete():
            moved["staging"] = event
        case e.StagingValidated():
            moved["validation"] = event
        case e.BaseMoved():
            moved |= {"staging": None, "validation": None, "promoted": (), "postponed": None}
        case e.DeploymentPostponed():
            moved["postponed"] = event
        case e.DeploymentResumed():
            moved["postponed"] = None
        case e.HotfixRequested():
            moved |= {"hotfix": event, "postponed": None}
        case e.CanaryPromoted():
            moved |= {"canary": None, "promoted": (*change.promoted, event)}
        case e.CanaryInconclusive():
            moved |= {"canary": None, "promoted": (), "gates": (*change.gates, event.gate)}
        case e.HumanRequested() | e.RunFailed():
            moved["gates"] = (*change.gates, event.gate)
        case e.HumanApproved():
            approval = Approval(
                gate_id=event.gate_id, by=event.by, head_sha=event.head_sha, timestamp=recorded.timestamp
            )
            moved["approvals"] = (*change.approvals, approval)
        case e.HumanRejected():
            moved["rejected"] = event
        case e.RunSuperseded():
            moved["superseded"] = event
        case e.CanaryStarting():
            moved |= {"canary": event, "rolled_back": None, "incident": None}
        case e.CanaryRolledBack():
            left = tuple(p for p in change.promoted if p.service != event.service)
            moved |= {"canary": None, "rolled_back": event, "promoted": left}
        case e.IncidentReported():
            moved["incident"] = event
        case e.DeploymentComplete():
            moved |= {"deployed": event, "canary": None}
        case e.RollbackRequested():
            moved["rollback_requested"] = event
        case e.DeploymentRolledBack():
            moved |= {"taken_back": event, "canary": None}
        case _:
            pass
    return msgspec.structs.replace(change, **moved)


def fold(run: str, history: Iterable[Recorded]) -> Change:
    """The change that these events make, oldest first. Raises ValueError for an empty history."""
    change: Change | None = None
    for recorded in history:
        change = apply(change, recorded, run)
    if change is None:
        raise ValueError(f"{run} has no history")
    return change
