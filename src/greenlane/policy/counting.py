"""Counts of a proxy, added and subtracted: what the canary's watch reads, and what the judge sees of it."""

from __future__ import annotations

from collections.abc import Iterable

from greenlane.domain.delivery import Counters, Tick, TrafficReading


def compute_since(start: TrafficReading, now: TrafficReading) -> TrafficReading | None:
    """What was counted between two readings; None if a counter went backwards or contradicts another."""
    parts = [_minus(now.stable, start.stable), _minus(now.canary, start.canary)]
    if any(min(p.requests, p.errors, p.over_limit, p.requests - p.errors) < 0 for p in parts):
        return None
    if any(p.over_limit > p.requests for p in parts):
        return None
    return TrafficReading(stable=parts[0], canary=parts[1])


def detect_lag(start: TrafficReading, now: TrafficReading) -> bool:
    """Whether more slow requests than requests were counted: the proxy fills its histogram a moment after it counted.

    Where the reading before was taken in such a moment, what was slow then is added to what was slow since.
    """
    parts = [_minus(now.stable, start.stable), _minus(now.canary, start.canary)]
    return any(part.over_limit > part.requests >= 0 for part in parts)


def compute_sum(first: Counters, second: Counters) -> Counters:
    """Both together, without the histogram."""
    return Counters(
        requests=first.requests + second.requests,
        errors=first.errors + second.errors,
        over_limit=first.over_limit + second.over_limit,
    )


def make_tick(at_s: float, before: TrafficReading, now: TrafficReading | None, *, alive: bool) -> Tick:
    """What was counted between two looks of one phase; both count since it began. Not readable: the counters went
    backwards, since the phase began (None) or since the look before."""
    step = None if now is None else compute_since(before, now)
    if step is None and now is not None and detect_lag(before, now):
        step = _late(before, now)
    if step is None:
        return Tick(at_s, alive=alive, readable=False)
    stable, canary = step.stable, step.canary
    return Tick(
        at_s, stable.requests, stable.errors, stable.over_limit, canary.requests, canary.errors, canary.over_limit,
        alive,
    )  # fmt: skip


def _late(before: TrafficReading, now: TrafficReading) -> TrafficReading | None:
    """A look with more slow requests than requests: some of them were sent before the look before. None otherwise."""
    step = TrafficReading(stable=_minus(now.stable, before.stable), canary=_minus(now.canary, before.canary))
    counts = [c for part in (step.stable, step.canary) for c in (part.requests, part.errors, part.over_limit)]
    fits = all(part.errors <= part.requests for part in (step.stable, step.canary))
    return step if min(counts) >= 0 and fits else None


def add_up(ticks: Iterable[Tick]) -> TrafficReading:
    """The reading that these ticks of one phase make together, without histograms."""
    totals = [0, 0, 0, 0, 0, 0]
    for tick in ticks:
        counts = (
            tick.stable_requests, tick.stable_errors, tick.stable_over,
            tick.canary_requests, tick.canary_errors, tick.canary_over,
        )  # fmt: skip
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
    stable, canary = totals[:3], totals[3:]
    return TrafficReading(
        stable=Counters(requests=stable[0], errors=stable[1], over_limit=stable[2]),
        canary=Counters(requests=canary[0], errors=canary[1], over_limit=canary[2]),
    )


def _minus(now: Counters, start: Counters) -> Counters:
    before = dict(start.histogram)
    return Counters(
        requests=now.requests - start.requests,
        errors=now.errors - start.errors,
        over_limit=now.over_limit - start.over_limit,
        histogram=tuple((bound, count - before.get(bound, 0)) for bound, count in now.histogram),
    )
