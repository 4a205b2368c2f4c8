"""Whether points that are fitted to older changes rank newer ones better than the present points do. Pure.

The split is by time: what is fitted has seen only changes before the first one it is tested on, and only the fixes that
were known on that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
import numpy as np

from greenlane.backtest.cases import DAY_S, Case
from greenlane.backtest.fitting import fit_weights
from greenlane.backtest.ranking import Comparison, area_under, compare_scores
from greenlane.domain.settings import Settings
from greenlane.domain.weights import FittedWeights, Weights
from greenlane.policy.fitted import FORMAT, Evidence, RiskFile, points_of
from greenlane.policy.review import bound_weights
from greenlane.policy.risk import assess_risk

OLDER_SHARE = 0.7
LEAST_OLDER, LEAST_NEWER = 25, 15
"""Outcomes that are needed on either side: with fewer, any fit follows a handful of accidents, and so does any test."""

Verdict = Literal["better", "not-better", "too-few"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split: its changes, those that ended badly, and the days (ISO 8601) of the first and last."""

    changes: int
    outcomes: int
    first: str
    last: str


class RuleMove(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, a count from which on it holds (0: a mark), and its points before and after."""

    rule: str
    start: int
    before: float
    after: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """`comparison` is on the newer part, and None if there are too few outcomes (`missing_older`, `missing_newer`);
    `lines_alone` is the area of the plain number of changed lines there. `kept_out` changes are too young for anything
    to have come of them."""

    verdict: Verdict
    reason: str
    present: str
    within_days: int
    older: Part
    newer: Part
    told: int
    kept_out: int
    missing_older: int = 0
    missing_newer: int = 0
    comparison: Comparison | None = None
    lines_alone: float = 0.0
    moves: tuple[RuleMove, ...] = ()
    file: RiskFile | None = None


class CalibrationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `fixes` were found among later commits, `traced` of them followed to their lines."""

    repo: str
    commit: str
    calibration: Calibration
    fixes: int
    traced: int
    written: str | None
    seconds: float


def calibrate(
    cases: Sequence[Case],
    settings: Settings,
    *,
    present: FittedWeights | None,
    newest_at: int,
    commit: str,
    within_days: int,
) -> Calibration:
    """Fit on the older changes, compare on the newer ones. `cases` are oldest first; `newest_at` is the time of the
    newest commit, and `commit` its name: a change counts if `within_days` have passed between."""
    ripe = [c for c in cases if c.at <= newest_at - within_days * DAY_S]
    cut = int(len(ripe) * OLDER_SHARE)
    older, newer = ripe[:cut], ripe[cut:]
    parted_at = newer[0].at if newer else newest_at
    seen = [c.ended_badly(within_days=within_days, known_at=parted_at) for c in older]
    truth = [c.ended_badly(within_days=within_days) for c in newer]
    now = bound_weights(present, settings)
    blank = Calibration(
        verdict="too-few",
        reason="",
        present=now.words,
        within_days=within_days,
        older=_part(older, sum(seen)),
        newer=_part(newer, sum(truth)),
        told=sum(c.told and c.ended_badly(within_days=within_days) for c in ripe),
        kept_out=len(cases) - len(ripe),
        missing_older=max(0, LEAST_OLDER - sum(seen)),
        missing_newer=max(0, LEAST_NEWER - sum(truth)),
    )
    if blank.missing_older or blank.missing_newer or all(truth) or all(seen):
        return msgspec.structs.replace(blank, reason=_too_few(blank))
    fitted = fit_weights([c.facts for c in older], seen, history_cap=settings.risk.history_points_max)
    comparison = compare_scores(_scores(newer, now.weights), _scores(newer, fitted), truth)
    better = comparison.gain.low > 0
    sign = "over" if better else "not over"
    return msgspec.structs.replace(
        blank,
        verdict="better" if better else "not-better",
        reason=f"the lower end of the gain's 95 % interval is {comparison.gain.low:+.3f}: {sign} 0",
        comparison=comparison,
        lines_alone=round(
            area_under(np.asarray([c.facts.lines for c in newer], dtype=np.float64), np.asarray(truth)), 4
        ),
        moves=_moves(now.weights, fitted),
        file=RiskFile(
            format=FORMAT,
            fitted_on=_day(newest_at),
            commit=commit,
            changes=len(older),
            outcomes=sum(seen),
            tested=Evidence(
                changes=len(newer),
                outcomes=sum(truth),
                auc=comparison.new.value,
                auc_before=comparison.old.value,
                gain_at_least=comparison.gain.low,
            ),
            points=points_of(fitted),
        ),
    )


def _scores(cases: Sequence[Case], weights: Weights) -> list[float]:
    """The score as a review would compute it, without findings and coverage."""
    return [assess_risk(case.facts, weights).score for case in cases]


def _part(cases: Sequence[Case], outcomes: int) -> Part:
    first, last = (_day(cases[0].at), _day(cases[-1].at)) if cases else ("", "")
    return Part(changes=len(cases), outcomes=outcomes, first=first, last=last)


def _too_few(result: Calibration) -> str:
    lacking = [
        f"{count} more among the {name} changes"
        for count, name in ((result.missing_older, "older"), (result.missing_newer, "newer"))
        if count
    ]
    if not lacking:
        return "every change ended badly, so nothing tells them apart"
    return f"too few changes ended badly: {' and '.join(lacking)} are needed"


def _moves(before: Weights, after: Weights) -> tuple[RuleMove, ...]:
    """Every rule whose points the file holds, ladders at each count where one of both has a step."""
    found = []
    for rule in points_of(after).__struct_fields__:
        old, new = getattr(before, rule), getattr(after, rule)
        if isinstance(old, tuple):
            starts = sorted({start for start, _ in (*old, *new)})
            found += [RuleMove(rule=rule, start=s, before=_at(old, s), after=_at(new, s)) for s in starts]
        else:
            found.append(RuleMove(rule=rule, start=0, before=old, after=new))
    return tuple(found)


def _at(ladder: tuple[tuple[int, float], ...], count: int) -> float:
    return max((points for start, points in ladder if count >= start), default=0.0)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
