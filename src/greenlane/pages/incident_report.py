"""What an incident report says, before it is Markdown, HTML or JSON: gathered from the history of the run alone.

So the same history gives the same report. What came from logs was redacted before it was recorded.
"""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded
from greenlane.domain.delivery import Counters, MetricJudgement, TrafficReading, Verdict
from greenlane.domain.incident import Endpoint, ErrorCluster, IncidentEvidence
from greenlane.pages import plots
from greenlane.pages.runbooks import steps_of
from greenlane.pages.words import metric_words, shorten

SHOWN_MAX = 10
"""Clusters, hypotheses and paths that a report lists: a reader wants the first few."""
MOMENT_CHARS = 320
"""Of a reason in the timeline: the whole of it is in the ledger."""
FORMAT_VERSION = 1

_ROLLOUT = (
    e.StagingComplete, e.StagingValidated, e.BaseMoved, e.HumanApproved, e.DeploymentAssessed, e.DeploymentPostponed,
    e.HotfixRequested, e.DeploymentResumed, e.ServiceInstalling,
    e.CanaryStarting, e.CanaryObserved, e.CanaryPromoting, e.CanaryPromoted, e.CanaryRollingBack, e.CanaryRolledBack,
    e.CanaryInconclusive,
    e.RollbackRequested, e.RollbackStarting, e.HumanRejected, e.RunSuperseded, e.RunFailed,
)  # fmt: skip


class IncidentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence from outside the history, as it goes into `incident.reported`."""

    hypotheses: tuple[str, ...] = ()
    evidence: IncidentEvidence = IncidentEvidence()


class Row(msgspec.Struct, frozen=True):
    """One figure of both versions."""

    name: str
    canary: str
    stable: str


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as the judge saw it at the end: the value, the limit that it was held against, and stable's value."""

    metric: str
    value: str
    limit: str
    stable: str
    verdict: str
    reason: str
    fired: bool


class Moment(msgspec.Struct, frozen=True):
    """One event of the rollout."""

    at: str
    event: str
    text: str


class Fact(msgspec.Struct, frozen=True):
    name: str
    value: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report's content. All texts are plain; `format` is the version of this shape in JSON."""

    format: int = FORMAT_VERSION
    incident_id: str
    title: str
    rule: str
    summary: str
    service: str
    affected: plots.Affected
    affected_words: str
    reading: tuple[Row, ...]
    figures: tuple[Figure, ...]
    timeline: tuple[Moment, ...]
    change: tuple[Fact, ...]
    risks: tuple[str, ...]
    paths: tuple[str, ...]
    paths_left_out: int
    clusters: tuple[ErrorCluster, ...]
    clusters_left_out: int
    endpoints: tuple[Endpoint, ...]
    log_words: str
    hypotheses: tuple[str, ...]
    runbook: tuple[str, ...]
    next_steps: tuple[str, ...]
    replay: str
    plots: tuple[plots.Plot, ...]


def gather_report(change: Change, facts: IncidentFacts, incident_id: str) -> Report:
    """The report on the last rollback of this run."""
    rolling, starting = change.last_of(e.CanaryRollingBack), change.last_of(e.CanaryStarting)
    service = starting.service if starting else "the change"
    trigger = rolling.trigger if rolling else "rollback"
    evidence = facts.evidence
    affected = plots.count_affected(plots.gather_samples(change, starting.deployment_id) if starting else ())
    return Report(
        incident_id=incident_id,
        title=f"PR #{change.opened.pr_number}: {service} was rolled back ({trigger.replace('_', ' ')})",
        rule=f"canary.{trigger}",
        summary=rolling.why.rationale if rolling else _last_rationale(change),
        service=service,
        affected=affected,
        affected_words=_affected(affected, starting),
        reading=_table(rolling.reading) if rolling else (),
        figures=_figures(rolling) if rolling else (),
        timeline=tuple(_timeline(change)),
        change=_describe(change),
        risks=tuple(f"{p.rule} ({p.points:+g}): {p.reason}" for p in change.review.risk_points)
        if change.review
        else (),
        paths=evidence.changed_paths[:SHOWN_MAX],
        paths_left_out=max(0, len(evidence.changed_paths) - SHOWN_MAX),
        clusters=evidence.clusters[:SHOWN_MAX],
        clusters_left_out=evidence.clusters_left_out + max(0, len(evidence.clusters) - SHOWN_MAX),
        endpoints=tuple(x for x in evidence.endpoints if x.failed)[:SHOWN_MAX],
        log_words=_log_words(evidence),
        hypotheses=facts.hypotheses[:SHOWN_MAX],
        runbook=steps_of(evidence.runbook)[:SHOWN_MAX],
        next_steps=_next_steps(change),
        replay=f"greenlane replay {change.run}",
        plots=plots.make_plots(change, starting) if starting else (),
    )


def facts_of(incident: e.IncidentReported) -> IncidentFacts:
    """The evidence as it was recorded; reports of before there was any have signatures only."""
    if incident.evidence is not None:
        return IncidentFacts(hypotheses=incident.hypotheses, evidence=incident.evidence)
    old = tuple(ErrorCluster(signature=text, count=1, sample=text) for text in incident.error_signatures)
    return IncidentFacts(hypotheses=incident.hypotheses, evidence=IncidentEvidence(clusters=old))


def _last_rationale(change: Change) -> str:
    begun = change.last_of(e.RollbackStarting)
    return begun.why.rationale if begun else "The rollout was taken back."


