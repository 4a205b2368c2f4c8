"""The configuration as typed values. Every number that decides something stands here and comes from `greenlane.yaml`.

Read by `greenlane.config` (which adds file and line to errors); handed to policies and agents as facts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from greenlane.domain.freeze import Freeze, FreezeWindow
from greenlane.domain.incident import Runbook
from greenlane.domain.notifications import Notifications
from greenlane.domain.section import Percent, Section, Share
from greenlane.domain.service_settings import Service


class Orchestration(Section):
    model: str | None = Field(None, pattern="^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,99}$")
    """The language model that may raise a risk score, by its name (`claude-sonnet-5-5`). Absent: none is asked."""
    mode: Literal["automatic", "shadow"] = "automatic"
    """`shadow`: every change is reviewed and the decision written down, and nothing else is done about it."""
    routing: Literal["event-driven"] = "event-driven"
    """How work moves between agents."""
    max_concurrent_agents: int = Field(5, ge=1, le=1000)
    """Agents that may work at the same time, over all processes. A run that waits for a human takes no place."""
    max_attempts: int = Field(3, ge=1, le=20)
    """Attempts of one agent at a retryable error before the run stops and a human is asked."""
    backoff_s: float = Field(2.0, gt=0, le=3600)
    """Wait before the second attempt, in seconds; doubled with each further one."""
    lease_s: float = Field(10.0, ge=1, le=600)
    """How long a worker may be silent before another takes its run over, in seconds."""
    delivery_cap: int = Field(5, ge=1, le=100)
    """How often a run may be taken over without getting on before it is stopped as poisonous."""


class Thresholds(Section):
    risk_score_max: float = Field(7.0, ge=1, le=10)
    """A change with this risk score or more goes to a human."""
    canary_traffic_initial_pct: Percent = 5
    """Share of production traffic that the canary gets first, in percent."""
    canary_monitoring_duration_min: float = Field(10, gt=0, le=1440)
    """How long the canary is watched at that share, in minutes."""
    error_rate_threshold: Share = 0.005
    """Highest share of failed requests (5xx or no answer) that the canary may show."""
    p99_latency_threshold_ms: float = Field(800, gt=0)
    """Highest 99th percentile of latency that the canary may show, in milliseconds."""


class TierThresholds(Section):
    """Thresholds of one tier; what is absent comes from `thresholds`."""

    risk_score_max: float | None = Field(None, ge=1, le=10)
    canary_traffic_initial_pct: Percent | None = None
    canary_monitoring_duration_min: float | None = Field(None, gt=0, le=1440)
    error_rate_threshold: Share | None = None
    p99_latency_threshold_ms: float | None = Field(None, gt=0)


class Tiers(Section):
    critical: TierThresholds = TierThresholds(risk_score_max=5.0)
    standard: TierThresholds = TierThresholds()
    internal: TierThresholds = TierThresholds(risk_score_max=8.0)


AuditField = Literal[
    "repo", "pr_number", "author", "head_sha", "base_sha", "diff_sha256", "artifact_digest", "agent", "agent_version",
    "model_id", "prompt_digest", "policy_digest", "config_digest", "inputs", "rules_fired", "risk_score", "rationale",
    "decision", "approver", "timestamp", "trace_id", "causation_id",
]  # fmt: skip


class Audit(Section):
    storage: Literal["append-only-log"] = "append-only-log"
    """Where decisions are kept."""
    required_fields: tuple[AuditField, ...] = (
        "pr_number", "author", "risk_score", "rationale", "timestamp", "agent_version",
    )  # fmt: skip
    """A decision that lacks one of these is refused before it is acted on."""
    compliance_framework: str = "SOC2"
    """The framework that auditors hold the ledger against; printed on exports."""


class Validation(Section):
    test_execution_required: bool = True
    """Generated tests are run in the sandbox before they are committed. `false` commits none."""
    max_retry_passes: int = Field(1, ge=0, le=5)
    """How often a generated test that failed is derived again before it is dropped."""
    fixture_validation: bool = True
    """Every fixture that a generated test names must exist."""
    generated_tests: Literal["commit", "patch"] = "commit"
    """`commit`: on the branch of the pull request, or as a patch where it can't be pushed to. `patch`: always as a file
    that `git am` takes (`.greenlane/patches`)."""
    test_timeout_s: float = Field(300, gt=0)
    """Time for one run of the test suite in the sandbox, in seconds."""
    load_duration_s: float = Field(20, gt=0, le=3600)
    """How long current and candidate are compared under load at least, in seconds."""
    load_extend_max_factor: float = Field(6, ge=1, le=60)
    """A comparison that can't tell yet goes on, up to this many times `load_duration_s` (rounded to whole times)."""
    load_rate_rps: float = Field(40, gt=0, le=10000)
    """Requests a second that each of the two gets during the comparison."""
    latency_ratio_max: float = Field(1.05, gt=1)
    """Highest ratio of candidate to current latency that is tolerated; the whole interval over it is a regression."""
    latency_ratio_find: float = Field(1.20, gt=1)
    """A slowdown by this ratio is to be found: load goes on until it is proved or ruled out, or all load is used up."""
    latency_floor_ms: float = Field(2.0, ge=0)
    """A difference under this many milliseconds is never a regression: it is below what users can notice. Of latency,
    and of CPU time a request."""
    cpu_ratio_max: float = Field(1.5, gt=1)
    """Highest ratio of CPU time a request that is tolerated, likewise by the whole interval."""
    false_alarm_rate: float = Field(0.05, gt=0, lt=0.5)
    """Highest chance of calling a candidate a regression that stands exactly at the tolerated limits, over all metrics
    and looks. For a version that is as good as the current one it is far smaller."""
    miss_rate: float = Field(0.1, gt=0, lt=0.5)
    """Highest chance that load ends early although the candidate is slower by `latency_ratio_find`."""
    error_rate_increase_max: Share = 0.005
    """Highest increase of the share of failed requests."""
    baseline_min_requests: int = Field(1000, ge=1)
    """Requests in production that make a baseline; an hour of the week with fewer falls back to all hours."""
    prediction_min_releases: int = Field(8, ge=3, le=50)
    """Past releases of a service from which on its predictions decide; before that they are advice."""


