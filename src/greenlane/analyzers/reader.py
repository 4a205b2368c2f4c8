"""Reads a change: exports both trees, runs every analyzer and the coverage meter, and gathers what they saw.

Called by the review agent for a live change and by the backtest for a merged one, so that both are judged alike.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Protocol

import msgspec

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
from greenlane.analyzers.change_type import detect_change_type
from greenlane.analyzers.past import read_past
from greenlane.analyzers.record import record_reading
from greenlane.analyzers.summary import bound_diff, is_production, measure_change
from greenlane.domain.diff import Diff
from greenlane.domain.errors import FinalError
from greenlane.domain.events import FileRead, SkippedFile
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.paths import assign_services, match_paths
from greenlane.policy.risk import RiskFacts
from greenlane.ports.code_host import SourceControl

_GRACE_S = 15.0
"""An analyzer enforces its own time-out; this is for one that does not come back at all."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read of a change: what the decisions are made of."""

    diff: Diff
    services: tuple[Service, ...]
    unclaimed: tuple[str, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[SkippedFile, ...]
    coverage: CoverageReport
    read: tuple[FileRead, ...] = ()
    """Each changed file: its hunks, the analyzers that looked at it, and any gap."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the change, on both sides of a rename."""
        return tuple(dict.fromkeys(p for f in self.diff.files for p in (f.path, f.old_path or f.path)))


class Trees(Protocol):
    """Who brings the files of both commits into a folder."""

    async def place(self, base_sha: str, head_sha: str, folder: Path) -> None:
        """Bring `folder/base` and `folder/head` to these commits, complete and with nothing else in them."""


class FreshTrees:
    """Exports both each time, into a folder that is emptied before."""

    def __init__(self, source: SourceControl) -> None:
        self._source = source

    async def place(self, base_sha: str, head_sha: str, folder: Path) -> None:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await asyncio.gather(
            self._source.export(base_sha, folder / "base"), self._source.export(head_sha, folder / "head")
        )


class ChangeReader:
    """Reads one change at a time or several at once; at most one analyzer a core runs at any moment.

    Without a `coverage` meter no test is run, and nothing is said of which lines are tested.
    """

    def __init__(
        self,
        source: SourceControl,
        analyzers: tuple[Analyzer, ...],
        settings: Settings,
        *,
        coverage: CoverageMeter | None,
        trees: Trees | None = None,
    ) -> None:
        self._source = source
        self._trees = trees or FreshTrees(source)
        self._coverage = coverage
        self._analyzers = analyzers
        self._settings = settings
        self._places = asyncio.Semaphore(os.cpu_count() or 1)

    @property
    def analyzers(self) -> tuple[str, ...]:
        """What a reading is made by, with versions, for the record."""
        own = tuple(f"{a.name} {a.version}" for a in self._analyzers)
        return (*own, "coverage") if self._coverage else own

    async def read(self, base_sha: str, head_sha: str, folder: Path) -> Reading:
        """What `head_sha` changes relative to `base_sha`, read. The trees stay in `folder` (`base`, `head`)
        for whoever reads on, and the caller removes it."""
        diff = bound_diff(await self._source.diff(base_sha, head_sha), self._settings.review)
        await self._trees.place(base_sha, head_sha, folder)
        past = await read_past(self._source, base_sha, head_sha, diff)
        trees = {name: folder / name for name in ("base", "head", "tests")}
        if self._coverage:
            # Tests get a tree of their own: they may write into it, and must not write what the analyzers read.
            await self._source.export(head_sha, trees["tests"])
        services, unclaimed = assign_services(self._settings.services, diff.paths)
        review = ReviewInput(
            diff=diff,
            base_tree=str(trees["base"]),
            head_tree=str(trees["head"]),
            roots=_source_roots(services),
            max_file_bytes=self._settings.review.max_file_kb * 1024,
            past=past.lines,
            rules_at=tuple(x for x in (self._settings.model.examples_dir, self._settings.risk.weights_file) if x),
        )
        results, coverage = await asyncio.gather(
            asyncio.gather(*(self._analyze(analyzer, review) for analyzer in self._analyzers)),
            self._measure_coverage(diff, services, trees["tests"]),
        )
        names = [analyzer.name for analyzer in self._analyzers]
        read, unnoticed = record_reading(diff, dict(zip(names, results, strict=True)))
        skipped = [*past.skipped, *(s for result in results for s in result.skipped), *unnoticed]
        if coverage.unavailable:
            skipped.append(SkippedFile(path=EVERYTHING, analyzer="coverage", reason=coverage.unavailable))
        return Reading(
            diff=diff,
            services=services,
            unclaimed=unclaimed,
            findings=rank_findings([f for result in results for f in result.findings]),
            skipped=tuple(skipped),
            coverage=coverage,
            read=read,
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
        if self._coverage is None or not changed:
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


def risk_facts(reading: Reading, settings: Settings) -> RiskFacts:
    """What the risk score is made of."""
    size = measure_change(reading.diff)
    production = [path for path in reading.paths if is_production(path)]
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
        change_type=detect_change_type(reading.diff),
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
        SourceRoot(path=root.strip("/") or ".", service=s.name, deployed=s.is_deployed)
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
