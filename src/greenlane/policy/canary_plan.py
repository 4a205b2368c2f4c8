"""A canary before it starts: its thresholds, its phases, and whether the traffic can decide it. Pure."""

from __future__ import annotations

import math
from enum import StrEnum
from functools import lru_cache
from typing import Literal

import msgspec

from greenlane.domain.delivery import AlignedLimit, Spread
from greenlane.domain.events import CanaryStarting, Lane
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings

SLOW_SHARE_LIMIT = 0.01
"""What a 99th percentile is: one request in a hundred may take longer."""

FULL_PERCENT = 100.0

TESTS = 7
"""The floor of the warm-up; and for each of the two metrics: over the limit, over it at the end of the watch, and far
worse than stable."""

JUDGE_VERSION = 2
"""The judge of `policy/canary.py`. What another version judged is not judged again: `replay` says so."""


class Phase(StrEnum):
    """The parts of a canary: `warm-up` and `watch` at the first weight, then a `step` at each further one."""

    WARM_UP = "warm-up"
    WATCH = "watch"
    STEP = "step"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The figures that a canary is judged by. `alpha` is the chance of a false alarm of each single test.

    `min_requests` is what the watch needs to pass. `spread_errors` and `spread_slow` are what earlier canaries of the
    service showed of how its failures hang together.
    """

    watch_s: float
    step_s: float
    warmup_s: float
    error_rate_limit: float
    p99_limit_ms: float
    catastrophic_error_rate: float
    min_requests: int
    extend_max_factor: float
    alpha: float
    steps: int = 1
    worse_than_stable: float | None = None
    over_not_proven: Literal["roll_back", "extend", "ask"] = "roll_back"
    environment: Literal["ask", "hold", "roll_back"] = "ask"
    spread_errors: Spread | None = None
    spread_slow: Spread | None = None

    def duration_s(self, phase: Phase) -> float:
        if phase is Phase.WATCH:
            return self.watch_s
        return self.warmup_s if phase is Phase.WARM_UP else self.step_s

    @property
    def floor(self) -> float:
        """The share of failed requests that is not waited out in the warm-up; never under the limit itself."""
        return max(self.catastrophic_error_rate, self.error_rate_limit)

    @property
    def horizon_s(self) -> float:
        """The longest time that the judged phases may take together."""
        return (self.watch_s + self.steps * self.step_s) * self.extend_max_factor


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A canary before it starts: the first weight, the further ones, and the rules.

    `aligned` says what its limits were taken from, `alignment` the same in words (empty: as configured, and no more is
    to be said)."""

    weight_percent: float
    steps_percent: tuple[float, ...]
    rules: Rules
    aligned: tuple[AlignedLimit, ...] = ()
    alignment: str = ""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of a service that came in during `seconds`, before its canary."""

    requests: int
    seconds: float

    @property
    def rate_rps(self) -> float:
        return self.requests / self.seconds

    @property
    def high_rps(self) -> float:
        """The rate on the high side: a short look may have met a quiet moment."""
        return (self.requests + 2.0 * math.sqrt(self.requests) + 2.0) / self.seconds


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the traffic can decide a canary: requests needed in the watch, the service's requests a second as they
    were counted (None: not counted), the weight that follows, the requests a second that are added to those of the
    users, and how many canary requests that will bring by the end of the watch, and of its longest extension."""

    needed: int
    rate_rps: float | None
    weight_percent: float
    synthetic_rps: float = 0.0
    expected: float = 0.0
    expected_longest: float = 0.0
    sufficient: bool
    words: str


def resolve_thresholds(settings: Settings, service: Service, lane: Lane, services: int = 1) -> Plan:
    """The canary of a service in a lane: the tier's thresholds over the general ones, then what the lane changes.

    `services` is how many services the change brings to production: they share the chance of a false alarm.
    """
    general, tier, canary = settings.thresholds, getattr(settings.tiers, service.tier), settings.canary
    weight = tier.canary_traffic_initial_pct or general.canary_traffic_initial_pct
    minutes = tier.canary_monitoring_duration_min or general.canary_monitoring_duration_min
    errors = general.error_rate_threshold if tier.error_rate_threshold is None else tier.error_rate_threshold
    factor = settings.lanes.performance_canary_factor if lane is Lane.PERFORMANCE else 1.0
    if lane is Lane.INTEGRATION:
        weight, *later = settings.lanes.integration_steps_pct
        steps = _ascending(weight, tuple(later))
    else:
        steps = _ascending(weight, canary.steps_pct)
    return Plan(
        weight_percent=weight,
        steps_percent=steps,
        rules=Rules(
            watch_s=minutes * 60 * factor,
            step_s=canary.step_duration_s,
            warmup_s=canary.warmup_s,
            error_rate_limit=errors / factor,
            p99_limit_ms=tier.p99_latency_threshold_ms or general.p99_latency_threshold_ms,
            catastrophic_error_rate=canary.catastrophic_error_rate,
            min_requests=max(
                canary.min_requests, compute_requests_to_see(errors / factor, canary.detect_factor, canary.detect_power)
            ),
            extend_max_factor=canary.extend_max_factor,
            alpha=canary.false_alarm_rate / (TESTS * max(services, 1)),
            steps=len(steps),
            worse_than_stable=canary.worse_than_stable or None,
            over_not_proven=canary.over_not_proven,
            environment=canary.environment,
        ),
    )


def _ascending(first: float, later: tuple[float, ...]) -> tuple[float, ...]:
    """The later weights that are higher than all before them; the last one is always 100."""
    steps: list[float] = []
    for weight in (*later, FULL_PERCENT):
        if weight > (steps[-1] if steps else first):
            steps.append(weight)
    return tuple(steps)


