"""Sums judged changes up: who would have asked whom how often, with intervals. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from greenlane.backtest.judging import JudgedChange
from greenlane.backtest.outcomes import Outcome
from greenlane.domain.events import Lane
from greenlane.policy.shares import Share, share_of


class RuleCost(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rule asked for a human, and how many changes nobody would have looked at without it (`alone`)."""

    rule: str
    mandated: bool
    asked: Share
    alone: int


class LaneShare(msgspec.Struct, frozen=True, kw_only=True):
    lane: str
    changes: Share
    to_human: int


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars a million tokens: sent, read from the prompt cache, written to it, and answered."""

    sent: float
    cached: float
    written: float
    answered: float


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """What asking a model about every change would have taken. `over_budget` changes cost more than one may
    (`model.usd_per_pr`) and would have gone to a human for that; `usd_median` is of the changes that it is asked about.
    """

    asked: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    prices: Prices
    usd: float
    usd_a_change: float
    usd_median: float
    usd_most: float
    over_budget: int


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was later reverted or fixed, and what would have been done with it."""

    sha: str
    number: int
    title: str
    kind: str
    by: str
    to_human: bool
    lane: str
    score: float


class ScoreBin(msgspec.Struct, frozen=True, kw_only=True):
    """Changes with a score from `start` to one more: how many there are, and how many of them reach their limit."""

    start: float
    changes: int
    over: int


class MoveCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rule moved the limit, and by how much on average."""

    rule: str
    changes: int
    mean: float


class BacktestReport(msgspec.Struct, frozen=True, kw_only=True):
    """`to_human` splits into `by_risk` (risk, security, gaps in the analysis) and the rest, which policies mandate."""

    repo: str
    commit: str
    settings: tuple[str, ...]
    changes: tuple[JudgedChange, ...]
    to_human: Share
    by_risk: Share
    by_policy_only: Share
    lanes: tuple[LaneShare, ...]
    rules: tuple[RuleCost, ...]
    recall: Share
    """Of the changes that a later message calls reverted or fixed: how many would have gone to a human."""
    reverted: Share
    mended: Share
    """The same of those of which a later fix changed lines; no message names them."""
    fixes: int
    traced: int
    """So many fixes came later, and so many of them were followed to the lines they changed."""
    labelled: tuple[Labelled, ...]
    """Those that were let through first."""
    model: ModelCost
    scores: tuple[ScoreBin, ...]
    limits: tuple[float, float]
    """The lowest and the highest limit that a change was held to."""
    moves: tuple[MoveCount, ...]
    unreadable: int
    seconds: float


def sum_up(
    changes: Sequence[JudgedChange],
    outcomes: Mapping[str, Outcome],
    *,
    repo: str,
    settings: tuple[str, ...] = (),
    prices: Prices,
    usd_per_pr: float,
    traced: tuple[int, int] = (0, 0),
    seconds: float = 0.0,
) -> BacktestReport:
    """`settings` names what was set for this run; `usd_per_pr` is the most that a model may cost for one change;
    `traced` says how many fixes were followed to their lines, of how many."""
    total = len(changes)
    read = [c for c in changes if not c.error]
    bad = [(c, outcomes[c.sha]) for c in changes if c.sha in outcomes]
    named = [(c, outcome) for c, outcome in bad if outcome.kind != "mended"]
    reverted = [c for c, outcome in named if outcome.kind == "reverted"]
    mended = [c for c, outcome in bad if outcome.kind == "mended"]
    return BacktestReport(
        repo=repo,
        commit=changes[0].sha if changes else "",
        settings=settings,
        changes=tuple(changes),
        to_human=share_of(sum(c.to_human for c in changes), total),
        by_risk=share_of(sum(c.by_risk for c in changes), total),
        by_policy_only=share_of(sum(c.to_human and not c.by_risk for c in changes), total),
        lanes=_lanes(changes),
        rules=_rules(changes),
        recall=share_of(sum(c.to_human for c, _ in named), len(named)),
        reverted=share_of(sum(c.to_human for c in reverted), len(reverted)),
        mended=share_of(sum(c.to_human for c in mended), len(mended)),
        fixes=traced[1],
        traced=traced[0],
        labelled=tuple(_labelled(c, outcome) for c, outcome in sorted(bad, key=lambda b: b[0].to_human)),
        model=_cost(changes, prices, usd_per_pr),
        scores=_scores(read),
        limits=(min((c.limit for c in read), default=0.0), max((c.limit for c in read), default=0.0)),
        moves=_moves(read),
        unreadable=sum(bool(c.error) for c in changes),
        seconds=round(seconds, 1),
    )


def _scores(changes: Sequence[JudgedChange]) -> tuple[ScoreBin, ...]:
    bins = []
    for start in range(1, 11):
        inside = [c for c in changes if start <= c.score < start + 1]
        bins.append(ScoreBin(start=start, changes=len(inside), over=sum(c.over for c in inside)))
    return tuple(bins)


def _moves(changes: Sequence[JudgedChange]) -> tuple[MoveCount, ...]:
    amounts: dict[str, list[float]] = {}
    for change in changes:
        for move in change.moves:
            if move.amount:
                amounts.setdefault(move.rule, []).append(move.amount)
    counts = [MoveCount(rule=r, changes=len(a), mean=round(sum(a) / len(a), 3)) for r, a in amounts.items()]
    return tuple(sorted(counts, key=lambda m: (-m.changes, m.rule)))


def _lanes(changes: Sequence[JudgedChange]) -> tuple[LaneShare, ...]:
    rows = []
    for lane in Lane:
        own = [c for c in changes if c.lane == lane.value]
        rows.append(
            LaneShare(lane=lane.value, changes=share_of(len(own), len(changes)), to_human=sum(c.to_human for c in own))
        )
    return tuple(rows)


def _rules(changes: Sequence[JudgedChange]) -> tuple[RuleCost, ...]:
    """The most expensive first: by the changes that only this rule sent to a human, then by how often it asked."""
    asked = Counter(rule for c in changes for rule in c.rules)
    alone = Counter(c.rules[0] for c in changes if len(c.rules) == 1)
    mandated = {rule for c in changes for rule in c.mandated}
    costs = [
        RuleCost(rule=rule, mandated=rule in mandated, asked=share_of(count, len(changes)), alone=alone[rule])
        for rule, count in asked.items()
    ]
    return tuple(sorted(costs, key=lambda r: (-r.alone, -r.asked.count, r.rule)))


def _labelled(change: JudgedChange, outcome: Outcome) -> Labelled:
    return Labelled(
        sha=change.sha,
        number=change.number,
        title=change.title,
        kind=outcome.kind,
        by=outcome.by,
        to_human=change.to_human,
        lane=change.lane,
        score=change.score,
    )


def _cost(changes: Sequence[JudgedChange], prices: Prices, usd_per_pr: float) -> ModelCost:
    uses = [c.model for c in changes if c.model.input_tokens]
    each = [
        (
            (u.input_tokens - u.cached_tokens - u.cache_write_tokens) * prices.sent
            + u.cached_tokens * prices.cached
            + u.cache_write_tokens * prices.written
            + u.output_tokens * prices.answered
        )
        / 1e6
        for u in uses
    ]
    return ModelCost(
        asked=len(uses),
        input_tokens=sum(u.input_tokens for u in uses),
        cached_tokens=sum(u.cached_tokens for u in uses),
        output_tokens=sum(u.output_tokens for u in uses),
        prices=prices,
        usd=round(sum(each), 4),
        usd_a_change=round(sum(each) / max(len(changes), 1), 5),
        usd_median=round(median(each), 5) if each else 0.0,
        usd_most=round(max(each, default=0.0), 5),
        over_budget=sum(usd > usd_per_pr for usd in each),
    )
