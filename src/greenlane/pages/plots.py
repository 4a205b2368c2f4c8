"""Plots of a canary over time, as points in a drawing: canary against stable, the limit, and where phases begin.

What the proxy counted is in the history at checkpoints only; between two of them a line is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Counters, TrafficReading

WIDTH, HEIGHT = 720, 170
P99_SHARE = 0.01
"""A p99 limit is held if at most this share of requests took longer."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted since the phase began, at one instant. `at_s`: seconds since the canary began."""

    at_s: float
    phase: str
    weight_percent: float
    reading: TrafficReading


class Tick(msgspec.Struct, frozen=True):
    at: float
    text: str


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in a drawing of `width` x `height`; y grows downwards. Each line is the `points` of an SVG polyline.

    `canary_values` and `stable_values` are (seconds, value) for whoever wants the figures instead.
    """

    title: str
    width: int
    height: int
    canary: tuple[str, ...]
    stable: tuple[str, ...]
    canary_end: tuple[float, float, str]
    stable_end: tuple[float, float, str]
    limit_y: float | None
    limit: str
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    phases: tuple[Tick, ...]
    canary_values: tuple[tuple[float, float], ...]
    stable_values: tuple[tuple[float, float], ...]


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of users that the canary answered over its whole life, and how many badly."""

    requests: int
    failed: int
    slow: int


def gather_samples(change: Change, deployment_id: str) -> tuple[Sample, ...]:
    """Every recorded reading of this canary, in order of time."""
    samples: list[Sample] = []
    begun: float | None = None
    weight = 0.0
    for recorded in change.history:
        event = recorded.event
        at = datetime.fromisoformat(recorded.timestamp).timestamp()
        if isinstance(event, e.CanaryStarting) and event.deployment_id == deployment_id:
            begun, weight = at, event.weight_percent
        if isinstance(event, e.CanaryPromoting) and event.deployment_id == deployment_id:
            weight = event.weight_percent
        if not isinstance(event, e.CanaryObserved | e.CanaryRollingBack) or event.deployment_id != deployment_id:
            continue
        begun = at if begun is None else begun
        phase = event.phase if isinstance(event, e.CanaryObserved) else (samples[-1].phase if samples else "")
        ends_phase = samples and samples[-1].reading.canary.requests > event.reading.canary.requests
        if isinstance(event, e.CanaryRollingBack) and ends_phase:
            phase = f"after {phase}"  # the decision came in the next phase, before its first checkpoint
        weight = event.weight_percent if isinstance(event, e.CanaryObserved) and event.weight_percent else weight
        samples.append(Sample(at_s=at - begun, phase=phase, weight_percent=weight, reading=event.reading))
    return tuple(samples)


def phases_of(samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], ...]:
    """The samples, apart wherever counting began anew."""
    phases: list[list[Sample]] = []
    for sample in samples:
        last = phases[-1][-1] if phases else None
        same = (
            last is not None
            and (last.phase, last.weight_percent) == (sample.phase, sample.weight_percent)
            and last.reading.canary.requests <= sample.reading.canary.requests
        )
        if same:
            phases[-1].append(sample)
        else:
            phases.append([sample])
    return tuple(tuple(phase) for phase in phases)


def count_affected(samples: Sequence[Sample]) -> Affected:
    """What users met at the canary, summed over its phases (each counts from 0)."""
    ends = [phase[-1].reading.canary for phase in phases_of(samples)]
    return Affected(
        requests=sum(c.requests for c in ends),
        failed=sum(c.errors for c in ends),
        slow=sum(c.over_limit for c in ends),
    )


def make_plots(change: Change, starting: e.CanaryStarting) -> tuple[Plot, ...]:
    """Failed requests, slow requests, and how many there were; none with fewer than two readings."""
    samples = gather_samples(change, starting.deployment_id)
    if len(samples) < 2 or samples[-1].at_s <= samples[0].at_s:
        return ()
    limit_ms = f"{starting.p99_limit_ms:g} ms"
    plots = [
        _plot("Failed requests", samples, _failed, starting.error_rate_limit, _percent),
        _plot(f"Requests over {limit_ms}", samples, _slow, P99_SHARE, _percent),
        _plot("Requests", samples, lambda c: float(c.requests), None, lambda v: f"{v:g}"),
    ]
    return tuple(plots)


def _failed(counters: Counters) -> float:
    return counters.errors / counters.requests if counters.requests else 0.0


def _slow(counters: Counters) -> float:
    return counters.over_limit / counters.requests if counters.requests else 0.0


def _percent(value: float) -> str:
    return f"{value:.2%}" if value < 0.1 else f"{value * 100:.3g}%"


def _plot(
    title: str,
    samples: Sequence[Sample],
    of: Callable[[Counters], float],
    limit: float | None,
    words: Callable[[float], str],
) -> Plot:
    phases = phases_of(samples)
    highest = max(max(of(s.reading.canary), of(s.reading.stable)) for s in samples)
    top = _round_up(max(highest, (limit or 0.0) * 2, 1e-3 if limit else 1.0))
    begin, span = samples[0].at_s, samples[-1].at_s - samples[0].at_s

    def x(sample: Sample) -> float:
        return round((sample.at_s - begin) / span * WIDTH, 1)

    def y(value: float) -> float:
        return round(HEIGHT - value / top * HEIGHT, 1)

    def lines(pick: Callable[[TrafficReading], Counters]) -> tuple[str, ...]:
        return tuple(" ".join(f"{x(s)},{y(of(pick(s.reading)))}" for s in phase) for phase in phases)

    def values(pick: Callable[[TrafficReading], Counters]) -> tuple[tuple[float, float], ...]:
        return tuple((round(s.at_s - begin, 3), of(pick(s.reading))) for s in samples)

    def end(pick: Callable[[TrafficReading], Counters]) -> tuple[float, float, str]:
        value = of(pick(samples[-1].reading))
        return x(samples[-1]), y(value), words(value)

    def canary(reading: TrafficReading) -> Counters:
        return reading.canary

    def stable(reading: TrafficReading) -> Counters:
        return reading.stable

    return Plot(
        title=title,
        width=WIDTH,
        height=HEIGHT,
        canary=lines(canary),
        stable=lines(stable),
        canary_end=end(canary),
        stable_end=end(stable),
        limit_y=None if limit is None else y(limit),
        limit="" if limit is None else words(limit),
        y_ticks=tuple(Tick(y(top * part), words(top * part)) for part in (0.0, 0.5, 1.0)),
        x_ticks=tuple(Tick(round(WIDTH * part, 1), seconds_words(span * part)) for part in (0.0, 0.25, 0.5, 0.75, 1.0)),
        phases=tuple(Tick(x(p[0]), f"{p[0].phase} {p[0].weight_percent:g} %") for p in phases if p[0].phase),
        canary_values=values(canary),
        stable_values=values(stable),
    )


def seconds_words(seconds: float) -> str:
    if seconds >= 600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f} s"


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, so that the axis reads well."""
    power = 10.0 ** _exponent(value)
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= value * 0.999999)


def _exponent(value: float) -> int:
    return int(f"{value:e}".split("e")[1])