FLAG_CONDITIONS = (
    "schema_changes_detected",
    "new_service_integration",
    "breaking_api_contract",
    "security_finding",
    "secret_found",
    "incomplete_analysis",
    "coverage_gap_open",
)
RISK_CONDITION = r"^risk_score\s*(>=|>)\s*\d+(\.\d+)?$"
Condition = Annotated[str, Field(pattern=RISK_CONDITION + "|^(" + "|".join(FLAG_CONDITIONS) + ")$")]


class ContextPackageSettings(Section):
    include_diff_summary: bool = True
    include_baseline_metrics: bool = True
    include_agent_reasoning: bool = True


class Escalation(Section):
    auto_route_to_human: tuple[Condition, ...] = (
        "risk_score >= 7.0",
        "schema_changes_detected",
        "new_service_integration",
        "breaking_api_contract",
    )
    """Conditions that send a change to a human. The floor (security, secrets, incomplete analysis) always stands."""
    context_package: ContextPackageSettings = ContextPackageSettings()


class Review(Section):
    analyzer_timeout_s: float = Field(120, gt=0, le=3600)
    """Time for each analyzer, in seconds; one that needs more is an analysis that did not happen."""
    max_files: int = Field(5000, ge=1)
    """Files of a change that are read; those beyond are not analysed, and the change goes to a human."""
    max_added_lines: int = Field(200_000, ge=1)
    """Added lines of a change that are read, likewise."""
    max_file_kb: int = Field(1024, ge=1)
    """Largest file that is read, in KiB."""
    sensitive_paths: tuple[str, ...] = (
        "**/auth/**", "**/auth*.py", "**/*login*", "**/*password*", "**/*permission*", "**/*crypto*", "**/*security*",
        "**/*payment*", "**/*billing*", "**/*session*", "**/*token*", "**/middleware*", "**/settings*.py",
    )  # fmt: skip
    """Globs of files where a mistake costs more; a change to one of them adds to the risk score."""


