"""Limits of a canary by what its service usually does: the stricter of the configured limit and history. Pure.

A limit that was made for all services of a tier is loose for a quick and quiet one: a service whose p99 is 60 ms may
become ten times slower under a limit of 800 ms. With `canary.align_with_history` each of the two limits becomes the
baseline's own figure times `canary.align_headroom` where that is stricter, and never laxer than configured.
"""

from __future__ import annotations

import math

import msgspec

from greenlane.domain.delivery import AlignedLimit
from greenlane.domain.settings import Canary
from greenlane.policy.baseline import DAYS, Baseline
from greenlane.policy.canary_plan import Plan, compute_requests_to_see

ERROR_RATE = "error_rate"
P99 = "p99_ms"


def align_limits(plan: Plan, baseline: Baseline, canary: Canary, *, latency: bool = True) -> Plan:
    """The plan with the stricter limits, and the requests that its watch then needs.

    `latency` is false where the requests over a limit are counted by somebody who knows the configured limit alone.
    """
    rules, found = plan.rules, []
    wanted = [(ERROR_RATE, rules.error_rate_limit, baseline.error_rate, canary.align_error_rate_min)]
    if latency and baseline.p99_ms is not None:
        wanted.append((P99, rules.p99_limit_ms, baseline.p99_ms, canary.align_p99_min_ms))
    for metric, configured, usual, least in wanted:
        limit = compute_aligned(metric, configured, usual=usual, headroom=canary.align_headroom, least=least)
        found.append(
            AlignedLimit(
                metric=metric, configured=configured, usual=usual, headroom=canary.align_headroom, least=least,
                limit=limit, scope=baseline.scope, requests=baseline.requests,
            )
        )  # fmt: skip
    taken = {each.metric: each.limit for each in found}
    errors = taken[ERROR_RATE]
    needed = compute_requests_to_see(errors, canary.detect_factor, canary.detect_power)
    stricter = msgspec.structs.replace(
        rules,
        error_rate_limit=errors,
        p99_limit_ms=taken.get(P99, rules.p99_limit_ms),
        min_requests=max(rules.min_requests, needed),
    )
    return msgspec.structs.replace(
        plan, rules=stricter, aligned=tuple(found), alignment=_describe(tuple(found), baseline, latency)
    )


def compute_aligned(metric: str, configured: float, *, usual: float, headroom: float, least: float) -> float:
    """The stricter of what is configured and what is usual times the headroom, but for `least`.

    A latency is rounded up to two digits: there every router has a bound of its histogram, so that requests over the
    limit are counted, and not estimated.
    """
    wanted = max(usual * headroom, least)
    return min(configured, _round_up(wanted) if metric == P99 else wanted)


def compute_recorded(recorded: AlignedLimit) -> float:
    """The limit that follows from the recorded figures."""
    return compute_aligned(
        recorded.metric, recorded.configured, usual=recorded.usual, headroom=recorded.headroom, least=recorded.least
    )


def _round_up(ms: float) -> float:
    """Whole milliseconds with at most two significant digits, at least 1."""
    place = 10.0 ** max(0, math.floor(math.log10(max(ms, 1.0))) - 1)
    return math.ceil(ms / place - 1e-9) * place


def _describe(found: tuple[AlignedLimit, ...], baseline: Baseline, latency: bool) -> str:
    words = [_describe_limit(each) for each in found]
    if not latency:
        words.append("p99 as configured, because the proxy does not count it")
    elif baseline.p99_ms is None:
        words.append("p99 as configured, because the history has no latencies")
    return (
        f"aligned with the history of {DAYS} days ({baseline.scope}, {baseline.requests} requests; "
        f"{found[0].headroom:g} times what is usual): {'; '.join(words)}"
    )


def _describe_limit(each: AlignedLimit) -> str:
    def figure(value: float) -> str:
        return f"{value:.4g} ms" if each.metric == P99 else f"{value:.3%}"

    name = "p99" if each.metric == P99 else "failed requests"
    if not each.stricter:
        return f"{name} {figure(each.configured)} as configured (usual: {figure(each.usual)})"
    floor = ", the lowest that history may set" if each.usual * each.headroom < each.least else ""
    return f"{name} {figure(each.limit)} instead of {figure(each.configured)} (usual: {figure(each.usual)}{floor})"
