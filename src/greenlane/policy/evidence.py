"""A comparison under load as the ledger keeps it, and its judgement: by the validation agent, and again by `replay`.

Latencies are packed before they are judged: which block of time they fell into, and their place on a scale of steps of
0.1 %, which is far below any limit. So what is judged and what is recorded are the same figures. Two minutes at 100
requests a second take some ten kilobytes.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping

import msgspec

from greenlane.domain.delivery import (
    Comparison,
    ComparisonEvidence,
    ComparisonLimits,
    PackedSamples,
    Samples,
    Verdict,
    Watched,
)
from greenlane.domain.settings import Validation
from greenlane.policy.paired import count_blocks
from greenlane.policy.regression import (
    Look,
    Validated,
    assess_comparisons,
    compare_absolute,
    compare_errors,
    compare_latency,
    compare_usage,
    plan_looks,
)

CANDIDATE = "candidate"
CURRENT = "current version"
_GRAIN_MS = 0.001
_STEP = math.log(1.001)
_MOST_BYTES = 64 * 2**20


class JudgedComparison(msgspec.Struct, frozen=True, kw_only=True):
    comparisons: tuple[Comparison, ...]
    answer: Validated


def limits_of(
    validation: Validation, *, p99_limit_ms: float | None = None, error_rate_limit: float | None = None
) -> ComparisonLimits:
    return ComparisonLimits(
        load_duration_s=validation.load_duration_s,
        load_extend_max_factor=validation.load_extend_max_factor,
        false_alarm_rate=validation.false_alarm_rate,
        miss_rate=validation.miss_rate,
        latency_ratio_max=validation.latency_ratio_max,
        latency_ratio_find=validation.latency_ratio_find,
        latency_floor_ms=validation.latency_floor_ms,
        cpu_ratio_max=validation.cpu_ratio_max,
        error_rate_increase_max=validation.error_rate_increase_max,
        p99_limit_ms=p99_limit_ms,
        error_rate_limit=error_rate_limit,
    )


def judge_packed(
    limits: ComparisonLimits,
    look: Look,
    candidate: PackedSamples,
    current: PackedSamples | None,
    used: Mapping[str, Watched],
) -> JudgedComparison:
    """The verdict after one look; without a current version the limits of production are what is held against."""
    names = ("load_duration_s", "load_extend_max_factor", "false_alarm_rate", "miss_rate", "latency_ratio_max",
             "latency_ratio_find", "latency_floor_ms", "cpu_ratio_max", "error_rate_increase_max")  # fmt: skip
    rules = Validation.model_construct(**{name: getattr(limits, name) for name in names})
    samples = {CANDIDATE: unpack_samples(candidate, look.load_s)}
    if current is None:
        assert limits.p99_limit_ms is not None, "without a current version there are limits of production"
        assert limits.error_rate_limit is not None, "without a current version there are limits of production"
        comparisons = compare_absolute(
            samples[CANDIDATE], p99_limit_ms=limits.p99_limit_ms, error_rate_limit=limits.error_rate_limit
        )
    else:
        samples[CURRENT] = unpack_samples(current, look.load_s)
        comparisons = (
            *compare_latency(samples[CURRENT], samples[CANDIDATE], look, rules),
            compare_errors(samples[CURRENT], samples[CANDIDATE], look, rules),
            *compare_usage(used[CURRENT], used[CANDIDATE], candidate.requests, look, rules),
        )
    return JudgedComparison(comparisons=comparisons, answer=assess_comparisons(comparisons, samples, look, rules))


def judge_again(evidence: ComparisonEvidence) -> JudgedComparison:
    """The verdict once more, from what was recorded of its last look."""
    if evidence.current is None:
        look = Look(load_s=evidence.load_s, spends=1.0, last=True)
    else:
        rules = Validation.model_construct(
            load_duration_s=evidence.limits.load_duration_s,
            load_extend_max_factor=evidence.limits.load_extend_max_factor,
        )
        looks = [look for look in plan_looks(rules) if look.load_s == evidence.load_s]
        if not looks:
            reason = f"no look was due after {evidence.load_s:g} s of load"
            return JudgedComparison(comparisons=(), answer=Validated(verdict=Verdict.INCONCLUSIVE, reasons=(reason,)))
        look = looks[0]
    used = {CANDIDATE: evidence.candidate_used, CURRENT: evidence.current_used}
    return judge_packed(evidence.limits, look, evidence.candidate, evidence.current, used)


# ------------------------------------------------------------------ packing


def pack_samples(samples: Samples, span_s: float) -> PackedSamples:
    """The latencies by block of their planned moments (0 to `span_s`), ascending in each."""
    blocks, count = count_blocks(span_s), len(samples.latencies_ms)
    at_s = samples.at_s or tuple(span_s * i / count for i in range(count))
    parts: list[list[int]] = [[] for _ in range(blocks)]
    width = span_s / blocks
    for latency, at in zip(samples.latencies_ms, at_s, strict=True):
        place = max(0, round(math.log(max(latency, _GRAIN_MS) / _GRAIN_MS) / _STEP))
        parts[min(blocks - 1, max(0, int(at / width)))].append(place)
    numbers = [number for part in parts for number in (len(part), *_steps(sorted(part)))]
    data = zlib.compress(msgspec.msgpack.encode(numbers), 9)
    text = base64.b85encode(data).decode()
    return PackedSamples(requests=samples.requests, errors=samples.errors, blocks=blocks, data=text)


def unpack_samples(packed: PackedSamples, span_s: float) -> Samples:
    """Latencies on the scale, each at the middle of its block. ValueError or zlib.error: it was not packed so."""
    worker = zlib.decompressobj()
    raw = worker.decompress(base64.b85decode(packed.data), _MOST_BYTES)
    if not worker.eof:
        raise ValueError("the packed latencies are cut, or larger than any that were packed")
    numbers = iter(msgspec.msgpack.decode(raw, type=list[int]))
    latencies: list[float] = []
    at_s: list[float] = []
    width = span_s / packed.blocks
    for block in range(packed.blocks):
        place = 0
        for _ in range(next(numbers)):
            place += next(numbers)
            latencies.append(_GRAIN_MS * math.exp(place * _STEP))
            at_s.append((block + 0.5) * width)
    return Samples(latencies_ms=tuple(latencies), errors=packed.errors, requests=packed.requests, at_s=tuple(at_s))


def _steps(ascending: list[int]) -> list[int]:
    return [later - earlier for earlier, later in zip([0, *ascending], ascending, strict=False)]
