"""Every event that can happen to a change, in the past tense. An event is a fact or a decision; a decision says why.

Events are stored for years: a new field has a default, a changed meaning gets a new `event_version` and an entry in
`upcast`, and old logs stay in the tests.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal, Union

import msgspec

from greenlane.domain.asked import ModelTests
from greenlane.domain.delivery import (
    AlignedLimit,
    Artifact,
    CanaryJudgement,
    Check,
    Comparison,
    ComparisonEvidence,
    Instance,
    Spread,
    Tick,
    TrafficReading,
)
from greenlane.domain.diff import ChangeType
from greenlane.domain.findings import FileCoverage, Finding
from greenlane.domain.history import AuthorRecord, HistoryFacts
from greenlane.domain.incident import IncidentEvidence
from greenlane.domain.opinion import ModelReview
from greenlane.domain.weights import FittedWeights


class Stage(StrEnum):
    """The five stages, in the order in which a change passes them."""

    REVIEW = "review"
    TEST = "test"
    STAGING = "staging"
    VALIDATION = "validation"
    DEPLOYMENT = "deployment"


STAGES = tuple(Stage)


TestsDelivery = Literal["commit", "patch"]


class Lane(StrEnum):
    """How much automation a change gets. Where several fit, the first of these wins."""

    RED = "red"
    COMPLIANCE = "compliance"
    SCHEMA = "schema"
    INTEGRATION = "integration"
    PERFORMANCE = "performance"
    GREEN = "green"


class Input(msgspec.Struct, frozen=True):
    """Something that a decision was based on, by name and digest (`sha256:...` or a git object name)."""

    name: str
    digest: str


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Why a decision was taken: the part of an event that an auditor reads.

    `decision` is one word or two (`proceed`, `ask-human`, `roll-back`); `rationale` is full sentences with the figures
    that were compared and the limits they were held against; `rules_fired` names each rule that had a part in it.
    """

    decision: str
    rationale: str
    rules_fired: tuple[str, ...] = ()
    risk_score: float | None = None
    inputs: tuple[Input, ...] = ()
    artifact_digest: str | None = None
    model_id: str | None = None
    prompt_digest: str | None = None


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a human is asked, with its evidence and what would clear it."""

    rule: str
    summary: str
    evidence: tuple[str, ...] = ()
    clears_when: str = ""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a human. No stage from `before` on is entered while it is open."""

    gate_id: str
    before: Stage
    triggers: tuple[Trigger, ...]


class RiskPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a risk score: which rule, how many points, and why."""

    rule: str
    points: float
    reason: str


class LimitMove(msgspec.Struct, frozen=True, kw_only=True):
    """One move of the risk limit: which rule, by how much (under 0 is stricter), and why."""

    rule: str
    amount: float
    reason: str


class SkippedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that an analyzer could not read, and why: it closes the green lane."""

    path: str
    analyzer: str
    reason: str


class FileRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one changed file: how many hunks it has, which analyzers looked at it, how many of its hunks a
    model saw, and why it was not analysed (empty: it was)."""

    path: str
    hunks: int
    by: tuple[str, ...] = ()
    model_hunks: int = 0
    skipped: str = ""


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a change, with the share that it has in the size that the risk score counts.

    `lines` are added and removed lines of code that production runs; None for a file that does not count (tests,
    documents, lock files).
    """

    path: str
    old_path: str | None = None
    lines: int | None = None
    sensitive: bool = False


class WrittenTest(msgspec.Struct, frozen=True, kw_only=True):
    """A generated test that passed every gate: where it stands, what it is called, the lines it newly covers."""

    path: str
    name: str
    purpose: str
    covers: tuple[str, ...]


