"""Fits the points of size and history to changes of which it is known how they ended. Deterministic; pure.

A logistic regression with a ridge (Hoerl and Kennard, Technometrics 12, 1970) whose coefficients may not be negative:
each stands for one step of a ladder or one mark of the history, so that every rule only ever adds points, more of a
thing never means less risk, and a reader sees in the file what counts how much. The coefficients (log-odds) are then
scaled to points that stay under the caps of `Weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from greenlane.backtest.ranking import Flags, Numbers, area_under
from greenlane.domain.history import HistoryFacts
from greenlane.domain.weights import Ladder, Weights
from greenlane.policy.fitted import MAX_POINTS
from greenlane.policy.risk import RiskFacts, history_marks

_NOTHING = HistoryFacts(author_commits=1)
STEPS: dict[str, tuple[int, ...]] = {
    "lines": (3, 8, 20, 50, 100, 200, 400, 800, 1600),
    "files": (2, 4, 8, 16, 32),
    "folders": (2, 4, 8, 16),
    "busy": (3, 10, 30, 100),
    "mended_lately": (1, 3, 10, 30),
}
"""From which counts on a ladder may give points; about evenly spaced on a logarithmic scale."""
MARKS = ("newcomer", "new_to_files", "reverted", "often_fixed", "spread")
SIZE = ("lines", "files", "folders")
CHOICES: tuple[tuple[str, ...], ...] = (("lines",), SIZE, (*SIZE, "busy", "mended_lately", *MARKS))
"""Which rules may be fitted together, the plainest first. More rules are taken only if they rank better."""
WORTH = 0.01
"""Of the area under the curve: by less, more rules are not better."""
_INNER_SHARE = 2 / 3
RIDGE = 10.0
"""How strongly coefficients are drawn to 0. On public projects any strength from 1 to 100 ranked within 0.03 of it."""
SCALE_MAX = 2.0
"""Points for a log-odds of 1 at most: a fit that hardly tells changes apart is not blown up to the caps."""
LEAST_POINTS = 0.05
"""Less is noise to a reader."""
_QUANTILE = 0.99
_ROUNDS = 1500
_COUNTS: dict[str, Callable[[RiskFacts], int]] = {
    "lines": lambda f: f.lines,
    "files": lambda f: f.files,
    "folders": lambda f: f.folders,
    "busy": lambda f: (f.history or _NOTHING).recent_commits,
    "mended_lately": lambda f: (f.history or _NOTHING).recent_fixes,
}
Column = tuple[str, int]
"""A rule, and the count from which on it holds (0: a mark)."""


def fit_weights(facts: Sequence[RiskFacts], ended_badly: Sequence[bool], *, history_cap: float) -> Weights:
    """The weights that rank these changes, given oldest first. `history_cap` 0 leaves the history out.

    How many rules take part is decided on the newest third, by a fit to the others: rules that only describe how busy
    the project was in some year do not hold in the next one.
    """
    truth = np.asarray(ended_badly, dtype=np.bool_)
    choices = [names for names in CHOICES if history_cap > 0 or set(names) <= set(SIZE)]
    columns = _columns(_choose(facts, truth, choices))
    matrix = _design(facts, columns)
    return _scale(columns, _solve(matrix, truth), matrix, history_cap)


def _choose(facts: Sequence[RiskFacts], truth: Flags, choices: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    cut = int(len(truth) * _INNER_SHARE)
    areas = []
    for names in choices:
        matrix = _design(facts, _columns(names))
        areas.append(area_under(matrix[cut:] @ _solve(matrix[:cut], truth[:cut]), truth[cut:]))
    return next(names for names, area in zip(choices, areas, strict=True) if area > max(areas) - WORTH)


def _columns(names: Sequence[str]) -> list[Column]:
    return [(n, start) for n in names for start in STEPS.get(n, (0,))]


def _design(facts: Sequence[RiskFacts], columns: Sequence[Column]) -> Numbers:
    """One row a change, one column a step or mark: 1 where it holds."""
    rows = []
    for fact in facts:
        marks = history_marks(fact.history or _NOTHING)
        counts = {name: count(fact) for name, count in _COUNTS.items()}
        rows.append([counts[n] >= start if start else getattr(marks, n) for n, start in columns])
    return np.asarray(rows, dtype=np.float64).reshape(len(facts), len(columns))


def _solve(matrix: Numbers, truth: Flags) -> Numbers:
    """The coefficients without the intercept: accelerated projected gradients (Beck and Teboulle, SIAM Journal on
    Imaging Sciences 2, 2009), always as many rounds."""
    count, width = matrix.shape
    full = np.hstack([np.ones((count, 1)), matrix])
    penalty = np.full(width + 1, RIDGE)
    penalty[0] = 0.0
    least = np.zeros(width + 1)
    least[0] = -np.inf
    largest = float(np.linalg.eigvalsh(full.T @ full)[-1])
    step = 1.0 / (largest / 4.0 + RIDGE)
    at = np.zeros(width + 1)
    ahead, momentum = at, 1.0
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(full @ ahead, -30.0, 30.0)))
        gradient = full.T @ (chance - truth) + penalty * ahead
        new = np.maximum(ahead - step * gradient, least)
        following = (1.0 + (1.0 + 4.0 * momentum * momentum) ** 0.5) / 2.0
        ahead = new + (momentum - 1.0) / following * (new - at)
        at, momentum = new, following
    result: Numbers = at[1:]
    return result


def _scale(columns: Sequence[Column], steps: Numbers, matrix: Numbers, history_cap: float) -> Weights:
    """Log-odds to points, such that all but the most extreme changes stay under the caps by themselves."""
    caps = Weights()
    size = np.asarray([name in SIZE for name, _ in columns])
    scale = SCALE_MAX
    for chosen, cap in ((size, caps.size_cap), (~size, history_cap), (size | ~size, caps.together_cap)):
        reached = float(np.quantile(matrix[:, chosen] @ steps[chosen], _QUANTILE)) if chosen.any() else 0.0
        if reached > 0:
            scale = min(scale, cap / reached)
    points = {column: float(step) * scale for column, step in zip(columns, steps, strict=True)}
    marks = {name: min(round(points.get((name, 0), 0.0), 2), MAX_POINTS) for name in MARKS}
    marks = {name: given if given >= LEAST_POINTS else 0.0 for name, given in marks.items()}

    def ladder(name: str) -> Ladder:
        return _ladder([(start, points.get((name, start), 0.0)) for start in STEPS[name]])

    return Weights(
        lines=ladder("lines"),
        files=ladder("files"),
        folders=ladder("folders"),
        busy=ladder("busy"),
        mended_lately=ladder("mended_lately"),
        newcomer=marks["newcomer"],
        new_to_files=marks["new_to_files"],
        reverted=marks["reverted"],
        often_fixed=marks["often_fixed"],
        spread=marks["spread"],
        history_cap=history_cap,
    )


def _ladder(steps: Sequence[tuple[int, float]]) -> Ladder:
    """Increments to points from a count on; a step that adds next to nothing is left to the one above it."""
    found: list[tuple[int, float]] = []
    total = 0.0
    for start, more in steps:
        total = min(total + more, MAX_POINTS)
        if total - (found[-1][1] if found else 0.0) >= LEAST_POINTS:
            found.append((start, round(total, 2)))
    return tuple(found)
