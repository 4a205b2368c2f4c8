"""The parts of `greenlane explain` that weigh a change: findings, what would clear it, similar changes, the model."""

from __future__ import annotations

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from greenlane.pages.site import MAX_EVIDENCE
from greenlane.pages.terminal import STATE_STYLES
from greenlane.pages.words import clean, clean_lines, count_words, shorten, state_words
from greenlane.policy.context import ContextPackage

INDENT = (0, 0, 0, 2)
_WIDTH = 160
MAX_FINDINGS = 15


def _part(heading: str, text: Text) -> list[RenderableType]:
    text.rstrip()
    return [Text(f"\n{heading}", "bold"), Padding(text, INDENT, expand=False)]


def render_findings(p: ContextPackage) -> list[RenderableType]:
    if not p.findings:
        return []
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column()
    for item in p.findings[:MAX_FINDINGS]:
        f = item.finding
        said = Text(clean(f.message))
        if item.verdict:
            said.append(f"\n{item.verdict.replace('-', ' ')}: {clean(item.reason)}", "bold")
        place = f"{f.path}:{f.line}" if f.line else f.path
        table.add_row(Text(item.finding_id), Text(f"{f.severity} {clean(f.rule)}\n{clean(place)}", "dim"), said)
    told = f"`greenlane feedback {p.run} NAME --false-positive|--confirmed --by YOU` says how right one is"
    more = len(p.findings) - MAX_FINDINGS
    if more > 0:
        told = f"and {more} more (--json has all); {told}"
    return [
        Text("\nFindings", "bold"),
        Padding(table, INDENT, expand=False),
        Padding(Text(told, "dim"), INDENT, expand=False),
    ]


def render_clearing(p: ContextPackage) -> list[RenderableType]:
    c = p.clearing
    if c is None or c.outcome == "not-asked":
        return []
    text = Text()
    for names, what, proved, begin in (
        (c.files, "file", c.files_smallest, "without"),
        (c.findings_named, "finding", c.findings_smallest, "or resolve" if c.files else "resolve"),
    ):
        if names:
            doubt = "" if proved else ", not proved smallest"
            text.append(f"{begin} {count_words(len(names), what)} nobody would be asked (assessed again{doubt}):\n")
            for name in names[:MAX_EVIDENCE]:
                text.append(f"- {clean(name)}\n", "green")
            if len(names) > MAX_EVIDENCE:
                text.append(f"  and {len(names) - MAX_EVIDENCE} more\n")
    if c.outcome == "none-found":
        text.append("none found\n", "yellow")
    for note in c.notes:
        text.append(f"{clean(note)}\n", "dim")
    return _part("The smallest change that would clear it", text)


def render_similar(p: ContextPackage) -> list[RenderableType]:
    if p.similar is None:
        return []
    text = Text()
    if not p.similar:
        text.append("no past change in the ledger is like this one", "dim")
    for s in p.similar:
        text.append(f"#{s.pr_number} {shorten(s.title, 80)}  ").append(
            state_words(s.state), STATE_STYLES.get(s.state, "")
        )
        text.append(f"  likeness {s.likeness:.2f}, {s.run}\n", "dim")
        text.append(f"  {shorten(s.reason, _WIDTH)}\n")
        if s.asked:
            text.append(f"  a human was asked: {clean(', '.join(s.asked))}\n")
        text.append(f"  in common: {clean(', '.join(s.shared))}\n", "dim")
    return _part("Similar changes in the past", text)


def render_model(p: ContextPackage) -> list[RenderableType]:
    m = p.model
    if m is None:
        return []
    text = Text()
    text.append("it has read the author's text, its words are not verified, and it can't lower the risk\n", "yellow")
    risk = "" if m.risk_score is None else f"; its risk: {m.risk_score:.1f}"
    text.append(f"{clean(', '.join(m.model_ids)) or 'no model answered'}: {m.outcome}{risk}\n", "dim")
    if m.rationale:
        text.append(f"{clean_lines(m.rationale)}\n")
    for concern in m.concerns[:MAX_EVIDENCE]:
        text.append(f"- {clean(concern)}\n")
    if m.dropped:
        text.append(f"{count_words(m.dropped, 'concern')} without a quotation that exists: dropped\n", "dim")
    for left in m.left_out[:MAX_EVIDENCE]:
        text.append(f"not shown to the model: {clean(left)}\n", "dim")
    if m.detail:
        text.append(clean(m.detail), "dim")
    return _part("What the model said (untrusted)", text)
