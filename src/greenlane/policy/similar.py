"""Past changes that are like one at hand, and what became of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from greenlane.domain.change import Change
from greenlane.domain.events import Lane
from greenlane.policy.lifecycle import assess_standing
from greenlane.policy.paths import folder_of

SIMILAR = 5
_FILES, _FOLDERS, _RULES, _LANE = 0.5, 0.2, 0.2, 0.1
"""Weights of a likeness: the same files say most, the same lane least. They add up to 1."""
_LEAST = 0.1
_SHOWN = 5


class _Marks(msgspec.Struct, frozen=True):
    """What a likeness is computed from."""

    change: Change
    files: frozenset[str]
    rules: frozenset[str]
    lane: Lane | None


def _marks(change: Change) -> _Marks:
    """Logs from before files were kept still name those with findings and with measured lines."""
    review = change.review
    if review is None:
        return _Marks(change, frozenset(), frozenset(), None)
    kept = (*(f.path for f in review.files), *(c.path for c in review.coverage), *(f.path for f in review.findings))
    return _Marks(change, frozenset(kept), frozenset(f.rule for f in review.findings), review.lane)


class SimilarChange(msgspec.Struct, frozen=True, kw_only=True):
    """A past change that is like this one: what they share, and what happened to it. `likeness` is 0 to 1."""

    run: str
    pr_number: int
    title: str
    state: str
    reason: str
    updated: str
    likeness: float
    shared: tuple[str, ...]
    asked: tuple[str, ...]


def compute_similar(change: Change, past: Iterable[Change], *, limit: int = SIMILAR) -> tuple[SimilarChange, ...]:
    """The reviewed changes of other pull requests that are most like this one; of each pull request its newest run.

    A likeness is a weighted sum of Jaccard indices of files, folders and rules, and the same lane. The lane alone
    makes nothing similar.
    """
    newest: dict[tuple[str, int], Change] = {}
    for other in past:
        opened = other.opened
        if other.review and (opened.repo, opened.pr_number) != (change.opened.repo, change.opened.pr_number):
            newest[opened.repo, opened.pr_number] = other
    this = _marks(change)
    found = [s for s in (_compare(this, other) for other in map(_marks, newest.values())) if s is not None]
    found.sort(key=lambda s: s.updated, reverse=True)
    return tuple(sorted(found, key=lambda s: -s.likeness)[:limit])


def _compare(this: _Marks, other: _Marks) -> SimilarChange | None:
    files, theirs = this.files, other.files
    folders, their_folders = _folders(this.files), _folders(other.files)
    rules, their_rules = this.rules, other.rules
    score = (
        _FILES * _jaccard(files, theirs) + _FOLDERS * _jaccard(folders, their_folders)
        + _RULES * _jaccard(rules, their_rules)
    )  # fmt: skip
    if score <= 0:
        return None
    score += _LANE * (this.lane == other.lane)
    if score < _LEAST:
        return None
    shared = (*sorted(files & theirs)[:_SHOWN], *sorted(rules & their_rules)[:_SHOWN])
    change = other.change
    standing = assess_standing(change)
    return SimilarChange(
        run=change.run,
        pr_number=change.opened.pr_number,
        title=change.opened.title,
        state=standing.state.value,
        reason=standing.reason,
        updated=change.history[-1].timestamp,
        likeness=round(score, 3),
        asked=tuple(dict.fromkeys(t.rule for g in change.gates for t in g.triggers)),
        shared=shared or tuple(f"{f}/" for f in sorted(folders & their_folders)[:_SHOWN]),
    )


def _folders(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(folder_of(p) for p in paths)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one and other else 0.0
