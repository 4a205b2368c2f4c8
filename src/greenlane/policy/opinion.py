"""What a model's opinion changes: a score may rise, a person may be asked. Nothing can be lowered or cleared. Pure.

`auto_approvable` is in the record and is read by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from greenlane.domain.events import RiskPoint, Trigger
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.opinion import Concern, ModelOpinion, ModelReview
from greenlane.domain.settings import Settings
from greenlane.policy.risk import HIGHEST, LOWEST, RiskScore

_SERIOUS = ("high", "critical")
_MAX_EVIDENCE = 12
_MAX_RATIONALE = 600


class OpinionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The score with the model's part in it, why a person is asked because of the model, and its concerns as
    findings (rules `model.*`, low severity: they are shown and explained, and count through score and triggers)."""

    risk: RiskScore
    triggers: tuple[Trigger, ...] = ()
    findings: tuple[Finding, ...] = ()


def merge_opinions(first: ModelOpinion, second: ModelOpinion) -> ModelOpinion:
    """Both passes as one: the higher score, either's demand for a person, everybody's concerns once."""
    return ModelOpinion(
        risk_score=max(first.risk_score, second.risk_score),
        security_issues=_both(first.security_issues, second.security_issues),
        performance_concerns=_both(first.performance_concerns, second.performance_concerns),
        coverage_gaps=_both(first.coverage_gaps, second.coverage_gaps),
        api_breaking_changes=_both(first.api_breaking_changes, second.api_breaking_changes),
        auto_approvable=first.auto_approvable and second.auto_approvable,
        requires_human_review=first.requires_human_review or second.requires_human_review,
        review_rationale="\n".join(dict.fromkeys((first.review_rationale, second.review_rationale))),
    )


def assess_opinion(model: ModelReview | None, floor: RiskScore, settings: Settings) -> OpinionVerdict:
    """final = max(floor, model); a failed or unaffordable reading asks a person, as `model.on_failure` says."""
    if model is None or model.outcome == "nothing-to-read":
        return OpinionVerdict(risk=floor)
    if model.opinion is None:
        return OpinionVerdict(risk=floor, triggers=_failure(model, settings))
    opinion = model.opinion
    return OpinionVerdict(
        risk=_raise(floor, opinion),
        triggers=tuple(_triggers(opinion, settings)),
        findings=tuple(_findings(opinion)),
    )


def _raise(floor: RiskScore, opinion: ModelOpinion) -> RiskScore:
    score = min(max(opinion.risk_score, LOWEST), HIGHEST)
    if score <= floor.score:
        return floor
    reason = f"the model gives {score:g}: {opinion.review_rationale[:_MAX_RATIONALE]}"
    raised = RiskPoint(rule="model.risk-score", points=round(score - floor.score, 2), reason=reason)
    return msgspec.structs.replace(floor, score=score, points=(*floor.points, raised))


def _failure(model: ModelReview, settings: Settings) -> tuple[Trigger, ...]:
    if model.outcome != "over-budget" and settings.model.on_failure == "deterministic":
        return ()
    clears = (
        "the budget (`model.usd_per_pr`, `model.usd_per_day`) allows the call, and the change is reviewed again"
        if model.outcome == "over-budget"
        else "the model answers, and the change is reviewed again"
    )
    summary = f"the model did not read the change ({model.outcome}): {model.detail[:300]}"
    return (Trigger(rule=f"model_{model.outcome.replace('-', '_')}", summary=summary, clears_when=clears),)


def _triggers(opinion: ModelOpinion, settings: Settings) -> Iterable[Trigger]:
    serious = tuple(c for c in opinion.security_issues if c.severity in _SERIOUS)
    if serious:
        yield _trigger("model_security_finding", "the model sees a security issue", serious)
    if opinion.api_breaking_changes and "breaking_api_contract" in settings.escalation.auto_route_to_human:
        yield _trigger("model_breaking_api", "the model sees a broken contract", opinion.api_breaking_changes)
    if opinion.requires_human_review:
        yield Trigger(
            rule="model_asks",
            summary=f"the model asks for a person: {opinion.review_rationale[:_MAX_RATIONALE]}",
            clears_when="what the model points at is answered in the change itself",
        )


def _trigger(rule: str, what: str, concerns: tuple[Concern, ...]) -> Trigger:
    first = concerns[0]
    return Trigger(
        rule=rule,
        summary=f"{what} at {first.path}:{first.line}: {first.message}",
        evidence=tuple(f"{c.path}:{c.line} [{c.severity}]  {c.quotation}" for c in concerns[:_MAX_EVIDENCE]),
        clears_when="these lines are changed so that the concern no longer holds",
    )


def _findings(opinion: ModelOpinion) -> Iterable[Finding]:
    for rule, category, concerns in (
        ("model.security", Category.SECURITY, opinion.security_issues),
        ("model.performance", Category.PERFORMANCE, opinion.performance_concerns),
        ("model.coverage", Category.COVERAGE, opinion.coverage_gaps),
        ("model.api", Category.API, opinion.api_breaking_changes),
    ):
        for c in concerns:
            yield Finding(
                rule=rule,
                category=category,
                severity=Severity.LOW,
                message=c.message,
                path=c.path,
                line=c.line,
                quotation=c.quotation,
            )


def _both(first: tuple[Concern, ...], second: tuple[Concern, ...]) -> tuple[Concern, ...]:
    known = {(c.path, c.line, c.quotation): c for c in first}
    order = ("low", "medium", "high", "critical")
    for concern in second:
        key = (concern.path, concern.line, concern.quotation)
        if key not in known or order.index(concern.severity) > order.index(known[key].severity):
            known[key] = concern
    return tuple(known.values())
