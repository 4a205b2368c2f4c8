"""The one page that `python -m bench` writes: a table of all goals, and the plots as inline SVG."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

INK = "#1f6f4a"
COLOURS = (INK, "#b8860b", "#31688e", "#8b3a62", "#666666")


@dataclass(frozen=True)
class Outcome:
    """How one program ended: its result, or why there is none."""

    name: str
    seconds: float
    trouble: str = ""
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return not self.trouble and bool(self.result.get("met"))


def _svg(plot: dict[str, Any]) -> str:
    figure, axes = plt.subplots(figsize=(6.2, 3.2))
    try:
        _DRAW[plot["kind"]](axes, plot)
        axes.set_title(plot["title"], fontsize=10, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    finally:
        plt.close(figure)
    text = out.getvalue()
    return text[text.index("<svg") :]


def _draw_bars(axes: Any, plot: dict[str, Any]) -> None:
    labels, values = list(plot["series"]), list(plot["series"].values())
    drawn = axes.barh(labels, values, color=[COLOURS[i % len(COLOURS)] for i in range(len(labels))])
    axes.bar_label(drawn, fmt="{:,.4g}", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(plot["y"])
    axes.margins(x=0.15)
    if plot["limit"] is not None:
        axes.axvline(plot["limit"], color="#b22222", linestyle="--", linewidth=1)


def _draw_samples(axes: Any, plot: dict[str, Any]) -> None:
    for i, (name, values) in enumerate(plot["series"].items()):
        shares = [(j + 1) / len(values) * 100 for j in range(len(values))]
        axes.step(values, shares, where="post", label=name, color=COLOURS[i % len(COLOURS)])
    if any(values and values[0] > 0 and values[-1] > 50 * values[0] for values in plot["series"].values()):
        axes.set_xscale("log")
    axes.set_xlabel(plot["x"])
    axes.set_ylabel("share of samples, %")
    if plot["limit"] is not None:
        axes.axvline(plot["limit"], color="#b22222", linestyle="--", linewidth=1, label="limit")
    axes.legend(fontsize=8, frameon=False)


def _draw_lines(axes: Any, plot: dict[str, Any]) -> None:
    for i, (name, (xs, ys)) in enumerate(plot["series"].items()):
        axes.plot(xs, ys, marker=".", label=name, color=COLOURS[i % len(COLOURS)])
    axes.set_xlabel(plot["x"])
    axes.set_ylabel(plot["y"])
    axes.legend(fontsize=8, frameon=False)


_DRAW = {"bars": _draw_bars, "samples": _draw_samples, "lines": _draw_lines}


def _goal_rows(outcome: Outcome, shown: Any) -> list[str]:
    name = html.escape(outcome.name)
    if outcome.trouble:
        return [
            f'<tr class="bad"><td>{name}</td><td colspan="3">{html.escape(outcome.trouble)}</td><td>no result</td></tr>'
        ]
    rows = []
    for goal, held in outcome.result["goals"].items():
        limit = f"{held['op']} {shown(held['limit'])}"
        cells = [outcome.name, goal, shown(held["figure"]), limit, "met" if held["met"] else "not met"]
        rows.append(
            f'<tr class="{"good" if held["met"] else "bad"}">'
            + "".join(f"<td>{html.escape(c)}</td>" for c in cells)
            + "</tr>"
        )
    return rows or [f'<tr><td>{name}</td><td colspan="3">it states no goal</td><td></td></tr>']


def _section(outcome: Outcome, shown: Any) -> str:
    parts = [f"<h2>{html.escape(outcome.name)}</h2>"]
    if outcome.trouble:
        parts.append(f'<p class="bad">{html.escape(outcome.trouble)}</p>')
        return "".join(parts)
    result = outcome.result
    quick = ", quick run" if result.get("quick") else ""
    parts.append(
        f"<p>{html.escape(result['title'])} ({result['seconds']} s{quick}; {html.escape(result['machine'])})</p>"
    )
    parts.append("<table><tr><th>figure</th><th>value</th><th>what</th></tr>")
    for name, value in result["figures"].items():
        cells = (name, shown(value), result["words"].get(name, ""))
        parts.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
    parts.append("</table>")
    parts.extend(f"<p>{html.escape(note)}</p>" for note in result["notes"])
    parts.extend(f"<figure>{_svg(plot)}</figure>" for plot in result["plots"])
    return "".join(parts)


STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{border-bottom:1px solid #ddd;padding:.25rem .75rem;text-align:left}
.good td:last-child{color:#1f6f4a;font-weight:600}.bad td:last-child,p.bad{color:#b22222;font-weight:600}
figure{display:inline-block;margin:.5rem}svg{max-width:100%;height:auto}"""


def render(outcomes: Sequence[Outcome], shown: Any) -> str:
    """The page, complete in itself: no script, nothing to load."""
    rows = "".join(row for outcome in outcomes for row in _goal_rows(outcome, shown))
    sections = "".join(_section(outcome, shown) for outcome in outcomes)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Greenlane benchmarks</title>'
        f"<style>{STYLE}</style><h1>Greenlane benchmarks</h1>"
        "<table><tr><th>program</th><th>goal</th><th>measured</th><th>limit</th><th></th></tr>"
        f"{rows}</table>{sections}</html>"
    )
