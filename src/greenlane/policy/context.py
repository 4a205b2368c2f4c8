"""The context package: what a person needs to decide about a change, on one page. Pure.

Shown in a terminal and as one HTML file (`greenlane.pages.context`). It holds what the ledger knows: what changed and
why somebody is asked, what is normal in production, what each agent concluded, what nobody read, what would clear it,
and who may not decide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Comparison, Counters
from greenlane.domain.opinion import Concern, ModelReview
from greenlane.domain.settings import Settings
from greenlane.policy.clearing import Clearing, find_clearing
from greenlane.policy.feedback import JudgedFinding, judged_findings
from greenlane.policy.lifecycle import State, assess_standing
from greenlane.policy.similar import SimilarChange, compute_similar

NOT_REASONING = (e.CanaryObserved, e.HumanApproved, e.HumanRejected, e.FindingJudged)
"""Decisions that would only repeat themselves here: ticks of a watch, and people's own answers."""


class DiffSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the change does, by purpose, with its size. `findings` counts what analyzers saw, by category."""

    purposes: tuple[str, ...]
    files_changed: int
    lines_added: int
    lines_removed: int
    findings: tuple[tuple[str, int], ...]


class BaselineMetric(msgspec.Struct, frozen=True, kw_only=True):
    """What is normal for the version in production, beside what the change showed where it was measured.

    `unit` is `ms`, `share` (of requests), `mb`, `s` or `rps` (requests a second); `source` says where and how it was
    measured.
    """

    service: str
    metric: str
    unit: str
    current: float | None
    candidate: float | None
    limit: float | None
    source: str


class AgentReasoning(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of an agent: when (UTC, ISO 8601), what, why, by which rules, and with which model, if any."""

    agent: str
    timestamp: str
    event: str
    decision: str
    rationale: str
    rules: tuple[str, ...]
    model_id: str | None


