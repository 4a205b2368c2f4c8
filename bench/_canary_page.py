"""What `canary_judge.py` found: a table for a terminal, tables and a plot for docs/. Measures nothing."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _peers import PEERS
from _traffic import Scenario

if TYPE_CHECKING:
    from _harness import Bench
    from canary_judge import Tallies, Tally

OURS = "Greenlane"
BEGIN, END = "<!-- bench/canary_judge.py: begin -->", "<!-- bench/canary_judge.py: end -->"
PAGE, PLOT, FIGURES = "canary.md", "canary_judge.png", "canary_judge.json"
CHOICES = ("extend", "roll_back", "ask")
CHOICE_SCENARIOS = (
    "healthy: near the limits",
    "healthy: exactly at the error limit",
    "healthy: 1/s, near the limits",
    "bad: 1 % errors",
    "bad: a tail of latency (3 % slow)",
)
SHORT = {
    OURS: "Greenlane",
    "Argo Rollouts, failureLimit 0": "Argo Rollouts, limit 0",
    "Argo Rollouts, failureLimit 3": "Argo Rollouts, limit 3",
    "Flagger, threshold 5": "Flagger, threshold 5",
    "5 windows in a row": "5 in a row",
    "Kayenta (Mann-Whitney)": "Kayenta",
}
HONEST = 0.01
NONE_AT, NEVER_AT_S = 0.03, 1500
"""Where the plot puts what a logarithm has no place for."""


def show(bench: Bench, seen: Sequence[Scenario], tallies: Tallies) -> None:
    """One line a scenario, for a person who watches."""
    for s in seen:
        ours = tallies[s.name, OURS, ""]
        cells = [
            f"{100 * t.rolled:5.1f} % {_s(t.time_s(50)):>5}" for t in (tallies[s.name, j, ""] for j in (OURS, *PEERS))
        ]
        asked = f"asked {100 * ours.asked / ours.trials:5.1f} %"
        bench.console.print(f"{s.name[:54]:54} {asked}  " + "  ".join(cells), highlight=False, soft_wrap=True)
    bad = [s for s in seen if s.bad]
    if bad:
        bench.bars(
            "Median time to roll back, from the first request (s; a peer that does not is left out)",
            {f"{s.name[5:]} · {OURS}": tallies[s.name, OURS, ""].time_s(50) for s in bad
             if math.isfinite(tallies[s.name, OURS, ""].time_s(50))},
            unit="s",
        )  # fmt: skip


def write(folder: Path, seen: Sequence[Scenario], tallies: Tallies) -> None:
    """The tables into `canary.md` (between its two marks), the plot, and all figures beside them."""
    page = folder / PAGE
    before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"{page} lacks the marks between which the tables stand")
    trials = min(tallies[s.name, OURS, ""].trials for s in seen)
    choices = min((t.trials for (_, _, choice), t in tallies.items() if choice), default=0)
    words = f"{len(seen)} kinds of traffic, {trials:,} canaries of each (the last table: {choices:,})."
    tables = "\n\n".join([words, _healthy(seen, tallies), _bad(seen, tallies), _choices(tallies)])
    page.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")
    figures = _figures(seen, tallies)
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draw(folder / PLOT, figures)


def _figures(seen: Sequence[Scenario], tallies: Tallies) -> list[dict[str, Any]]:
    return [
        {
            "scenario": s.name,
            "judge": judge,
            "trials": t.trials,
            "rolled_back": t.rolled,
            "asked": t.asked / t.trials,
            "median_s": _finite(t.time_s(50)),
            "p95_s": _finite(t.time_s(95)),
            "harmed_mean": round(t.mean_harmed, 2),
        }
        for s in seen
        for judge in (OURS, *PEERS)
        for t in (tallies[s.name, judge, ""],)
    ]


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _s(seconds: float) -> str:
    return f"{seconds:.0f}" if math.isfinite(seconds) else "–"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    names = list(head)
    lines = [f"| {' | '.join(names)} |", f"|{'|'.join(['---'] + ['---:'] * (len(names) - 1))}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _healthy(seen: Sequence[Scenario], tallies: Tallies) -> str:
    """How many healthy releases each judge rolls back."""
    rows = []
    for s in (s for s in seen if not s.bad):
        ours = tallies[s.name, OURS, ""]
        note = "" if s.told else " (*)"
        peers = [_percent(tallies[s.name, peer, ""].rolled) for peer in PEERS]
        rows.append([_title(s.name) + note, f"**{_percent(ours.rolled)}**", _percent(ours.asked / ours.trials), *peers])
    head = ["healthy releases rolled back", "Greenlane", "Greenlane asks", *(SHORT[p] for p in PEERS)]
    return _table(head, rows)


def _bad(seen: Sequence[Scenario], tallies: Tallies) -> str:
    """When each judge rolls a bad release back: median / p95 in seconds, and how many requests it harmed until then."""
    rows = []
    for s in (s for s in seen if s.bad):
        kept = honest(seen, tallies, s.traffic)
        cells = [_cell(tallies[s.name, OURS, ""], strong=True)]
        cells += [_cell(tallies[s.name, peer, ""], strong=peer in kept) for peer in PEERS]
        rows.append([_title(s.name), *cells])
    head = ["bad releases: median / p95 s (harmed requests)", *(SHORT[j] for j in (OURS, *PEERS))]
    return _table(head, rows)


def _cell(tally: Tally, *, strong: bool) -> str:
    """Bold where the judge keeps to 1 % false rollbacks for healthy releases of the same service."""
    if not tally.rolled:
        return "never"
    text = f"{_s(tally.time_s(50))} / {_s(tally.time_s(95))} ({tally.mean_harmed:.0f})"
    return f"**{text}**" if strong else text


def honest(seen: Sequence[Scenario], tallies: Tallies, traffic: str) -> list[str]:
    """Peers that roll back at most 1 % of the healthy releases of every kind, for a service with this traffic."""
    healthy = [s.name for s in seen if not s.bad and s.traffic == traffic]
    return [peer for peer in PEERS if all(tallies[name, peer, ""].rolled <= HONEST for name in healthy)]


def _choices(tallies: Tallies) -> str:
    rows = []
    for name in CHOICE_SCENARIOS:
        for choice in CHOICES:
            t = tallies.get((name, OURS, choice))
            if t is not None:
                cells = [_percent(t.rolled), _percent(t.asked / t.trials), _percent(t.passed / t.trials)]
                rows.append([f"{name[0].upper()}{name[1:]}", f"`{choice}`", *cells, f"{t.mean_harmed:.1f}"])
    head = ["scenario", "`over_not_proven`", "rolled back", "a human is asked", "promoted", "harmed requests, mean"]
    return _table(head, rows)


def _title(scenario: str) -> str:
    name = scenario.removeprefix("healthy: ").removeprefix("bad: ")
    return name[0].upper() + name[1:]


def draw(file: Path, figures: Sequence[dict[str, Any]]) -> None:
    """Left: healthy releases that are rolled back. Right: how long a bad one goes on, or that it is never seen."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams |= {"font.size": 8}
    from matplotlib import pyplot as plt

    judges = (OURS, *PEERS)
    colours = dict(zip(judges, ("#0a7d33", "#f2a541", "#d9822b", "#7b6fd0", "#4c8dc9", "#9aa0a6"), strict=True))
    of = {(f["scenario"], f["judge"]): f for f in figures}
    healthy = list(dict.fromkeys(f["scenario"] for f in figures if not f["scenario"].startswith("bad: ")))
    bad = list(dict.fromkeys(f["scenario"] for f in figures if f["scenario"].startswith("bad: ")))
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 7))
    for judge in reversed(judges):
        style: dict[str, Any] = {"s": 46 if judge == OURS else 22, "c": colours[judge], "label": SHORT[judge]}
        left.scatter([max(100 * of[s, judge]["rolled_back"], NONE_AT) for s in healthy], range(len(healthy)), **style)
        right.scatter([of[s, judge]["median_s"] or NEVER_AT_S for s in bad], range(len(bad)), **style)
    left.axvline(1, color="#b00020", lw=1)
    left.set(xscale="log", xlabel="healthy releases rolled back, % (red line: 1 %; left edge: none)")
    right.axvline(1000, color="#cccccc", lw=1)
    right.set(xscale="log", xlabel="median seconds to roll back from the first request\n(right of 1,000: never)")
    for axis, scenarios in ((left, healthy), (right, bad)):
        axis.set_yticks(range(len(scenarios)), [_title(s)[:48] for s in scenarios])
        axis.invert_yaxis()
        axis.grid(axis="both", alpha=0.25)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="lower center", ncols=len(judges), frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(file, dpi=100, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":  # the plot once more, from the figures of the last run
    draw(Path(sys.argv[1]) / PLOT, json.loads((Path(sys.argv[1]) / FIGURES).read_text(encoding="utf-8")))
