"""What `testgen.py` found: a line a change, bars for the report, tables and a plot for docs/. It measures nothing."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _testgen_cases import SIDES
from _testgen_score import PEER_RERUNS, RERUNS, Outcome, Score

if TYPE_CHECKING:
    from _harness import Bench

BEGIN, END = "<!-- bench/testgen.py: begin -->", "<!-- bench/testgen.py: end -->"
PAGE, PLOT, FIGURES = "tests.md", "testgen.png", "testgen.json"
_PEER_COLOURS = ("#f2a541", "#b5521b", "#7b6fd0")
PEOPLE, OURS = "people", "Greenlane"
_WORDS = {
    "report": "Held out (the `report` side): {changes} changes of {projects} projects, {lines} open lines,"
    " {mutants} open mutants.",
    "develop": "The `develop` side, on which the generator was worked on: {changes} changes of {projects} projects,"
    " {lines} open lines, {mutants} open mutants.",
}


def sentence(outcome: Outcome) -> str:
    """One change, for a person who watches."""
    truth, human = outcome.truth, outcome.truth.human
    said = (
        f"{outcome.change.side} {outcome.change.repository} {outcome.change.commit[:10]}: {len(truth.open)} open lines"
        f", {len(truth.surviving)} open mutants; people {human.lines_closed}, {outcome.noticed(human)}"
    )
    for tool, score in _scores(outcome).items():
        if tool != PEOPLE:
            said += (
                f"; {tool} {score.lines_closed}, {outcome.noticed(score)}, {score.steady} of {score.tests} tests "
                f"steady, {score.test_lines} lines of them, {score.seconds:.0f} s, {score.cpu_s:.0f} s of CPU"
            )
    return said


def show(bench: Bench, outcomes: Sequence[Outcome]) -> None:
    """Bars for the report of all benchmarks."""
    tools = _tools(outcomes)
    if not tools:
        return
    lines = {tool: 100 * statistics.median(o.share(s) for o, s in _of(outcomes, tool)) for tool in tools}
    bench.bars("Open changed lines closed, median change", lines, unit="%", limit=80)
    bench.bars(
        "Open mutants noticed", {t: sum(o.noticed(s) for o, s in _of(outcomes, t)) for t in tools}, unit="mutants"
    )
    bench.bars(
        "Lines of test code", {t: sum(_test_lines(o, t, s) for o, s in _of(outcomes, t)) for t in tools}, unit="lines"
    )


def write(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """The tables into `tests.md` (between its two marks), and all figures beside it."""
    page = folder / PAGE
    before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"{page} lacks the marks between which the tables stand")
    parts = []
    for side in SIDES:
        chosen = [o for o in outcomes if o.change.side == side]
        if chosen:
            parts += [_opening(side, chosen), _summary(chosen)]
            parts += [_changes(chosen)] if side == "report" else []
    if any(o.change.side == "report" for o in outcomes):
        parts.append(f"![Of each change: open lines closed, and open mutants noticed]({PLOT})")
    page.write_text(f"{before}{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}{after}", encoding="utf-8")
    figures = _figures(outcomes)
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draw(folder / PLOT, [f for f in figures if f["side"] == "report"])


def _scores(outcome: Outcome) -> dict[str, Score]:
    """By tool. What people wrote is lines of a change, not a whole file."""
    found = {PEOPLE: outcome.truth.human}
    if outcome.ours is not None:
        found[OURS] = outcome.ours
    return found | {f"Pynguin, {seconds} s": score for seconds, score in sorted(outcome.pynguin.items())}


def _tools(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(tool for o in outcomes for tool in _scores(o)))


def _of(outcomes: Sequence[Outcome], tool: str) -> list[tuple[Outcome, Score]]:
    return [(o, scores[tool]) for o in outcomes for scores in (_scores(o),) if tool in scores]


def _test_lines(outcome: Outcome, tool: str, score: Score) -> int:
    return outcome.people if tool == PEOPLE else score.test_lines


def _opening(side: str, outcomes: Sequence[Outcome]) -> str:
    words = _WORDS[side].format(
        changes=len(outcomes),
        projects=len({o.change.repository for o in outcomes}),
        lines=sum(len(o.truth.open) for o in outcomes),
        mutants=sum(len(o.truth.surviving) for o in outcomes),
    )
    loads = [o.ours.load for o in outcomes if o.ours is not None]
    if loads:
        words += f" Load of the machine at the end of a generation: {statistics.median(loads):.1f} (median)."
    return words


def _summary(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for tool in _tools(outcomes):
        scored = _of(outcomes, tool)
        tests, steady = sum(s.tests for _, s in scored), sum(s.steady for _, s in scored)
        closed, total = sum(s.lines_closed for _, s in scored), sum(len(o.truth.open) for o, _ in scored)
        people = tool == PEOPLE
        rows.append([
            _name(tool),
            f"{100 * statistics.median(o.share(s) for o, s in scored):.0f} %",
            f"{closed} of {total}",
            str(sum(o.noticed(s) for o, s in scored)),
            str(tests),
            "" if people else f"{steady} ({RERUNS if tool == OURS else PEER_RERUNS} runs)",
            f"{sum(_test_lines(o, tool, s) for o, s in scored):,}",
            "" if people else f"{statistics.median(s.seconds for _, s in scored):.0f}",
            "" if people else f"{statistics.median(s.cpu_s for _, s in scored):.0f}",
        ])  # fmt: skip
    head = [
        "tests by", "open lines closed, median change", "all together", "open mutants noticed", "tests",
        "of them steady", "lines of test code", "s, median", "CPU s, median",
    ]  # fmt: skip
    return _table(head, rows)


def _changes(outcomes: Sequence[Outcome]) -> str:
    tools = _tools(outcomes)
    rows = []
    for outcome in outcomes:
        scores = _scores(outcome)
        cells = [_cell(outcome, tool, scores[tool]) if tool in scores else "–" for tool in tools]
        change = f"{outcome.change.repository.split('/')[1]} {outcome.change.commit[:10]}"
        rows.append([change, f"{len(outcome.truth.open)} / {len(outcome.truth.surviving)}", *cells])
    return _table(["change: lines / mutants (lines of test code; s)", "open", *map(_name, tools)], rows)


def _cell(outcome: Outcome, tool: str, score: Score) -> str:
    reached = f"{score.lines_closed} / {outcome.noticed(score)}"
    if tool == PEOPLE:
        return f"{reached} ({outcome.people})"
    if not score.text:
        return f"none written ({score.seconds:.0f} s)"
    return f"{reached} ({score.test_lines}; {score.seconds:.0f} s)"


def _name(tool: str) -> str:
    return f"**{tool}**" if tool == OURS else tool


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(['---'] + ['---:'] * (len(head) - 1))}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _figures(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "repository": o.change.repository,
            "commit": o.change.commit,
            "side": o.change.side,
            "tests_by": tool,
            "open_lines": len(o.truth.open),
            "lines_closed": score.lines_closed,
            "open_mutants": len(o.truth.surviving),
            "mutants_noticed": o.noticed(score),
            "tests": score.tests,
            "steady": None if tool == PEOPLE else score.steady,
            "test_lines": _test_lines(o, tool, score),
            "seconds": None if tool == PEOPLE else round(score.seconds, 1),
            "cpu_s": None if tool == PEOPLE else round(score.cpu_s, 1),
        }
        for o in outcomes
        for tool, score in _scores(o).items()
    ]


def draw(file: Path, figures: Sequence[dict[str, Any]]) -> None:
    """A row a change, a mark a tool. Left: lines, right: mutants, as shares of those that are open."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams |= {"font.size": 8}
    from matplotlib import pyplot as plt

    if not figures:
        return
    tools = list(dict.fromkeys(f["tests_by"] for f in figures))
    peers = [tool for tool in tools if tool not in (PEOPLE, OURS)]
    colours = {PEOPLE: "#9aa0a6", OURS: "#0a7d33"} | dict(zip(peers, _PEER_COLOURS, strict=False))
    changes = list(dict.fromkeys((f["repository"], f["commit"]) for f in figures))
    figure, axes = plt.subplots(1, 2, figsize=(11, 1.2 + 0.32 * len(changes)), sharey=True)
    for axis, reached, of, words in zip(
        axes,
        ("lines_closed", "mutants_noticed"),
        ("open_lines", "open_mutants"),
        ("open lines closed, %", "open mutants noticed, %"),
        strict=True,
    ):
        for number, tool in enumerate(tools):
            rows = [f for f in figures if f["tests_by"] == tool and f[of]]
            # side by side, so that equal shares do not hide each other
            at = [changes.index((f["repository"], f["commit"])) + 0.16 * (number - (len(tools) - 1) / 2) for f in rows]
            size = 40 if tool == OURS else 22
            axis.scatter([100 * f[reached] / f[of] for f in rows], at, s=size, c=colours[tool], label=tool, zorder=3)
        axis.set(xlabel=words, xlim=(-3, 103))
        axis.grid(alpha=0.25)
    axes[0].set_yticks(range(len(changes)), [f"{r.split('/')[1]} {c[:7]}" for r, c in changes])
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(tools), frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(file, dpi=100, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":  # the plot once more, from the figures of the last run
    found = json.loads((Path(sys.argv[1]) / FIGURES).read_text(encoding="utf-8"))
    draw(Path(sys.argv[1]) / PLOT, [f for f in found if f["side"] == "report"])
