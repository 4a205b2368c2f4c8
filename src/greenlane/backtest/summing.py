"""Sums judged changes up: who would have asked whom how often, with intervals. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from greenlane.backtest.judging import JudgedChange
from greenlane.backtest.outcomes import Outcome
from greenlane.domain.events import Lane
from greenlane.policy.shares import Share, share_of

SHOWN_MISSES = 50


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


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """What asking a model would have taken; dollars only where prices are known (per million tokens)."""

    input_tokens: int
    output_tokens: int
    usd: float | None = None
    usd_a_change: float | None = None
    prices: tuple[float, float] | None = None


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
    reverted: Share
    labelled: tuple[Labelled, ...]
    model: ModelCost
    scores: tuple[tuple[float, int], ...]
    """How many changes have a score from this value to one more."""
    limit: float
    unreadable: int
    seconds: float


def sum_up(
    changes: Sequence[JudgedChange],
    outcomes: Mapping[str, Outcome],
    *,
    repo: str,
    settings: tuple[str, ...] = (),
    prices: tuple[float, float] | None = None,
    seconds: float = 0.0,
) -> BacktestReport:
    """`prices` are dollars a million tokens, in and out; `settings` names what was set for this run."""
    total = len(changes)
    bad = [(c, outcomes[c.sha]) for c in changes if c.sha in outcomes]
    reverted = [c for c, outcome in bad if outcome.kind == "reverted"]
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
        recall=share_of(sum(c.to_human for c, _ in bad), len(bad)),
        reverted=share_of(sum(c.to_human for c in reverted), len(reverted)),
        labelled=tuple(_labelled(c, outcome) for c, outcome in bad[:SHOWN_MISSES]),
        model=_cost(changes, prices),
        scores=tuple((float(s), sum(s <= c.score < s + 1 for c in changes)) for s in range(1, 11)),
        limit=min((c.limit for c in changes if not c.error), default=0.0),
        unreadable=sum(bool(c.error) for c in changes),
        seconds=round(seconds, 1),
    )


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


def _cost(changes: Sequence[JudgedChange], prices: tuple[float, float] | None) -> ModelCost:
    sent, answered = sum(c.input_tokens for c in changes), sum(c.output_tokens for c in changes)
    if prices is None:
        return ModelCost(input_tokens=sent, output_tokens=answered)
    usd = (sent * prices[0] + answered * prices[1]) / 1e6
    return ModelCost(
        input_tokens=sent,
        output_tokens=answered,
        usd=round(usd, 4),
        usd_a_change=round(usd / max(len(changes), 1), 5),
        prices=prices,
    )
