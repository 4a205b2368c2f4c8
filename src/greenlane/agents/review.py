"""The review agent: reads a change against the point where it left the base branch, and decides how it may go on.

Analyzers bring findings with proof, the sandbox says which changed lines no test runs, and policies turn both into a
score, a lane and the questions that a human must answer. It asks and never blocks; it has no effect outside, so after a
crash it simply reads again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

import greenlane
from greenlane.agents.base import Yielded
from greenlane.agents.review_text import explain_review, name_inputs, name_rules
from greenlane.analyzers import files
from greenlane.analyzers.base import (
    EVERYTHING,
    AnalysisResult,
    Analyzer,
    CoverageMeter,
    CoverageReport,
    ReviewInput,
    SourceRoot,
)
from greenlane.analyzers.summary import bound_diff, is_production, measure_change, summarise
from greenlane.domain.change import Change
from greenlane.domain.diff import Diff
from greenlane.domain.errors import FinalError
from greenlane.domain.events import (
    Event,
    Gate,
    HumanRequested,
    Input,
    PrOpened,
    PrUpdated,
    Reasoning,
    ReviewComplete,
    SkippedFile,
    Stage,
)
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.settings import Service, Settings
from greenlane.policy.paths import assign_services, match_paths
from greenlane.policy.review import ReviewVerdict, assess_review
from greenlane.policy.risk import RiskFacts
from greenlane.ports.code_host import SourceControl

_GRACE_S = 15.0
"""An analyzer enforces its own time-out; this is for one that does not come back at all."""
_MAX_FINDINGS = 500
_MAX_SKIPPED = 200
"""What one event holds; the worst come first and what is left out is counted. Decisions are made on all of them."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read of a change: what the decisions are made of."""

    diff: Diff
    services: tuple[Service, ...]
    unclaimed: tuple[str, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[SkippedFile, ...]
    coverage: CoverageReport


class ReviewAgent:
    """Listens to opened and updated pull requests; ends with `review.complete`."""

    def __init__(
        self,
        source: SourceControl,
        coverage: CoverageMeter,
        analyzers: tuple[Analyzer, ...],
        settings: Settings,
        work_dir: Path,
    ) -> None:
        self._source = source
        self._coverage = coverage
        self._analyzers = analyzers
        self._settings = settings
        self._work_dir = work_dir
        self._places = asyncio.Semaphore(os.cpu_count() or 1)

    @property
    def stage(self) -> Stage:
        return Stage.REVIEW

    @property
    def version(self) -> str:
        return greenlane.__version__

    @property
    def listens_to(self) -> tuple[type[Event], ...]:
        return (PrOpened, PrUpdated)

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        """Yields the gates and the result in one group, so that a result without its gates can never stand."""
        if change.review is not None:
            return
        folder = self._work_dir / change.run
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        try:
            reading = await self._read(change, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        yield self._decide(change, reading)

    async def _read(self, change: Change, folder: Path) -> Reading:
        base_sha, head_sha = change.opened.merge_base_sha, change.opened.head_sha
        diff = bound_diff(await self._source.diff(base_sha, head_sha), self._settings.review)
        trees = {name: folder / name for name in ("base", "head", "tests")}
        # Tests get a tree of their own: they may write into it, and must not write what the analyzers read.
        commits = {"base": base_sha, "head": head_sha, "tests": head_sha}
        await asyncio.gather(*(self._source.export(commits[name], tree) for name, tree in trees.items()))
        services, unclaimed = assign_services(self._settings.services, diff.paths)
        review = ReviewInput(
            diff=diff,
            base_tree=str(trees["base"]),
            head_tree=str(trees["head"]),
            roots=_source_roots(services),
            max_file_bytes=self._settings.review.max_file_kb * 1024,
        )
        results, coverage = await asyncio.gather(
            asyncio.gather(*(self._analyze(analyzer, review) for analyzer in self._analyzers)),
            self._measure_coverage(diff, services, trees["tests"]),
        )
        skipped = [s for result in results for s in result.skipped]
        if coverage.unavailable:
            skipped.append(SkippedFile(path=EVERYTHING, analyzer="coverage", reason=coverage.unavailable))
        return Reading(
            diff=diff,
            services=services,
            unclaimed=unclaimed,
            findings=rank_findings([f for result in results for f in result.findings]),
            skipped=tuple(skipped),
            coverage=coverage,
        )

    async def _analyze(self, analyzer: Analyzer, review: ReviewInput) -> AnalysisResult:
        """The analyzer's result; whatever goes wrong with it is an analysis that did not happen."""
        try:
            async with self._places, asyncio.timeout(self._settings.review.analyzer_timeout_s + _GRACE_S):
                return await analyzer.analyze(review)
        except Exception as error:  # an analyzer that fails must look like a gap, never like a clean change
            reason = f"it failed ({type(error).__name__}: {str(error)[:200]})"
            return AnalysisResult(skipped=(SkippedFile(path=EVERYTHING, analyzer=analyzer.name, reason=reason),))

    async def _measure_coverage(self, diff: Diff, services: tuple[Service, ...], tree: Path) -> CoverageReport:
        """Which changed lines the tests run, over all services that are touched. Retryable errors go through."""
        changed = changed_lines(diff)
        if not changed:
            return CoverageReport()
        if not services:
            return CoverageReport(unavailable="no service of the configuration holds these files")
        reports = []
        for service in services:
            alone = len(self._settings.services) == 1
            own = tuple(changed) if alone else match_paths(service.paths, changed)
            if not own:
                continue
            try:
                report = await self._coverage.measure(service, tree, {path: changed[path] for path in own})
            except FinalError as error:
                report = CoverageReport(unavailable=error.message)
            reports.append(report)
        return _merge(reports)

    def _decide(self, change: Change, reading: Reading) -> tuple[Event, ...]:
        """The gates and the result, as one group of events."""
        paths = tuple(dict.fromkeys(p for f in reading.diff.files for p in (f.path, f.old_path or f.path)))
        verdict = assess_review(
            _risk_facts(reading, paths, self._settings),
            paths=paths,
            labels=change.opened.labels,
            services=reading.services,
            settings=self._settings,
        )
        inputs = name_inputs(change.opened, reading.diff)
        complete = ReviewComplete(
            why=Reasoning(
                decision="ask-human" if verdict.gates else "proceed",
                rationale=explain_review(reading.diff, reading.findings, reading.skipped, reading.coverage, verdict),
                rules_fired=name_rules(reading.findings, verdict),
                risk_score=verdict.risk.score,
                inputs=inputs,
            ),
            proceed=True,
            risk_score=verdict.risk.score,
            risk_points=verdict.risk.points,
            threshold=verdict.limit.value,
            lane=verdict.lane.lane,
            lanes_matched=verdict.lane.lanes_matched,
            services=tuple(s.name for s in reading.services),
            findings=reading.findings[:_MAX_FINDINGS],
            coverage=reading.coverage.files,
            skipped=_bounded(reading.skipped),
            analyzers=(*(f"{a.name} {a.version}" for a in self._analyzers), "coverage"),
            files_changed=len(reading.diff.files),
            lines_added=reading.diff.added_count,
            lines_removed=reading.diff.removed_count,
            summary=(*summarise(reading.diff), *_name_unclaimed(reading.unclaimed)),
            schema_changes_detected=bool(verdict.signals.schema),
            new_service_integration=bool(verdict.signals.integrations),
            breaking_api_contract=bool(verdict.signals.breaking_api),
        )
        return (*(_request(gate, verdict, inputs) for gate in verdict.gates), complete)


def _request(gate: Gate, verdict: ReviewVerdict, inputs: tuple[Input, ...]) -> HumanRequested:
    return HumanRequested(
        gate=gate,
        why=Reasoning(
            decision="ask-human",
            rationale=f"A human is asked before {gate.before}: " + "; ".join(t.summary for t in gate.triggers) + ".",
            rules_fired=tuple(t.rule for t in gate.triggers),
            risk_score=verdict.risk.score,
            inputs=inputs,
        ),
    )


def _risk_facts(reading: Reading, paths: tuple[str, ...], settings: Settings) -> RiskFacts:
    size = measure_change(reading.diff)
    production = [path for path in paths if is_production(path)]
    return RiskFacts(
        findings=reading.findings,
        skipped=reading.skipped,
        lines=size.lines,
        files=size.files,
        folders=size.folders,
        sensitive_paths=match_paths(settings.review.sensitive_paths, production),
        covered=sum(len(c.covered) for c in reading.coverage.files),
        uncovered=sum(len(c.uncovered) for c in reading.coverage.files),
        suite_passed=reading.coverage.suite_passed,
    )


def rank_findings(findings: list[Finding]) -> tuple[Finding, ...]:
    """Worst first; and where a secret stands, no other finding quotes the line that holds it."""
    redacted = {(f.path, f.line): f.quotation for f in findings if f.category is Category.SECRET}
    safe = [
        f
        if f.category is Category.SECRET
        else msgspec.structs.replace(f, quotation=redacted[f.path, f.line])
        if (f.path, f.line) in redacted
        else f
        for f in findings
    ]
    order = list(Severity)
    return tuple(sorted(safe, key=lambda f: (-order.index(f.severity), f.path, f.line, f.rule)))


def changed_lines(diff: Diff) -> dict[str, frozenset[int]]:
    """The added lines of each Python file that production runs."""
    return {
        f.path: frozenset(line.number for line in f.added)
        for f in diff.files
        if f.added and f.status != "deleted" and files.kind_of(f.path) is files.Kind.PYTHON and is_production(f.path)
    }


def _source_roots(services: tuple[Service, ...]) -> tuple[SourceRoot, ...]:
    return tuple(
        SourceRoot(path=root.strip("/") or ".", service=s.name, deployed=s.commands.start is not None)
        for s in services
        for root in s.source_roots
    )


def _merge(reports: list[CoverageReport]) -> CoverageReport:
    """The reports of several services as one; one that could not be measured makes the whole so."""
    return CoverageReport(
        files=tuple(f for r in reports for f in r.files),
        suite_passed=all(r.suite_passed for r in reports),
        tests_run=sum(r.tests_run for r in reports),
        output="\n".join(r.output for r in reports if r.output),
        unavailable="; ".join(r.unavailable for r in reports if r.unavailable),
    )


def _bounded(skipped: tuple[SkippedFile, ...]) -> tuple[SkippedFile, ...]:
    if len(skipped) <= _MAX_SKIPPED:
        return skipped
    rest = SkippedFile(path=EVERYTHING, analyzer="review", reason=f"and {len(skipped) - _MAX_SKIPPED} more")
    return (*skipped[:_MAX_SKIPPED], rest)


def _name_unclaimed(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Files of no service are read like all others, but nothing deploys them: that is said."""
    if not paths:
        return ()
    shown = ", ".join(paths[:4]) + (" ..." if len(paths) > 4 else "")
    return (f"in no service: {len(paths)} file{'s' if len(paths) > 1 else ''} ({shown})",)
