"""How much automation there is yet: which changes it takes, and whether the share may be raised. Pure.

An organisation begins in shadow mode, then lets a share of its low-risk changes through, and raises it while few of
them need a person. The draw is made from repository and number: it can't be repeated until it fits.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from greenlane.domain.change import Change
from greenlane.domain.events import Gate, Lane, Stage, Trigger
from greenlane.domain.settings import Rollout
from greenlane.policy.shares import Share, share_of

RULE = "rollout"
_STEPS = 10_000


class RateOf(msgspec.Struct, frozen=True, kw_only=True):
    """How often a human was asked, of the changes of a lane; or because of a rule, of all."""

    name: str
    asked: Share


class RolloutStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The escalation rate so far. Changes are pull requests, each at its newest head that was reviewed; a gate that
    stands only because of the rollout is no escalation. `lately` is the rate that decides: over the newest changes that
    are at least `rollout.min_changes` and go back at least `rollout.min_days` (`lately_days`), so that a bad first week
    is outlived. `missing` says what is to be waited for; empty: it may be raised."""

    mode: str
    changes: int
    days: float
    asked: Share
    lately: Share
    lately_days: float
    by_lane: tuple[RateOf, ...]
    by_rule: tuple[RateOf, ...]
    percent: float
    missing: tuple[str, ...]


def draw(repo: str, pr_number: int) -> float:
    """A number from 0 to 100 that belongs to this pull request: the same at every push, spread evenly over them."""
    digest = hashlib.sha256(f"greenlane rollout\0{repo}\0{pr_number}".encode()).digest()
    return int.from_bytes(digest[:8]) % _STEPS * 100 / _STEPS


def assess_rollout(rollout: Rollout, *, repo: str, pr_number: int, lane: Lane) -> tuple[Gate, ...]:
    """The gate of a change that automation does not take yet; none if it does."""
    drawn = draw(repo, pr_number)
    if lane.value not in rollout.lanes:
        lanes = ", ".join(rollout.lanes) or "none"
        why = f"automation takes the lanes {lanes} (rollout.lanes), and this change is in the {lane.value} lane"
    elif drawn >= rollout.percent:
        share = f"{rollout.percent:g} % of the pull requests so far (rollout.percent)"
        why = f"automation takes {share}; this one drew {drawn:g}"
    else:
        return ()
    trigger = Trigger(rule=RULE, summary=why, clears_when="the share or the lanes of `rollout` are raised")
    return (Gate(gate_id=RULE, before=Stage.STAGING, triggers=(trigger,)),)


def assess_status(changes: Sequence[Change], rollout: Rollout, *, shadow: bool, now: datetime) -> RolloutStatus:
    """Where the rollout stands at `now` (aware, UTC), over changes that were reviewed live, or those in shadow mode."""
    latest = _latest(changes, shadow=shadow)
    asked = [(change, _rules_asked(change)) for change in latest]
    total = len(asked)
    ages = [_days_since(change, now) for change in latest]
    recent = _window(ages, rollout)
    lately = share_of(sum(bool(rules) for _, rules in asked[total - recent :]), recent)
    lately_days = ages[-recent] if recent else 0.0
    lanes = Counter(c.review.lane.value for c in latest if c.review)
    of_lanes = Counter(c.review.lane.value for c, rules in asked if c.review and rules)
    of_rules = Counter(rule for _, rules in asked for rule in rules)
    return RolloutStatus(
        mode="shadow" if shadow else "automatic",
        changes=total,
        days=max(ages, default=0.0),
        asked=share_of(sum(bool(rules) for _, rules in asked), total),
        lately=lately,
        lately_days=lately_days,
        by_lane=tuple(RateOf(name=n, asked=share_of(of_lanes[n], count)) for n, count in lanes.most_common()),
        by_rule=tuple(RateOf(name=n, asked=share_of(count, total)) for n, count in of_rules.most_common()),
        percent=rollout.percent,
        missing=_missing(rollout, lately, lately_days),
    )


def _days_since(change: Change, now: datetime) -> float:
    began = datetime.fromisoformat(change.history[0].timestamp)
    return max(0.0, (now - began).total_seconds() / 86_400)


def _window(ages: Sequence[float], rollout: Rollout) -> int:
    """How many of the newest changes decide, of changes so many days old, oldest first: as few as make up both the
    number and the time that are asked for; all, if they do not."""
    for count in range(rollout.min_changes, len(ages) + 1):
        if ages[-count] >= rollout.min_days:
            return count
    return len(ages)


def _missing(rollout: Rollout, lately: Share, days: float) -> tuple[str, ...]:
    """What has to happen before the share may be raised."""
    missing = []
    if lately.total < rollout.min_changes:
        missing.append(f"{rollout.min_changes - lately.total} more changes (of {rollout.min_changes})")
    if days < rollout.min_days:
        missing.append(f"{rollout.min_days - days:.1f} more days (of {rollout.min_days:g})")
    if lately.total and lately.share >= rollout.raise_below:
        missing.append(f"a rate under {rollout.raise_below:.0%} (of the last {lately.total}: {lately.share:.1%})")
    return tuple(missing)


def _latest(changes: Iterable[Change], *, shadow: bool) -> list[Change]:
    """The newest reviewed run of each pull request, of the kind that is asked for, oldest first."""
    newest: dict[tuple[str, int], Change] = {}
    for change in changes:
        if change.review is not None and change.review.shadow == shadow:
            newest[change.opened.repo, change.opened.pr_number] = change
    return sorted(newest.values(), key=lambda c: datetime.fromisoformat(c.history[0].timestamp))


def _rules_asked(change: Change) -> tuple[str, ...]:
    """The rules that sent it to a human by themselves, in shadow mode those that would have."""
    review = change.review
    gates = review.gates if review and review.shadow else change.gates
    return tuple(dict.fromkeys(t.rule for gate in gates for t in gate.triggers if t.rule != RULE))
