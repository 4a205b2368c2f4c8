"""The context package in a terminal: the same parts in the same order as the HTML page."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from greenlane.cli.explaining_more import render_clearing, render_findings, render_model, render_similar
from greenlane.pages.site import MAX_EVIDENCE
from greenlane.pages.terminal import LANE_STYLES, MARK_STYLES, STATE_STYLES
from greenlane.pages.words import (
    GLYPHS,
    clean,
    clean_lines,
    count_words,
    duration_words,
    figure_words,
    metric_words,
    state_words,
    time_words,
)
from greenlane.policy.context import ContextPackage
from greenlane.policy.people import approvers_word
from greenlane.ports.application import RunView

INDENT = (0, 0, 0, 2)


def render_explanation(view: RunView, package: ContextPackage) -> RenderableType:
    """Everything that `greenlane explain` prints."""
    parts: list[RenderableType] = [_header(view, package), _stages(view)]
    parts += _why(package)
    parts += _what_changes(package)
    parts += render_findings(package)
    parts += render_clearing(package)
    parts += _what_next(package)
    parts += _risk(package)
    parts += _baseline(package)
    parts += render_similar(package)
    parts += render_model(package)
    parts += _reasoning(package)
    return Group(*parts)


def _heading(words: str) -> Text:
    return Text(f"\n{words}", "bold")


def _header(view: RunView, p: ContextPackage) -> Text:
    text = Text()
    text.append(f"#{p.pr_number} {clean(p.title)}\n", "bold")
    text.append(state_words(view.state), STATE_STYLES.get(view.state, ""))
    if p.lane:
        text.append(f" · {p.lane} lane", LANE_STYLES.get(p.lane, ""))
    text.append(f" · {duration_words(view.seconds)} · {p.run}\n")
    text.append(f"by {clean(', '.join(p.authors))} · {clean(p.branch)} into {clean(p.base_branch)}", "dim")
    text.append(f" · head {p.head_sha[:10]}", "dim")
    return text


def _stages(view: RunView) -> Text:
    text = Text()
    for s in view.stages:
        text.append(f"{GLYPHS[s.mark]} {s.stage.value}", MARK_STYLES[s.mark])
        text.append(f" {duration_words(s.seconds)}   " if s.seconds is not None else "   ", "dim")
    return text


def _why(p: ContextPackage) -> list[RenderableType]:
    if not p.gates:
        return [_heading("Where it stands"), Padding(Text(clean(p.reason)), INDENT, expand=False)]
    parts: list[RenderableType] = [_heading("Why a person is asked")]
    for gate in p.gates:
        for trigger in gate.triggers:
            text = Text()
            text.append(clean(trigger.summary), "bold yellow")
            text.append(f"  ({clean(trigger.rule)}, before {gate.before}, gate {clean(gate.gate_id)})\n", "dim")
            for line in trigger.evidence[:MAX_EVIDENCE]:
                text.append(f"  {clean_lines(line)}\n")
            if len(trigger.evidence) > MAX_EVIDENCE:
                text.append(f"  and {len(trigger.evidence) - MAX_EVIDENCE} more\n")
            if trigger.clears_when:
                text.append("clears when ", "green").append(clean(trigger.clears_when))
            text.rstrip()
            parts.append(Padding(text, INDENT, expand=False))
    return parts


def _what_next(p: ContextPackage) -> list[RenderableType]:
    if not p.commands:
        return []
    text = Text()
    if p.gates:
        text.append(f"who can unblock it: {clean(approvers_word(p.may_not_decide))}\n")
    for what, command in p.commands:
        text.append(f"{what + ':':<10} ", "dim").append(f"{command}\n", "bold")
    text.rstrip()
    return [_heading("What next"), Padding(text, INDENT, expand=False)]


def _what_changes(p: ContextPackage) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if p.diff_summary:
        d = p.diff_summary
        text = Text(f"{count_words(d.files_changed, 'file')}, +{d.lines_added} -{d.lines_removed} lines")
        if d.findings:
            text.append("; findings: " + ", ".join(f"{n} {c.replace('_', ' ')}" for c, n in d.findings))
        for line in d.purposes:
            text.append(f"\n- {clean(line)}")
        parts += [_heading("What changes"), Padding(text, INDENT, expand=False)]
    if p.not_read:
        text = Text("\n".join(f"- {clean(s.path)}: {clean(s.reason)} ({clean(s.analyzer)})" for s in p.not_read))
        parts += [_heading("What was not read"), Padding(text, INDENT, expand=False)]
    return parts


def _risk(p: ContextPackage) -> list[RenderableType]:
    if p.risk_score is None or p.risk_threshold is None:
        return []
    over = p.risk_score >= p.risk_threshold
    heading = _heading(f"Risk {p.risk_score:.1f} of 10 ")
    heading.append(f"(limit {p.risk_threshold:g})", "bold red" if over else "dim")
    table = _table()
    for point in p.risk_points:
        table.add_row(Text(f"{point.points:+.2f}"), Text(clean(point.rule), "dim"), Text(clean(point.reason)))
    parts: list[RenderableType] = [heading]
    if p.risk_points:
        parts.append(Padding(table, INDENT, expand=False))
    if p.limit_moves:
        moves = _table()
        for move in p.limit_moves:
            moves.add_row(Text(f"{move.amount:+.2f}"), Text(clean(move.rule), "dim"), Text(clean(move.reason)))
        parts += [Padding(Text("the limit moved by"), INDENT, expand=False), Padding(moves, INDENT, expand=False)]
    return parts


def _baseline(p: ContextPackage) -> list[RenderableType]:
    if p.baseline is None:
        return []
    if not p.baseline:
        told = Text(
            "nothing was measured yet: the change has not reached staging, and no request to production was counted",
            "dim",
        )
        return [_heading("Baseline"), Padding(told, INDENT, expand=False)]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("service", "metric"):
        table.add_column(name, no_wrap=True)
    for name in ("production", "this change", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("measured by")
    for m in p.baseline:
        over = m.limit is not None and m.candidate is not None and m.candidate > m.limit
        table.add_row(
            Text(m.service),
            Text(metric_words(m.metric)),
            Text(figure_words(m.current, m.unit)),
            Text(figure_words(m.candidate, m.unit), "bold red" if over else ""),
            Text(figure_words(m.limit, m.unit)),
            Text(clean(m.source), "dim"),
        )
    return [_heading("Baseline"), Padding(table, INDENT, expand=False)]


def _reasoning(p: ContextPackage) -> list[RenderableType]:
    if p.reasoning is None:
        return []
    parts: list[RenderableType] = [_heading("What the agents concluded")]
    for r in p.reasoning:
        text = Text()
        text.append(f"{clean(r.agent)}: {clean(r.decision)}", "bold")
        text.append(f"  {r.event}, {time_words(r.timestamp)}\n", "dim")
        text.append(clean_lines(r.rationale))
        if r.model_id:
            text.append(f"\nwith the model {clean(r.model_id)}, whose words are not verified", "dim")
        parts.append(Padding(text, INDENT, expand=False))
    return parts if len(parts) > 1 else []


def _table() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    return table
