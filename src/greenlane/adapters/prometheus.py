"""The canary's figures from Prometheus: queries of the settings, asked at one instant over its HTTP API (v1).

Prometheus knows what was last scraped: figures that are older than `metrics.max_age_s`, or absent, are no figures, and
the canary waits for them. Counters that are late are never taken for counters that stand still.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Mapping

import httpx
import msgspec

from greenlane.domain.delivery import Counters, Split, TrafficReading
from greenlane.domain.errors import FinalError, RetryableError
from greenlane.domain.service_settings import Service

MAX_ANSWER = 1 << 20


class _Sample(msgspec.Struct):
    value: tuple[float, str] = (0.0, "")


class _Data(msgspec.Struct):
    resultType: str = ""
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Answer(msgspec.Struct):
    status: str
    data: _Data = msgspec.field(default_factory=_Data)
    error: str = ""


class PrometheusReadings:
    """`limits_ms` is the p99 limit of each service. Raises RetryableError (no answer, no or stale figures) and
    FinalError (a query that Prometheus refuses, or that gives several numbers)."""

    def __init__(self, limits_ms: Mapping[str, float]) -> None:
        self._limits_ms = limits_ms

    async def read(self, service: Service, split: Split | None) -> TrafficReading:
        """Both versions now. A version that was never routed has zeros."""
        if split is None:
            return TrafficReading(stable=Counters(), canary=Counters())
        metrics = service.metrics
        token = os.environ.get(metrics.token_env, "") if metrics.token_env else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(
            base_url=metrics.url or "", headers=headers, timeout=metrics.timeout_s, trust_env=False
        ) as client:
            now = time.time()
            versions = [("stable", split.stable.deployment_id)]
            if split.canary is not None:
                versions.append(("canary", split.canary.deployment_id))
            found = await asyncio.gather(*(self._version(client, service, *version, now) for version in versions))
        return TrafficReading(stable=found[0], canary=found[1] if len(found) > 1 else Counters())

    async def _version(
        self, client: httpx.AsyncClient, service: Service, version: str, deployment: str, now: float
    ) -> Counters:
        limit_ms = self._limits_ms[service.name]
        words = {
            "{service}": service.name,
            "{version}": version,
            "{deployment}": deployment,
            "{limit_ms}": f"{limit_ms:g}",
            "{limit_s}": f"{limit_ms / 1000:g}",
        }
        queries = service.metrics.queries
        texts = [queries.requests, queries.errors, queries.over_limit, queries.observed_at]
        for word, value in words.items():
            texts = [text.replace(word, value) for text in texts]
        values = await asyncio.gather(*(self._ask(client, text, now) for text in texts))
        requests, errors, over, observed_at = values
        if requests is None:
            if version == "canary":
                return Counters()  # nothing was counted of it yet; the judge never takes that for success
            raise RetryableError(
                f"Prometheus has no figures of {service.name} ({version})", hint=f"it was asked: {texts[0]}"
            )
        age_s = now - (observed_at or 0.0)
        if age_s > service.metrics.max_age_s:
            raise RetryableError(
                f"Prometheus last scraped {service.name} ({version}) {age_s:.0f} s ago",
                hint=f"figures over metrics.max_age_s ({service.metrics.max_age_s:g} s) old are none",
            )
        if over is None:
            raise FinalError(
                f"Prometheus does not count requests of {service.name} over {limit_ms:g} ms",
                hint=f"its histogram needs a bound exactly there; it was asked: {texts[2]}",
            )
        total, bad, slow = (max(0, round(value or 0.0)) for value in (requests, errors, over))
        return Counters(
            requests=total,
            errors=min(bad, total),
            over_limit=min(slow, total),
            histogram=((limit_ms, total - min(slow, total)), (1e7, total)),
        )

    async def _ask(self, client: httpx.AsyncClient, query: str, now: float) -> float | None:
        """The one number that a query gives; None if it gives none."""
        try:
            answer = await client.post("/api/v1/query", data={"query": query, "time": f"{now:.3f}"})
            body = answer.content[:MAX_ANSWER]
            said = msgspec.json.decode(body, type=_Answer)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise RetryableError(f"Prometheus does not answer: {error}") from error
        if said.status != "success":
            raise FinalError(f"Prometheus refuses a query: {said.error[:300]}", hint=f"it was asked: {query}")
        try:
            return _number(said.data)
        except ValueError as error:
            raise FinalError(f"a query gives {error}, and not one number", hint=f"it was asked: {query}") from error


def _number(data: _Data) -> float | None:
    """Raises ValueError if there are several."""
    if data.resultType == "scalar":
        value = msgspec.json.decode(data.result, type=tuple[float, str])[1]
    elif data.resultType == "vector":
        samples = msgspec.json.decode(data.result, type=list[_Sample])
        if len(samples) > 1:
            raise ValueError(f"{len(samples)} series")
        if not samples:
            return None
        value = samples[0].value[1]
    else:
        raise ValueError(f"a {data.resultType or 'thing without a type'}")
    number = float(value)
    return None if math.isnan(number) else number