class GateView(msgspec.Struct, frozen=True, kw_only=True):
    gate_id: str
    before: str
    triggers: tuple[e.Trigger, ...]


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said: untrusted, since it has read the author's text. It may have raised the risk, never lowered
    it."""

    outcome: str
    model_ids: tuple[str, ...]
    risk_score: float | None
    rationale: str
    concerns: tuple[str, ...]
    dropped: int
    left_out: tuple[str, ...]
    detail: str


class ContextPackage(msgspec.Struct, frozen=True, kw_only=True):
    """All that a person needs. A part that the configuration leaves out, or that is not known yet, is None or empty."""

    run: str
    repo: str
    pr_number: int
    title: str
    description: str
    branch: str
    base_branch: str
    head_sha: str
    authors: tuple[str, ...]
    services: tuple[str, ...]
    lane: str | None
    state: str
    reason: str
    asked_at: str | None
    risk_score: float | None
    risk_threshold: float | None
    risk_points: tuple[e.RiskPoint, ...]
    gates: tuple[GateView, ...]
    findings: tuple[JudgedFinding, ...]
    diff_summary: DiffSummary | None
    baseline: tuple[BaselineMetric, ...] | None
    reasoning: tuple[AgentReasoning, ...] | None
    not_read: tuple[e.SkippedFile, ...]
    clears_when: tuple[str, ...]
    may_not_decide: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]
    """What to type, by what it does: (`approve`, `greenlane approve ...`)."""
    model: ModelView | None = None
    clearing: Clearing | None = None
    limit_moves: tuple[e.LimitMove, ...] = ()
    """How the limit came from the one that is configured."""
    similar: tuple[SimilarChange, ...] | None = None
    """None: nobody looked (the page of a notice, say); empty: no past change is like this one."""


def compute_context_package(
    change: Change,
    settings: Settings,
    *,
    production: Sequence[BaselineMetric] = (),
    past: Sequence[Change] | None = None,
) -> ContextPackage:
    """The package as the change stands. `production` are further figures of the version in production, if known;
    `past` are the runs among which similar ones are looked for."""
    wanted = settings.escalation.context_package
    standing = assess_standing(change)
    review = change.review
    opened = change.opened
    waiting = () if standing.ended else change.open_gates
    gates = tuple(GateView(gate_id=g.gate_id, before=g.before.value, triggers=g.triggers) for g in waiting)
    return ContextPackage(
        run=change.run,
        repo=opened.repo,
        pr_number=opened.pr_number,
        title=opened.title,
        description=opened.description,
        branch=opened.branch,
        base_branch=opened.base_branch,
        head_sha=change.head_sha,
        authors=tuple(dict.fromkeys(change.authors)),
        services=review.services if review else (),
        lane=review.lane.value if review else None,
        state=standing.state.value,
        reason=standing.reason,
        asked_at=_asked_at(change, waiting),
        risk_score=review.risk_score if review else None,
        risk_threshold=review.threshold if review else None,
        risk_points=review.risk_points if review else (),
        limit_moves=review.limit_moves if review else (),
        gates=gates,
        findings=judged_findings(change),
        diff_summary=compute_diff_summary(change) if wanted.include_diff_summary else None,
        baseline=(*compute_baseline(change), *production) if wanted.include_baseline_metrics else None,
        reasoning=compute_reasoning(change) if wanted.include_agent_reasoning else None,
        not_read=review.skipped if review else (),
        clears_when=tuple(dict.fromkeys(t.clears_when for g in gates for t in g.triggers if t.clears_when)),
        may_not_decide=tuple(dict.fromkeys(change.authors)),
        commands=compute_commands(change, standing.state, ended=standing.ended),
        model=compute_model_view(review.model) if review and review.model and wanted.include_agent_reasoning else None,
        clearing=find_clearing(change, settings) if review and (gates or review.shadow) else None,
        similar=None if past is None else compute_similar(change, past),
    )


def compute_model_view(model: ModelReview) -> ModelView:
    opinion = model.opinion
    concerns: tuple[Concern, ...] = ()
    if opinion:
        concerns = (
            *opinion.security_issues, *opinion.performance_concerns, *opinion.coverage_gaps,
            *opinion.api_breaking_changes,
        )  # fmt: skip
    return ModelView(
        outcome=model.outcome,
        model_ids=tuple(dict.fromkeys(call.model_id for call in model.calls)),
        risk_score=opinion.risk_score if opinion else None,
        rationale=opinion.review_rationale if opinion else "",
        concerns=tuple(f"{c.severity}: {c.path}:{c.line}: {c.message}  | {c.quotation}" for c in concerns),
        dropped=model.dropped,
        left_out=model.left_out,
        detail=model.detail,
    )


def compute_diff_summary(change: Change) -> DiffSummary | None:
    review = change.review
    if review is None:
        return None
    counted = Counter(f.category.value for f in review.findings)
    return DiffSummary(
        purposes=review.summary,
        files_changed=review.files_changed,
        lines_added=review.lines_added,
        lines_removed=review.lines_removed,
        findings=tuple(counted.most_common()),
    )


def compute_baseline(change: Change) -> tuple[BaselineMetric, ...]:
    """What was measured of the current version on this change's way, and of the change beside it."""
    metrics: list[BaselineMetric] = []
    if change.staging:
        metrics += _staging_figures(change.staging)
    if change.validation:
        metrics += [_compared(s.service, c) for s in change.validation.services for c in s.comparisons]
    starting, observed = change.last_of(e.CanaryStarting), change.last_of(e.CanaryObserved)
    if starting and observed:
        metrics += _canary_figures(starting, observed)
    return tuple(metrics)


def _staging_figures(staging: e.StagingComplete) -> list[BaselineMetric]:
    figures = []
    for staged in staging.services:
        for metric, unit, value in (
            ("p50_ms", "ms", staged.p50_ms),
            ("p99_ms", "ms", staged.p99_ms),
            ("rss_mb", "mb", staged.rss_mb),
            ("cpu_s", "s", staged.cpu_s),
        ):
            if value:
                figures.append(
                    BaselineMetric(
                        service=staged.service,
                        metric=metric,
                        unit=unit,
                        current=None,
                        candidate=value,
                        limit=None,
                        source="staging: the candidate after its smoke tests",
                    )
                )
    return figures


