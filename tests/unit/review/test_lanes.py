"""The decision matrix: which lane a change gets."""

from __future__ import annotations

import pytest

from greenlane.domain.events import Lane, SkippedFile
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.policy.lanes import LaneFacts, decide_lane
from greenlane.policy.signals import RiskLimit, read_signals

LIMIT = RiskLimit(value=7.0, source="thresholds.risk_score_max")


def finding(category: Category, severity: Severity) -> Finding:
    return Finding(rule="r", category=category, severity=severity, message="m", path="a.py", line=3)


SKIPPED = SkippedFile(path="a.go", analyzer="reading", reason="no analyzer reads this language")

TABLE = [
    # score, findings (category, severity), skipped, compliance, performance, lanes
    (1.0, [], False, False, False, (Lane.GREEN,)),
    (6.99, [], False, False, False, (Lane.GREEN,)),
    (7.0, [], False, False, False, (Lane.RED,)),
    (1.0, [("security", "high")], False, False, False, (Lane.RED,)),
    (1.0, [("security", "critical")], False, False, False, (Lane.RED,)),
    (1.0, [("security", "medium")], False, False, False, (Lane.GREEN,)),
    (1.0, [("secret", "high")], False, False, False, (Lane.RED,)),
    (1.0, [("secret", "low")], False, False, False, (Lane.GREEN,)),
    (1.0, [("api", "high")], False, False, False, (Lane.RED,)),
    (1.0, [("api", "low")], False, False, False, (Lane.GREEN,)),
    (1.0, [("infrastructure", "high")], False, False, False, (Lane.RED,)),
    (1.0, [("infrastructure", "low")], False, False, False, (Lane.GREEN,)),
    (1.0, [], True, False, False, (Lane.RED,)),
    (1.0, [], False, True, False, (Lane.COMPLIANCE,)),
    (1.0, [("schema", "low")], False, False, False, (Lane.SCHEMA,)),
    (1.0, [("schema", "high")], False, False, False, (Lane.SCHEMA,)),
    (1.0, [("integration", "medium")], False, False, False, (Lane.INTEGRATION,)),
    (1.0, [("integration", "low")], False, False, False, (Lane.GREEN,)),
    (1.0, [], False, False, True, (Lane.PERFORMANCE,)),
    (9.0, [("schema", "low")], False, True, True, (Lane.RED, Lane.COMPLIANCE, Lane.SCHEMA, Lane.PERFORMANCE)),
    (1.0, [("schema", "low"), ("integration", "medium")], False, False, False, (Lane.SCHEMA, Lane.INTEGRATION)),
]


@pytest.mark.parametrize(("score", "found", "skipped", "compliance", "performance", "lanes"), TABLE)
def test_the_lane_of_a_change(score, found, skipped, compliance, performance, lanes) -> None:
    findings = tuple(finding(Category(c), Severity(s)) for c, s in found)
    decision = decide_lane(
        LaneFacts(
            risk_score=score,
            limit=LIMIT,
            signals=read_signals(findings, (SKIPPED,) if skipped else ()),
            compliance=("ledger/x.py",) if compliance else (),
            performance_paths=("hot.py",) if performance else (),
        )
    )
    assert decision.lanes_matched == lanes
    assert decision.lane is lanes[0]
    assert len(decision.reasons) == len(lanes)
    assert all(decision.reasons)


def test_a_red_lane_names_both_figures_and_where_the_limit_comes_from() -> None:
    decision = decide_lane(LaneFacts(risk_score=7.5, limit=LIMIT, signals=read_signals((), ())))
    assert decision.reasons == ("risk 7.5 reaches 7 (thresholds.risk_score_max)",)
