"""Current and candidate under the same load, for as long as it takes to tell. Used by the validation agent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from greenlane.agents.production import url_of
from greenlane.domain.delivery import (
    Comparison,
    ComparisonEvidence,
    ComparisonLimits,
    Instance,
    Samples,
    Usage,
    Verdict,
    Watched,
)
from greenlane.domain.service_settings import LoadRequest
from greenlane.domain.settings import Validation
from greenlane.policy.evidence import CANDIDATE, CURRENT, judge_packed, limits_of, pack_samples
from greenlane.policy.regression import Look, Validated, plan_looks
from greenlane.ports.clock import Clock
from greenlane.ports.load import LoadGenerator
from greenlane.ports.platform import Platform

_WATCH_EVERY_S = 1.0
_WATCHES_MIN = 10
"""Looks at CPU and memory in one stretch of load, at the least; its parts are what the interval of CPU comes from."""
_EMPTY = Samples(latencies_ms=(), errors=0, requests=0)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a comparison ended, after so many seconds of load to each version."""

    comparisons: tuple[Comparison, ...]
    answer: Validated
    load_s: float
    samples: Mapping[str, Samples]
    evidence: ComparisonEvidence


class SideBySide:
    """One comparison. Load comes in stretches of `load_duration_s`; after some of them it is looked at whether to go
    on (`policy.regression.plan_looks`)."""

    def __init__(
        self, instances: Mapping[str, Instance], *, platform: Platform, load: LoadGenerator, clock: Clock
    ) -> None:
        self._instances = instances
        self._platform = platform
        self._load = load
        self._clock = clock
        self._samples = dict.fromkeys(instances, _EMPTY)
        self._watched = {name: Watched() for name in instances}
        self._load_s = 0.0

    async def compare(self, requests: Sequence[LoadRequest], limits: Validation) -> Outcome:
        """Both versions, until the answer is not to wait any more."""
        for look in plan_looks(limits):
            await self._send_until(look.load_s, requests, limits)
            outcome = await asyncio.to_thread(self._judge, look, limits_of(limits))
            if outcome.answer.verdict is not Verdict.WAIT:
                return outcome
        raise AssertionError("unreachable: the last look does not wait")

    async def measure_alone(
        self, requests: Sequence[LoadRequest], limits: Validation, *, p99_limit_ms: float, error_rate_limit: float
    ) -> Outcome:
        """The candidate, where nothing runs to compare it with."""
        await self._send_until(limits.load_duration_s, requests, limits)
        look = Look(load_s=limits.load_duration_s, spends=1.0, last=True)
        return self._judge(look, limits_of(limits, p99_limit_ms=p99_limit_ms, error_rate_limit=error_rate_limit))

    def _judge(self, look: Look, limits: ComparisonLimits) -> Outcome:
        """The verdict on what is recorded of the samples, and that record."""
        packed = {name: pack_samples(samples, look.load_s) for name, samples in self._samples.items()}
        used = {CANDIDATE: self._watched[CANDIDATE], CURRENT: self._watched.get(CURRENT, Watched())}
        judged = judge_packed(limits, look, packed[CANDIDATE], packed.get(CURRENT), used)
        evidence = ComparisonEvidence(
            load_s=look.load_s,
            limits=limits,
            candidate=packed[CANDIDATE],
            current=packed.get(CURRENT),
            candidate_used=used[CANDIDATE],
            current_used=used[CURRENT],
            verdict=judged.answer.verdict,
            reasons=judged.answer.reasons,
        )
        return Outcome(
            comparisons=judged.comparisons,
            answer=judged.answer,
            load_s=self._load_s,
            samples=dict(self._samples),
            evidence=evidence,
        )

    async def _send_until(self, load_s: float, requests: Sequence[LoadRequest], limits: Validation) -> None:
        while self._load_s < load_s - 1e-6:
            watching = asyncio.create_task(self._watch(limits.load_duration_s))
            try:
                found = await self._load.compare(
                    {name: url_of(instance) for name, instance in self._instances.items()},
                    requests,
                    rate_rps=limits.load_rate_rps,
                    duration_s=limits.load_duration_s,
                )
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            for name, samples in found.items():
                self._samples[name] = _join(self._samples[name], samples, self._load_s)
            self._load_s += limits.load_duration_s

    async def _watch(self, stretch_s: float) -> None:
        """Look at CPU and memory of all versions at the same moments, until cancelled."""
        every_s = min(_WATCH_EVERY_S, stretch_s / _WATCHES_MIN)
        begun_s = self._clock.monotonic_s()
        while True:
            names = tuple(self._instances)
            found = await asyncio.gather(*(self._platform.inspect(self._instances[n].deployment_id) for n in names))
            passed_s = self._clock.monotonic_s() - begun_s
            for name, (usage, _) in zip(names, found, strict=True):
                self._watched[name] = _seen(self._watched[name], self._load_s + passed_s, usage)
            await self._clock.sleep(every_s)


def _seen(watched: Watched, at_s: float, usage: Usage) -> Watched:
    return Watched(at_s=(*watched.at_s, at_s), usage=(*watched.usage, usage))


def _join(earlier: Samples, later: Samples, after_s: float) -> Samples:
    """Two stretches of load as one; the later one began at `after_s` seconds of load."""
    return Samples(
        latencies_ms=(*earlier.latencies_ms, *later.latencies_ms),
        errors=earlier.errors + later.errors,
        requests=earlier.requests + later.requests,
        at_s=(*earlier.at_s, *(after_s + at for at in later.at_s)),
    )
