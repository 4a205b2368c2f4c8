"""What is usual in production for the services of a change, as figures of its context package. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from greenlane.domain.change import Change
from greenlane.domain.events import Lane
from greenlane.domain.production import TrafficSlot
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.baseline import (
    DAYS,
    Baseline,
    compute_baseline,
    detect_incidents,
    detect_promotion,
    hour_of_week,
)
from greenlane.policy.canary_plan import resolve_thresholds
from greenlane.policy.context import BaselineMetric


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around a change: figures of production, and the runs before it, oldest first."""

    production: tuple[BaselineMetric, ...] = ()
    past: tuple[Change, ...] = ()


def touched_services(change: Change, settings: Settings) -> tuple[Service, ...]:
    """The services that the change touches; all, as long as no review says which."""
    named = change.review.services if change.review else None
    return tuple(s for s in settings.services if named is None or s.name in named)


def compute_usual(
    change: Change,
    settings: Settings,
    slots: Mapping[str, Sequence[TrafficSlot]],
    past: Sequence[Change],
    *,
    now: datetime,
) -> tuple[BaselineMetric, ...]:
    """Latency, failures and traffic of each service at this hour of the week (`slots` by its name), with the limits
    that its canary would be held to. With fewer requests than a baseline needs they are given all the same, and say
    so; a service of which nothing was counted has no figures."""
    lane = change.review.lane if change.review else Lane.GREEN
    figures: list[BaselineMetric] = []
    for service in touched_services(change, settings):
        needed = settings.validation.baseline_min_requests
        found, few = None, ""
        for least in (needed, 1):
            found = compute_baseline(
                service.name,
                slots.get(service.name, ()),
                detect_incidents(past, service.name),
                now=now,
                hour=hour_of_week(now),
                min_requests=least,
                promoted=detect_promotion(past, service.name),
            )
            if found is not None:
                few = "" if least == needed else f", fewer than the {needed} that a baseline needs"
                break
        if found is not None:
            rules = resolve_thresholds(settings, service, lane).rules
            figures += _figures(found, rules.p99_limit_ms, rules.error_rate_limit, few)
    return tuple(figures)


def _figures(found: Baseline, p99_limit_ms: float, error_rate_limit: float, few: str) -> list[BaselineMetric]:
    source = f"production of the last {DAYS} days, {found.scope}: {found.requests:,} requests{few}"
    rows: list[tuple[str, str, float | None, float | None]] = [
        ("p50_ms", "ms", found.p50_ms, None),
        ("p95_ms", "ms", found.p95_ms, None),
        ("p99_ms", "ms", found.p99_ms, p99_limit_ms),
        ("error_rate", "share", found.error_rate, error_rate_limit),
        ("rate_rps", "rps", found.rate_rps, None),
    ]
    return [
        BaselineMetric(
            service=found.service, metric=metric, unit=unit, current=value, candidate=None, limit=limit, source=source
        )
        for metric, unit, value, limit in rows
        if value is not None
    ]
