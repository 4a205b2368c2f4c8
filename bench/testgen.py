"""Generated tests on real merged changes: the source change is applied, the tests that people wrote are withheld.

For each change of `testgen_changes.csv` (chosen by `_testgen_cases.py`): which of its lines no test runs any more, how
many of them the generated tests run, whether the kept tests pass again and again under random orders, and which
mutants of the changed lines they notice, beside the withheld human tests and, with `--pynguin PYTHON`, beside Pynguin.
Only lines and mutants that the remaining suite leaves open count. The changes are split: on `develop` the generator
was developed, the goals are held against `report`.

`--repos DIR` holds clones (without it, how to get them), `--python` is an interpreter that has what their suites
import. `--docs docs` writes the tables of docs/tests.md. Results are kept below `--cache`.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

import _testgen_page as page
from _harness import Bench, run
from _merged import clone_words, find_clone
from _testgen_cases import SIDES, environment_of, read_list
from _testgen_projects import PACKAGES
from _testgen_score import PEER_RERUNS, RERUNS, Outcome, Score, Yard

MAKE_BENCH_TIMEOUT_S = 7200
TOOLS = ("ours", "pynguin")
PYNGUIN = "pynguin==0.48.0 pytest"
QUICK = 2
"""Changes of each side."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repos", type=Path, metavar="DIR", help="the folder of clones; without it, how to get them")
    parser.add_argument("--python", type=Path, metavar="PYTHON", help="an interpreter with the projects' dependencies")
    parser.add_argument("--pynguin", type=Path, metavar="PYTHON", help="an interpreter that has Pynguin")
    parser.add_argument("--cache", type=Path, default=Path("bench/out/testgen"), help="where results are kept")
    parser.add_argument("--side", choices=SIDES, help="this half of the changes only")
    parser.add_argument("--tools", nargs="*", choices=TOOLS, default=TOOLS, help="run these only")
    parser.add_argument("--docs", type=Path, metavar="DIR", help="write the tables there, too")
    parser.add_argument("--only", default="", help="changes whose repository or commit holds this text")


async def measure(bench: Bench) -> None:
    args = bench.args
    listed = [c for c in read_list() if args.side in (None, c.side) and args.only in f"{c.repository} {c.commit}"]
    if bench.quick:
        listed = [c for side in SIDES for c in [c for c in listed if c.side == side][:QUICK]]
    names = sorted({c.repository for c in listed})
    missing = [name for name in names if args.repos is None or find_clone(args.repos, name) is None]
    if missing or args.python is None:
        bench.note("--repos DIR and --python PYTHON are needed: clones, and what their suites import\n" + _how(missing))
        bench.goal("changes of public repositories are at hand", "report_changes", ">=", 1)
        return
    yard = Yard(bench, args.repos, environment_of(args.python), args.cache)
    outcomes = []
    with bench.progress("changes", total=len(listed)) as advance:
        for change in listed:
            outcome = await yard.look_at(change, args.pynguin)
            outcomes.append(outcome)
            bench.note(page.sentence(outcome))
            bench.console.print(page.sentence(outcome), highlight=False, soft_wrap=True)
            advance()
    for side in SIDES:
        chosen = [o for o in outcomes if o.change.side == side]
        if chosen:
            _figures(bench, side, chosen)
    page.show(bench, [o for o in outcomes if o.change.side == "report"])
    if args.docs is not None:
        page.write(args.docs, outcomes)
    _goals(bench)


def _how(missing: Sequence[str]) -> str:
    lines = [
        clone_words(missing, Path("DIR")),
        "python3.11 -m venv ENV && ENV/bin/pip install uv cffi setuptools==81.0.0",
        "ENV/bin/uv pip install --python ENV/bin/python --no-build-isolation misaka   # its build wants cffi",
        f"ENV/bin/uv pip install --python ENV/bin/python {PACKAGES}",
        "ENV/bin/uv pip uninstall --python ENV/bin/python anyio   # a plugin of pytest that no suite needs",
        "rm -rf ENV/lib/python3.11/site-packages/tests   # some package's own; then --python ENV/bin/python",
        f"python3.11 -m venv PEER && PEER/bin/pip install {PYNGUIN}   # then --pynguin PEER/bin/python",
    ]
    return "\n".join(line for line in lines if line)


def _figures(bench: Bench, side: str, outcomes: Sequence[Outcome]) -> None:
    bench.figure(f"{side}_changes", len(outcomes), f"changes ({side} side)")
    bench.figure(f"{side}_projects", len({o.change.repository for o in outcomes}), "projects that they are from")
    people = sum(o.noticed(o.truth.human) for o in outcomes)
    total = sum(len(o.truth.open) for o in outcomes)
    pooled = sum(o.truth.human.lines_closed for o in outcomes) / total
    bench.figure(f"{side}_people_lines_pooled", pooled, "open changed lines closed by the withheld human tests")
    bench.figure(f"{side}_mutants_people", people, "open mutants that they notice")
    scored = [(o, o.ours) for o in outcomes if o.ours is not None]
    if scored:
        _of_tool(bench, side, scored, "", RERUNS)
    for search_s in sorted({s for o in outcomes for s in o.pynguin}):
        peers = [(o, o.pynguin[search_s]) for o in outcomes if search_s in o.pynguin]
        _of_tool(bench, f"{side}_pynguin{search_s}", peers, f"Pynguin, {search_s} s of search: ", PEER_RERUNS)


def _of_tool(bench: Bench, name: str, scored: Sequence[tuple[Outcome, Score]], words: str, reruns: int) -> None:
    scores = [s for _, s in scored]
    tests, steady = sum(s.tests for s in scores), sum(s.steady for s in scores)
    people = sum(o.noticed(o.truth.human) for o, _ in scored)
    noticed = sum(o.noticed(s) for o, s in scored)
    total = sum(len(o.truth.open) for o, _ in scored)
    share = statistics.median(o.share(s) for o, s in scored)
    bench.figure(f"{name}_lines_share", share, words + "open changed lines closed, median change")
    bench.figure(f"{name}_lines_pooled", sum(s.lines_closed for s in scores) / total, words + "all lines together")
    bench.figure(f"{name}_files", sum(bool(s.text) for s in scores), words + "changes for which it wrote tests")
    bench.figure(f"{name}_tests", tests, words + "tests")
    steady_share = steady / tests if tests else None
    bench.figure(f"{name}_steady_share", steady_share, words + f"of them pass {reruns} times in random order")
    bench.figure(f"{name}_mutants", noticed, words + "open mutants noticed")
    bench.figure(f"{name}_mutants_ratio", noticed / people if people else None, words + "the same / people's")
    bench.figure(f"{name}_test_lines", sum(s.test_lines for s in scores), words + "lines of test code")
    bench.figure(f"{name}_seconds", statistics.median(s.seconds for s in scores), words + "seconds, median change")
    bench.figure(f"{name}_cpu_s", statistics.median(s.cpu_s for s in scores), words + "seconds of CPU, median change")


def _goals(bench: Bench) -> None:
    bench.goal("at least 10 changes on the report side", "report_changes", ">=", 10)
    bench.goal("80 % of the open lines in the median change", "report_lines_share", ">=", 0.8)
    bench.goal("90 % of kept tests are steady", "report_steady_share", ">=", 0.9)
    bench.goal("0.9 of the mutants that people's tests notice", "report_mutants_ratio", ">=", 0.9)
    bench.goal("median under 60 s", "report_seconds", "<", 60)


if __name__ == "__main__":
    run("testgen", "Generated tests on merged changes whose human tests are withheld", measure, arguments=add)
