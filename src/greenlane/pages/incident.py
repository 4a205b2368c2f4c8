"""The incident report: what production showed, the rule that fired, and what to do next.

Written as Markdown by the deployment agent when it has rolled back; shown as one HTML file by the faces. Everything
comes from the history of the run, so the same history gives the same report. Logs, titles and paths come from a pull
request and are shown as text, never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded
from greenlane.domain.delivery import Counters, TrafficReading
from greenlane.pages import site

_SHOWN_MAX = 10
"""Signatures, hypotheses and paths that a report lists: a reader wants the first few."""
_LINE_CHARS = 200
_FRAME = re.compile(r'File "(?P<path>[^"\n]{1,300})", line (?P<line>\d{1,7})')
_EXCEPTION_NAME = re.compile(r"^(?:\w+\.)*(?P<name>[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt))\b")
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~])")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


class IncidentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence from outside the history. `signatures` are error lines that only the candidate's log has."""

    signatures: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    changed_paths: tuple[str, ...] = ()


def find_hypotheses(log: str, new_signatures: Sequence[str], changed_paths: Sequence[str]) -> tuple[str, ...]:
    """What may have caused it, from evidence only: files in stack traces that the change touches, new exceptions."""
    found: dict[str, None] = {}
    for frame in _FRAME.finditer(log):
        path = next((p for p in changed_paths if frame["path"] == p or frame["path"].endswith("/" + p)), None)
        if path:
            found.setdefault(
                f"{path} line {frame['line']} stands in a stack trace of the candidate, and the change touches it"
            )
    for signature in new_signatures:
        if name := _EXCEPTION_NAME.match(signature):
            found.setdefault(f"{name['name']} is in the candidate's log and not in that of the version before")
    return tuple(found)[:_SHOWN_MAX]


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report's content, before it is Markdown or HTML. All texts are plain."""

    title: str
    rule: str
    summary: str
    service: str
    reading: tuple[tuple[str, str, str], ...]
    metrics: tuple[str, ...]
    timeline: tuple[tuple[str, str, str], ...]
    change: tuple[tuple[str, str], ...]
    risks: tuple[str, ...]
    paths: tuple[str, ...]
    signatures: tuple[str, ...]
    hypotheses: tuple[str, ...]
    next_steps: tuple[str, ...]


def render_markdown(change: Change, facts: IncidentFacts) -> tuple[str, str]:
    """Title and Markdown of the report on the last rollback of this run."""
    report = _gather(change, facts)
    lines = [f"# {_inline(report.title)}", "", _inline(report.summary), ""]
    lines += ["## What was seen", "", f"| {_inline(report.service)} | canary | stable |", "|---|---|---|"]
    lines += [f"| {_inline(name)} | {canary} | {stable} |" for name, canary, stable in report.reading]
    lines += ["", f"Rule that fired: **{_inline(report.rule)}**", *_bullets(report.metrics)]
    lines += ["", "## Timeline (UTC)", ""]
    lines += [f"- {when} `{kind}` {_inline(text)}" for when, kind, text in report.timeline]
    lines += ["", "## The change", "", *(f"- {name}: {_inline(value)}" for name, value in report.change)]
    lines += [f"- risk: {_inline(text)}" for text in report.risks]
    if report.paths:
        lines += [f"- touches: {_inline(path)}" for path in report.paths]
    lines += [
        "",
        "## Errors that only the candidate logged",
        "",
        *(_bullets(report.signatures) or ["None were found."]),
    ]
    lines += ["", "## Hypotheses (from evidence, not proven)", ""]
    lines += _bullets(report.hypotheses) or ["The evidence points to nothing in particular."]
    lines += ["", "## What to do next", "", *_bullets(report.next_steps), ""]
    return report.title, "\n".join(lines)


def render_html(change: Change) -> str:
    """The report as one HTML file without outside parts, with a plot; ValueError if the run has no incident."""
    incident = change.last_of(e.IncidentReported)
    if incident is None:
        raise ValueError(f"{change.run} has no incident")
    facts = IncidentFacts(signatures=incident.error_signatures, hypotheses=incident.hypotheses)
    return site.render(
        "incident.html.j2", report=_gather(change, facts), plot=_plot(change), incident_id=incident.incident_id
    )


# ------------------------------------------------------------------ content


def _gather(change: Change, facts: IncidentFacts) -> _Report:
    rolling, starting = change.last_of(e.CanaryRollingBack), change.last_of(e.CanaryStarting)
    service = starting.service if starting else "the change"
    judgement = rolling.judgement if rolling else None
    opened = change.opened
    trigger = rolling.trigger if rolling else "rollback"
    return _Report(
        title=f"PR #{opened.pr_number}: {service} was rolled back ({trigger.replace('_', ' ')})",
        rule=f"canary.{trigger}",
        summary=rolling.why.rationale if rolling else _last_rationale(change),
        service=service,
        reading=_table(rolling.reading) if rolling else (),
        metrics=tuple(m.reason for m in judgement.metrics) if judgement else (),
        timeline=tuple(_timeline(change)),
        change=_describe(change),
        risks=tuple(f"{p.rule} ({p.points:+g}): {p.reason}" for p in change.review.risk_points)
        if change.review
        else (),
        paths=facts.changed_paths[:_SHOWN_MAX],
        signatures=facts.signatures[:_SHOWN_MAX],
        hypotheses=facts.hypotheses[:_SHOWN_MAX],
        next_steps=_next_steps(trigger, change),
    )


