"""Deployment risk: whether this is a good moment to bring this change to production. Called by the deployment agent.

High goes to a human, once: a cause that a person approved in this run is not asked about again.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from greenlane.domain.change import Change
from greenlane.domain.events import BaseMoved, HumanRequested, Lane, Trigger
from greenlane.domain.settings import Service, Settings

Level = Literal["low", "medium", "high"]

HUMAN_LANES = frozenset({Lane.RED, Lane.COMPLIANCE, Lane.SCHEMA, Lane.INTEGRATION})
REVIEW_CAUSE = "deployment.unapproved"
FREEZE_CAUSE = "deployment.freeze"
FIRST_CAUSE = "deployment.first_version"
ROLLBACK_CAUSE = "deployment.rollback_requested"


class DeploymentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a change is about to go to production. `approved_rules` are the rules of every gate that a
    person approved in this run; `recent_incidents` is 0 where nobody counts them yet."""

    lane: Lane
    risk_score: float
    risk_score_max: float
    review_approved: bool
    approved_rules: frozenset[str]
    frozen: tuple[str, ...] = ()
    first_versions: tuple[str, ...] = ()
    rollback_requested_by: str | None = None
    over_unproven: tuple[str, ...] = ()
    anomalies: tuple[str, ...] = ()
    base_moves: int = 0
    attempt: int = 1
    recent_incidents: int = 0


class DeploymentRisk(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict: its level, every reason, and the causes that a human has not answered yet (`asks`)."""

    level: Level
    reasons: tuple[str, ...]
    asks: tuple[Trigger, ...] = ()
    rules: tuple[str, ...] = ()


def gather_deployment_facts(
    change: Change, services: tuple[Service, ...], settings: Settings, attempt: int
) -> DeploymentFacts:
    """The facts of a change that passed validation, from its history and the configuration of its services."""
    approved = {a.gate_id for a in change.approvals}
    asked = [r.event.gate for r in change.history if isinstance(r.event, HumanRequested)]
    review_gates = {g.gate_id for g in asked if not all(t.rule.startswith("deployment.") for t in g.triggers)}
    general = settings.thresholds.risk_score_max
    limits = [getattr(settings.tiers, s.tier).risk_score_max or general for s in services]
    review = change.review
    moved = review.threshold if review and review.limit_moves else None
    comparisons = [c for s in (change.validation.services if change.validation else ()) for c in s.comparisons]
    return DeploymentFacts(
        lane=change.review.lane if change.review else Lane.RED,
        risk_score=change.risk_score,
        risk_score_max=min(limits, default=general) if moved is None else moved,
        review_approved=bool(approved & review_gates),
        approved_rules=frozenset(t.rule for g in change.gates if g.gate_id in approved for t in g.triggers),
        frozen=tuple(s.name for s in services if s.freeze),
        first_versions=tuple(s.service for s in (change.staging.services if change.staging else ()) if not s.current),
        rollback_requested_by=change.rollback_requested.by if change.rollback_requested else None,
        over_unproven=tuple(
            f"{c.metric} {c.candidate:.4g} against {c.current:.4g} (limit {c.limit:g})"
            for c in comparisons
            if c.ratio > c.limit and not c.regressed and "advisory" not in c.metric
        ),
        anomalies=change.staging.anomalies if change.staging else (),
        base_moves=len(change.all_of(BaseMoved)),
        attempt=attempt,
    )


def assess_deployment_risk(facts: DeploymentFacts) -> DeploymentRisk:
    """High if a person must answer first or had to; medium if something calls for attention; low otherwise."""
    high = _high_causes(facts)
    medium = _medium_reasons(facts)
    asks = tuple(
        t for t in high if not (facts.review_approved if t.rule == REVIEW_CAUSE else t.rule in facts.approved_rules)
    )
    level: Level = "high" if high else "medium" if medium else "low"
    reasons = (*(t.summary for t in high), *(text for _, text in medium))
    if not reasons:
        reasons = (
            f"risk score {facts.risk_score:.1f} of at most {facts.risk_score_max:.1f}, {facts.lane} lane, "
            "staging and validation without remarks",
        )
    return DeploymentRisk(
        level=level, reasons=reasons, asks=asks, rules=(*(t.rule for t in high), *(rule for rule, _ in medium))
    )


def _high_causes(facts: DeploymentFacts) -> tuple[Trigger, ...]:
    causes: list[Trigger] = []
    if facts.lane in HUMAN_LANES or facts.risk_score >= facts.risk_score_max:
        causes.append(
            Trigger(
                rule=REVIEW_CAUSE,
                summary=f"{facts.lane} lane with risk score {facts.risk_score:.1f} (limit {facts.risk_score_max:.1f})",
                clears_when="a person who is not an author approves the change",
            )
        )
    causes += [
        Trigger(
            rule=f"{FREEZE_CAUSE}:{name}",
            summary=f"{name} is frozen (services.{name}.freeze is set)",
            clears_when="the freeze is lifted, or a person approves this deployment in spite of it",
        )
        for name in facts.frozen
    ]
    causes += [
        Trigger(
            rule=f"{FIRST_CAUSE}:{name}",
            summary=f"{name} has no version yet that a canary could be compared with: it would go live at once",
            clears_when="a person approves going live without a canary",
        )
        for name in facts.first_versions
    ]
    if facts.rollback_requested_by:
        causes.append(
            Trigger(
                rule=ROLLBACK_CAUSE,
                summary=f"{facts.rollback_requested_by} asked for a rollback before the change was in production",
                clears_when="a person approves the deployment in spite of it",
            )
        )
    return tuple(causes)


def _medium_reasons(facts: DeploymentFacts) -> tuple[tuple[str, str], ...]:
    reasons: list[tuple[str, str]] = []
    if facts.risk_score >= facts.risk_score_max / 2:
        text = f"risk score {facts.risk_score:.1f} is over half of the limit {facts.risk_score_max:.1f}"
        reasons.append(("risk.over_half", text))
    reasons += [
        ("validation.over_unproven", f"validation: {text}, over but not proven") for text in facts.over_unproven
    ]
    reasons += [("staging.anomaly", f"staging: {text}") for text in facts.anomalies]
    if facts.base_moves:
        reasons.append(("base.drift", f"moves of the base branch while the change was checked: {facts.base_moves}"))
    if facts.attempt > 1:
        reasons.append(("deployment.attempt", f"this is attempt {facts.attempt} to bring it to production"))
    if facts.recent_incidents:
        reasons.append(("service.incidents", f"{facts.recent_incidents} recent incidents of the service"))
    return tuple(reasons)
