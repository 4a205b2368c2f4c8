"""`python -m bench [--quick] [--only NAME ...]`: every benchmark in turn, one table, one page with plots.

A program that fails or crashes is a row that says so, not an end of all. Exit code 0 if all of them ran, 1 if not.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench._harness import OUT, shown
from bench._report import Outcome, render

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
DEFAULT_TIMEOUT_S = 1_800
STOP_GRACE_S = 10


def _constant(path: Path, name: str, default: object) -> object:
    """A literal module constant, read without importing the program."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if node.__class__ in (ast.Assign, ast.AnnAssign) and any(
            isinstance(t, ast.Name) and t.id == name for t in targets
        ):
            return ast.literal_eval(node.value)  # type: ignore[union-attr]  # narrowed by the class test
    return default


def _stop(process: subprocess.Popen[str]) -> None:
    """End the program and what it started: it has a process group of its own."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_GRACE_S)
            return


def _run_one(path: Path, quick: bool) -> Outcome:
    """One program as a process; stderr (its progress) is ours, its result is read from bench/out."""
    name = path.stem
    arguments = [str(a) for a in _constant(path, "MAKE_BENCH_ARGS", [])]  # type: ignore[attr-defined]  # a literal list
    timeout_s = float(str(_constant(path, "MAKE_BENCH_TIMEOUT_S", DEFAULT_TIMEOUT_S)))
    command = [sys.executable, str(path), *arguments, "--json", *(["--quick"] if quick else [])]
    saved = OUT / f"{name}.json"
    saved.unlink(missing_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _stop(process)
        return Outcome(name, time.monotonic() - started, f"did not end within {timeout_s:.0f} s")
    except KeyboardInterrupt:
        _stop(process)
        raise
    seconds = time.monotonic() - started
    if process.returncode != 0:
        return Outcome(name, seconds, f"crashed (exit code {process.returncode}); its words are on stderr")
    try:
        return Outcome(name, seconds, result=json.loads(saved.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        return Outcome(name, seconds, f"left no result that can be read: {error}")


def _print(console: Console, outcomes: list[Outcome]) -> None:
    table = Table(title="Greenlane benchmarks", title_justify="left")
    for column in ("program", "goal", "measured", "limit", "met"):
        table.add_column(column)
    for outcome in outcomes:
        if outcome.trouble:
            table.add_row(outcome.name, outcome.trouble, "", "", "NO RESULT", end_section=True)
            continue
        for goal, held in outcome.result["goals"].items():
            limit = f"{held['op']} {shown(held['limit'])}"
            table.add_row(outcome.name, goal, shown(held["figure"]), limit, "met" if held["met"] else "NOT MET")
        if not outcome.result["goals"]:
            table.add_row(outcome.name, "it states no goal", "", "", "")
        table.add_section()
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller run of each")
    parser.add_argument("--json", action="store_true", help="print all results as one line of JSON, last on stdout")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="only these programs")
    args = parser.parse_args()
    words = Console(stderr=True)
    programs = [p for p in sorted(FOLDER.glob("*.py")) if not p.name.startswith("_")]
    unknown = set(args.only) - {p.stem for p in programs}
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    chosen = [p for p in programs if not args.only or p.stem in args.only]
    OUT.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for number, path in enumerate(chosen, 1):
        words.rule(f"{number} of {len(chosen)}: {path.stem}")
        try:
            outcomes.append(_run_one(path, args.quick))
        except KeyboardInterrupt:
            outcomes.append(Outcome(path.stem, 0.0, "stopped by Ctrl-C"))
            break
    (OUT / "report.html").write_text(render(outcomes, shown), encoding="utf-8")
    _print(words if args.json else Console(), outcomes)
    words.print("with plots: bench/out/report.html", highlight=False)
    if args.json:
        print(json.dumps({o.name: o.result or {"trouble": o.trouble} for o in outcomes}))
    return 1 if any(o.trouble for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