CACHE_WRITE_FACTOR = 1.25
"""What a token costs that is written to the prompt cache for five minutes, as a multiple of one that is just sent."""


class ModelSettings(Section):
    """The language model of `orchestration.model`: how it is reached, and what it may cost."""

    api_key_env: str = Field("ANTHROPIC_API_KEY", pattern="^[A-Z][A-Z0-9_]{0,63}$")
    """Name of the environment variable that holds the key. The key itself never stands in this file."""
    base_url: str | None = Field(None, pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$))")
    """Where the model is reached, if not at its maker's: a gateway, by https, or on this machine."""
    on_failure: Literal["human", "deterministic"] = "human"
    """What a refusal, an unreadable answer or an outage means: a human is asked, or the analyzers alone decide."""
    max_input_tokens: int = Field(40_000, ge=2_000, le=500_000)
    """Most tokens (estimated) of a change that are sent in one call; what does not fit is named in the decision."""
    max_output_tokens: int = Field(4_000, ge=500, le=64_000)
    timeout_s: float = Field(90, gt=0, le=900)
    """Time for one call, its repetitions not counted, in seconds."""
    max_retries: int = Field(3, ge=0, le=10)
    """Repetitions, with growing waits, after an overload or a failure of the model's host."""
    usd_per_pr: float = Field(1.0, gt=0, le=1000)
    """Most that one change may cost. What would go over it is not asked, and a human is."""
    usd_per_day: float = Field(50.0, gt=0, le=100_000)
    """Most that a day (UTC) may cost, over all changes of this repository."""
    input_usd_per_mtok: float = Field(3.0, ge=0)
    """Price of a million input tokens; take it from your contract, costs are computed from it."""
    cached_usd_per_mtok: float = Field(0.3, ge=0)
    """Price of a million input tokens read from the prompt cache."""
    cache_write_usd_per_mtok: float | None = Field(None, ge=0)
    """Price of a million input tokens written to the prompt cache. None: 1.25 times `input_usd_per_mtok`."""
    output_usd_per_mtok: float = Field(15.0, ge=0)
    """Price of a million output tokens."""
    examples_dir: str | None = None
    """Folder of the repository with examples of your own (`*.md`), read from the base branch."""

    @property
    def written_usd_per_mtok(self) -> float:
        """The price of a million tokens written to the cache, as configured or as it follows."""
        price = self.cache_write_usd_per_mtok
        return CACHE_WRITE_FACTOR * self.input_usd_per_mtok if price is None else price


class Rollout(Section):
    """Which share of the changes goes through automation while an organisation gains confidence."""

    percent: float = Field(100, ge=0, le=100)
    """Share of the pull requests in `lanes` that automation takes, in percent; people see all others. Which ones is
    drawn from repository and number, so pushing again changes nothing."""
    lanes: tuple[Literal["green", "performance", "integration", "schema", "compliance", "red"], ...] = (
        "green", "performance", "integration", "schema", "compliance", "red",
    )  # fmt: skip
    """Lanes that automation may take at all. A change in any other one is seen by a person."""
    raise_below: Share = 0.15
    """The share may be raised when fewer changes than this (of 1) went to a human for a reason of their own."""
    min_changes: int = Field(50, ge=1)
    """Changes over which that must have held."""
    min_days: float = Field(14, ge=0)
    """Days over which that must have held."""


