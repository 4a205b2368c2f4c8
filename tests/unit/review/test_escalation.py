"""When a human is asked, and before which stage."""

from __future__ import annotations

import pytest

from greenlane.domain.events import SkippedFile, Stage
from greenlane.domain.findings import Category, FileCoverage, Finding, Severity
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Escalation, Settings, Thresholds
from greenlane.policy.escalation import EscalationFacts, assess_coverage_gate, assess_escalation
from greenlane.policy.risk import RiskFacts, assess_risk
from greenlane.policy.signals import RiskLimit, read_signals, risk_limit

DEFAULTS = Settings()
NO_CONDITIONS = Settings(escalation=Escalation(auto_route_to_human=()))
SKIPPED = SkippedFile(path="a.go", analyzer="reading", reason="no analyzer reads this language")


def finding(category: str, severity: str, **more: object) -> Finding:
    fields = {"rule": "r.1", "message": "m", "path": "a.py", "line": 3, "quotation": "eval(x)"} | more
    return Finding(category=Category(category), severity=Severity(severity), **fields)


def gates_for(*findings: Finding, skipped=(), settings=DEFAULTS, compliance=(), limit=7.0):
    facts = EscalationFacts(
        risk=assess_risk(RiskFacts(findings=findings, skipped=skipped)),
        limit=RiskLimit(value=limit, source="thresholds.risk_score_max"),
        signals=read_signals(findings, skipped),
        compliance=compliance,
    )
    return {g.gate_id: g for g in assess_escalation(facts, settings)}


@pytest.mark.parametrize(
    ("category", "severity", "gate", "before"),
    [
        ("security", "high", "red", Stage.STAGING),
        ("secret", "critical", "red", Stage.STAGING),
        ("api", "high", "red", Stage.STAGING),
        ("infrastructure", "high", "red", Stage.STAGING),
        ("schema", "low", "schema", Stage.DEPLOYMENT),
        ("integration", "medium", "integration", Stage.DEPLOYMENT),
    ],
)
def test_each_cause_has_its_gate_and_stage(category, severity, gate, before) -> None:
    gates = gates_for(finding(category, severity))
    assert list(gates) == [gate]
    assert gates[gate].before is before
    first = gates[gate].triggers[0]
    assert first.evidence[0] == "a.py:3 [r.1]  eval(x)"
    assert first.clears_when


def test_nothing_found_asks_nobody() -> None:
    assert gates_for() == {}


@pytest.mark.parametrize(
    "facts",
    [
        {"findings": [finding("security", "high")]},
        {"findings": [finding("secret", "high")]},
        {"findings": [finding("infrastructure", "high")]},
        {"skipped": (SKIPPED,)},
        {"compliance": ("ledger/x.py",)},
    ],
)
def test_the_floor_stands_without_any_condition(facts) -> None:
    """A high limit and an empty list of conditions change nothing about what a human must see."""
    found = facts.get("findings", [])
    gates = gates_for(
        *found,
        skipped=facts.get("skipped", ()),
        compliance=facts.get("compliance", ()),
        settings=NO_CONDITIONS,
        limit=10.0,
    )
    assert gates


def test_conditions_that_are_not_configured_do_not_fire() -> None:
    found = (finding("schema", "low"), finding("integration", "medium"))
    assert gates_for(*found, settings=NO_CONDITIONS) == {}


def test_several_causes_stop_at_the_stage_of_each() -> None:
    gates = gates_for(finding("security", "high"), finding("schema", "low"), compliance=("label sox",))
    assert {name: gate.before for name, gate in gates.items()} == {
        "red": Stage.STAGING,
        "compliance": Stage.DEPLOYMENT,
        "schema": Stage.DEPLOYMENT,
    }


def test_asking_twice_gives_the_same_gates() -> None:
    assert gates_for(finding("security", "high")) == gates_for(finding("security", "high"))


@pytest.mark.parametrize(
    ("tiers", "conditions", "expected", "over"),
    [
        (["standard"], ("risk_score >= 7.0",), 7.0, False),
        (["critical"], ("risk_score >= 7.0",), 5.0, False),
        (["internal"], ("risk_score >= 7.0",), 8.0, False),
        (["internal", "critical"], (), 5.0, False),
        (["standard"], ("risk_score >= 4.5",), 4.5, False),
        (["standard"], ("risk_score > 4",), 4.0, True),
        ([], ("risk_score >= 6",), 6.0, False),
    ],
)
def test_the_strictest_limit_of_the_touched_services_wins(tiers, conditions, expected, over) -> None:
    services = tuple(Service(name=f"s{i}", tier=tier) for i, tier in enumerate(tiers))
    settings = Settings(
        thresholds=Thresholds(risk_score_max=7.0), escalation=Escalation(auto_route_to_human=conditions)
    )
    limit = risk_limit(settings, services)
    assert (limit.value, limit.over) == (expected, over)
    assert limit.is_reached(expected) is not over


def test_open_coverage_asks_only_when_it_is_a_condition() -> None:
    coverage = (FileCoverage(path="a.py", covered=(1,), uncovered=(2, 3)),)
    configured = Settings(escalation=Escalation(auto_route_to_human=("coverage_gap_open",)))
    assert assess_coverage_gate(coverage, Settings()) is None
    gate = assess_coverage_gate(coverage, configured)
    assert gate is not None
    assert gate.triggers[0].evidence == ("a.py: lines 2, 3",)
