"""Changes at different points of their way, made from the events that bring them there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, fold
from greenlane.domain.delivery import (
    Artifact,
    CanaryJudgement,
    Check,
    Comparison,
    Counters,
    Instance,
    TrafficReading,
    Verdict,
)
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.ids import run_id

START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
HEAD = "3fa9c1d2" + "0" * 32
BASE = "b" * 40
MERGE = "d" * 40
AUTHOR = "Ada Lovelace <ada@example.org>"
STEP_S = 12

INJECTION = e.Trigger(
    rule="security_finding",
    summary="an SQL injection in shop/orders.py",
    evidence=(
        'shop/orders.py:41: cursor.execute("SELECT * FROM orders WHERE id = " + order_id)',
        "ruff.S608, bandit.B608",
    ),
    clears_when="the query passes order_id as a parameter",
)
MIGRATION = e.Trigger(
    rule="schema_changes_detected",
    summary="the migration 0007_add_discount.sql changes the table orders",
    evidence=("migrations/0007_add_discount.sql:1: ALTER TABLE orders ADD COLUMN discount INTEGER DEFAULT 0",),
    clears_when="somebody who knows the data agrees to it",
)


def why(decision: str, rationale: str, *rules: str, **more: object) -> e.Reasoning:
    return e.Reasoning(decision=decision, rationale=rationale, rules_fired=rules, **more)  # type: ignore[arg-type]


def opened(number: int = 12, **changes: object) -> e.PrOpened:
    values: dict[str, object] = {
        "repo": "shop",
        "pr_number": number,
        "title": "Round the total to whole cents",
        "description": "Customers saw 19.999999 on their receipts.",
        "branch": "fix-rounding",
        "base_branch": "main",
        "head_sha": HEAD,
        "base_sha": BASE,
        "merge_base_sha": BASE,
        "author": AUTHOR,
        "diff_sha256": "e" * 64,
    }
    return e.PrOpened(**(values | changes))  # type: ignore[arg-type]


def reviewed(
    *, proceed: bool = True, lane: e.Lane = e.Lane.GREEN, risk: float = 2.4, **more: object
) -> e.ReviewComplete:
    values: dict[str, object] = {
        "risk_points": (
            e.RiskPoint(rule="size", points=1.4, reason="41 lines in 3 files"),
            e.RiskPoint(rule="base", points=1.0, reason="every change begins here"),
        ),
        "findings": (
            Finding(
                rule="coverage.gap", category=Category.COVERAGE, severity=Severity.LOW,
                message="2 changed lines are not run by any test", path="shop/cart.py", line=31,
            ),
        ),
        "summary": ("shop/cart.py: the total is rounded half-even before it is stored", "tests: none"),
        "files_changed": 3,
        "lines_added": 41,
        "lines_removed": 9,
        "analyzers": ("ruff", "bandit", "griffe"),
    }  # fmt: skip
    return e.ReviewComplete(
        why=why("proceed" if proceed else "block", f"risk {risk} of 7.0: nothing that needs a person", "size"),
        proceed=proceed,
        risk_score=risk,
        threshold=7.0,
        lane=lane,
        lanes_matched=(lane,),
        services=("shop",),
        **(values | more),  # type: ignore[arg-type]
    )


def asked(
    trigger: e.Trigger = INJECTION, *, before: e.Stage = e.Stage.STAGING, gate: str = "review-1"
) -> e.HumanRequested:
    return e.HumanRequested(
        why=why("ask-human", trigger.summary, trigger.rule),
        gate=e.Gate(gate_id=gate, before=before, triggers=(trigger,)),
    )


def approved(gate: str = "review-1", by: str = "Grace Hopper") -> e.HumanApproved:
    return e.HumanApproved(why=why("approve", "read it, it is fine"), gate_id=gate, by=by, head_sha=HEAD)


def ran_tests(*, written: int = 2, commit: str | None = None, proceed: bool = True) -> e.TestsComplete:
    tests = tuple(
        e.WrittenTest(path="tests/test_cart.py", name=f"test_total_{i}", purpose="rounds", covers=("shop/cart.py:31",))
        for i in range(written)
    )
    return e.TestsComplete(
        why=why("proceed", f"{written} tests cover 2 of 2 uncovered lines"),
        proceed=proceed,
        written=tests,
        commit_sha=commit,
    )


def instance(name: str, port: int = 9001) -> Instance:
    artifact = Artifact(digest=f"sha256:{name}", service="shop", commit=MERGE, location=name)
    return Instance(deployment_id=name, service="shop", artifact=artifact, host="127.0.0.1", port=port)


def staged() -> e.StagingComplete:
    service = e.StagedService(
        service="shop", candidate=instance("staging-1"), current=instance("current-1"),
        checks=(Check(name="GET /healthz", passed=True),), p50_ms=2.1, p99_ms=11.8, rss_mb=41.2, cpu_s=0.62,
    )  # fmt: skip
    return e.StagingComplete(
        why=why("proceed", "healthy after 0.8 s, 3 of 3 smoke tests passed"),
        proceed=True, staging_healthy=True, base_sha=BASE, merge_sha=MERGE, services=(service,),
    )  # fmt: skip


def validated(*, proceed: bool = True, ratio: float = 1.02) -> e.StagingValidated:
    comparison = Comparison(
        metric="p99_ms", current=11.5, candidate=11.5 * ratio, ratio=ratio, low=ratio - 0.05, high=ratio + 0.05,
        limit=1.2, regressed=not proceed,
    )  # fmt: skip
    words = f"p99 is {ratio:.2f} times the current version's (limit 1.20)"
    return e.StagingValidated(
        why=why("proceed" if proceed else "block", words),
        proceed=proceed,
        services=(e.ServiceComparison(service="shop", comparisons=(comparison,)),),
    )


READING = TrafficReading(
    stable=Counters(requests=4180, errors=3, histogram=((5, 3000), (10, 4100), (25, 4160), (800, 4180))),
    canary=Counters(requests=220, errors=31, histogram=((5, 150), (10, 200), (25, 219), (800, 220))),
)


def canary_started() -> e.CanaryStarting:
    return e.CanaryStarting(
        why=why("start-canary", "5 % for 10 minutes"), deployment_id="production-1", service="shop",
        candidate=instance("production-1").artifact, stable=instance("current-1"), weight_percent=5,
        steps_percent=(25, 50, 100), watch_s=600, warmup_s=60, error_rate_limit=0.005, p99_limit_ms=800, attempt=1,
    )  # fmt: skip


def canary_observed() -> e.CanaryObserved:
    judgement = CanaryJudgement(verdict=Verdict.FAIL, reason="31 of 220 requests failed (limit 0.50 %)", requests=220)
    return e.CanaryObserved(
        why=why("roll-back", "31 of 220 requests failed"), deployment_id="production-1", phase="watch",
        weight_percent=5, elapsed_s=75, reading=READING, judgement=judgement,
    )  # fmt: skip


def rolled_back() -> tuple[e.AnyEvent, ...]:
    return (
        e.CanaryRolledBack(
            why=why("roll-back", "the weight is 0"), deployment_id="production-1", service="shop",
            artifact_digest="sha256:production-1", observed_weight_percent=0,
        ),
        e.IncidentReported(
            why=why("report", "the canary failed 31 of 220 requests"), incident_id="inc-1",
            title="canary rolled back: 14.1 % of requests failed", markdown="# Incident\n\n14.1 % failed\n",
        ),
    )  # fmt: skip


def deployed() -> e.DeploymentComplete:
    return e.DeploymentComplete(why=why("deployed", "100 % of traffic, base branch moved"), merge_sha=MERGE)


GREEN_WAY: tuple[e.AnyEvent, ...] = (reviewed(), ran_tests(), staged(), validated())


def recorded(*happened: e.AnyEvent, start: datetime = START) -> tuple[Recorded, ...]:
    """These events, one every STEP_S seconds."""
    return tuple(
        Recorded(
            seq=i + 1,
            event_id=f"event-{i + 1}",
            agent=_agent_of(event),
            timestamp=(start + timedelta(seconds=STEP_S * i)).isoformat(),
            event=event,
        )
        for i, event in enumerate(happened)
    )


def _agent_of(event: e.AnyEvent) -> str:
    if isinstance(event, e.PrOpened | e.HumanApproved | e.HumanRejected):
        return "greenlane"
    return (
        event.completes.value if event.completes else "review" if isinstance(event, e.HumanRequested) else "deployment"
    )


def change_of(*happened: e.AnyEvent, first: e.PrOpened | None = None, start: datetime = START) -> Change:
    """The change after `pr.opened` and these events."""
    first = first or opened()
    run = run_id(first.repo, first.pr_number, first.head_sha)
    return fold(run, recorded(first, *happened, start=start))
