"""The baseline of a service: what its production usually does at this hour of the week. Called by validation and by
`greenlane baseline`.

The last 30 days are kept in quarters of an hour. What overlaps an incident is left out. An hour of the week with too
few requests falls back to all hours, and says so. Times are UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.production import SLOT_S, TrafficSlot

DAYS = 30
HOURS = 168
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which production was not as usual (UTC), and which run it was."""

    begins: datetime
    ends: datetime
    run: str


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """Production over the slots that were taken. Latencies in ms; None without a histogram."""

    service: str
    scope: str
    """`Thu 14:00 to 15:00 UTC`, or `all hours`."""
    requests: int
    errors: int
    seconds: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    slots: int
    excluded: int
    """Slots of the same scope that overlap an incident."""
    note: str = ""
    """Why it is not the baseline of the hour that was asked for."""

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    @property
    def rate_rps(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def hour_of_week(moment: datetime) -> int:
    """0 is Monday, midnight to one o'clock, UTC."""
    at = moment.astimezone(UTC)
    return at.weekday() * 24 + at.hour


def hour_words(hour: int) -> str:
    return f"{_WEEKDAYS[hour // 24]} {hour % 24:02d}:00 to {hour % 24 + 1:02d}:00 UTC"


def detect_incidents(changes: Iterable[Change], service: str) -> tuple[Incident, ...]:
    """When a canary of this service failed or could not be judged, and when a version ran that was taken back."""
    found = []
    for change in changes:
        begun: datetime | None = None
        deployed: datetime | None = None
        canaries: set[str] = set()
        for recorded in change.history:
            event, at = recorded.event, datetime.fromisoformat(recorded.timestamp)
            if isinstance(event, e.CanaryStarting) and event.service == service:
                begun = at
                canaries.add(event.deployment_id)
            elif isinstance(event, e.CanaryPromoted) and event.service == service:
                begun, deployed = None, at
            elif isinstance(event, e.CanaryRolledBack | e.CanaryInconclusive) and event.deployment_id in canaries:
                found.append(Incident(begins=begun or deployed or at, ends=at, run=change.run))
                begun = None
            elif isinstance(event, e.DeploymentRolledBack) and deployed is not None:
                found.append(Incident(begins=deployed, ends=at, run=change.run))
    return tuple(found)


def detect_promotion(changes: Iterable[Change], service: str) -> datetime | None:
    """When the version that production runs got all traffic, by the newest of these runs; None if none says."""
    return max(detect_switches(changes, service), default=None)


def detect_switches(changes: Iterable[Change], service: str) -> tuple[datetime, ...]:
    """The moments at which another version got all traffic: promoted, or restored by a rollback. In order of time."""
    found = []
    for change in changes:
        for recorded in change.history:
            event = recorded.event
            promoted = isinstance(event, e.CanaryPromoted) and event.service == service
            back = isinstance(event, e.DeploymentRolledBack) and any(i.service == service for i in event.restored)
            if promoted or back:
                found.append(datetime.fromisoformat(recorded.timestamp))
    return tuple(sorted(found))


def compute_baseline(
    service: str,
    slots: Sequence[TrafficSlot],
    incidents: Sequence[Incident],
    *,
    now: datetime,
    hour: int | None,
    min_requests: int,
    promoted: datetime | None = None,
) -> Baseline | None:
    """The baseline of an hour of the week (None: of all hours); None with too few requests even in all hours.

    `promoted` is when the version that is in production now got all traffic. Where it has enough requests since, they
    alone count: a candidate is compared with that version, and not with those before it.
    """
    since = (now - timedelta(days=DAYS)).timestamp()
    recent = [s for s in slots if since <= s.begins <= now.timestamp()]
    if promoted is not None:
        of_version = [s for s in recent if s.begins >= promoted.timestamp()]
        if sum(s.requests for s in of_version) >= min_requests:
            found = compute_baseline(service, of_version, incidents, now=now, hour=hour, min_requests=min_requests)
            if found is not None:
                return msgspec.structs.replace(found, scope=f"{found.scope}, this version")
    everything = _sum_up(service, recent, incidents, scope="all hours")
    if hour is None:
        return everything if everything.requests >= min_requests else None
    mine = [s for s in recent if hour_of_week(datetime.fromtimestamp(s.begins, UTC)) == hour]
    of_hour = _sum_up(service, mine, incidents, scope=hour_words(hour))
    if of_hour.requests >= min_requests:
        return of_hour
    if everything.requests < min_requests:
        return None
    note = (
        f"{hour_words(hour)} has {of_hour.requests} of the {min_requests} requests that are needed, so all hours count"
    )
    return msgspec.structs.replace(everything, note=note)


def _sum_up(service: str, slots: Sequence[TrafficSlot], incidents: Sequence[Incident], *, scope: str) -> Baseline:
    kept = [s for s in slots if not any(_overlaps(s, incident) for incident in incidents)]
    histogram = merge_histograms([s.histogram for s in kept if s.histogram])
    p50, p95, p99 = (compute_histogram_quantile(histogram, share) for share in (0.50, 0.95, 0.99))
    return Baseline(
        service=service,
        scope=scope,
        requests=sum(s.requests for s in kept),
        errors=sum(s.errors for s in kept),
        seconds=sum(s.seconds for s in kept),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        slots=len(kept),
        excluded=len(slots) - len(kept),
    )


def describe_missing(
    slots: Sequence[TrafficSlot], incidents: Sequence[Incident], *, now: datetime, min_requests: int
) -> str:
    """Why there is no baseline: the requests that count, of how many that are needed, and what incidents took away."""
    since = (now - timedelta(days=DAYS)).timestamp()
    recent = [s for s in slots if since <= s.begins <= now.timestamp()]
    kept = _sum_up("", recent, incidents, scope="all hours")
    words = f"{kept.requests} of the {min_requests} requests that are needed were counted in {DAYS} days"
    if not kept.excluded:
        return words
    left_out = sum(s.requests for s in recent) - kept.requests
    quarters = "1 quarter of an hour was" if kept.excluded == 1 else f"{kept.excluded} quarters of an hour were"
    return f"{words} outside of incidents; {quarters} left out for incidents, with {left_out} requests"


def _overlaps(slot: TrafficSlot, incident: Incident) -> bool:
    return slot.begins < incident.ends.timestamp() + 1 and slot.begins + SLOT_S > incident.begins.timestamp()


def merge_histograms(histograms: Sequence[tuple[tuple[float, int], ...]]) -> tuple[tuple[float, int], ...]:
    """The sum, over the bounds that all of them have."""
    if not histograms:
        return ()
    common = set.intersection(*({bound for bound, _ in h} for h in histograms))
    total = dict.fromkeys(sorted(common), 0)
    for histogram in histograms:
        for bound, count in histogram:
            if bound in total:
                total[bound] += count
    return tuple(total.items())


def compute_histogram_quantile(histogram: Sequence[tuple[float, int]], share: float) -> float | None:
    """The latency in ms under which this share of the requests stands, between two bounds on the log scale.

    None without requests. Over the last bound, that bound: it is at least so slow.
    """
    total = histogram[-1][1] if histogram else 0
    if total <= 0:
        return None
    wanted = share * total
    lower, under = 0.0, 0
    for bound, count in histogram:
        if count >= wanted and count > under:
            part = (wanted - under) / (count - under)
            start = lower or bound / 2
            return math.exp(math.log(start) + part * (math.log(bound) - math.log(start)))
        lower, under = bound, max(under, count)
    return histogram[-1][0]


def describe_baseline(baseline: Baseline) -> str:
    """In words, with its figures."""
    p99 = "unknown" if baseline.p99_ms is None else f"{baseline.p99_ms:.0f} ms"
    note = f"; {baseline.note}" if baseline.note else ""
    left_out = f", {baseline.excluded} quarters of an hour left out for incidents" if baseline.excluded else ""
    return (
        f"{baseline.scope}: p99 {p99}, {baseline.error_rate:.3%} of {baseline.requests} requests failed, "
        f"{baseline.rate_rps:.1f} requests a second{left_out}{note}"
    )


def detect_breaches(baseline: Baseline, *, p99_limit_ms: float, error_rate_limit: float) -> tuple[str, ...]:
    """What production itself does that its limits forbid."""
    found = []
    if baseline.p99_ms is not None and baseline.p99_ms > p99_limit_ms:
        found.append(
            f"{baseline.service}: production itself has p99 {baseline.p99_ms:.0f} ms ({baseline.scope}), over the "
            f"limit of {p99_limit_ms:g} ms"
        )
    if baseline.error_rate > error_rate_limit:
        found.append(
            f"{baseline.service}: in production itself {baseline.error_rate:.2%} of the requests fail "
            f"({baseline.scope}), over the limit of {error_rate_limit:.2%}"
        )
    return tuple(found)


def detect_breaches_by_hour(
    hours: Sequence[Baseline], *, p99_limit_ms: float, error_rate_limit: float
) -> tuple[str, ...]:
    """Likewise over hours of the week: how many break a limit, and the worst of them; at most one text a limit."""
    slow = sorted((b for b in hours if (b.p99_ms or 0.0) > p99_limit_ms), key=lambda b: b.p99_ms or 0.0)
    failing = sorted((b for b in hours if b.error_rate > error_rate_limit), key=lambda b: b.error_rate)
    found = []
    if slow:
        found.append(
            f"{slow[-1].service}: in {len(slow)} of {len(hours)} hours of the week production itself has a p99 over "
            f"the limit of {p99_limit_ms:g} ms; worst: {slow[-1].p99_ms or 0.0:.0f} ms ({slow[-1].scope})"
        )
    if failing:
        found.append(
            f"{failing[-1].service}: in {len(failing)} of {len(hours)} hours of the week more requests fail in "
            f"production itself than the limit of {error_rate_limit:.2%}; worst: {failing[-1].error_rate:.2%} "
            f"({failing[-1].scope})"
        )
    return tuple(found)