def _canary_figures(starting: e.CanaryStarting, observed: e.CanaryObserved) -> list[BaselineMetric]:
    stable, canary = observed.reading.stable, observed.reading.canary
    source = f"production: {stable.requests} stable and {canary.requests} canary requests"
    return [
        BaselineMetric(
            service=starting.service, metric="error_rate", unit="share", current=_error_rate(stable),
            candidate=_error_rate(canary), limit=starting.error_rate_limit, source=source,
        ),
        BaselineMetric(
            service=starting.service, metric="p99_ms", unit="ms", current=p99_bound_ms(stable),
            candidate=p99_bound_ms(canary), limit=starting.p99_limit_ms, source=source,
        ),
    ]  # fmt: skip


def _error_rate(counters: Counters) -> float | None:
    return counters.errors / counters.requests if counters.requests else None


def p99_bound_ms(counters: Counters) -> float | None:
    """The smallest bound of the histogram under which 99 % of the requests stand; None without requests."""
    total = counters.histogram[-1][1] if counters.histogram else 0
    if not total:
        return None
    return next((bound for bound, count in counters.histogram if count >= 0.99 * total), None)


def _compared(service: str, c: Comparison) -> BaselineMetric:
    """A comparison as figures of both versions. Its limit is of the ratio (latency), or of the increase (failures);
    marks in brackets say how it is meant: advisory figures have no limit, and without a current version that of
    production stands in its place."""
    name, _, mark = c.metric.partition(" (")
    unit = _unit_of(name)
    alone = mark.startswith("no current")
    limit: float | None
    if mark.startswith("advisory"):
        limit = None
    elif alone:
        limit = c.current
    else:
        limit = c.current + c.limit if name.startswith("error_rate") else c.current * c.limit
    told = f", {mark.rstrip(')')}" if mark else ""
    return BaselineMetric(
        service=service,
        metric=name,
        unit=unit,
        current=None if alone else c.current,
        candidate=c.candidate,
        limit=limit,
        source=f"validation: {'under load' if alone else 'both versions under the same load'}{told}",
    )


def _unit_of(metric: str) -> str:
    for suffix, unit in (("_ms", "ms"), ("_mb", "mb"), ("_s", "s")):
        if metric.endswith(suffix):
            return unit
    return "share" if "rate" in metric else ""


def compute_reasoning(change: Change) -> tuple[AgentReasoning, ...]:
    """Every agent's decisions so far, oldest first, each rationale once."""
    found: list[AgentReasoning] = []
    for recorded in change.history:
        event = recorded.event
        if not isinstance(event, e.Decision) or isinstance(event, NOT_REASONING):
            continue
        if found and found[-1].rationale == event.why.rationale and found[-1].agent == recorded.agent:
            continue
        found.append(
            AgentReasoning(
                agent=recorded.agent,
                timestamp=recorded.timestamp,
                event=e.type_of(event),
                decision=event.why.decision,
                rationale=event.why.rationale,
                rules=event.why.rules_fired,
                model_id=event.why.model_id,
            )
        )
    return tuple(found)


def compute_commands(change: Change, state: State, *, ended: bool) -> tuple[tuple[str, str], ...]:
    """What can be typed now, by what it does."""
    run = change.run
    head = change.head_sha[:10]
    if change.open_gates and not ended:
        return (
            ("approve", f"greenlane approve {run} --head {head} --by YOU --reason WHY"),
            ("reject", f"greenlane reject {run} --head {head} --by YOU --reason WHY"),
        )
    if state is State.DEPLOYED:
        return (("take back", f"greenlane rollback {run} --by YOU --reason WHY"),)
    if state is State.PAUSED:
        return (("resume", "greenlane resume --by YOU --reason WHY"),)
    if state is State.POSTPONED:
        return (("pass the freeze", f"greenlane hotfix {run} --by YOU --reason WHY (another person approves)"),)
    if state is State.BLOCKED:
        branch = _plain(change.opened.branch)
        return (("try again", f"commit to {branch} (or push, for a code host), then greenlane run {branch}"),)
    return ()


def _plain(branch: str) -> str:
    """A branch name as it can stand in a command without quoting; anything else is named by a placeholder."""
    return branch if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", branch) else "BRANCH"


def _asked_at(change: Change, gates: Sequence[e.Gate]) -> str | None:
    ids = {g.gate_id for g in gates}
    for recorded in change.history:
        event = recorded.event
        if isinstance(event, e.HumanRequested | e.RunFailed | e.CanaryInconclusive) and event.gate.gate_id in ids:
            return recorded.timestamp
    return None