def rules_of(starting: CanaryStarting) -> Rules:
    """The rules that were written into the decision to start: a change of configuration does not move them."""
    return Rules(
        watch_s=starting.watch_s,
        step_s=starting.step_s,
        warmup_s=starting.warmup_s,
        error_rate_limit=starting.error_rate_limit,
        p99_limit_ms=starting.p99_limit_ms,
        catastrophic_error_rate=starting.catastrophic_error_rate,
        min_requests=starting.min_requests,
        extend_max_factor=starting.extend_max_factor,
        alpha=starting.alpha,
        steps=len(starting.steps_percent),
        worse_than_stable=starting.worse_than_stable,
        over_not_proven=starting.over_not_proven,
        environment=starting.environment,
        spread_errors=starting.spread_errors,
        spread_slow=starting.spread_slow,
    )


def compute_requests_needed(rules: Rules, phase: Phase) -> int:
    """Canary requests without which a phase can't pass. A step needs its part of the watch's number, by time."""
    if phase is Phase.WARM_UP:
        return 0
    if phase is Phase.WATCH or rules.watch_s <= 0:
        return rules.min_requests
    return max(1, math.ceil(rules.min_requests * min(1.0, rules.step_s / rules.watch_s)))


def compute_requests_to_see(error_limit: float, factor: float, power: float) -> int:
    """Requests from which on a share of `factor` times the limit is over the limit with a chance of at least `power`.

    The counts of what is rare are Poisson: x is the number of bad requests that the limit allows, `factor * x` the
    number to be expected. A smaller number of requests than this lets such a release through too often. For the error
    limit and for the share of slow requests, whichever needs more; a limit of 0 needs no number of its own.
    """
    limits = [limit for limit in (error_limit, SLOW_SHARE_LIMIT) if limit > 0]
    return math.ceil(_allowed_to_see(factor, power) / min(limits))


@lru_cache(maxsize=64)
def _allowed_to_see(factor: float, power: float) -> float:
    """The smallest x so that Poisson(factor * y) exceeds floor(y) with a chance of `power`, for every y from x on."""
    allowed = _MOST_ALLOWED
    while allowed > 0 and _chance_at_most(allowed, factor * allowed) <= 1.0 - power:
        allowed -= 1  # the chance is worst where the limit just allows one more
    low, high = float(allowed), allowed + 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if _chance_at_most(allowed, factor * middle) <= 1.0 - power:
            high = middle
        else:
            low = middle
    return high


_MOST_ALLOWED = 400
"""Bad requests that a limit allows, up to which the number is searched: it resolves a factor of 1.07 at 90 %."""


def _chance_at_most(count: int, mean: float) -> float:
    """P(Poisson(mean) <= count). A mean of over 745 makes it 0, which it nearly is for the counts asked for."""
    term = total = math.exp(-mean)
    for k in range(1, count + 1):
        term *= mean / k
        total += term
    return min(1.0, total)


def compute_sizing(
    plan: Plan, counted: Counted | None, *, max_weight_percent: float, synthetic_rps: float = 0.0
) -> Sizing:
    """Whether the service's traffic brings the requests that the watch needs, and what it takes.

    Too little at the plan's weight: the weight is raised, up to `max_weight_percent`, so that the watch is enough; what
    is missing then is left to the extension. If that is not enough either, up to `synthetic_rps` requests a second are
    added. If not even those help, counted on the high side, the canary can't be decided.
    """
    rules, needed = plan.rules, plan.rules.min_requests
    if counted is None:
        words = f"how many requests come in was not counted; {needed} are needed"
        return Sizing(needed=needed, rate_rps=None, weight_percent=plan.weight_percent, sufficient=True, words=words)
    weight, per_percent = plan.weight_percent, rules.watch_s / FULL_PERCENT
    if counted.rate_rps * per_percent * weight < needed:
        wanted = needed / (counted.rate_rps * per_percent) if counted.requests else FULL_PERCENT
        weight = max(weight, min(math.ceil(wanted), max_weight_percent))
    longest_factor, synthetic = rules.extend_max_factor, 0.0
    if counted.rate_rps * per_percent * weight * longest_factor < needed:
        synthetic = min(synthetic_rps, needed / (per_percent * weight) - counted.rate_rps)
    expected = (counted.rate_rps + synthetic) * per_percent * weight
    high = (counted.high_rps + synthetic) * per_percent * weight * longest_factor
    sizing = Sizing(
        needed=needed,
        rate_rps=counted.rate_rps,
        weight_percent=weight,
        synthetic_rps=synthetic,
        expected=expected,
        expected_longest=expected * longest_factor,
        sufficient=high >= needed,
        words="",
    )
    return msgspec.structs.replace(sizing, words=_describe_sizing(plan, sizing, max_weight_percent))


def _describe_sizing(plan: Plan, sizing: Sizing, max_weight_percent: float) -> str:
    weight, needed = sizing.weight_percent, sizing.needed
    words = f"{sizing.rate_rps:.3g} requests a second come in"
    if sizing.synthetic_rps:
        words += f" and {sizing.synthetic_rps:.3g} are added that only read"
    words += f", so the canary gets about {sizing.expected:.0f} in its watch at {weight:g} %, and {needed} are needed"
    if weight > plan.weight_percent:
        words += f" (raised from {plan.weight_percent:g} %, at most {max_weight_percent:g} %)"
    if not sizing.sufficient:
        return f"{words}; not even the longest extension, with about {sizing.expected_longest:.0f}, is enough"
    if sizing.expected < needed:
        words += f"; an extension brings about {sizing.expected_longest:.0f}"
    return words
