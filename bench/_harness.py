"""What all benchmarks share: arguments, a progress bar, figures, goals, plots, and the result in three forms.

A benchmark is one file `bench/NAME.py`:

    from _harness import Bench, run

    MAKE_BENCH_ARGS = ["httpbin", "0.10.1", "0.10.2"]   # optional: what `make bench` passes (a literal list)
    MAKE_BENCH_TIMEOUT_S = 900                          # optional: when `make bench` gives up on it (default 1,800)

    def measure(bench: Bench) -> None:                  # may be `async def`
        rounds = 100 if bench.quick else 1_000
        with bench.progress("handing over", total=rounds) as advance:
            for _ in range(rounds):
                ...
                advance()                               # or advance(50)
        bench.figure("handoff_p99_ms", percentile(samples_ms, 99), "hand-off, 99th percentile")
        bench.goal("hand-off is quick", "handoff_p99_ms", "<", 10)      # op: one of < <= > >= ==
        bench.bars("Hand-offs a second", {"ours": 2900, "bare": 3400}, unit="1/s", limit=2380)
        bench.samples("Latency", {"1 in flight": samples_ms}, unit="ms", limit=10)    # drawn as a cumulative share
        bench.lines("p99 by size", {"proof": ([1e3, 1e6], [0.1, 0.3])}, x="entries", y="ms")
        bench.note("peer: the same rows by sqlite3 alone")

    if __name__ == "__main__":
        run("handoff", "Hand-over between agents beside bare SQLite commits", measure)

`run(name, title, measure, arguments=add)` calls `add(parser)` for arguments of its own; they are in `bench.args`.
`--quick` (in `bench.quick`) asks for a smaller run of the same kind, `--json` prints as the last line on stdout exactly
`{"figures": {...}, "goals": {name: {"figure", "limit", "op", "met"}}, "met": true|false}`. Without it a table is
printed. The whole result, plots included, goes to `bench/out/NAME.json`. Words and bars go to stderr.

The exit code is 0 if the benchmark ran, met or not (a benchmark is no test); 1 if it could not run; 130 on Ctrl-C.
A goal on a figure that was not measured is not met: no data is never success.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import math
import operator
import os
import platform
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

OUT = Path(__file__).resolve().parent / "out"
BAR_EVERY_S = 0.5
MAX_PLOT_SAMPLES = 2_000  # a cumulative curve looks the same with more, and the report stays small

Value = float | int | str | bool | None
_OPS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Goal:
    """What was measured (`figure`), what it was held against (`limit`), and how (`op`)."""

    figure: Value
    limit: Value
    op: str
    met: bool


@dataclass
class Plot:
    """One picture of the report. `series` holds y values (bars, samples) or (x values, y values) (lines)."""

    kind: str
    title: str
    series: dict[str, Any]
    x: str = ""
    y: str = ""
    limit: float | None = None


@dataclass
class Bench:
    """One benchmark while it runs."""

    name: str
    title: str
    args: argparse.Namespace
    console: Console
    figures: dict[str, Value] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    goals: dict[str, Goal] = field(default_factory=dict)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def quick(self) -> bool:
        return bool(self.args.quick)

    def figure(self, name: str, value: Value, words: str = "") -> None:
        """A measured value; its unit is the last part of its name (`_ms`, `_per_s`). Not-a-number becomes None."""
        if isinstance(value, float):
            value = None if math.isnan(value) or math.isinf(value) else float(f"{value:.6g}")
        self.figures[name] = value
        if words:
            self.words[name] = words

    def goal(self, name: str, figure: str, op: str, limit: Value) -> None:
        """Hold the figure of this name against a limit."""
        value = self.figures.get(figure)
        met = value is not None and _OPS[op](value, limit)
        self.goals[name] = Goal(figure=value, limit=limit, op=op, met=bool(met))

    def bars(self, title: str, values: Mapping[str, float], *, unit: str = "", limit: float | None = None) -> None:
        self.plots.append(Plot("bars", title, dict(values), y=unit, limit=limit))

    def samples(
        self, title: str, values: Mapping[str, Sequence[float]], *, unit: str = "", limit: float | None = None
    ) -> None:
        thinned = {name: _thin(sorted(series)) for name, series in values.items()}
        self.plots.append(Plot("samples", title, thinned, x=unit, limit=limit))

    def lines(
        self, title: str, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x: str = "", y: str = ""
    ) -> None:
        self.plots.append(Plot("lines", title, {n: [list(a), list(b)] for n, (a, b) in series.items()}, x=x, y=y))

    def note(self, text: str) -> None:
        self.notes.append(text)

    @contextmanager
    def progress(self, what: str, total: float) -> Iterator[Callable[..., None]]:
        """A bar on stderr; the value is a function that moves it on by one, or by its argument.

        It is drawn inside of that call, at most every BAR_EVERY_S: a thread of its own would disturb what is measured.
        """
        columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        drawn_at = 0.0
        with Progress(*columns, console=self.console, auto_refresh=False) as bar:
            task = bar.add_task(what, total=total)

            def advance(steps: float = 1) -> None:
                nonlocal drawn_at
                bar.advance(task, steps)
                now = time.monotonic()
                if now - drawn_at > BAR_EVERY_S:
                    drawn_at = now
                    bar.refresh()

            yield advance
            bar.refresh()

    @property
    def met(self) -> bool:
        return bool(self.goals) and all(goal.met for goal in self.goals.values())

    def summary(self) -> dict[str, Any]:
        return {
            "figures": self.figures,
            "goals": {name: asdict(goal) for name, goal in self.goals.items()},
            "met": self.met,
        }


def _thin(ordered: Sequence[float]) -> list[float]:
    """At most MAX_PLOT_SAMPLES of an ordered series, the largest among them."""
    if len(ordered) <= MAX_PLOT_SAMPLES:
        return list(ordered)
    step = (len(ordered) - 1) / (MAX_PLOT_SAMPLES - 1)
    return [ordered[round(i * step)] for i in range(MAX_PLOT_SAMPLES)]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank); NaN for none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def load_now() -> float:
    """Processes that run or want to, on average over the last minute."""
    return os.getloadavg()[0]


def describe_load(loads: Sequence[float]) -> str:
    """What else the machine did, for a note: figures of latency mean little without it."""
    if not loads:
        return "load of the machine unknown"
    middle = sum(loads) / len(loads)
    return f"load of the machine {middle:.1f} (from {min(loads):.1f} to {max(loads):.1f}) on {os.cpu_count()} CPUs"


def run(
    name: str,
    title: str,
    measure: Callable[[Bench], Awaitable[None] | None],
    *,
    arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """Run a benchmark and leave the process with its exit code."""
    parser = argparse.ArgumentParser(prog=f"bench/{name}.py", description=title)
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON, last on stdout")
    parser.add_argument("--quick", action="store_true", help="a smaller run of the same kind")
    if arguments is not None:
        arguments(parser)
    bench = Bench(name, title, parser.parse_args(), Console(stderr=True))
    started = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").unlink(missing_ok=True)  # a crash must not leave an older result to be read as this one's
    try:
        outcome = measure(bench)
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
    except KeyboardInterrupt:
        bench.console.print(f"{name}: stopped")
        sys.exit(130)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    _write_result(bench, time.monotonic() - started)
    if bench.args.json:
        print(json.dumps(bench.summary()), flush=True)
    else:
        print_tables(Console(), bench)
    sys.exit(0)


def _write_result(bench: Bench, seconds: float) -> None:
    result = {
        "name": bench.name,
        "title": bench.title,
        **bench.summary(),
        "words": bench.words,
        "plots": [asdict(plot) for plot in bench.plots],
        "notes": bench.notes,
        "quick": bench.quick,
        "seconds": round(seconds, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python "
        + platform.python_version(),
    }
    (OUT / f"{bench.name}.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


def shown(value: Value) -> str:
    """A value for people: thousands separated, no more digits than say something."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return value


def print_tables(console: Console, bench: Bench) -> None:
    table = Table(title=bench.title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("what")
    for name, value in bench.figures.items():
        table.add_row(name, shown(value), bench.words.get(name, ""))
    console.print(table)
    goals = Table(title="goals", title_justify="left")
    for column in ("goal", "measured", "limit", "met"):
        goals.add_column(column, justify="right" if column in ("measured", "limit") else "left")
    for name, goal in bench.goals.items():
        goals.add_row(name, shown(goal.figure), f"{goal.op} {shown(goal.limit)}", "met" if goal.met else "NOT MET")
    console.print(goals)
    for note in bench.notes:
        console.print(f"- {note}")
