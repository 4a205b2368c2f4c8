"""How often an ordinary merged change is said to weaken its own tests.

    git clone --bare https://github.com/aio-libs/aiohttp.git repos/aio-libs+aiohttp     # and the others; it says which
    python bench/weakened.py --repos repos

70 changes a project, evenly over the last 1,000 that people merged, read by the analyzer `weakened` alone. Rules were
tuned on TUNING; what is reported, and held against the goals, are those of HELD_OUT. Whether a finding is right was not
labelled here: the figures say how many changes would carry one, which bounds what a reader has to look at.
"""

from __future__ import annotations

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from _harness import OUT, Bench, run
from _merged import Case, Place, clone_words, find_clone, merged_changes, project_settings, read_cases
from greenlane.analyzers.reader import Reading
from greenlane.domain.findings import Severity

MAKE_BENCH_TIMEOUT_S = 1_800
LAST, WANTED = 1_000, 70
TUNING = ("pallets/flask", "scrapy/scrapy", "pallets/werkzeug")
HELD_OUT = ("aio-libs/aiohttp", "urllib3/urllib3", "encode/httpx")


def work(place: Place, cases: list[Case]) -> list[Reading]:
    """All cases of one repository; runs in a process of its own."""
    return read_cases(place, cases, ("weakened",), project_settings(place.path, cases[0].head))


def measure(bench: Bench) -> None:
    if bench.args.repos is None:
        bench.note(f"needs --repos DIR with clones:\n{clone_words(HELD_OUT, Path('repos'))}")
        return
    names = TUNING if bench.args.side == "tuning" else HELD_OUT
    readings: list[tuple[Case, Reading]] = []
    found = {name: clone for name in names if (clone := find_clone(bench.args.repos, name))}
    with (
        bench.progress("projects", total=len(found)) as advance,
        ProcessPoolExecutor(max_workers=1, max_tasks_per_child=1) as pool,
    ):
        for name, clone in found.items():
            cases = merged_changes(name, clone, last=LAST, wanted=10 if bench.quick else WANTED)
            place = Place(name, str(clone.resolve()), str(Path(bench.args.cache).resolve()))
            readings += zip(cases, pool.submit(work, place, cases).result(), strict=True)
            advance()
    _report(bench, readings)


def _report(bench: Bench, readings: list[tuple[Case, Reading]]) -> None:
    total = len(readings)
    hits = [(case, r) for case, r in readings if r.findings]
    medium = [(case, r) for case, r in hits if any(f.severity is Severity.MEDIUM for f in r.findings)]
    bench.figure("changes", total, "ordinary merged changes")
    bench.figure("unread", sum(bool(r.skipped) for _, r in readings), "changes with something unread")
    bench.figure("any_pct", round(100 * len(hits) / max(total, 1), 1), "carry a finding, %")
    bench.figure("medium_pct", round(100 * len(medium) / max(total, 1), 1), "carry a medium one (a point of risk), %")
    for rule, count in Counter(f.rule for _, r in hits for f in r.findings).most_common():
        bench.figure(rule.replace("weakened.", "").replace("-", "_"), count, "findings of this rule")
    for case, reading in hits if bench.args.show else []:
        bench.console.print(f"{case.repository} {case.head[:10]}", markup=False, highlight=False)
        for f in reading.findings[:6]:
            words = f"    {f.severity} {f.rule} {f.path}:{f.line} {f.message[:150]} | {f.quotation[:90]}"
            bench.console.print(words, markup=False, highlight=False, soft_wrap=True)
    bench.goal("enough changes", "changes", ">=", 200)
    bench.goal("few ordinary changes carry a finding", "any_pct", "<=", 12)
    bench.goal("hardly any carries a point", "medium_pct", "<=", 3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repos", type=Path, metavar="DIR", help="the folder of clones; without it, how to get them")
    parser.add_argument("--cache", type=Path, metavar="DIR", default=OUT / "weakened", help="for trees and results")
    parser.add_argument("--side", choices=("tuning", "held-out"), default="held-out")
    parser.add_argument("--show", action="store_true", help="every finding, on stderr")


if __name__ == "__main__":
    run("weakened", "How often an ordinary change is said to weaken its tests", measure, arguments=add_arguments)
