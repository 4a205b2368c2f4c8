"""Deployment risk: whether this is a good moment to bring this change to production. Called by the deployment agent.

High goes to a human, once: a cause that a person approved in this run is not asked about again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from greenlane.domain.change import Change
from greenlane.domain.events import BaseMoved, HumanRequested, Lane, Trigger
from greenlane.domain.release import Rollback
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.freeze import Frozen
from greenlane.policy.prediction import describe_prediction
from greenlane.policy.quarantine import count_incidents, find_quarantine
from greenlane.policy.regression import is_over_unproven

Level = Literal["low", "medium", "high"]

HUMAN_LANES = frozenset({Lane.RED, Lane.COMPLIANCE, Lane.SCHEMA, Lane.INTEGRATION})
REVIEW_CAUSE = "deployment.unapproved"
FREEZE_CAUSE = "deployment.freeze"
FIRST_CAUSE = "deployment.first_version"
ROLLBACK_CAUSE = "deployment.rollback_requested"
WINDOW_CAUSE = "deployment.freeze_window"
QUARANTINE_CAUSE = "deployment.quarantined"
INCIDENTS_CAUSE = "deployment.incidents"
BUDGET_CAUSE = "deployment.error_budget"
UNATTENDED_CAUSE = "deployment.unattended"
BUDGET_WARNING = 0.5
"""Share of the error budget from which on its state is remarked on."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What production of a service showed: `errors` of `requests`, and the share of them that may fail. In the last
    `days`; 0: since its router or its latest canary began. `known` is false with too few requests."""

    service: str
    errors: int
    requests: int
    limit: float
    known: bool
    days: int = 0

    @property
    def name(self) -> str:
        """Of the service, and of the time unless it is now."""
        return f"{self.service}:{self.days}d" if self.days else self.service

    @property
    def spent(self) -> float:
        """Share of the budget that is used up; over 1: more than all of it."""
        allowed = self.limit * self.requests
        return self.errors / allowed if allowed else float(self.errors > 0)

    @property
    def words(self) -> str:
        if not self.known:
            return f"error budget of {self.service}: unknown, only {self.requests} requests were counted"
        span = f" in {self.days} days" if self.days else ""
        return (
            f"error budget of {self.service}{span}: {self.spent:.0%} is spent ({self.errors} of {self.requests} "
            f"requests failed, {self.limit:.2%} may)"
        )


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is around a change at the moment of deploying: the past of its services, what serves, what freezes."""

    now: datetime
    rollbacks: tuple[Rollback, ...] = ()
    serving: frozenset[str] = frozenset()
    """Digests of the artifacts that serve now: production runs them, so they are in no quarantine."""
    budgets: tuple[Budget, ...] = ()
    freeze: Frozen | None = None
    unattended: Frozen | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate whose bytes were rolled back before."""

    service: str
    digest: str
    rollback: Rollback


class DeploymentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a change is about to go to production. `approved_rules` are the rules of every gate that a
    person approved in this run."""

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
    quarantined: tuple[Quarantined, ...] = ()
    incidents: tuple[tuple[str, int], ...] = ()
    """Incidents of each service within `incident_window_days`, for services that had any."""
    incidents_max: int = 3
    incident_window_days: float = 14
    budgets: tuple[Budget, ...] = ()
    budget_spent_max: float = 1.0
    freeze: Frozen | None = None
    """The freeze that a hotfix wants to pass; a change that is none is postponed and not assessed."""
    hotfix_reason: str = ""
    foreseen: tuple[str, ...] = ()
    """Predictions for production whose interval goes over a limit, whether they decide by now or are advice."""
    baseline_warnings: tuple[str, ...] = ()
    """What production itself does that its limits forbid."""
    unattended: Frozen | None = None
    """The time in which nobody watches that it is now."""


class DeploymentRisk(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict: its level, every reason, and the causes that a human has not answered yet (`asks`)."""

    level: Level
    reasons: tuple[str, ...]
    asks: tuple[Trigger, ...] = ()
    rules: tuple[str, ...] = ()


def find_hotfix(change: Change, settings: Settings) -> str:
    """Why this change should not wait for the end of a freeze; empty if nobody says so."""
    if change.hotfix is not None:
        return f"{change.hotfix.by}: {change.hotfix.reason}"
    wanted = {label.casefold() for label in settings.freeze.hotfix_labels}
    label = next((x for x in change.opened.labels if x.casefold() in wanted), None)
    return f"it has the label {label}" if label else ""


def gather_deployment_facts(
    change: Change, services: tuple[Service, ...], settings: Settings, attempt: int, around: Surroundings
) -> DeploymentFacts:
    """The facts of a change that passed validation: its history, its services' configuration, what is around it."""
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
            if is_over_unproven(c, settings.validation)
        ),
        anomalies=change.staging.anomalies if change.staging else (),
        base_moves=len(change.all_of(BaseMoved)),
        attempt=attempt,
        quarantined=_find_quarantined(change, around),
        incidents=_count_incidents(services, settings, around),
        incidents_max=settings.deployment.incidents_max,
        incident_window_days=settings.deployment.incident_window_days,
        budgets=around.budgets,
        budget_spent_max=settings.deployment.error_budget_spent_max,
        freeze=around.freeze,
        hotfix_reason=find_hotfix(change, settings),
        foreseen=tuple(
            describe_prediction(p)
            for p in (change.validation.predictions if change.validation else ())
            if p.high is not None and p.high > p.limit >= p.baseline
        ),
        baseline_warnings=change.validation.warnings if change.validation else (),
        unattended=around.unattended,
    )


