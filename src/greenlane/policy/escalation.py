"""When a human is asked, before which stage, and what would clear it.

Two sources: the floor, which always stands (security, secrets, an incomplete analysis, changed rules, the risk limit,
compliance), and the conditions of `escalation.auto_route_to_human`. What may not even be run stops before staging; what
may be staged but not released stops before deployment.
"""

from __future__ import annotations

import msgspec

from greenlane.domain.events import Gate, Stage, Trigger
from greenlane.domain.findings import FileCoverage, Finding
from greenlane.domain.settings import Settings
from greenlane.policy.risk import RiskScore
from greenlane.policy.signals import RiskLimit, Signals

MAX_EVIDENCE = 12
"""Lines of evidence of one trigger: a person reads a few; the review event holds them all."""


class EscalationFacts(msgspec.Struct, frozen=True, kw_only=True):
    risk: RiskScore
    limit: RiskLimit
    signals: Signals
    compliance: tuple[str, ...] = ()
    model: tuple[Trigger, ...] = ()
    """Why a person is asked because of what a model said, or failed to say."""


def assess_escalation(facts: EscalationFacts, settings: Settings) -> tuple[Gate, ...]:
    """The gates that this change must pass, in the order of their stages; none: no human is asked.

    Their ids are fixed names, so that asking twice gives the same gates.
    """
    conditions = settings.escalation.auto_route_to_human
    signals = facts.signals
    red = _red_triggers(facts, breaking_api="breaking_api_contract" in conditions)
    rows = (
        ("red", Stage.STAGING, red),
        ("compliance", Stage.DEPLOYMENT, _compliance(facts.compliance)),
        ("schema", Stage.DEPLOYMENT, _schema(signals) if "schema_changes_detected" in conditions else ()),
        (
            "integration",
            Stage.DEPLOYMENT,
            _integration(signals) if "new_service_integration" in conditions else (),
        ),
    )
    return tuple(Gate(gate_id=name, before=stage, triggers=tuple(t)) for name, stage, t in rows if t)


def assess_coverage_gate(coverage: tuple[FileCoverage, ...], settings: Settings) -> Gate | None:
    """The gate for lines that no test runs even after the test stage, if `coverage_gap_open` is a condition."""
    open_gaps = tuple(c for c in coverage if c.uncovered)
    if not open_gaps or "coverage_gap_open" not in settings.escalation.auto_route_to_human:
        return None
    lines = sum(len(c.uncovered) for c in open_gaps)
    evidence = tuple(f"{c.path}: lines {', '.join(map(str, c.uncovered[:20]))}" for c in open_gaps[:MAX_EVIDENCE])
    trigger = Trigger(
        rule="coverage_gap_open",
        summary=f"no test runs {lines} changed lines",
        evidence=evidence,
        clears_when="tests that run these lines are part of the change",
    )
    return Gate(gate_id="coverage", before=Stage.DEPLOYMENT, triggers=(trigger,))


def _red_triggers(facts: EscalationFacts, *, breaking_api: bool) -> list[Trigger]:
    signals = facts.signals
    triggers = []
    if signals.security:
        triggers.append(
            _trigger(
                "security_finding", "security finding", signals.security,
                "each of these lines is rewritten so that its rule is silent; a suppression comment changes nothing",
            )
        )  # fmt: skip
    if signals.secrets:
        triggers.append(
            _trigger(
                "secret_found", "secret in the change", signals.secrets,
                "the secret is revoked at its issuer, and the branch is rebuilt without it",
            )
        )  # fmt: skip
    if signals.skipped:
        triggers.append(_incomplete(signals))
    if signals.rules_changed:
        triggers.append(
            _trigger(
                "rules_changed", "change to the rules or rights of the pipeline", signals.rules_changed,
                "the change to these files is taken out and proposed on its own",
            )
        )  # fmt: skip
    if signals.breaking_api and breaking_api:
        triggers.append(
            _trigger(
                "breaking_api_contract", "broken API contract", signals.breaking_api,
                "what callers relied on is kept beside the new form, and removed in a later change",
            )
        )  # fmt: skip
    if facts.limit.is_reached(facts.risk.score):
        triggers.append(_risk(facts))
    return [*triggers, *facts.model]


def _trigger(rule: str, what: str, findings: tuple[Finding, ...], clears_when: str) -> Trigger:
    first = findings[0]
    count = f"{len(findings)} times " if len(findings) > 1 else ""
    return Trigger(
        rule=rule,
        summary=f"{what} {count}({first.rule} at {_place(first)}): {first.message}",
        evidence=tuple(_evidence(f) for f in findings[:MAX_EVIDENCE]),
        clears_when=clears_when,
    )


def _place(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}" if finding.line else finding.path


def _evidence(finding: Finding) -> str:
    quotation = f"  {finding.quotation}" if finding.quotation else ""
    return f"{_place(finding)} [{finding.rule}]{quotation}"


def _incomplete(signals: Signals) -> Trigger:
    first = signals.skipped[0]
    count = len(signals.skipped)
    return Trigger(
        rule="incomplete_analysis",
        summary=f"{count} part{'s' if count > 1 else ''} of the change not analysed ({first.path}: {first.reason})",
        evidence=tuple(f"{s.path} [{s.analyzer}]  {s.reason}" for s in signals.skipped[:MAX_EVIDENCE]),
        clears_when="these files are left out of the change, or made readable for the analyzer that is named",
    )


def _risk(facts: EscalationFacts) -> Trigger:
    over = "is over" if facts.limit.over else "reaches"
    ranked = sorted(facts.risk.points, key=lambda p: -p.points)
    largest = next((p for p in ranked if p.rule != "base"), ranked[0])
    return Trigger(
        rule="risk_score",
        summary=f"risk score {facts.risk.score:g} {over} {facts.limit.value:g} ({facts.limit.source})",
        evidence=tuple(f"+{p.points:g} {p.rule}: {p.reason}" for p in ranked[:MAX_EVIDENCE]),
        clears_when=f"the score falls under {facts.limit.value:g}; its largest part is {largest.rule}",
    )


def _compliance(places: tuple[str, ...]) -> tuple[Trigger, ...]:
    if not places:
        return ()
    return (
        Trigger(
            rule="compliance",
            summary="a path or label under audit needs a sign-off",
            evidence=places[:MAX_EVIDENCE],
            clears_when="the files under audit are left out of the change",
        ),
    )


def _schema(signals: Signals) -> tuple[Trigger, ...]:
    if not signals.schema:
        return ()
    clears = "the migration is proposed on its own, or only adds what the running version does not need to know"
    worst = tuple(sorted(signals.schema, key=lambda f: f.severity.value not in ("high", "critical")))
    return (_trigger("schema_changes_detected", "schema change", worst, clears),)


def _integration(signals: Signals) -> tuple[Trigger, ...]:
    if not signals.integrations:
        return ()
    clears = "the change does without the new dependency or service"
    return (_trigger("new_service_integration", "new integration", signals.integrations, clears),)
