"""The incident report as Markdown, one HTML file, and JSON.

Markdown is written by the deployment agent when it has rolled back, and is part of the ledger; the others are made of
the same history by the faces. Logs, titles and paths come from a pull request and are shown as text, never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.incident import ErrorCluster
from greenlane.pages import plots, site
from greenlane.pages.incident_report import IncidentFacts, Report, facts_of, gather_report

__all__ = ["IncidentFacts", "render_html", "render_json", "render_markdown"]

_LINE_CHARS = 1000
_MARKUP = re.compile(r"^[#>+-]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|[\\`*\[\]<|~]")
"""What Markdown would act upon: a `#` or `>` only where a line begins, a `_` only at the edge of a word."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


def render_markdown(change: Change, facts: IncidentFacts, incident_id: str = "") -> tuple[str, str]:
    """Title and Markdown of the report on the last rollback of this run."""
    report = gather_report(change, facts, incident_id)
    lines = [f"# {_inline(report.title)}", "", _inline(report.summary), ""]
    lines += [f"**{_inline(report.affected_words)}**", ""] if report.affected_words else []
    for heading, content in _parts(report):
        lines += [f"## {heading}", "", *content, ""]
    return report.title, "\n".join(lines)


def render_html(change: Change) -> str:
    """The report as one HTML file without outside parts, with plots; ValueError if the run has no incident."""
    report = _reported(change)
    return site.render("incident.html.j2", report=report)


def render_json(change: Change) -> bytes:
    """The report as JSON (`format` 1: the fields of `Report`); ValueError if the run has no incident."""
    return msgspec.json.format(msgspec.json.encode(_reported(change)), indent=2)


def _reported(change: Change) -> Report:
    incident = change.last_of(e.IncidentReported)
    if incident is None:
        raise ValueError(f"{change.run} has no incident")
    return gather_report(change, facts_of(incident), incident.incident_id)


# ------------------------------------------------------------------ Markdown


def _parts(report: Report) -> Iterable[tuple[str, list[str]]]:
    yield "What was seen", _seen(report)
    yield "Rule that fired", _rule(report)
    yield "Errors in the candidate's log", _errors(report)
    yield (
        "Hypotheses (from evidence, not proven)",
        (_bullets(report.hypotheses) or ["The evidence points to nothing in particular."]),
    )
    yield "Runbook", [f"{i}. {_inline(step)}" for i, step in enumerate(report.runbook, 1)] or ["None."]
    yield "What to do next", _bullets(report.next_steps)
    yield (
        "The change",
        [
            *(f"- {fact.name}: {_inline(fact.value)}" for fact in report.change),
            *(f"- risk: {_inline(text)}" for text in report.risks),
            *(f"- touches: {_inline(path)}" for path in report.paths),
            *([f"- and {report.paths_left_out} more files"] if report.paths_left_out else []),
        ],
    )
    yield "Timeline (UTC)", [f"- {m.at} `{m.event}` {_inline(m.text)}" for m in report.timeline]


def _seen(report: Report) -> list[str]:
    lines = [f"| {_inline(report.service)} | canary | stable |", "|---|---|---|"]
    lines += [f"| {_inline(row.name)} | {row.canary} | {row.stable} |" for row in report.reading]
    for plot in report.plots:
        shown = _thinned(list(zip(plot.canary_values, plot.stable_values, strict=True)))
        points = [
            f"{plots.seconds_words(at)}: {_figure(c, plot.limit)} / {_figure(s, plot.limit)}"
            for (at, c), (_, s) in shown
        ]
        lines += ["", f"{plot.title} over time (canary / stable): " + "; ".join(points)]
    return lines


def _figure(value: float, limit: str) -> str:
    return f"{value:.2%}" if limit else f"{value:g}"


def _thinned(
    points: list[tuple[tuple[float, float], tuple[float, float]]],
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """At most a dozen of them, the last one included."""
    step = max(1, -(-len(points) // 12))
    return [p for i, p in enumerate(points) if (len(points) - 1 - i) % step == 0]


def _rule(report: Report) -> list[str]:
    lines = [f"**{_inline(report.rule)}**"]
    if report.figures:
        lines += ["", "| figure | canary | limit | stable | verdict |", "|---|---|---|---|---|"]
        lines += [
            f"| {_inline(f.metric)}{' (fired)' if f.fired else ''} | {f.value} | {f.limit} | {f.stable} | {f.verdict} |"
            for f in report.figures
        ]
        lines += ["", *_bullets([f.reason for f in report.figures])]
    return [*lines, "", f"Replay: `{report.replay}`"]


def _errors(report: Report) -> list[str]:
    if not report.clusters:
        return ["None were found.", "", report.log_words]
    lines = [line for cluster in report.clusters for line in _cluster(cluster)]
    if report.clusters_left_out:
        lines.append(f"- and {report.clusters_left_out} further kinds of errors")
    lines += [
        f"- {_inline(x.name)}: {x.failed} of {x.requests} answers failed (stable: {x.stable_failed} of "
        f"{x.stable_requests})"
        for x in report.endpoints
    ]
    return [*lines, "", report.log_words]


def _cluster(cluster: ErrorCluster) -> list[str]:
    beside = f"stable: {cluster.stable_count}" if cluster.stable_count else "**new**: stable logs none"
    where = f" at {_inline(cluster.frame)}" if cluster.frame else ""
    until = f" to {_inline(cluster.last_seen)}" if cluster.last_seen != cluster.first_seen else ""
    seen = f"; {_inline(cluster.first_seen)}{until}" if cluster.first_seen else ""
    lines = [f"- {cluster.count} x {_inline(cluster.signature)}{where} ({beside}{seen})"]
    if cluster.sample and cluster.sample != cluster.signature:
        lines.append(f"  - for example: {_inline(cluster.sample)}")
    return lines


def _inline(text: str) -> str:
    """Untrusted text on one line of Markdown, without effect as markup."""
    flat = _UNPRINTABLE.sub(" ", text).strip()
    shown = flat if len(flat) <= _LINE_CHARS else flat[:_LINE_CHARS] + "…"
    return _MARKUP.sub(r"\\\g<0>", shown)


def _bullets(texts: Sequence[str]) -> list[str]:
    return [f"- {_inline(text)}" for text in texts]
