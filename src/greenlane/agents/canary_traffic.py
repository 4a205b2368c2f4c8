"""Traffic of a canary: how much comes in before it starts, what is added while it runs. Used by the deployment agent.

A canary that its users' traffic can't decide is told before it starts: more weight, more time, added requests that only
read, or a person who decides. It never passes for want of data.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from greenlane.agents.production import Site
from greenlane.agents.rollout_words import ask, attempt_of
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.errors import GreenlaneError, RetryableError
from greenlane.domain.service_settings import LoadRequest, Service
from greenlane.policy.canary_plan import Counted, Plan, Sizing, compute_sizing
from greenlane.policy.counting import compute_since

TOO_LITTLE = "canary.too_little_traffic"
READS = ("GET", "HEAD")
_STRETCH_S = 30.0
"""Added requests are sent in stretches of so many seconds."""


async def size_canary(site: Site, service: Service, plan: Plan) -> Sizing:
    """What the service's traffic of this moment means for a canary by this plan."""
    counted = await _count(site, service)
    canary = site.settings.canary
    synthetic = canary.synthetic_rps if _reading(service) and site.load is not None else 0.0
    return compute_sizing(plan, counted, max_weight_percent=canary.max_weight_pct, synthetic_rps=synthetic)


async def _count(site: Site, service: Service) -> Counted | None:
    """Requests that come in now; None if they are not to be counted, or can't be."""
    seconds = site.settings.canary.observe_s
    if not seconds:
        return None
    try:
        before = await site.traffic.read(service.name)
        begun_s = site.clock.monotonic_s()
        await site.clock.sleep(seconds)
        since = compute_since(before, await site.traffic.read(service.name))
    except RetryableError:
        return None
    if since is None:
        return None
    took_s = max(site.clock.monotonic_s() - begun_s, seconds)
    return Counted(requests=since.stable.requests + since.canary.requests, seconds=took_s)


def was_asked(change: Change) -> bool:
    """Whether people were asked about the traffic in this attempt, and let the canary try."""
    begins = f"{change.run}-deployment-{attempt_of(change)}-"
    return any(g.gate_id.startswith(begins) and any(t.rule == TOO_LITTLE for t in g.triggers) for g in change.gates)


def ask_for_traffic(change: Change, service: Service, sizing: Sizing) -> e.HumanRequested:
    """The canary can't be decided: a person may let it try, and it will not pass without enough requests."""
    trigger = e.Trigger(
        rule=TOO_LITTLE,
        summary=f"the traffic of {service.name} can't decide its canary: {sizing.words}",
        evidence=(
            f"canary requests needed: {sizing.needed}",
            f"expected by the end of the longest extension: {sizing.expected_longest:.0f}",
        ),
        clears_when="more requests come in, or more of them may go to the canary (canary.max_weight_pct), or it may "
        "take longer (canary.extend_max_factor), or requests that only read may be added (canary.synthetic_rps); a "
        "person may let it try as it is, and is asked again if too few came",
    )
    return ask(change, (trigger,), attempt_of(change))


@contextlib.asynccontextmanager
async def added_traffic(site: Site, service: Service, starting: e.CanaryStarting) -> AsyncIterator[None]:
    """Send the requests that the decision to start adds, for as long as this is open."""
    if not starting.synthetic_rps or site.load is None:
        yield
        return
    sending = asyncio.create_task(_send(site, service, starting.synthetic_rps))
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(site: Site, service: Service, rate_rps: float) -> None:
    assert site.load is not None, "nothing is added without a generator"
    url = await site.traffic.address(service.name)
    while True:
        try:
            await site.load.compare({service.name: url}, _reading(service), rate_rps=rate_rps, duration_s=_STRETCH_S)
        except GreenlaneError:
            await site.clock.sleep(site.settings.canary.tick_s)  # too few requests are never a success


def _reading(service: Service) -> tuple[LoadRequest, ...]:
    return tuple(request for request in service.load if request.method in READS)