class Risk(Section):
    """What size and history may add to the risk score, and by how much its limit may move."""

    history_points_max: float = Field(1.5, ge=0, le=3)
    """Most points that history adds: an author new to these files, files that were often mended or taken back, a
    change that is spread evenly over many files. 0: history counts for nothing."""
    limit_move_max: float = Field(1.0, ge=0, le=2)
    """Most by which the risk limit of a change moves from the one that is configured, by what kind of change it is, who
    made it and where it lands. 0: limits do not move. What a floor stops, no move lets through."""
    weights_file: str | None = Field(
        None, pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*\.?[A-Za-z0-9_-]*greenlane-risk\.json$"
    )
    """Points that `greenlane calibrate` fitted to your own history: a file of the repository, `.greenlane-risk.json` or
    another one whose name ends in `greenlane-risk.json`, as it stands on the base branch. Absent: the built-in ones."""


class Lanes(Section):
    performance_critical_paths: tuple[str, ...] = ()
    """Globs; a change to one of them gets a longer and stricter canary."""
    performance_canary_factor: float = Field(2.0, ge=1, le=10)
    """The performance lane's canary lasts this many times longer and may show 1/factor of the error rate."""
    compliance_paths: tuple[str, ...] = ()
    """Globs; a change to one of them needs a human sign-off always."""
    compliance_labels: tuple[str, ...] = ("compliance", "sox", "audit")
    """Labels of a pull request that do the same."""
    integration_steps_pct: tuple[Percent, ...] = (5, 25, 50, 100)
    """Shares of traffic of the staged rollout that the integration lane takes."""


class Canary(Section):
    warmup_s: float = Field(60, ge=0)
    """Requests of this first part are left out of the judgement (cold caches), in seconds."""
    steps_pct: tuple[Percent, ...] = (25, 50, 100)
    """Shares of traffic after the watch was passed, each watched for `step_duration_s`."""
    step_duration_s: float = Field(30, ge=0)
    """How long each further step is watched, in seconds."""
    tick_s: float = Field(1.0, gt=0, le=60)
    """How often the proxy's counters are read, in seconds."""
    min_requests: int = Field(200, ge=1)
    """Fewer canary requests than this by the end of the watch are inconclusive: weight 0, and a human is asked. The
    number that `detect_factor` asks for counts where it is higher."""
    detect_factor: float = Field(2.0, gt=1, le=1000)
    """A release that breaks a limit this many times over must be over the limit at the end of the watch, with a chance
    of at least `detect_power`: how many requests the watch needs is computed from it before the canary starts."""
    detect_power: float = Field(0.9, ge=0.5, lt=1)
    """See `detect_factor`."""
    observe_s: float = Field(5, ge=0, le=600)
    """How long the service's traffic is counted before the canary starts, in seconds: can it decide the canary? 0: it
    is not counted, and only the end of the watch tells."""
    max_weight_pct: Percent = 20
    """Highest first share of traffic that a canary gets where the configured one brings too few requests."""
    synthetic_rps: float = Field(0, ge=0, le=1000)
    """Most requests a second that Greenlane itself sends to the service in production during a canary, where its users
    send too few to decide it: those of the service's `load` that only read (GET, HEAD). 0: none."""
    extend_max_factor: float = Field(2.0, ge=1, le=10)
    """A watch without enough requests is extended up to this many times its length before it is inconclusive."""
    catastrophic_error_rate: Share = 0.02
    """During warm-up only a share of failed requests over this, beyond doubt, rolls back. Slow ones are left out."""
    false_alarm_rate: float = Field(0.01, gt=0, lt=0.5)
    """Highest chance of rolling back a release that meets the limits, over the whole canary."""
    worse_than_stable: float = Field(5.0, ge=0, le=1000)
    """A candidate whose share of failed (or slow) requests is proven to be this many times that of stable, and over a
    fifth of the limit, is rolled back even if it meets the limit. 0: only the limits count."""
    over_not_proven: Literal["roll_back", "extend", "ask"] = "extend"
    """What happens if the figures are over a limit at the end of a phase, but not beyond doubt. `extend`: the phase
    goes on, up to `extend_max_factor`, and then a human is asked. What each costs: docs/canary.md."""
    environment: Literal["ask", "hold", "roll_back"] = "ask"
    """What happens if stable is over the limit as well: a human is asked with the canary at weight 0; or it is held at
    its weight until it can be told apart (and a human asked at last); or it is rolled back."""
    align_with_history: bool = False
    """The limits of a canary follow what its service usually does, where that is stricter: the share of failed requests
    and the p99 of the last 30 days (`greenlane baseline`) times `align_headroom`. Never laxer than configured; as
    configured where fewer than `validation.baseline_min_requests` were counted."""
    align_headroom: float = Field(2.0, ge=1, le=100)
    """How many times what is usual a canary may show, if its limits are aligned with history."""
    align_error_rate_min: Share = 0.001
    """History does not lower the limit of failed requests under this share. The lower it is, the more requests a canary
    needs: 0.001 takes 3,341 by the figures of `detect_factor` and `detect_power`."""
    align_p99_min_ms: float = Field(50, ge=1)
    """History does not lower the limit of the p99 under this, in milliseconds: users don't notice less."""
    keep_previous_s: float = Field(600, ge=0)
    """How long the previous version stays hot after a promotion, in seconds."""