class DroppedTest(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    reason: str


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The base of all events. `completes` names the stage that an event ends: it is the last one of an agent's act."""

    completes: ClassVar[Stage | None] = None
    event_version: ClassVar[int] = 1


class Decision(Event, frozen=True, kw_only=True):
    """An event that is somebody's decision; it is refused by the ledger without its reasoning."""

    why: Reasoning


class StageResult(Decision, frozen=True, kw_only=True):
    """The end of a stage. `proceed` false: the change is blocked and its author has to amend it."""

    proceed: bool


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


# ------------------------------------------------------------------ deployment


class DeploymentAssessed(Decision, tag="deployment.assessed", frozen=True, kw_only=True):
    """The risk of deploying now: `high` goes to a human."""

    level: Literal["low", "medium", "high"]
    reasons: tuple[str, ...]
    attempt: int


class DeploymentPostponed(Decision, tag="deployment.postponed", frozen=True, kw_only=True):
    """A freeze is in force: nothing is begun before `until` (UTC, ISO 8601), and nobody is asked."""

    until: str
    windows: tuple[str, ...]


class DeploymentResumed(Decision, tag="deployment.resumed", frozen=True, kw_only=True):
    """The time for which the deployment was postponed is over: it is assessed again."""


class HotfixRequested(Event, tag="hotfix.requested", frozen=True, kw_only=True):
    """This change should not wait for the end of a freeze; a person who is not its author has to approve that."""

    by: str
    reason: str


class BaseMoved(Decision, tag="base.moved", frozen=True, kw_only=True):
    """The base branch moved since the merge was checked: staging and validation are done again."""

    old_base_sha: str
    new_base_sha: str


class CanaryStarting(Decision, tag="canary.starting", frozen=True, kw_only=True):
    """Intent: this candidate gets `weight_percent` of production traffic, and is judged by these figures.

    `alpha` is the chance of a false alarm that each single test of this canary may spend.
    """

    deployment_id: str
    service: str
    candidate: Artifact
    stable: Instance
    weight_percent: float
    steps_percent: tuple[float, ...]
    watch_s: float
    warmup_s: float
    error_rate_limit: float
    p99_limit_ms: float
    attempt: int
    step_s: float = 30.0
    catastrophic_error_rate: float = 0.25
    min_requests: int = 200
    extend_max_factor: float = 2.0
    alpha: float = 0.001
    judge: int = 1
    """Version of the judge: what was judged is judged again by the same one."""
    worse_than_stable: float | None = None
    over_not_proven: Literal["roll_back", "extend", "ask"] = "roll_back"
    environment: Literal["ask", "hold", "roll_back"] = "ask"
    tick_s: float = 1.0
    spread_errors: Spread | None = None
    spread_slow: Spread | None = None
    """What earlier canaries of the service showed of how its failures hang together; None: there were none."""
    traffic_rps: float | None = None
    """Requests a second of the whole service, counted before the start; None: not counted."""
    synthetic_rps: float = 0.0
    """Requests a second that Greenlane adds to those of the users while the canary is watched."""
    aligned: tuple[AlignedLimit, ...] = ()
    """What `error_rate_limit` and `p99_limit_ms` were taken from, where they were held against production's history;
    empty: they are as configured."""


class CanaryObserved(Decision, tag="canary.observed", frozen=True, kw_only=True):
    """A checkpoint of the watch: what the proxy counted since the phase began, and what the judge said of it.

    Phases: `warm-up`, `watch`, `step`; `resumed` and `restarted` where another worker took the watch over.
    """

    deployment_id: str
    phase: str
    weight_percent: float
    elapsed_s: float
    reading: TrafficReading
    judgement: CanaryJudgement
    ticks: tuple[Tick, ...] = ()
    """Every look since the observation before, this one included: what the judge's evidence is a fold of."""


class CanaryPromoting(Decision, tag="canary.promoting", frozen=True, kw_only=True):
    """Intent: the next share of traffic, after the one before was passed."""

    deployment_id: str
    weight_percent: float


class CanaryPromoted(Decision, tag="canary.promoted", frozen=True, kw_only=True):
    """The candidate of this service has all traffic and is its stable version now."""

    deployment_id: str
    service: str
    stable: Instance
    previous: Instance


class CanaryRollingBack(Decision, tag="canary.rolling_back", frozen=True, kw_only=True):
    """Intent: the weight goes to 0 now, for this reason."""

    deployment_id: str
    trigger: str
    reading: TrafficReading
    judgement: CanaryJudgement | None = None
    phase: str = ""
    ticks: tuple[Tick, ...] = ()
    """The looks since the last observation of that phase; none where it was not the watch that decided."""


class CanaryRolledBack(Decision, tag="canary.rolled_back", frozen=True, kw_only=True):
    """The weight is 0, read back from the proxy; the artifact is quarantined."""

    deployment_id: str
    service: str
    artifact_digest: str
    observed_weight_percent: float


class CanaryInconclusive(Decision, tag="canary.inconclusive", frozen=True, kw_only=True):
    """The watch could not decide: the weight is 0 and `gate` asks a human, whose approval begins another canary."""

    deployment_id: str
    service: str
    judgement: CanaryJudgement
    gate: Gate


class IncidentReported(Decision, tag="incident.reported", frozen=True, kw_only=True):
    completes: ClassVar[Stage | None] = Stage.DEPLOYMENT

    incident_id: str
    title: str
    markdown: str
    error_signatures: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    evidence: IncidentEvidence | None = None


class BaseAdvancing(Decision, tag="base.advancing", frozen=True, kw_only=True):
    """Intent: production runs the merge at 100 %, so the base branch becomes exactly that merge commit."""

    base_branch: str
    expected_base_sha: str
    merge_sha: str


class DeploymentComplete(Decision, tag="deployment.complete", frozen=True, kw_only=True):
    completes: ClassVar[Stage | None] = Stage.DEPLOYMENT

    merge_sha: str
    deployments: tuple[Instance, ...] = ()
    previous: tuple[Instance, ...] = ()


class RollbackRequested(Event, tag="rollback.requested", frozen=True, kw_only=True):
    """A person wants the previous version back."""

    by: str
    reason: str


class RollbackStarting(Decision, tag="rollback.starting", frozen=True, kw_only=True):
    """Intent: traffic goes back to these instances, and the base branch to the tree that they were built from."""

    restore: tuple[Instance, ...]


class DeploymentRolledBack(Decision, tag="deployment.rolled_back", frozen=True, kw_only=True):
    """A promoted change was taken back: production runs the previous version, and so does the base branch."""

    completes: ClassVar[Stage | None] = Stage.DEPLOYMENT

    base_sha: str
    restored: tuple[Instance, ...]


# ------------------------------------------------------------------ people


class HumanRequested(Decision, tag="human.requested", frozen=True, kw_only=True):
    """A human is asked. The run goes on with stages before `gate.before` and waits there."""

    gate: Gate


class HumanApproved(Decision, tag="human.approved", frozen=True, kw_only=True):
    gate_id: str
    by: str
    head_sha: str


class HumanRejected(Decision, tag="human.rejected", frozen=True, kw_only=True):
    gate_id: str
    by: str
    head_sha: str


class FindingJudged(Decision, tag="finding.judged", frozen=True, kw_only=True):
    """A person's word on a finding of the review. It changes nothing of the run; `by_author` words are in no rate."""

    finding_id: str
    rule: str
    path: str
    line: int
    verdict: Literal["false-positive", "confirmed"]
    by: str
    by_author: bool


# ------------------------------------------------------------------ the machine itself


class AgentRetrying(Decision, tag="agent.retrying", frozen=True, kw_only=True):
    """An agent met a retryable error; it acts again not before `not_before` (UTC, ISO 8601)."""

    agent: str
    attempt: int
    error: str
    not_before: str


class RunFailed(Decision, tag="run.failed", frozen=True, kw_only=True):
    """An agent could not go on. Nothing is lost: `gate` asks a human, whose approval makes it try again."""

    agent: str
    error: str
    gate: Gate


class ServiceInstalling(Decision, tag="service.installing", frozen=True, kw_only=True):
    """Intent: nothing serves this service in production yet, so its base version is built, started and routed."""

    service: str
    commit: str


class Paused(Event, tag="automation.paused", frozen=True, kw_only=True):
    """No agent begins work in this scope (`org`, or a service's name). Rolling back still works."""

    scope: str
    by: str
    reason: str


class Resumed(Event, tag="automation.resumed", frozen=True, kw_only=True):
    scope: str
    by: str
    reason: str


class SandboxOff(Decision, tag="sandbox.off", frozen=True, kw_only=True):
    """Intent: from now on this process runs code of changes without any isolation, because a person asked for it."""


AnyEvent = Union[  # noqa: UP007 - built at runtime for the decoder
    PrOpened, PrUpdated, RunSuperseded, ReviewComplete, TestsCommitting, TestsComplete, StagingStarting,
    StagingComplete, StagingValidated, DeploymentAssessed, BaseMoved, CanaryStarting, CanaryObserved,
    CanaryPromoting, CanaryPromoted, CanaryRollingBack, CanaryRolledBack, CanaryInconclusive,
    IncidentReported, BaseAdvancing, DeploymentComplete,
    RollbackRequested, RollbackStarting, DeploymentRolledBack, HumanRequested, HumanApproved, HumanRejected,
    FindingJudged, DeploymentPostponed, DeploymentResumed, HotfixRequested,
    AgentRetrying, RunFailed, ServiceInstalling, Paused, Resumed, SandboxOff,
]  # fmt: skip

EVENT_CLASSES: tuple[type[Event], ...] = AnyEvent.__args__  # type: ignore[attr-defined]  # a Union's members

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def type_of(event: Event | type[Event]) -> str:
    """The name of an event's type: `pr.opened`."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def encode_event(event: Event) -> bytes:
    """The event as JSON bytes, its type in the field `type`."""
    return _encoder.encode(event)


def decode_event(data: bytes, version: int = 1) -> AnyEvent:
    """The event that these bytes hold; raises `msgspec.ValidationError` if they hold none.

    `version` is the `event_version` under which it was written; older ones are brought up to date first.
    """
    del version  # every event is still at version 1: `upcast` by (type, version) goes here
    return _decoder.decode(data)


def event_fields(event: Event) -> dict[str, Any]:
    """The event as plain values, for printing."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields
