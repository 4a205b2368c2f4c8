"""The plan of a canary as its service's own history makes it stricter. Used by the deployment agent."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from greenlane.agents.production import Site
from greenlane.domain.service_settings import Service
from greenlane.policy import baseline as bl
from greenlane.policy.alignment import align_limits
from greenlane.policy.canary_plan import Plan


async def align_with_history(site: Site, service: Service, plan: Plan) -> Plan:
    """As it is where that is not wanted, or where the history has too few requests: then it says so.

    Of all versions of the last 30 days, and not of the one that runs now: each release may otherwise be a little worse
    than the one before it. What it says is what `greenlane baseline` shows.
    """
    canary = site.settings.canary
    if not canary.align_with_history:
        return plan
    if site.history is None:
        return msgspec.structs.replace(plan, alignment="as configured: nothing is known of production's history")
    now, needed = site.clock.now(), site.settings.validation.baseline_min_requests
    slots = await site.history.slots(service.name, now - timedelta(days=bl.DAYS))
    incidents = bl.detect_incidents(await site.history.past(), service.name)
    baseline = bl.compute_baseline(
        service.name, slots, incidents, now=now, hour=bl.hour_of_week(now), min_requests=needed
    )
    if baseline is None:
        missing = bl.describe_missing(slots, incidents, now=now, min_requests=needed)
        return msgspec.structs.replace(plan, alignment=f"as configured: there is no baseline yet ({missing})")
    return align_limits(plan, baseline, canary, latency=service.metrics.source == "proxy")
