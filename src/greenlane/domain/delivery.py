"""What is built, where it runs, and what was measured of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A built merge result. `digest` is `sha256:...` of its content; `location` is the platform's own name for it."""

    digest: str
    service: str
    commit: str
    location: str


Environment = Literal["staging", "production"]


class DeploymentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `deployment_id` is the idempotency key: the same id never starts twice."""

    deployment_id: str
    service: str
    artifact: Artifact
    environment: Environment


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A running deployment, reachable over HTTP at host:port."""

    deployment_id: str
    service: str
    artifact: Artifact
    host: str
    port: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment has used since it started: CPU seconds, resident memory, processes in its tree."""

    cpu_s: float
    rss_mb: float
    processes: int


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """How production traffic of a service is shared. `canary_weight` is in percent, 0 to 100."""

    stable: Instance
    canary: Instance | None = None
    canary_weight: float = 0.0


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Cumulative counts of one version behind the proxy since it was routed.

    `histogram` holds (upper bound in ms, requests at or under it), cumulative, ascending; one bound stands exactly
    at the configured p99 limit, so `over_limit` is exact and not interpolated. `errors` are 5xx and failed requests.
    """

    requests: int = 0
    errors: int = 0
    over_limit: int = 0
    histogram: tuple[tuple[float, int], ...] = ()


class TrafficReading(msgspec.Struct, frozen=True, kw_only=True):
    """Both versions as the proxy counts them, at one instant."""

    stable: Counters
    canary: Counters


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """What a load run saw of one target: latency of each answered request in ms, in order of arrival; and failures.

    `at_s` holds the planned moments of the answered requests, in seconds of load. Empty where they are not known.
    """

    latencies_ms: tuple[float, ...]
    errors: int
    requests: int
    at_s: tuple[float, ...] = ()


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check that was run (a smoke request, an integration command) and what came of it."""

    name: str
    passed: bool
    detail: str = ""
    seconds: float = 0.0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of the candidate against the current version: `ratio` = candidate / current, with its interval.

    `balanced` is the ratio at which neither version leans over the other, block by block of the run, and `error` its
    standard error on the log scale; None where no such test was made. A stall moves `ratio` and hardly `balanced`.
    """

    metric: str
    current: float
    candidate: float
    ratio: float
    low: float
    high: float
    limit: float
    regressed: bool
    balanced: float | None = None
    error: float | None = None


class Verdict(StrEnum):
    """What a judge says. The worst wins: FAIL > INCONCLUSIVE > WAIT > PASS."""

    PASS = "pass"
    WAIT = "wait"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


class PackedSamples(msgspec.Struct, frozen=True, kw_only=True):
    """What a load run saw of one target, small enough for the ledger: `data` has the latencies of each of `blocks`
    equal parts of the load, on a scale of steps of 0.1 % (`policy/evidence.py`)."""

    requests: int
    errors: int
    blocks: int
    data: str


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What one version had used at each moment `at_s` of the load (seconds of load, ascending)."""

    at_s: tuple[float, ...] = ()
    usage: tuple[Usage, ...] = ()


class ComparisonLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of `validation` that a comparison is judged by, and the limits of production where there is nothing
    to compare with (`p99_limit_ms`, `error_rate_limit`; None: there was)."""

    load_duration_s: float
    load_extend_max_factor: float
    false_alarm_rate: float
    miss_rate: float
    latency_ratio_max: float
    latency_ratio_find: float
    latency_floor_ms: float
    cpu_ratio_max: float
    error_rate_increase_max: float
    p99_limit_ms: float | None = None
    error_rate_limit: float | None = None


class ComparisonEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that a comparison was judged from, and the verdict: after `load_s` seconds of load to each version."""

    load_s: float
    limits: ComparisonLimits
    candidate: PackedSamples
    current: PackedSamples | None
    candidate_used: Watched
    current_used: Watched
    verdict: Verdict
    reasons: tuple[str, ...]


class MetricJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of the canary, held against its limit: both figures, and what the judge says of them."""

    metric: str
    value: float
    limit: float
    verdict: Verdict
    reason: str


class CanaryJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """The canary judge's answer at one instant."""

    verdict: Verdict
    reason: str
    metrics: tuple[MetricJudgement, ...] = ()
    requests: int = 0
    needed: int = 0


class AlignedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """Where a limit of a canary comes from that was aligned with production's history (`policy/alignment.py`).

    `metric` is `error_rate` (a share) or `p99_ms`. `limit` is the stricter of `configured` and `usual` x `headroom`,
    which history does not lower under `least`. `usual` is of `requests` of the last 30 days, in the hours of `scope`.
    """

    metric: str
    configured: float
    usual: float
    headroom: float
    least: float
    limit: float
    scope: str
    requests: int

    @property
    def stricter(self) -> bool:
        return self.limit < self.configured


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How failures of a version were spread over time: what the judge needs to tell bursts from a bad release.

    `squares` is the sum of bad^2 / requests over `ticks` of one look each. `sums` and `pairs` are the squared
    differences of neighbouring stretches of 1, 2, 4 ... ticks, and how many pairs of stretches they are of
    (`policy/spread.py`).
    """

    requests: int = 0
    bad: int = 0
    ticks: int = 0
    squares: float = 0.0
    sums: tuple[float, ...] = ()
    pairs: tuple[int, ...] = ()


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """One look of the watch, as the judge saw it: seconds since the phase began, and what was counted since the look
    before: requests, errors and requests over the latency limit, of stable and of the canary.

    `alive`: the canary's process runs. `readable`: the counters did not go backwards (else they are 0 here).
    """

    at_s: float
    stable_requests: int = 0
    stable_errors: int = 0
    stable_over: int = 0
    canary_requests: int = 0
    canary_errors: int = 0
    canary_over: int = 0
    alive: bool = True
    readable: bool = True
