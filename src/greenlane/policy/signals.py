"""What a review's findings mean for a decision: the flags that lanes and escalation share, so that both read the same.

A flag carries the findings that raise it: a decision without its evidence can't be checked.
"""

from __future__ import annotations

import re

import msgspec

from greenlane.domain.events import LimitMove, SkippedFile
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings

_ORDER = list(Severity)
_RISK_CONDITION = re.compile(r"^risk_score\s*(>=|>)\s*(\d+(?:\.\d+)?)$")


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    security: tuple[Finding, ...] = ()
    secrets: tuple[Finding, ...] = ()
    breaking_api: tuple[Finding, ...] = ()
    schema: tuple[Finding, ...] = ()
    integrations: tuple[Finding, ...] = ()
    rules_changed: tuple[Finding, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()


def read_signals(findings: tuple[Finding, ...], skipped: tuple[SkippedFile, ...]) -> Signals:
    """The findings that count, by what they mean. A lower severity than these adds to the risk score only."""

    def those(category: Category, least: Severity) -> tuple[Finding, ...]:
        return tuple(f for f in findings if f.category is category and _ORDER.index(f.severity) >= _ORDER.index(least))

    return Signals(
        security=those(Category.SECURITY, Severity.HIGH),
        secrets=those(Category.SECRET, Severity.HIGH),
        breaking_api=those(Category.API, Severity.HIGH),
        schema=those(Category.SCHEMA, Severity.LOW),
        integrations=those(Category.INTEGRATION, Severity.MEDIUM),
        rules_changed=those(Category.INFRASTRUCTURE, Severity.HIGH),
        skipped=skipped,
    )


class RiskLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The score from which a human is asked, and where that figure comes from. `over` demands more than the value."""

    value: float
    source: str
    over: bool = False
    moves: tuple[LimitMove, ...] = ()

    def is_reached(self, score: float) -> bool:
        return score > self.value if self.over else score >= self.value


def risk_limit(settings: Settings, services: tuple[Service, ...]) -> RiskLimit:
    """The strictest limit of the services that a change touches.

    A tier with a threshold of its own is held to that. All others are held to the lower of `thresholds.risk_score_max`
    and the `risk_score` conditions of `escalation.auto_route_to_human`.
    """
    general = [RiskLimit(value=settings.thresholds.risk_score_max, source="thresholds.risk_score_max")]
    for condition in settings.escalation.auto_route_to_human:
        match = _RISK_CONDITION.match(condition)
        if match:
            source = f"escalation.auto_route_to_human '{condition}'"
            general.append(RiskLimit(value=float(match[2]), over=match[1] == ">", source=source))
    strictest = min(general, key=_strictness)
    limits = []
    for service in services:
        own = getattr(settings.tiers, service.tier).risk_score_max
        if own is None:
            limits.append(strictest)
        else:
            limits.append(RiskLimit(value=own, source=f"tiers.{service.tier}.risk_score_max ({service.name})"))
    return min(limits, key=_strictness, default=strictest)


def _strictness(limit: RiskLimit) -> tuple[float, bool]:
    return limit.value, limit.over