def _find_quarantined(change: Change, around: Surroundings) -> tuple[Quarantined, ...]:
    found = []
    for staged in change.staging.services if change.staging else ():
        digest = staged.candidate.artifact.digest
        rollback = find_quarantine(digest, around.rollbacks) if digest not in around.serving else None
        if rollback is not None:
            found.append(Quarantined(service=staged.service, digest=digest, rollback=rollback))
    return tuple(found)


def _count_incidents(
    services: tuple[Service, ...], settings: Settings, around: Surroundings
) -> tuple[tuple[str, int], ...]:
    days = settings.deployment.incident_window_days
    counts = [(s.name, count_incidents(s.name, around.rollbacks, now=around.now, days=days)) for s in services]
    return tuple((name, count) for name, count in counts if count)


def assess_deployment_risk(facts: DeploymentFacts) -> DeploymentRisk:
    """High if a person must answer first or had to; medium if something calls for attention; low otherwise."""
    medium = _medium_reasons(facts)
    high = (*_high_causes(facts), *_causes_of_the_hour(facts, medium))
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
    reasons += tuple(b.words for b in facts.budgets if not b.known or b.spent < BUDGET_WARNING)
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
    return (*causes, *_causes_of_the_past(facts), *_causes_of_now(facts))


def _causes_of_the_past(facts: DeploymentFacts) -> Iterator[Trigger]:
    for held in facts.quarantined:
        past = held.rollback
        asked = f", asked for by {past.by}" if past.by else ""
        yield Trigger(
            rule=f"{QUARANTINE_CAUSE}:{held.digest.removeprefix('sha256:')[:16]}",
            summary=f"{held.service}: these very bytes ({held.digest[:19]}) were rolled back before, in {past.run}",
            evidence=(f"{past.at[:19]} UTC: {past.rule}{asked}", f"greenlane explain {past.run}"),
            clears_when="the change builds something else, or a person approves this artifact with a reason",
        )
    for service, count in facts.incidents:
        if count >= facts.incidents_max:
            yield Trigger(
                rule=f"{INCIDENTS_CAUSE}:{service}",
                summary=f"{service} had {count} incidents within {facts.incident_window_days:g} days "
                f"(limit {facts.incidents_max})",
                clears_when="they are older, or a person approves this deployment in spite of them",
            )


def _causes_of_now(facts: DeploymentFacts) -> Iterator[Trigger]:
    for budget in facts.budgets:
        if budget.known and budget.spent >= facts.budget_spent_max:
            yield Trigger(
                rule=f"{BUDGET_CAUSE}:{budget.name}",
                summary=f"{budget.words}; the limit is {facts.budget_spent_max:.0%}",
                clears_when="production fails less, or a person approves this deployment in spite of it",
            )
    if facts.freeze is not None:
        for window in facts.freeze.windows:
            yield Trigger(
                rule=f"{WINDOW_CAUSE}:{window}@{facts.freeze.until:%Y-%m-%dT%H:%MZ}",
                summary=f"a hotfix wants to pass a freeze ({facts.freeze.words}): {facts.hotfix_reason}",
                clears_when="the freeze is over, or a person who is not an author approves the hotfix",
            )


def _causes_of_the_hour(facts: DeploymentFacts, medium: tuple[tuple[str, str], ...]) -> Iterator[Trigger]:
    """What could wait until morning is not done at night, unless there is nothing at all to be said against it."""
    if facts.unattended is None or not medium:
        return
    for window in facts.unattended.windows:
        yield Trigger(
            rule=f"{UNATTENDED_CAUSE}:{window}@{facts.unattended.until:%Y-%m-%dT%H:%MZ}",
            summary=f"{facts.unattended.words}, and there is something to watch",
            evidence=tuple(text for _, text in medium),
            clears_when="somebody watches again, or a person approves this deployment now",
        )


def _medium_reasons(facts: DeploymentFacts) -> tuple[tuple[str, str], ...]:
    reasons: list[tuple[str, str]] = []
    if facts.risk_score >= facts.risk_score_max / 2:
        text = f"risk score {facts.risk_score:.1f} is over half of the limit {facts.risk_score_max:.1f}"
        reasons.append(("risk.over_half", text))
    reasons += [
        ("validation.over_unproven", f"validation: {text}, over but not proven") for text in facts.over_unproven
    ]
    reasons += [("validation.prediction", f"may come over a limit: {text}") for text in facts.foreseen]
    reasons += [("validation.baseline_breaks_limit", text) for text in facts.baseline_warnings]
    reasons += [("staging.anomaly", f"staging: {text}") for text in facts.anomalies]
    if facts.base_moves:
        reasons.append(("base.drift", f"moves of the base branch while the change was checked: {facts.base_moves}"))
    if facts.attempt > 1:
        reasons.append(("deployment.attempt", f"this is attempt {facts.attempt} to bring it to production"))
    reasons += [
        ("service.incidents", f"{service} had {count} incidents within {facts.incident_window_days:g} days")
        for service, count in facts.incidents
        if count < facts.incidents_max
    ]
    reasons += [
        ("service.error_budget", b.words)
        for b in facts.budgets
        if b.known and BUDGET_WARNING <= b.spent < facts.budget_spent_max
    ]
    return tuple(reasons)
