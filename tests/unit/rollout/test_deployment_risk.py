"""The risk of deploying now: the decision table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from greenlane.domain.events import Lane
from greenlane.domain.release import Rollback
from greenlane.domain.settings import Deployment
from greenlane.policy.deployment_risk import Budget, DeploymentFacts, Quarantined, assess_deployment_risk
from greenlane.policy.freeze import Frozen
from greenlane.policy.lifecycle import State
from tests.support.production import KnownProduction
from tests.support.rollout import Scene, settings
from tests.unit.rollout.test_prediction import slots_of_memory

HELD = Quarantined(
    service="shop",
    digest="sha256:" + "a" * 64,
    rollback=Rollback(
        run="shop-1", service="shop", artifact_digest="sha256:" + "a" * 64, rule="canary.error_rate",
        at="2026-01-01T00:00:00+00:00",
    ),
)  # fmt: skip
FREEZE = Frozen(windows=("shop: weekend",), until=datetime(2026, 1, 5, tzinfo=UTC))
NIGHT = Frozen(windows=("nobody watches: night",), until=datetime(2026, 1, 5, 6, tzinfo=UTC))


def budget(errors: int, requests: int) -> Budget:
    return Budget(service="shop", errors=errors, requests=requests, limit=0.005, known=requests >= 1000)


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
        ({"incidents": (("shop", 2),)}, "medium", 0),
        ({"incidents": (("shop", 3),)}, "high", 1),
        ({"incidents": (("shop", 3),), "approved_rules": frozenset({"deployment.incidents:shop"})}, "high", 0),
        ({"quarantined": (HELD,)}, "high", 1),
        ({"quarantined": (HELD,), "approved_rules": frozenset({"deployment.quarantined:aaaaaaaaaaaaaaaa"})}, "high", 0),
        ({"budgets": (budget(4, 1000),)}, "medium", 0),
        ({"budgets": (budget(2, 1000),)}, "low", 0),
        ({"budgets": (budget(5, 1000),)}, "high", 1),
        ({"budgets": (budget(900, 999),)}, "low", 0),  # too few requests: unknown, and said to be
        ({"freeze": FREEZE, "hotfix_reason": "Grace: it burns"}, "high", 1),
        ({"foreseen": ("p99 900 ms",)}, "medium", 0),
        ({"baseline_warnings": ("production itself has p99 900 ms",)}, "medium", 0),
        ({"unattended": NIGHT}, "low", 0),
        ({"unattended": NIGHT, "risk_score": 3.5}, "high", 1),
        (
            {
                "unattended": NIGHT,
                "risk_score": 3.5,
                "approved_rules": frozenset({"deployment.unattended:nobody watches: night@2026-01-05T06:00Z"}),
            },
            "high",
            0,
        ),
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


async def test_at_night_a_person_is_asked_if_production_breaks_its_limit_by_itself(tmp_path: Path) -> None:
    """The clock of the tests begins at midnight UTC; a release that nothing is said against goes out then."""
    night = {"name": "night", "begin": "22:00", "end": "06:00"}
    config = settings(deployment=Deployment.model_validate({"unattended_windows": [night]}))
    quiet = Scene(tmp_path / "quiet", config)
    assert (await quiet.driver.drive()).state is State.DEPLOYED
    scene = Scene(tmp_path / "slow", config)
    scene.history = KnownProduction(slots_of_memory(scene, slow=40))
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    trigger = scene.driver.change.open_gates[0].triggers[0]
    assert trigger.rule == "deployment.unattended:nobody watches: night@2026-01-01T06:00Z"
    assert any("production itself has p99" in text for text in trigger.evidence)
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED


async def test_a_month_that_spent_its_error_budget_goes_to_a_person_though_now_is_fine(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings())
    scene.history = KnownProduction(
        [msgspec.structs.replace(s, errors=9 if i < 12 else 0) for i, s in enumerate(slots_of_memory(scene))]
    )
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    trigger = scene.driver.change.open_gates[0].triggers[0]
    assert trigger.rule == "deployment.error_budget:shop:30d"
    assert "in 30 days: 104% is spent (108 of 20700 requests failed" in trigger.summary