class Deployment(Section):
    """What the risk of deploying now is assessed by."""

    incident_window_days: float = Field(14, gt=0, le=365)
    """How long an incident of a service counts, in days."""
    incidents_max: int = Field(3, ge=1, le=1000)
    """With so many incidents of a service in that time, its next change goes to a human."""
    error_budget_min_requests: int = Field(1000, ge=1)
    """With fewer counted production requests than this, the error budget is unknown, and said to be."""
    error_budget_spent_max: float = Field(1.0, gt=0, le=100)
    """Share of the error budget (`error_rate_threshold` of the requests) from which on a change goes to a human."""
    unattended_windows: tuple[FreezeWindow, ...] = ()
    """Times in which nobody watches (nights, weekends), written like freeze windows. A change without any remark goes
    to production then as well; with one, a person is asked first."""


class Staging(Section):
    openapi_smoke: bool = True
    """Smoke tests from the service's OpenAPI document, where it has one: GET operations that need no credentials and no
    values but those of the document."""
    collect_s: float = Field(120, ge=0)
    """How long staging metrics are collected after the smoke tests, in seconds."""
    start_timeout_s: float = Field(30, gt=0)
    """Time for a deployment to become healthy, in seconds."""
    build_timeout_s: float = Field(600, gt=0)
    """Time for the build command, in seconds."""


_HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$"


class SandboxSettings(Section):
    memory_mb: int = Field(2048, ge=64)
    max_processes: int = Field(256, ge=8)
    max_file_mb: int = Field(512, ge=1)
    max_output_kb: int = Field(1024, ge=16)
    setup_hosts: tuple[Annotated[str, Field(pattern=_HOST)], ...] = ()
    """Hosts (`name` or `name:port`, 443 if absent) that the installation of dependencies may reach besides the package
    index of pip's own settings: the registry of another language, or where an index of your own keeps its files."""


class Repository(Section):
    name: str | None = None
    """The name in the ledger; the folder's name if absent."""
    base_branch: str = "main"


class Settings(Section):
    """All of `greenlane.yaml`."""

    repository: Repository = Repository()
    services: tuple[Service, ...] = ()
    orchestration: Orchestration = Orchestration()
    thresholds: Thresholds = Thresholds()
    tiers: Tiers = Tiers()
    audit: Audit = Audit()
    validation: Validation = Validation()
    escalation: Escalation = Escalation()
    review: Review = Review()
    risk: Risk = Risk()
    model: ModelSettings = ModelSettings()
    rollout: Rollout = Rollout()
    lanes: Lanes = Lanes()
    canary: Canary = Canary()
    staging: Staging = Staging()
    sandbox: SandboxSettings = SandboxSettings()
    notifications: Notifications = Notifications()
    runbooks: tuple[Runbook, ...] = ()
    freeze: Freeze = Freeze()
    deployment: Deployment = Deployment()
