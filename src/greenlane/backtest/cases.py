"""What is known of each merged change: the facts of size and history on the day it came, and how it ended.

Called by the calibration. Changes that touch nothing that production runs are left out: no fix is ever traced to them,
so they would flatter any score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from greenlane.adapters.git.merged import Commit, MergedChange
from greenlane.adapters.history_walk import LookedBack, look_back
from greenlane.analyzers.summary import is_production
from greenlane.backtest.outcomes import label_outcomes
from greenlane.backtest.szz import Traced
from greenlane.domain.settings import Settings
from greenlane.policy.paths import folder_of, match_paths
from greenlane.policy.risk import RiskFacts

DAY_S = 86_400


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `ended_at` is when it was first reverted or fixed (Unix seconds; 0: never); `told` whether a message
    said so, and not only the lines."""

    sha: str
    at: int
    facts: RiskFacts
    ended_at: int = 0
    told: bool = False

    def ended_badly(self, *, within_days: int, known_at: int | None = None) -> bool:
        """Whether it was mended within so many days, as far as was known at that time."""
        known = known_at is None or self.ended_at < known_at
        return bool(self.ended_at) and known and self.ended_at - self.at <= within_days * DAY_S


def read_cases(
    repo: Path, changes: Sequence[MergedChange], later: Sequence[Commit], traced: Traced, settings: Settings
) -> list[Case]:
    """The changes that touch production code, oldest first. Blocks."""
    past = look_back(repo, changes)
    ended = _endings(changes, later, traced)
    cases = []
    for change in reversed(changes):
        seen = past.get(change.head_sha)
        if seen is None or not any(is_production(f.path) for f in seen.sizes):
            continue
        at, told = ended.get(change.head_sha, (0, False))
        cases.append(Case(sha=change.head_sha, at=change.at, facts=facts_of(seen, settings), ended_at=at, told=told))
    return cases


def facts_of(seen: LookedBack, settings: Settings) -> RiskFacts:
    """What git alone can tell of a change: all of the score but findings and coverage."""
    counted = [f for f in seen.sizes if is_production(f.path)]
    paths = tuple(dict.fromkeys(p for f in seen.sizes for p in (f.path, f.old_path) if is_production(p)))
    return RiskFacts(
        lines=sum(f.added + f.removed for f in counted),
        files=len(counted),
        folders=len({folder_of(f.path) for f in counted}),
        sensitive_paths=match_paths(settings.review.sensitive_paths, paths),
        history=seen.history,
    )


def _endings(
    changes: Sequence[MergedChange], later: Sequence[Commit], traced: Traced
) -> Mapping[str, tuple[int, bool]]:
    """When each change was first mended, by its head, and whether a message says so. What is mended on a branch counts
    from the day on which the branch was merged."""
    merged = {sha: change.at for change in changes for sha in change.commits}
    when = {c.sha: max(c.at, merged.get(c.sha, c.at)) for c in later}
    found: dict[str, tuple[int, bool]] = {}
    for head, _, at, _ in traced.culprits:
        found.setdefault(head, (at, False))
    for head, outcome in label_outcomes(changes, later).items():
        at = when.get(outcome.by, 0)
        first = found.get(head)
        found[head] = (min(at, first[0]) if first else at, True)
    return found
