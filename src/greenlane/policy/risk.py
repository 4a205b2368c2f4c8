"""The risk score of a change, 1 to 10: a sum of named points, and floors that nothing can talk down.

Points add up what makes mistakes likely (size, spread, untested lines, sensitive places, doubtful findings). They are
capped so that size alone never reaches a person. Floors stand for what a person must see whatever else is true. Each
point says why it is there, and the points add up to the score. The figures of size and history are `Weights`, which can
be fitted to an organisation's own history; the floors are here, and nothing lowers them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from greenlane.domain.diff import ChangeType
from greenlane.domain.events import RiskPoint, SkippedFile
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.history import AuthorRecord, HistoryFacts
from greenlane.domain.weights import FittedWeights, Ladder, Weights

__all__ = ["Floors", "RiskFacts", "RiskScore", "Weights", "assess_risk"]

LOWEST, HIGHEST = 1.0, 10.0
_SERIOUS = (Severity.HIGH, Severity.CRITICAL)


class Floors(msgspec.Struct, frozen=True, kw_only=True):
    """The least score that each of these facts means."""

    critical: float = 9.5
    secret: float = 9.0
    security: float = 8.0
    rules_changed: float = 7.0
    incomplete: float = 7.0
    breaking_api: float = 7.0
    destructive_schema: float = 7.0
    schema: float = 4.0
    integration: float = 4.0


class RiskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the score is made of. Lines count code that production runs, and not lock files, documents or tests."""

    findings: tuple[Finding, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    lines: int = 0
    files: int = 0
    folders: int = 0
    sensitive_paths: tuple[str, ...] = ()
    covered: int = 0
    uncovered: int = 0
    suite_passed: bool = True
    history: HistoryFacts | None = None
    change_type: ChangeType = ChangeType.OTHER
    author_record: AuthorRecord | None = None


class RiskScore(msgspec.Struct, frozen=True, kw_only=True):
    score: float
    points: tuple[RiskPoint, ...]
    floored: bool = False
    """Whether any floor stands under this change, also one that its points exceed by themselves."""


def assess_risk(
    facts: RiskFacts, weights: Weights | FittedWeights | None = None, floors: Floors | None = None
) -> RiskScore:
    """The score with its points: a base of 1, what adds to it, and what the highest floor adds on top."""
    fitted = weights if isinstance(weights, FittedWeights) else FittedWeights(weights=weights or Weights())
    weights, floors = fitted.weights, floors or Floors()
    points = [RiskPoint(rule="base", points=LOWEST, reason=f"every change has some risk (weights: {fitted.words})")]
    size = list(_size(facts, weights))
    left = max(0.0, weights.together_cap - sum(p.points for p in size))
    points += size
    points += _circumstances(facts, weights)
    points += _history(facts.history, weights, min(weights.history_cap, left))
    points += _doubts(facts, weights)
    total = min(sum(p.points for p in points), HIGHEST)
    reached = sorted(_floors(facts, floors), key=lambda p: -p.points)
    if reached and reached[0].points > total:
        top = reached[0]
        raised = round(top.points - total, 2)
        points.append(RiskPoint(rule=top.rule, points=raised, reason=f"{top.reason}: never under {top.points:g}"))
        total = top.points
    return RiskScore(score=round(total, 2), points=tuple(points), floored=bool(reached))


def points_on(ladder: Ladder, count: int) -> float:
    """What the highest step that the count reaches gives."""
    return max((points for start, points in ladder if count >= start), default=0.0)


def size_points(facts: RiskFacts, weights: Weights) -> float:
    """What the size of the change gives by itself."""
    return sum(p.points for p in _size(facts, weights))


def _size(facts: RiskFacts, weights: Weights) -> Iterator[RiskPoint]:
    left = min(weights.size_cap, weights.together_cap)
    for rule, count, ladder, unit in (
        ("size.lines", facts.lines, weights.lines, "lines of code changed"),
        ("size.files", facts.files, weights.files, "files changed"),
        ("size.folders", facts.folders, weights.folders, "folders touched"),
    ):
        points = round(min(points_on(ladder, count), left), 2)
        if points > 0:
            left -= points
            yield RiskPoint(rule=rule, points=points, reason=f"{count} {unit}")


def _circumstances(facts: RiskFacts, weights: Weights) -> Iterator[RiskPoint]:
    if facts.sensitive_paths:
        shown = ", ".join(facts.sensitive_paths[:3]) + (" ..." if len(facts.sensitive_paths) > 3 else "")
        yield RiskPoint(rule="sensitive-path", points=weights.sensitive, reason=f"a sensitive place: {shown}")
    measured = facts.covered + facts.uncovered
    if facts.uncovered:
        points = round(weights.untested * facts.uncovered / measured, 2)
        reason = f"no test runs {facts.uncovered} of {measured} changed lines"
        yield RiskPoint(rule="coverage-gap", points=points, reason=reason)
    if not facts.suite_passed:
        yield RiskPoint(rule="suite-failed", points=weights.suite_failed, reason="the existing tests fail at the head")


_KNOWN_COMMITS = 10
"""Commits on the touched files from which their history says something."""
_OFTEN = 0.4
_EVEN = 0.8


class HistoryMarks(msgspec.Struct, frozen=True, kw_only=True):
    """What the history says of a change, as the rules count it; `calibrate` fits their points."""

    newcomer: bool
    new_to_files: bool
    reverted: bool
    often_fixed: bool
    spread: bool


def history_marks(history: HistoryFacts) -> HistoryMarks:
    """Which rules of the history hold (after Kamei et al. 2013)."""
    newcomer = history.author_commits == 0 and not history.shallow
    known = history.commits >= _KNOWN_COMMITS
    return HistoryMarks(
        newcomer=newcomer,
        new_to_files=not newcomer and known and history.author_file_commits == 0,
        reverted=history.reverts > 0,
        often_fixed=known and history.fixes >= _OFTEN * history.commits,
        spread=history.files >= _KNOWN_COMMITS and history.entropy >= _EVEN,
    )


def _history(history: HistoryFacts | None, weights: Weights, cap: float) -> Iterator[RiskPoint]:
    """What predicts changes that are taken back later, each in words, together under a cap."""
    if history is None:
        return
    marks = history_marks(history)
    found: list[tuple[str, float, str]] = []
    if marks.newcomer:
        found.append(("newcomer", weights.newcomer, "the author's first change in this repository"))
    if marks.new_to_files:
        reason = (
            f"the author has not changed these files before ({history.commits} commits by {history.authors} people)"
        )
        found.append(("new-to-files", weights.new_to_files, reason))
    if marks.reverted:
        found.append(
            ("reverted", weights.reverted, f"{history.reverts} earlier changes to these files were taken back")
        )
    if marks.often_fixed:
        reason = f"{history.fixes} of {history.commits} commits to these files mended something"
        found.append(("often-fixed", weights.often_fixed, reason))
    if marks.spread:
        reason = f"spread evenly over {history.files} files (entropy {history.entropy:.2f})"
        found.append(("spread", weights.spread, reason))
    busy, lately = history.recent_commits, history.recent_fixes
    found.append(("busy", points_on(weights.busy, busy), f"{busy} commits on these files in the last 180 days"))
    reason = f"{lately} commits of the last 180 days mended these files or took something back"
    found.append(("mended-lately", points_on(weights.mended_lately, lately), reason))
    left = cap
    for rule, points, reason in found:
        given = round(min(points, left), 2)
        if given > 0:
            left -= given
            yield RiskPoint(rule=f"history.{rule}", points=given, reason=reason)


def _doubts(facts: RiskFacts, weights: Weights) -> Iterator[RiskPoint]:
    """Findings that nobody has to look at one by one, but that add up. Schema and integration have floors and gates of
    their own and do not count twice."""
    counted = [f for f in facts.findings if f.category not in (Category.SCHEMA, Category.INTEGRATION)]
    for severity, each, cap in (
        (Severity.MEDIUM, weights.medium, weights.medium_cap),
        (Severity.LOW, weights.low, weights.low_cap),
    ):
        found = [f for f in counted if f.severity is severity]
        if found:
            rules = ", ".join(sorted({f.rule for f in found})[:4])
            points = round(min(each * len(found), cap), 2)
            reason = f"{len(found)} finding{'s' if len(found) > 1 else ''} of {severity} severity ({rules})"
            yield RiskPoint(rule=f"findings.{severity}", points=points, reason=reason)


def _floors(facts: RiskFacts, floors: Floors) -> Iterator[RiskPoint]:
    serious = [f for f in facts.findings if f.severity in _SERIOUS]
    by_category = {c: [f for f in serious if f.category is c] for c in Category}
    rows = (
        ("floor.critical", [f for f in serious if f.severity is Severity.CRITICAL], floors.critical),
        ("floor.secret", by_category[Category.SECRET], floors.secret),
        ("floor.security", by_category[Category.SECURITY], floors.security),
        ("floor.rules-changed", by_category[Category.INFRASTRUCTURE], floors.rules_changed),
        ("floor.breaking-api", by_category[Category.API], floors.breaking_api),
        ("floor.destructive-schema", by_category[Category.SCHEMA], floors.destructive_schema),
        ("floor.schema", _at_least_low(facts, Category.SCHEMA), floors.schema),
        ("floor.integration", _of(facts, Category.INTEGRATION, Severity.MEDIUM), floors.integration),
    )
    for rule, found, floor in rows:
        if found:
            first = found[0]
            yield RiskPoint(rule=rule, points=floor, reason=f"{first.rule} at {first.path}:{first.line}")
    if facts.skipped:
        first_gap = facts.skipped[0]
        reason = f"{len(facts.skipped)} not analysed ({first_gap.path}: {first_gap.reason})"
        yield RiskPoint(rule="floor.incomplete-analysis", points=floors.incomplete, reason=reason)


def _at_least_low(facts: RiskFacts, category: Category) -> list[Finding]:
    return [f for f in facts.findings if f.category is category and f.severity is not Severity.INFO]


def _of(facts: RiskFacts, category: Category, least: Severity) -> list[Finding]:
    order = list(Severity)
    return [f for f in facts.findings if f.category is category and order.index(f.severity) >= order.index(least)]
