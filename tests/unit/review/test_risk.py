"""The risk score: named points that add up, caps and floors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.policy.risk import RiskFacts, assess_risk

SKIPPED = SkippedFile(path="*", analyzer="security", reason="it took longer than 120 s")


def finding(category: str, severity: str) -> Finding:
    return Finding(rule="r", category=Category(category), severity=Severity(severity), message="m", path="a.py")


@pytest.mark.parametrize(
    ("facts", "least", "most"),
    [
        (RiskFacts(), 1, 1),
        (RiskFacts(lines=30, files=2, folders=1), 1, 2),
        (RiskFacts(lines=100_000, files=4000, folders=900), 3, 6.9),
        (RiskFacts(lines=10, files=1, folders=1, uncovered=5), 3, 3),
        (RiskFacts(findings=(finding("security", "low"),)), 1.25, 1.25),
        (RiskFacts(findings=(finding("security", "medium"),) * 50), 2, 6.9),
        (RiskFacts(findings=(finding("security", "high"),)), 8, 8),
        (RiskFacts(findings=(finding("security", "critical"),)), 9.5, 10),
        (RiskFacts(findings=(finding("secret", "high"),)), 9, 10),
        (RiskFacts(findings=(finding("secret", "low"),)), 1, 2),
        (RiskFacts(findings=(finding("api", "high"),)), 7, 7),
        (RiskFacts(findings=(finding("schema", "low"),)), 4, 4),
        (RiskFacts(findings=(finding("schema", "high"),)), 7, 7),
        (RiskFacts(findings=(finding("integration", "medium"),)), 4, 4),
        (RiskFacts(findings=(finding("integration", "low"),)), 1, 2),
        (RiskFacts(findings=(finding("infrastructure", "high"),)), 7, 7),
        (RiskFacts(skipped=(SKIPPED,)), 7, 7),
    ],
)
def test_what_each_fact_is_worth(facts, least, most) -> None:
    assert least <= assess_risk(facts).score <= most


@given(
    lines=st.integers(0, 10**6),
    files=st.integers(0, 10**4),
    covered=st.integers(0, 500),
    uncovered=st.integers(0, 500),
    found=st.lists(st.tuples(st.sampled_from(Category), st.sampled_from(Severity)), max_size=30),
    skipped=st.booleans(),
)
def test_points_add_up_to_the_score_and_more_findings_never_lower_it(
    lines, files, covered, uncovered, found, skipped
) -> None:
    findings = tuple(finding(c, s) for c, s in found)
    facts = RiskFacts(
        findings=findings, lines=lines, files=files, covered=covered, uncovered=uncovered,
        skipped=(SKIPPED,) if skipped else (),
    )  # fmt: skip
    result = assess_risk(facts)
    assert 1 <= result.score <= 10
    assert min(sum(p.points for p in result.points), 10) == pytest.approx(result.score, abs=0.05)
    fewer = assess_risk(
        RiskFacts(findings=findings[1:], lines=lines, files=files, covered=covered, uncovered=uncovered)
    )
    assert fewer.score <= result.score + 0.001
