"""The lane of a change: how much automation it gets. The decision matrix of docs, as one pure function.

Every lane that fits is named; the first of them in the order of `Lane` decides.
"""

from __future__ import annotations

import msgspec

from greenlane.domain.events import Lane, Trigger
from greenlane.policy.signals import RiskLimit, Signals


class LaneFacts(msgspec.Struct, frozen=True, kw_only=True):
    risk_score: float
    limit: RiskLimit
    signals: Signals
    compliance: tuple[str, ...] = ()
    """Paths and labels under audit that the change has."""
    performance_paths: tuple[str, ...] = ()
    model: tuple[Trigger, ...] = ()
    """Why a person is asked because of what a model said, or failed to say."""
    breaking_api_asks: bool = True
    """Whether `breaking_api_contract` is a condition of escalation; if not, the risk floor alone speaks for it."""


class LaneDecision(msgspec.Struct, frozen=True, kw_only=True):
    lane: Lane
    lanes_matched: tuple[Lane, ...]
    reasons: tuple[str, ...]
    """One sentence for each lane that fits, in the same order."""


def decide_lane(facts: LaneFacts) -> LaneDecision:
    matched: list[tuple[Lane, str]] = []
    red = _red_reasons(facts)
    if red:
        matched.append((Lane.RED, "; ".join(red)))
    if facts.compliance:
        matched.append((Lane.COMPLIANCE, f"under audit: {_some(facts.compliance)}"))
    signals = facts.signals
    if signals.schema:
        matched.append((Lane.SCHEMA, f"the schema changes in {_some(tuple(f.path for f in signals.schema))}"))
    if signals.integrations:
        matched.append((Lane.INTEGRATION, _some(tuple(f.message for f in signals.integrations))))
    if facts.performance_paths:
        matched.append((Lane.PERFORMANCE, f"performance-critical: {_some(facts.performance_paths)}"))
    if not matched:
        reason = f"risk {facts.risk_score:g} is under {facts.limit.value:g} and nothing asks for a human"
        matched.append((Lane.GREEN, reason))
    matched.sort(key=lambda m: list(Lane).index(m[0]))
    return LaneDecision(
        lane=matched[0][0], lanes_matched=tuple(m[0] for m in matched), reasons=tuple(m[1] for m in matched)
    )


def _red_reasons(facts: LaneFacts) -> list[str]:
    signals, reasons = facts.signals, []
    if facts.limit.is_reached(facts.risk_score):
        reasons.append(f"risk {facts.risk_score:g} reaches {facts.limit.value:g} ({facts.limit.source})")
    for what, found in (
        ("a security finding", signals.security),
        ("a secret", signals.secrets),
        ("a broken API contract", signals.breaking_api if facts.breaking_api_asks else ()),
        ("a change to the rules or rights of the pipeline", signals.rules_changed),
    ):
        if found:
            reasons.append(f"{what}: {found[0].rule} at {found[0].path}:{found[0].line}")
    if signals.skipped:
        gap = signals.skipped[0]
        reasons.append(f"an incomplete analysis: {gap.path} ({gap.analyzer}: {gap.reason})")
    reasons += [trigger.summary for trigger in facts.model]
    return reasons


def _some(items: tuple[str, ...], limit: int = 3) -> str:
    distinct = tuple(dict.fromkeys(items))
    more = f" and {len(distinct) - limit} more" if len(distinct) > limit else ""
    return ", ".join(distinct[:limit]) + more
