"""Events of a deployment: the canary, its promotion or rollback, the base branch."""

from __future__ import annotations

from typing import ClassVar, Literal

from greenlane.domain.delivery import AlignedLimit, Artifact, CanaryJudgement, Instance, Spread, Tick, TrafficReading
from greenlane.domain.events.base import Decision, Event, Gate, Stage
from greenlane.domain.incident import IncidentEvidence

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
