"""Predictions of a service beside what production then showed: one drawing per metric, as one HTML file."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from greenlane.pages.site import render
from greenlane.policy.prediction import ERROR_RATE, METRICS, P99, Release

WIDTH, HEIGHT = 720, 220
_TICKS = 4
_FLOOR = 1e-5
"""Of shares on a log scale: what has none at all is drawn here."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One release in a drawing: where it stands, in pixels. `low` and `high` are None without an interval."""

    x: float
    predicted: float
    shown: float
    low: float | None
    high: float | None
    held: bool | None
    words: str


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over all releases, on a log scale; `ticks` are (y, words)."""

    title: str
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    limit_y: float | None
    held: int
    judged: int
    missing: int


def figure(metric: str, value: float) -> str:
    return f"{value:.1f} ms" if metric == P99 else f"{value:.3%}"


def render_html(service: str, releases: Sequence[Release], min_releases: int) -> str:
    """The page. Names of runs are escaped like everything else."""
    drawings = tuple(
        draw(metric, mine, min_releases) for metric in METRICS if (mine := [r for r in releases if _of(r) == metric])
    )
    rows = [
        (
            r.run,
            "p99" if _of(r) == P99 else "failed requests",
            figure(_of(r), r.prediction.predicted),
            "none yet" if r.prediction.low is None or r.prediction.high is None
            else f"{figure(_of(r), r.prediction.low)} to {figure(_of(r), r.prediction.high)}",
            figure(_of(r), r.shown),
            f"{r.prediction.baseline:.4g} × {r.prediction.ratio:.2f} × {r.prediction.factor:.2f}",
            r.held,
        )
        for r in reversed(releases)
    ]  # fmt: skip
    return render(
        "predictions.html.j2", service=service, drawings=drawings, rows=rows, width=WIDTH, height=HEIGHT,
        min_releases=min_releases, alone=False,
    )  # fmt: skip


def render_svg(drawing: Drawing) -> str:
    """One drawing as a file of its own, on white."""
    return render("predictions_drawing.svg.j2", d=drawing, width=WIDTH, height=HEIGHT, alone=True)


def draw(metric: str, releases: Sequence[Release], min_releases: int) -> Drawing:
    """Everything on one log scale. The limit is drawn where it lies within reach of the figures."""
    values = [v for r in releases for v in (r.shown, r.prediction.predicted, r.prediction.low, r.prediction.high)]
    known = [max(v, _FLOOR) for v in values if v is not None]
    bottom, top = math.log(min(known)) - 0.1, math.log(max(known)) + 0.1
    limit = math.log(releases[-1].prediction.limit)
    if bottom <= limit <= top + 1.0:
        top = max(top, limit + 0.1)

    def y(value: float) -> float:
        return round(HEIGHT * (top - math.log(max(value, _FLOOR))) / (top - bottom), 1)

    step = WIDTH / (len(releases) + 1)
    marks = tuple(
        Mark(
            x=round((i + 1) * step, 1),
            predicted=y(r.prediction.predicted),
            shown=y(r.shown),
            low=None if r.prediction.low is None else y(r.prediction.low),
            high=None if r.prediction.high is None else y(r.prediction.high),
            held=r.held,
            words=f"{r.run}: predicted {figure(metric, r.prediction.predicted)}, shown {figure(metric, r.shown)}",
        )
        for i, r in enumerate(releases)
    )
    levels = [math.exp(bottom + (top - bottom) * i / _TICKS) for i in range(_TICKS + 1)]
    judged = [r.held for r in releases if r.held is not None]
    return Drawing(
        title="Share of failed requests" if metric == ERROR_RATE else "99th percentile of latency",
        marks=marks,
        ticks=tuple((y(level), figure(metric, level)) for level in levels),
        limit_y=y(releases[-1].prediction.limit) if bottom <= limit <= top else None,
        held=sum(judged),
        judged=len(judged),
        missing=max(0, min_releases - len(releases)),
    )


def _of(release: Release) -> str:
    return release.prediction.metric
