"""Quarantine: which artifacts may not go to production again without a person's word. Pure, from histories.

An artifact is its bytes: a new commit that builds the same bytes is the same artifact.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.release import Rollback

ALL_OR_NOTHING = "rollout.all_or_nothing"
"""Taken back because another service of the same change failed: nothing is known against this artifact."""
_NOBODYS_FAULT = frozenset({ALL_OR_NOTHING, "canary.superseded", "rollout.superseded"})
_NO_INCIDENT = _NOBODYS_FAULT | {"canary.rejected", "rollout.rejected"}
REQUESTED = "rollback.requested"


def rollbacks_of(change: Change) -> tuple[Rollback, ...]:
    """Every artifact that this run took away from production again, with the reason."""
    found: list[Rollback] = []
    for recorded in change.history:
        event = recorded.event
        if isinstance(event, e.CanaryRolledBack):
            rule = next(iter(event.why.rules_fired), "canary")
            found.append(
                Rollback(
                    run=change.run,
                    service=event.service,
                    artifact_digest=event.artifact_digest,
                    rule=rule,
                    at=recorded.timestamp,
                )
            )
        elif isinstance(event, e.DeploymentRolledBack) and change.deployed is not None:
            by = change.rollback_requested.by if change.rollback_requested else ""
            found += [
                Rollback(
                    run=change.run,
                    service=instance.service,
                    artifact_digest=instance.artifact.digest,
                    rule=REQUESTED,
                    at=recorded.timestamp,
                    by=by,
                )
                for instance in change.deployed.deployments
            ]
    return tuple(found)


def detect_taken_back(change: Change) -> bool:
    """Whether a person rejected the change, or it was taken away from production for its own sake."""
    return change.rejected is not None or any(r.rule not in _NOBODYS_FAULT for r in rollbacks_of(change))


def find_quarantine(digest: str, rollbacks: Iterable[Rollback]) -> Rollback | None:
    """The last rollback for which this artifact is in quarantine; None: it may go."""
    held = [r for r in rollbacks if r.artifact_digest == digest and r.rule not in _NOBODYS_FAULT]
    return held[-1] if held else None


def count_incidents(service: str, rollbacks: Iterable[Rollback], *, now: datetime, days: float) -> int:
    """Rollbacks of a service within the last days, each run once; what people stopped before it failed is none."""
    since = now - timedelta(days=days)
    return len(
        {
            r.run
            for r in rollbacks
            if r.service == service and r.rule not in _NO_INCIDENT and datetime.fromisoformat(r.at) >= since
        }
    )
