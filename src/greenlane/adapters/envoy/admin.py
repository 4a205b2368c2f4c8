"""What Envoy says of itself, over its admin socket (a file that this user alone can open)."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Any

import httpx
import msgspec

from greenlane.adapters.envoy.config import to_percent, version_cluster
from greenlane.adapters.envoy.record import Raw
from greenlane.domain.delivery import Counters
from greenlane.domain.errors import RetryableError

ADMIN_TIMEOUT_S = 5.0


def _lattice() -> tuple[float, ...]:
    """Whole milliseconds with at most two significant digits up to a minute: the edges of Envoy's histogram bins."""
    values = [float(value) for value in range(1, 100)]
    values += [float(value * 10) for value in range(10, 100)]
    values += [float(value * 100) for value in range(10, 100)]
    values += [float(value * 1000) for value in range(10, 61)]
    return tuple(values)


EDGES_MS = _lattice()
BUCKETS_MS = (0.5, *EDGES_MS, 1e7)
"""The last one stands for all. Bucket `b` of Envoy holds all of the bin that begins at `b`, so the requests under an
edge are those in the bucket before it. A bucket at each edge makes every limit there countable without a new start."""
_STEPS = (10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 57, 68, 82)
SHOWN_MS = (
    *(float(value) for value in range(1, 10)),
    *(float(step * scale) for scale in (1, 10, 100) for step in _STEPS),
    *(float(step * 1000) for step in (10, 12, 14, 17, 20, 30, 60)),
)
"""What is written down of a histogram: a fifth apart, so that a quantile in between is good to some percent."""


def countable_limit_ms(limit_ms: float) -> float:
    """The highest limit at or under this one that Envoy counts exactly: two significant digits, 1 ms to 60 s.

    800, 250 and 95 are exact; 125 is counted as 120: stricter, never laxer.
    """
    place = bisect_left(EDGES_MS, limit_ms)
    if place < len(EDGES_MS) and EDGES_MS[place] == limit_ms:
        return limit_ms
    return EDGES_MS[max(place - 1, 0)]


def compute_counters(now: Raw, since: Raw, limit_ms: float) -> Counters:
    """The counters between two readings. A request that timed out is over every limit; it stands in no bucket."""
    limit = countable_limit_ms(limit_ms) if limit_ms else 0.0
    total = _between(now, since, BUCKETS_MS[-1], everything=True)
    bounds = sorted({*SHOWN_MS, limit} - {0.0})
    histogram = tuple((bound, _between(now, since, bound)) for bound in bounds)
    over = total - dict(histogram)[limit] if limit else 0
    timeouts = max(0, now.timeouts - since.timeouts)
    return Counters(
        requests=max(0, now.requests - since.requests),
        errors=max(0, now.errors - since.errors),
        over_limit=over + timeouts,
        histogram=histogram,
    )


def _between(now: Raw, since: Raw, bound: float, *, everything: bool = False) -> int:
    bucket = bound if everything else BUCKETS_MS[BUCKETS_MS.index(bound) - 1]
    return max(0, now.under.get(bucket, 0) - since.under.get(bucket, 0))


class _Bucket(msgspec.Struct):
    upper_bound: float
    cumulative: int


class _Histogram(msgspec.Struct):
    name: str
    buckets: list[_Bucket]


class _Stat(msgspec.Struct):
    """One counter or gauge; or, as Envoy has it, all histograms in one."""

    name: str = ""
    value: Any = None  # Any: a number for counters and gauges, a text for readouts
    histograms: list[_Histogram] = []


class _Stats(msgspec.Struct):
    stats: list[_Stat]


class AppliedRoutes(msgspec.Struct, frozen=True):
    """The route table that Envoy has in use: its version, and each cluster's share in percent."""

    version: str
    shares: dict[str, float]


class Admin:
    """Raises RetryableError when Envoy does not answer."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def _get(self, path: str) -> bytes:
        transport = httpx.AsyncHTTPTransport(uds=self._socket, verify=False, trust_env=False)
        try:
            async with httpx.AsyncClient(transport=transport, timeout=ADMIN_TIMEOUT_S) as client:
                answer = await client.get(f"http://envoy{path}")
                if answer.status_code == 404:
                    return b"{}"  # a dump of which there is nothing yet
                answer.raise_for_status()
                return answer.content
        except httpx.HTTPError as error:
            raise RetryableError(f"the router does not answer at {path.partition('?')[0]}: {error}") from error

    async def is_ready(self) -> bool:
        try:
            return (await self._get("/ready")).strip() == b"LIVE"
        except RetryableError:
            return False

    async def values(self, pattern: str) -> dict[str, Any]:
        """Counters, gauges and texts whose name matches the pattern."""
        query = httpx.QueryParams({"format": "json", "filter": pattern})
        found = msgspec.json.decode(await self._get(f"/stats?{query}"), type=_Stats)
        return {stat.name: stat.value for stat in found.stats if stat.name}

    async def read_versions(self, service: str, deployment_ids: tuple[str, ...]) -> dict[str, Raw]:
        """The counters of these versions since Envoy started; zeros for one it does not know."""
        names = "|".join(re.escape(version_cluster(service, name)) for name in deployment_ids)
        wanted = "upstream_rq_(completed|5xx|timeout|per_try_idle_timeout|active|time)"
        query = httpx.QueryParams(
            {"format": "json", "histogram_buckets": "cumulative", "filter": rf"^cluster\.({names})\.{wanted}$"}
        )
        found = msgspec.json.decode(await self._get(f"/stats?{query}"), type=_Stats).stats
        numbers = {stat.name: int(stat.value) for stat in found if stat.name}
        histograms = {each.name: each.buckets for stat in found for each in stat.histograms}
        read: dict[str, Raw] = {}
        for name in deployment_ids:
            prefix = f"cluster.{version_cluster(service, name)}.upstream_rq_"
            timeouts = numbers.get(prefix + "timeout", 0) + numbers.get(prefix + "per_try_idle_timeout", 0)
            read[name] = Raw(
                requests=numbers.get(prefix + "completed", 0),
                errors=numbers.get(prefix + "5xx", 0),
                timeouts=timeouts,
                active=numbers.get(prefix + "active", 0),
                under={bucket.upper_bound: bucket.cumulative for bucket in histograms.get(prefix + "time", [])},
            )
        return read

    async def applied_routes(self) -> dict[str, AppliedRoutes]:
        """The route tables in use, by service."""
        dump = msgspec.json.decode(await self._get("/config_dump?resource=dynamic_route_configs"))
        found: dict[str, AppliedRoutes] = {}
        for each in dump.get("configs", []):
            table = each["route_config"]
            route = table["virtual_hosts"][0]["routes"][-1]["route"]  # those before it are for chosen requests
            shares = {c["name"]: to_percent(c.get("weight", 0)) for c in route["weighted_clusters"]["clusters"]}
            found[table["name"]] = AppliedRoutes(each.get("version_info", ""), shares)
        return found

    async def listener_error(self, name: str) -> str:
        """Why Envoy refused this listener, empty if it did not."""
        query = httpx.QueryParams({"resource": "dynamic_listeners"})
        dump = msgspec.json.decode(await self._get(f"/config_dump?{query}"))
        for each in dump.get("configs", []):
            if each.get("name") == name and "error_state" in each:
                return str(each["error_state"].get("details", "refused"))
        return ""
