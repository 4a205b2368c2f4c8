"""Staging: what the candidate did while it was collected, against the current version. Called by the staging agent.

Checks and death decide; anomalies are passed on to people and to the deployment's risk, because two idle processes
prove little.
"""

from __future__ import annotations

import math
import re

import msgspec

from greenlane.domain.delivery import Check, Usage
from greenlane.domain.events import PerformanceDelta, StagingComplete
from greenlane.policy.contract import CHECK_PREFIX

GROWTH_RATIO = 1.2
GROWTH_MB = 20.0
"""Memory of the candidate that grew by this much in both terms, while the current version did not, is remarked on."""
SIGNATURES_MAX = 10
"""Remarks about the log that are passed on: more are not read."""
_SIGNATURE_CHARS = 160
_ERROR = re.compile(r"\b(ERROR|CRITICAL|FATAL|panic)\b")
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt)\b(?::|$)")
_VARIABLE = re.compile(r"0x[0-9a-fA-F]+|(?<![A-Za-z_])\d+|'[^']*'|\"[^\"]*\"")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one version of a service in staging. `usage` is in order of time; `log` is its end."""

    alive: bool
    usage: tuple[Usage, ...] = ()
    checks: tuple[Check, ...] = ()
    latencies_ms: tuple[float, ...] = ()
    log: str = ""


class StagingVerdict(msgspec.Struct, frozen=True, kw_only=True):
    healthy: bool
    regressions: tuple[str, ...]
    anomalies: tuple[str, ...]
    failures: tuple[str, ...]
    """Why the candidate is not healthy, in words."""


def extract_signatures(log: str) -> tuple[str, ...]:
    """Exceptions and error lines of a log, each once, without what varies (numbers, addresses, quoted text)."""
    found: dict[str, None] = {}
    for line in log.splitlines():
        text = _CONTROL.sub("", line).strip()
        if _EXCEPTION.search(text) or _ERROR.search(text):
            found.setdefault(_VARIABLE.sub("…", text)[:_SIGNATURE_CHARS])
    return tuple(found)


class StagingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What staging says of a change, for programs."""

    staging_healthy: bool
    regressions_detected: tuple[str, ...]
    anomalies: tuple[str, ...]
    performance_delta: tuple[PerformanceDelta, ...]
    proceed_to_production: bool
    """Nothing that staging saw stands against it; validation and the canary still come."""
    reasoning: str


def answer_of(complete: StagingComplete) -> StagingAnswer:
    return StagingAnswer(
        staging_healthy=complete.staging_healthy,
        regressions_detected=complete.regressions_detected,
        anomalies=complete.anomalies,
        performance_delta=complete.performance_delta,
        proceed_to_production=complete.proceed,
        reasoning=complete.why.rationale,
    )


def compute_deltas(service: str, candidate: Observation, current: Observation | None) -> tuple[PerformanceDelta, ...]:
    """Latency of the health and smoke requests in ms, and what both used; empty without a current version."""
    if current is None:
        return ()
    last = [o.usage[-1] if o.usage else Usage(cpu_s=0.0, rss_mb=0.0, processes=0) for o in (current, candidate)]
    pairs = {
        "p50_ms": tuple(compute_quantile(o.latencies_ms, 0.50) for o in (current, candidate)),
        "p99_ms": tuple(compute_quantile(o.latencies_ms, 0.99) for o in (current, candidate)),
        "cpu_s": tuple(u.cpu_s for u in last),
        "rss_mb": tuple(u.rss_mb for u in last),
    }
    return tuple(
        PerformanceDelta(service=service, metric=name, current=a, candidate=b, ratio=b / a)
        for name, (a, b) in pairs.items()
        if a > 0
    )


def assess_staging(service: str, candidate: Observation, current: Observation | None) -> StagingVerdict:
    """Healthy: it runs and every check passed. A regression is a check that only the candidate fails.

    An answer that the service's own document does not promise, and that the current version gives too, is remarked on.
    """
    failed = [c for c in candidate.checks if not c.passed]
    held = {c.name for c in current.checks if c.passed} if current else set()
    old = [c for c in failed if current and c.name.startswith(CHECK_PREFIX) and c.name not in held]
    failed = [c for c in failed if c not in old]
    failures = [f"{service}: {c.name} failed: {c.detail or 'no detail'}" for c in failed]
    if not candidate.alive:
        failures.insert(0, f"{service}: the process ended while it was watched in staging")
    return StagingVerdict(
        healthy=candidate.alive and not failed,
        regressions=tuple(f"{service}: {c.name} passes on the current version" for c in failed if c.name in held),
        anomalies=(
            *_memory(service, candidate, current),
            *_log(service, candidate, current),
            *(f"{service}: {c.name}: {c.detail}, and so on the current version" for c in old),
        ),
        failures=tuple(failures),
    )


def _memory(service: str, candidate: Observation, current: Observation | None) -> tuple[str, ...]:
    grown, usual = _growth(candidate), _growth(current) if current else None
    if grown is None:
        return ()
    first, last = grown
    if usual is not None and usual[1] - usual[0] >= last - first:
        return ()
    if last < first * GROWTH_RATIO or last - first < GROWTH_MB:
        return ()
    return (f"{service}: memory grew from {first:.0f} to {last:.0f} MB while it was watched",)


def _growth(observation: Observation) -> tuple[float, float] | None:
    """Lowest memory of the first third and of the last third, in MB."""
    third = len(observation.usage) // 3
    if third == 0:
        return None
    sizes = [u.rss_mb for u in observation.usage]
    return min(sizes[:third]), min(sizes[-third:])


def _log(service: str, candidate: Observation, current: Observation | None) -> tuple[str, ...]:
    known = set(extract_signatures(current.log)) if current else set()
    new = [s for s in extract_signatures(candidate.log) if s not in known]
    shown = [f"{service}: new in the log: {s}" for s in new[:SIGNATURES_MAX]]
    if len(new) > SIGNATURES_MAX:
        shown.append(f"{service}: {len(new) - SIGNATURES_MAX} further new lines of errors in the log")
    return tuple(shown)


def compute_quantile(latencies_ms: tuple[float, ...], share: float) -> float:
    """The smallest latency that at least this share of requests did not exceed; 0 without any."""
    if not latencies_ms:
        return 0.0
    ordered = sorted(latencies_ms)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
