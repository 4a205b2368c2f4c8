"""The risk score of a change, 1 to 10: a sum of named points, and floors that nothing can talk down.

Points add up what makes mistakes likely (size, spread, untested lines, sensitive places, doubtful findings). They are
capped so that size alone never reaches a person. Floors stand for what a person must see whatever else is true. Each
point says why it is there, and the points add up to the score. The figures are here and nowhere else, so that they
can be calibrated against an organisation's history.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from greenlane.domain.events import RiskPoint, SkippedFile
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.history import HistoryFacts

LOWEST, HIGHEST = 1.0, 10.0
_SERIOUS = (Severity.HIGH, Severity.CRITICAL)


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of the score. A ladder gives points from a size on: ((from, points), ...), ascending."""

    lines: tuple[tuple[int, float], ...] = ((50, 0.5), (200, 1.0), (600, 1.5), (1500, 2.0))
    files: tuple[tuple[int, float], ...] = ((10, 0.5), (30, 1.0))
    folders: tuple[tuple[int, float], ...] = ((5, 0.5), (12, 1.0))
    size_cap: float = 3.0
    """Lines, files and folders together: size alone reaches 4 at most."""
    sensitive: float = 1.0
    untested: float = 2.0
    """Times the share of changed lines that no test runs."""
    suite_failed: float = 2.0
    history_cap: float = 1.5
    """All of the history together. With the size it stays under every limit: neither sends a change to a person."""
    newcomer: float = 0.5
    new_to_files: float = 0.25
    reverted: float = 0.5
    often_fixed: float = 0.5
    spread: float = 0.25
    medium: float = 1.0
    medium_cap: float = 3.0
    low: float = 0.25
    low_cap: float = 1.0


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


class RiskScore(msgspec.Struct, frozen=True, kw_only=True):
    score: float
    points: tuple[RiskPoint, ...]


def assess_risk(facts: RiskFacts, weights: Weights | None = None, floors: Floors | None = None) -> RiskScore:
    """The score with its points: a base of 1, what adds to it, and what the highest floor adds on top."""
    weights, floors = weights or Weights(), floors or Floors()
    points = [RiskPoint(rule="base", points=LOWEST, reason="every change has some risk")]
    points += _size(facts, weights)
    points += _circumstances(facts, weights)
    points += _history(facts.history, weights)
    points += _doubts(facts, weights)
    total = min(sum(p.points for p in points), HIGHEST)
    reached = sorted(_floors(facts, floors), key=lambda p: -p.points)
    if reached and reached[0].points > total:
        top = reached[0]
        raised = round(top.points - total, 2)
        points.append(RiskPoint(rule=top.rule, points=raised, reason=f"{top.reason}: never under {top.points:g}"))
        total = top.points
    return RiskScore(score=round(total, 2), points=tuple(points))


def _size(facts: RiskFacts, weights: Weights) -> Iterator[RiskPoint]:
    left = weights.size_cap
    for rule, count, ladder, unit in (
        ("size.lines", facts.lines, weights.lines, "lines of code changed"),
        ("size.files", facts.files, weights.files, "files changed"),
        ("size.folders", facts.folders, weights.folders, "folders touched"),
    ):
        points = min(max((p for start, p in ladder if count >= start), default=0.0), left)
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


def _history(history: HistoryFacts | None, weights: Weights) -> Iterator[RiskPoint]:
    """What predicts changes that are taken back later (Kamei et al. 2013), each in words, together under a cap."""
    if history is None:
        return
    found: list[tuple[str, float, str]] = []
    if history.author_commits == 0 and not history.shallow:
        found.append(("newcomer", weights.newcomer, "the author's first change in this repository"))
    elif history.commits >= _KNOWN_COMMITS and history.author_file_commits == 0:
        reason = (
            f"the author has not changed these files before ({history.commits} commits by {history.authors} people)"
        )
        found.append(("new-to-files", weights.new_to_files, reason))
    if history.reverts:
        found.append(
            ("reverted", weights.reverted, f"{history.reverts} earlier changes to these files were taken back")
        )
    if history.commits >= _KNOWN_COMMITS and history.fixes >= _OFTEN * history.commits:
        reason = f"{history.fixes} of {history.commits} commits to these files mended something"
        found.append(("often-fixed", weights.often_fixed, reason))
    if history.files >= _KNOWN_COMMITS and history.entropy >= _EVEN:
        reason = f"spread evenly over {history.files} files (entropy {history.entropy:.2f})"
        found.append(("spread", weights.spread, reason))
    left = weights.history_cap
    for rule, points, reason in found:
        given = min(points, left)
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
