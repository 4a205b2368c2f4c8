"""Events from the opened pull request to the end of validation."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from greenlane.domain.asked import ModelTests
from greenlane.domain.delivery import Check, Comparison, ComparisonEvidence, Instance
from greenlane.domain.diff import ChangeType
from greenlane.domain.events.base import (
    ChangedFile,
    Decision,
    DroppedTest,
    Event,
    FileRead,
    Gate,
    Input,
    Lane,
    LimitMove,
    RiskPoint,
    SkippedFile,
    Stage,
    StageResult,
    TestsDelivery,
    WrittenTest,
)
from greenlane.domain.findings import FileCoverage, Finding
from greenlane.domain.history import AuthorRecord, HistoryFacts
from greenlane.domain.opinion import ModelReview
from greenlane.domain.weights import FittedWeights

# ------------------------------------------------------------------ the pull request


class PrOpened(Event, tag="pr.opened", frozen=True, kw_only=True):
    """A pull request was seen for the first time at this head commit."""

    repo: str
    pr_number: int
    title: str
    description: str = ""
    branch: str
    base_branch: str
    head_sha: str
    base_sha: str
    merge_base_sha: str
    author: str
    coauthors: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    diff_sha256: str
    head_writable: bool = True
    """False: the head is known to be in a fork that can't be pushed to."""


class PrUpdated(PrOpened, tag="pr.updated", frozen=True, kw_only=True):
    """A newer head commit of a pull request that is known already: the first event of that commit's own run."""


class RunSuperseded(Event, tag="run.superseded", frozen=True, kw_only=True):
    """A newer head commit took over; approvals of this run are void."""

    by_run: str
    new_head_sha: str


# ------------------------------------------------------------------ stages


class ReviewComplete(StageResult, tag="review.complete", frozen=True, kw_only=True):
    completes: ClassVar[Stage | None] = Stage.REVIEW

    risk_score: float
    risk_points: tuple[RiskPoint, ...]
    threshold: float
    lane: Lane
    lanes_matched: tuple[Lane, ...]
    services: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    coverage: tuple[FileCoverage, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    analyzers: tuple[str, ...] = ()
    files_changed: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    summary: tuple[str, ...] = ()
    schema_changes_detected: bool = False
    new_service_integration: bool = False
    breaking_api_contract: bool = False
    history: HistoryFacts | None = None
    model: ModelReview | None = None
    shadow: bool = False
    """Nothing is done about this review: it says what would have been done."""
    gates: tuple[Gate, ...] = ()
    """The questions of this review; in shadow mode those that would have been asked."""
    files: tuple[ChangedFile, ...] = ()
    """The changed files as the risk score counts them; `files_left_out` were too many to keep."""
    files_left_out: int = 0
    suite_passed: bool = True
    read: tuple[FileRead, ...] = ()
    """The files of the change, those with a gap first; `files_changed` says how many there are if some are cut off."""
    hunks: int = 0
    hunks_analysed: int = 0
    weights: FittedWeights | None = None
    """The figures by which the score was computed; logs from before they were kept have none."""
    limit_moves: tuple[LimitMove, ...] = ()
    """How `threshold` came from the limit that is configured."""
    change_type: ChangeType = ChangeType.OTHER
    author_record: AuthorRecord | None = None


class TestsCommitting(Decision, tag="tests.committing", frozen=True, kw_only=True):
    """Intent: these files (path, sha256) go on the pull request's branch on top of `expected_head`."""

    __test__: ClassVar[bool] = False

    expected_head: str
    files: tuple[Input, ...]
    key: str
    delivery: TestsDelivery = "commit"
    """`patch`: they go into a file for the author, and nothing is pushed."""


class TestsComplete(StageResult, tag="tests.complete", frozen=True, kw_only=True):
    __test__: ClassVar[bool] = False
    completes: ClassVar[Stage | None] = Stage.TEST

    written: tuple[WrittenTest, ...] = ()
    dropped: tuple[DroppedTest, ...] = ()
    commit_sha: str | None = None
    coverage_before: tuple[FileCoverage, ...] = ()
    coverage_after: tuple[FileCoverage, ...] = ()
    suite_passed: bool = True
    seconds: float = 0.0
    patch: str = ""
    """The file with the tests, where they could not or should not be pushed; `git am` takes it."""
    asked: tuple[ModelTests, ...] = ()
    """What a model was asked to write, by service; empty if none is configured, or no gap was open."""
    mutants: int = 0
    """Faults that were put into changed lines, one at a time."""
    surviving: tuple[str, ...] = ()
    """Those of them, in words, that no test notices, old or new."""
    findings: tuple[Finding, ...] = ()
    """What the search for tests met that looks like a fault of the change."""


class StagingStarting(Decision, tag="staging.starting", frozen=True, kw_only=True):
    """Intent: the merge of base and head is built and deployed to staging under this id."""

    service: str
    deployment_id: str
    base_sha: str
    merge_sha: str
    attempt: int


class StagedService(msgspec.Struct, frozen=True, kw_only=True):
    """One service as it stands in staging: the candidate beside the current version."""

    service: str
    candidate: Instance
    current: Instance | None
    checks: tuple[Check, ...] = ()
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0


class PerformanceDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of both versions while they were collected in staging, almost idle. `ratio`: candidate over current."""

    service: str
    metric: str
    current: float
    candidate: float
    ratio: float


class StagingComplete(StageResult, tag="staging.complete", frozen=True, kw_only=True):
    completes: ClassVar[Stage | None] = Stage.STAGING

    staging_healthy: bool
    base_sha: str
    merge_sha: str
    services: tuple[StagedService, ...] = ()
    regressions_detected: tuple[str, ...] = ()
    anomalies: tuple[str, ...] = ()
    performance_delta: tuple[PerformanceDelta, ...] = ()


class ServiceComparison(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    comparisons: tuple[Comparison, ...]
    evidence: ComparisonEvidence | None = None
    """What it was judged from; None: nothing was compared, or the entry is older."""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What production will show of a metric (`p99_ms`, or `error_rate` as a share): `baseline` x `ratio` x `factor`.

    `scope` says of which hours the baseline is; `ratio` is candidate over current in staging, as far as it is believed,
    and `measured` as it was measured (None in old entries: the same); `factor` was learned from the `releases` in
    `learned_from` (runs). `low` and `high` hold 90 % of releases; None with too few. While some are `missing`, it is
    advice and decides nothing.
    """

    service: str
    metric: str
    baseline: float
    scope: str
    ratio: float
    factor: float
    predicted: float
    low: float | None
    high: float | None
    limit: float
    releases: int
    missing: int
    learned_from: tuple[str, ...] = ()
    measured: float | None = None


class StagingValidated(StageResult, tag="staging.validated", frozen=True, kw_only=True):
    completes: ClassVar[Stage | None] = Stage.VALIDATION

    checks: tuple[Check, ...] = ()
    services: tuple[ServiceComparison, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is wrong with production as it is: a baseline that breaks a limit itself."""
    load_s: float = 0.0
    """Load that each version got, in seconds; the longest of the services."""
