"""The verdict of a review: score, limit, lane and gates from what was read. Composes the policies beside it; pure."""

from __future__ import annotations

import msgspec

from greenlane.domain.events import Gate
from greenlane.domain.findings import Finding
from greenlane.domain.opinion import ModelReview
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.domain.weights import FittedWeights, Weights
from greenlane.policy.escalation import EscalationFacts, assess_escalation
from greenlane.policy.lanes import LaneDecision, LaneFacts, decide_lane
from greenlane.policy.limits import MoveFacts, move_limit
from greenlane.policy.opinion import assess_opinion
from greenlane.policy.paths import match_paths
from greenlane.policy.risk import RiskFacts, RiskScore, assess_risk
from greenlane.policy.signals import RiskLimit, Signals, read_signals, risk_limit


class ReviewVerdict(msgspec.Struct, frozen=True, kw_only=True):
    risk: RiskScore
    limit: RiskLimit
    signals: Signals
    lane: LaneDecision
    gates: tuple[Gate, ...]
    model_findings: tuple[Finding, ...] = ()
    weights: FittedWeights


def bound_weights(weights: FittedWeights | None, settings: Settings) -> FittedWeights:
    """The weights under the caps of the settings, which no fitted file holds."""
    weights = weights or FittedWeights(weights=Weights())
    capped = msgspec.structs.replace(weights.weights, history_cap=settings.risk.history_points_max)
    return msgspec.structs.replace(weights, weights=capped)


def assess_review(
    facts: RiskFacts,
    *,
    paths: tuple[str, ...],
    labels: tuple[str, ...],
    services: tuple[Service, ...],
    settings: Settings,
    model: ModelReview | None = None,
    weights: FittedWeights | None = None,
) -> ReviewVerdict:
    """`paths` are those of the change on both sides of a rename; `labels` are those of the pull request. What the
    `model` says is added to what the facts demand, and takes nothing away. Without `weights` the built-in ones hold."""
    weights = bound_weights(weights, settings)
    computed = assess_risk(facts, weights)
    opinion = assess_opinion(model, computed, settings)
    risk = opinion.risk
    raised = bool(opinion.triggers) or risk.score > computed.score
    about = MoveFacts(facts=facts, risk=risk, model_raised=raised, services=services, weights=weights.weights)
    limit = move_limit(risk_limit(settings, services), about, settings)
    signals = read_signals(facts.findings, facts.skipped)
    audited = {label.lower() for label in settings.lanes.compliance_labels}
    compliance = (
        *match_paths(settings.lanes.compliance_paths, paths),
        *(f"label {label}" for label in labels if label.lower() in audited),
    )
    lane = decide_lane(
        LaneFacts(
            risk_score=risk.score,
            limit=limit,
            signals=signals,
            compliance=compliance,
            performance_paths=match_paths(settings.lanes.performance_critical_paths, paths),
            breaking_api_asks="breaking_api_contract" in settings.escalation.auto_route_to_human,
            model=opinion.triggers,
        )
    )
    gates = assess_escalation(
        EscalationFacts(risk=risk, limit=limit, signals=signals, compliance=compliance, model=opinion.triggers),
        settings,
    )
    return ReviewVerdict(
        risk=risk,
        limit=limit,
        signals=signals,
        lane=lane,
        gates=gates,
        model_findings=opinion.findings,
        weights=weights,
    )