def _last_rationale(change: Change) -> str:
    begun = change.last_of(e.RollbackStarting)
    return begun.why.rationale if begun else "The rollout was taken back."


def _describe(change: Change) -> tuple[tuple[str, str], ...]:
    opened, review = change.opened, change.review
    known = [
        ("pull request", f"#{opened.pr_number} {opened.title}"),
        ("author", ", ".join(change.authors)),
        ("branch", f"{opened.branch} at {change.head_sha[:10]}"),
        ("run", change.run),
    ]
    if review:
        known.append(("review", f"{review.lane} lane, risk score {review.risk_score:.1f} of {review.threshold:.1f}"))
        known.append(("size", f"{review.files_changed} files, +{review.lines_added} -{review.lines_removed}"))
    if change.validation:
        known.append(("validation", change.validation.why.rationale))
    return tuple(known)


def _table(reading: TrafficReading) -> tuple[tuple[str, str, str], ...]:
    canary, stable = reading.canary, reading.stable
    return (
        ("requests", str(canary.requests), str(stable.requests)),
        ("failed", _of(canary.errors, canary), _of(stable.errors, stable)),
        ("over the latency limit", _of(canary.over_limit, canary), _of(stable.over_limit, stable)),
    )


def _of(count: int, counters: Counters) -> str:
    return f"{count} ({count / counters.requests:.2%})" if counters.requests else str(count)


_ROLLOUT = (
    e.StagingComplete, e.StagingValidated, e.HumanApproved, e.DeploymentAssessed, e.ServiceInstalling,
    e.CanaryStarting, e.CanaryObserved, e.CanaryPromoting, e.CanaryPromoted, e.CanaryRollingBack, e.CanaryRolledBack,
    e.CanaryInconclusive,
    e.RollbackRequested, e.RollbackStarting, e.HumanRejected, e.RunSuperseded, e.RunFailed,
)  # fmt: skip


def _timeline(change: Change) -> list[tuple[str, str, str]]:
    found = []
    for recorded in change.history:
        event = recorded.event
        if isinstance(event, _ROLLOUT):
            text = event.why.rationale if isinstance(event, e.Decision) else getattr(event, "reason", "")
            found.append((_time(recorded), e.type_of(event), text))
    return found


def _time(recorded: Recorded) -> str:
    return datetime.fromisoformat(recorded.timestamp).strftime("%Y-%m-%d %H:%M:%S")


def _next_steps(trigger: str, change: Change) -> tuple[str, ...]:
    first = {
        "error_rate": "Reproduce one of the failed requests against the merge on staging; the errors above say where.",
        "p99_latency": "Profile the slow requests of the merge on staging with production-like data.",
        "process_gone": "Find out why the process ended: its last log lines, memory and exit are the first places.",
        "did_not_start": "Compare the configuration and data of production with those of staging, where it did start.",
        "requested": "Ask who requested the rollback what they saw.",
    }.get(trigger, "Look at the reason above and at the candidate's log.")
    return (
        first,
        f"Push a mended commit to {change.opened.branch}: it starts a run of its own. This artifact stays quarantined.",
        f"The base branch {change.opened.base_branch} never had this change; nothing has to be reverted.",
        f"All decisions and figures: greenlane explain {change.run}; greenlane audit show {change.run}",
    )


# ------------------------------------------------------------------ text


def _inline(text: str) -> str:
    """Untrusted text on one line of Markdown, without effect as markup."""
    flat = _UNPRINTABLE.sub(" ", text).strip()
    shown = flat if len(flat) <= _LINE_CHARS * 5 else flat[: _LINE_CHARS * 5] + "…"
    return _MARKUP.sub(r"\\\1", shown)


def _bullets(texts: Sequence[str]) -> list[str]:
    return [f"- {_inline(text)}" for text in texts]


# ------------------------------------------------------------------ the plot


class _Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Points of two lines in a drawing of `width` x `height`; y grows downwards."""

    width: int
    height: int
    canary: str
    stable: str
    limit_y: float
    limit: str
    top: str
    seconds: int


def _plot(change: Change) -> _Plot | None:
    """Share of failed requests over time since the canary began, cumulative in each phase; None with too few points."""
    starting = change.last_of(e.CanaryStarting)
    if starting is None:
        return None
    points = []
    for recorded in change.history:
        event = recorded.event
        if isinstance(event, e.CanaryObserved | e.CanaryRollingBack) and event.deployment_id == starting.deployment_id:
            at = datetime.fromisoformat(recorded.timestamp).timestamp()
            points.append((at, _share(event.reading.canary), _share(event.reading.stable)))
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    limit = starting.error_rate_limit
    top = max(*(max(c, s) for _, c, s in points), limit * 2, 0.001)
    begin, span = points[0][0], points[-1][0] - points[0][0]
    width, height = 720, 200

    def line(index: int) -> str:
        return " ".join(f"{(p[0] - begin) / span * width:.1f},{height - p[index] / top * height:.1f}" for p in points)

    return _Plot(
        width=width,
        height=height,
        canary=line(1),
        stable=line(2),
        limit_y=height - limit / top * height,
        limit=f"{limit:.2%}",
        top=f"{top:.2%}",
        seconds=round(span),
    )


def _share(counters: Counters) -> float:
    return counters.errors / counters.requests if counters.requests else 0.0