def _describe(change: Change) -> tuple[Fact, ...]:
    opened, review = change.opened, change.review
    known = [
        Fact("pull request", f"#{opened.pr_number} {opened.title}"),
        Fact("author", ", ".join(change.authors)),
        Fact("branch", f"{opened.branch} at {change.head_sha[:10]}"),
        Fact("run", change.run),
    ]
    if change.staging:
        known.append(Fact("merge", change.staging.merge_sha))
    starting = change.last_of(e.CanaryStarting)
    if starting:
        known.append(Fact("artifact", starting.candidate.digest))
    if review:
        known.append(
            Fact("review", f"{review.lane} lane, risk score {review.risk_score:.1f} of {review.threshold:.1f}")
        )
        known.append(Fact("size", f"{review.files_changed} files, +{review.lines_added} -{review.lines_removed}"))
    if approvals := change.approvals:
        known.append(Fact("approved by", ", ".join(dict.fromkeys(a.by for a in approvals))))
    if change.validation:
        known += [Fact("validation", text) for text in _sentences(change.validation.why.rationale)]
    return tuple(known)


def _sentences(text: str) -> list[str]:
    """A long reason, apart where a sentence ends, so that it can be read."""
    return re.split(r"(?<=[^.\s]\.) (?=[A-Z0-9])", text)


def _affected(affected: plots.Affected, starting: e.CanaryStarting | None) -> str:
    if starting is None:
        return ""
    slow = f", {affected.slow} took over {starting.p99_limit_ms:g} ms" if affected.slow else ""
    return (
        f"{affected.requests} requests of users went to the candidate over its whole canary; "
        f"{affected.failed} of them failed{slow}."
    )


def _table(reading: TrafficReading) -> tuple[Row, ...]:
    canary, stable = reading.canary, reading.stable
    rows = [
        Row("requests", str(canary.requests), str(stable.requests)),
        Row("failed", _of(canary.errors, canary), _of(stable.errors, stable)),
        Row("over the latency limit", _of(canary.over_limit, canary), _of(stable.over_limit, stable)),
    ]
    if canary.histogram or stable.histogram:
        rows += [
            Row(f"p{share * 100:g} latency, at most", _quantile(canary, share), _quantile(stable, share))
            for share in (0.5, 0.95, 0.99)
        ]
    return tuple(rows)


def _of(count: int, counters: Counters) -> str:
    return f"{count} ({count / counters.requests:.2%})" if counters.requests else str(count)


def _quantile(counters: Counters, share: float) -> str:
    """The bound of the proxy's histogram under which this share of requests stayed."""
    total = max((n for _, n in counters.histogram), default=0)
    if not total:
        return "–"
    bound = next((ms for ms, n in counters.histogram if n >= share * total), None)
    return f"{bound:g} ms" if bound is not None and bound != float("inf") else "–"


def _figures(rolling: e.CanaryRollingBack) -> tuple[Figure, ...]:
    judgement = rolling.judgement
    return tuple(_figure(m, rolling) for m in judgement.metrics) if judgement else ()


def _figure(metric: MetricJudgement, rolling: e.CanaryRollingBack) -> Figure:
    stable = rolling.reading.stable
    bad = {"error_rate": stable.errors, "p99_latency": stable.over_limit}.get(metric.metric)
    beside = f"{bad / stable.requests:.2%}" if bad is not None and stable.requests else "–"
    share = metric.metric in ("error_rate", "p99_latency")
    name = "requests over the p99 limit" if metric.metric == "p99_latency" else metric_words(metric.metric)
    return Figure(
        metric=name,
        value=f"{metric.value:.2%}" if share else f"{metric.value:.4g}",
        limit=f"{metric.limit:.2%}" if share else f"{metric.limit:.4g}",
        stable=beside,
        verdict=metric.verdict.value,
        reason=metric.reason,
        fired=metric.verdict is Verdict.FAIL and metric.metric == rolling.trigger,
    )


def _timeline(change: Change) -> list[Moment]:
    found = []
    for recorded in change.history:
        event = recorded.event
        if isinstance(event, _ROLLOUT):
            text = event.why.rationale if isinstance(event, e.Decision) else getattr(event, "reason", "")
            found.append(Moment(_time(recorded), e.type_of(event), shorten(text, MOMENT_CHARS)))
    return found


def _time(recorded: Recorded) -> str:
    return datetime.fromisoformat(recorded.timestamp).strftime("%Y-%m-%d %H:%M:%S")


def _log_words(evidence: IncidentEvidence) -> str:
    if not evidence.log_bytes:
        return "The candidate's log was empty, or gone with its process."
    beside = f"the last {_size(evidence.stable_log_bytes)} of stable's"
    if not evidence.stable_log_bytes:
        beside = "stable's, which was empty"
    return (
        f"Read were the last {_size(evidence.log_bytes)} of the candidate's log, and {beside}. "
        "What looks like a credential is cut out."
    )


def _size(count: int) -> str:
    return f"{count / 1024:.0f} KiB" if count >= 1024 else f"{count} bytes"


def _next_steps(change: Change) -> tuple[str, ...]:
    return (
        f"Push a mended commit to {change.opened.branch}: it starts a run of its own. This artifact stays quarantined: "
        "the same bytes need a person's approval, with a reason.",
        f"The base branch {change.opened.base_branch} never had this change; nothing has to be reverted.",
        f"Judge the recorded figures again, to the same verdict: greenlane replay {change.run}",
        f"All decisions and figures: greenlane explain {change.run}; greenlane audit show {change.run}",
    )
