"""The smallest part of a change that would have to go for nobody to be asked. Pure.

Each answer is verified by assessing what is left with the same policy as the review. Where the ledger does not hold
all that this needs, or the policy would decide otherwise by now, it says so instead of guessing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Literal

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.diff import ChangeType
from greenlane.domain.findings import Finding
from greenlane.domain.settings import Settings
from greenlane.policy.feedback import finding_id
from greenlane.policy.paths import assign_services, folder_of
from greenlane.policy.review import assess_review
from greenlane.policy.risk import RiskFacts

MAX_UNITS = 120
"""Files, or findings, that are tried: a change of more is not one that a person trims by such a list."""
EXACT_UP_TO = 24
"""Up to so many units every pair is tried, so that an answer of one or two is the smallest there is."""

MOST_FINDINGS = 500
"""What a review event holds; as many of them may be the first of more."""

Outcome = Literal["not-asked", "found", "none-found", "unknown"]


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    """What would clear the review's questions. `files` to take out, or `findings` (ids) to resolve: either is enough.

    `smallest` holds if no smaller set of that kind does; else no part of it can be left out. `notes` says what was not
    found, and why.
    """

    outcome: Outcome
    files: tuple[str, ...] = ()
    files_smallest: bool = False
    findings: tuple[str, ...] = ()
    findings_named: tuple[str, ...] = ()
    findings_smallest: bool = False
    notes: tuple[str, ...] = ()


def find_clearing(change: Change, settings: Settings) -> Clearing:
    """Which files, and which findings, would have to go for the review to ask nobody."""
    review = change.review
    if review is None:
        return Clearing(outcome="unknown", notes=("the change has not been reviewed yet",))
    asked = tuple(g for g in review.gates if g.gate_id != "rollout")
    if not asked:
        if review.gates or not change.open_gates:
            return Clearing(outcome="not-asked", notes=("the review asks for nobody over its content",))
        return Clearing(outcome="unknown", notes=("the questions come from a later stage, not from the review",))
    cannot = _cannot_tell(change, review, settings, asked)
    if cannot:
        return Clearing(outcome="unknown", notes=(cannot,))
    files, files_smallest = _search(
        tuple(f.path for f in review.files),
        lambda gone: not _gates_without(change, review, settings, files=gone),
        keep_one=True,
    )
    named = {finding_id(f): f for f in review.findings if not f.rule.startswith("model.")}
    findings, findings_smallest = _search(
        tuple(named), lambda gone: not _gates_without(change, review, settings, findings=gone), keep_one=False
    )
    notes = []
    if not files:
        notes.append("no smaller change made of these files would go without a human")
    if not findings:
        notes.append("resolving findings alone is not enough")
    return Clearing(
        outcome="found" if files or findings else "none-found",
        files=files,
        files_smallest=files_smallest,
        findings=findings,
        findings_named=tuple(_name(named[x]) for x in findings),
        findings_smallest=findings_smallest,
        notes=tuple(notes),
    )


def _name(finding: Finding) -> str:
    return f"{finding.rule} at {finding.path}:{finding.line}"


def _cannot_tell(change: Change, review: e.ReviewComplete, settings: Settings, asked: tuple[e.Gate, ...]) -> str:
    if not review.files:
        return "the ledger does not hold the files of this review"
    if (
        review.files_left_out
        or len(review.findings) >= MOST_FINDINGS
        or any(s.path == "*" and s.analyzer == "review" for s in review.skipped)
    ):
        return "the change is too large for the ledger to hold all of it"
    again = _gates_without(change, review, settings)
    if {g.gate_id for g in again} != {g.gate_id for g in asked}:
        return "the rules have changed since this review: assessed again, the change would be asked about otherwise"
    return ""


def _gates_without(
    change: Change,
    review: e.ReviewComplete,
    settings: Settings,
    *,
    files: frozenset[str] = frozenset(),
    findings: frozenset[str] = frozenset(),
) -> tuple[e.Gate, ...]:
    """The questions about what is left of the change. What the model said, and the history, are left as they are."""
    kept = tuple(f for f in review.files if f.path not in files)
    paths = tuple(dict.fromkeys(p for f in kept for p in (f.path, f.old_path) if p))
    counted = [f for f in kept if f.lines is not None]
    coverage = [c for c in review.coverage if c.path not in files]
    sides = {p for f in review.files if f.path in files for p in (f.path, f.old_path) if p}
    facts = RiskFacts(
        findings=tuple(
            f
            for f in review.findings
            if f.path not in sides and finding_id(f) not in findings and not f.rule.startswith("model.")
        ),
        skipped=tuple(s for s in review.skipped if s.path not in sides),
        lines=sum(f.lines or 0 for f in counted),
        files=len(counted),
        folders=len({folder_of(f.path) for f in counted}),
        sensitive_paths=tuple(f.path for f in kept if f.sensitive),
        covered=sum(len(c.covered) for c in coverage),
        uncovered=sum(len(c.uncovered) for c in coverage),
        suite_passed=review.suite_passed,
        history=review.history,
        # A part of a change that only moves code may be one that does not.
        change_type=ChangeType.OTHER if files and review.change_type is ChangeType.MOVED else review.change_type,
        author_record=review.author_record,
    )
    services, _ = assign_services(settings.services, paths)
    verdict = assess_review(
        facts,
        paths=paths,
        labels=change.opened.labels,
        services=services,
        settings=settings,
        model=review.model,
        weights=review.weights,
    )
    return verdict.gates


def _search(
    units: tuple[str, ...], clears: Callable[[frozenset[str]], bool], *, keep_one: bool
) -> tuple[tuple[str, ...], bool]:
    """A smallest set of units whose removal clears, and whether it is proved smallest; empty if there is none.

    `keep_one`: the whole is no answer, since nothing would be left of the change.
    """
    if not units or len(units) > MAX_UNITS:
        return (), False
    most = len(units) - (1 if keep_one else 0)
    for size in (1, 2):
        if size > most or (size == 2 and len(units) > EXACT_UP_TO):
            continue
        for some in combinations(units, size):
            if clears(frozenset(some)):
                return some, True
    gone = list(units)
    if not clears(frozenset(gone)):
        return (), False
    for unit in units:  # put back one after the other what may stay
        rest = [g for g in gone if g != unit]
        if clears(frozenset(rest)):
            gone = rest
    return (tuple(gone), len(gone) <= 3 and len(units) <= EXACT_UP_TO) if len(gone) <= most else ((), False)
