"""The risk of deploying now: the decision table."""

from __future__ import annotations

import msgspec
import pytest

from greenlane.domain.events import Lane
from greenlane.policy.deployment_risk import DeploymentFacts, assess_deployment_risk

CALM = DeploymentFacts(
    lane=Lane.GREEN, risk_score=1.0, risk_score_max=7.0, review_approved=False, approved_rules=frozenset()
)


@pytest.mark.parametrize(
    ("changed", "level", "asks"),
    [
        ({}, "low", 0),
        ({"risk_score": 3.4}, "low", 0),
        ({"risk_score": 3.5}, "medium", 0),
        ({"anomalies": ("memory grew",)}, "medium", 0),
        ({"over_unproven": ("p99",)}, "medium", 0),
        ({"base_moves": 1}, "medium", 0),
        ({"attempt": 2}, "medium", 0),
        ({"recent_incidents": 1}, "medium", 0),
        ({"lane": Lane.PERFORMANCE}, "low", 0),
        ({"risk_score": 7.0}, "high", 1),
        ({"risk_score": 7.0, "review_approved": True}, "high", 0),
        ({"lane": Lane.RED}, "high", 1),
        ({"lane": Lane.SCHEMA, "review_approved": True}, "high", 0),
        ({"frozen": ("shop",)}, "high", 1),
        ({"frozen": ("shop",), "review_approved": True}, "high", 1),
        ({"frozen": ("shop",), "approved_rules": frozenset({"deployment.freeze:shop"})}, "high", 0),
        ({"frozen": ("shop", "api"), "approved_rules": frozenset({"deployment.freeze:shop"})}, "high", 1),
        ({"first_versions": ("shop",)}, "high", 1),
        ({"rollback_requested_by": "Grace"}, "high", 1),
        ({"frozen": ("shop",), "lane": Lane.RED, "anomalies": ("x",)}, "high", 2),
    ],
)
def test_level_and_what_is_asked(changed: dict[str, object], level: str, asks: int) -> None:
    risk = assess_deployment_risk(msgspec.structs.replace(CALM, **changed))
    assert (risk.level, len(risk.asks)) == (level, asks)
    assert risk.reasons
    assert all(t.clears_when for t in risk.asks)
