"""Who is sent to a human: ordinary merged changes, and security fixes turned around, of public Python projects.

    git clone --bare https://github.com/pallets/flask.git repos/pallets+flask       # and the others; it says which
    python bench/escalation.py --repos repos

Ordinary changes: 100 a project, evenly over the last 1,000 that people merged, judged as Greenlane would have judged
them then (no model, no coverage, settings by default). A change may be escalated for what it risks (a risk score, a
security finding, a secret, changed rules of the pipeline), because a policy says so whatever the risk (schema, API,
integration), or because a part was not analysed; the three are counted apart.

Security fixes (`security_fixes.csv`: repository, commit, advisory of the public Python advisory database): the fix
is the base and its parent the head, so the change brings the vulnerability in. A fix counts if it touches Python that
production runs, other than version numbers and packaging; a commit over MAX_FIX_FILES such files is a release and
no fix; a patch that several branches got counts once.

Rules were tuned on the projects of TUNING only. What is reported, and held against the goals, are those of HELD_OUT.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import msgspec

from _harness import OUT, Bench, run
from _merged import (
    Case,
    Place,
    changed_paths,
    clone_words,
    find_clone,
    has_commit,
    merged_changes,
    parent_of,
    project_settings,
    read_cases,
)  # fmt: skip
from greenlane.analyzers import files
from greenlane.analyzers.reader import Reading, risk_facts
from greenlane.analyzers.worker import ANALYZERS
from greenlane.domain.findings import Category
from greenlane.domain.settings import Settings
from greenlane.policy.review import assess_review

MAKE_BENCH_TIMEOUT_S = 5_400
FACTS = Path(__file__).resolve().parent / "security_fixes.csv"
LAST, WANTED = 1_000, 100
MAX_FIX_FILES = 40
TUNING_ORDINARY = (
    "pallets/flask",
    "pallets/werkzeug",
    "pallets/click",
    "scrapy/scrapy",
    "jupyter-server/jupyter_server",
)
HELD_OUT_ORDINARY = (
    "aio-libs/aiohttp", "urllib3/urllib3", "psf/requests", "encode/httpx", "encode/django-rest-framework",
    "tornadoweb/tornado", "simonw/datasette", "wagtail/wagtail",
)  # fmt: skip
TUNING_FIXES = (
    "ikus060/rdiffweb", "matrix-org/sydent", "Pylons/waitress", "pallets/werkzeug", "jupyter-server/jupyter_server",
    "dpgaspar/Flask-AppBuilder", "IdentityPython/pysaml2", "bottlepy/bottle", "gitpython-developers/GitPython",
    "pallets/flask", "scrapy/scrapy", "andialbrecht/sqlparse", "jupyter/notebook", "django-helpdesk/django-helpdesk",
)  # fmt: skip
HELD_OUT_FIXES = (
    "wagtail/wagtail", "matrix-org/synapse", "modoboa/modoboa", "ipython/ipython", "OctoPrint/OctoPrint",
    "urllib3/urllib3", "vantage6/vantage6", "aio-libs/aiohttp", "twisted/twisted", "janeczku/calibre-web",
    "benbusby/whoogle-search", "cobbler/cobbler", "jupyterhub/oauthenticator", "psf/requests", "simonw/datasette",
    "tornadoweb/tornado",
)  # fmt: skip
_NO_FIX = re.compile(r"(^|/)(setup|_?_?version_?_?|_about|__about__)\.py$")
_VERSION_LINE = re.compile(r"^[+-]\s*(__version__|version|VERSION|release)\b.*=|^[+-]\s*(#.*)?$")
_BY_POLICY = {"schema_changes_detected": "schema", "new_service_integration": "integration",
              "breaking_api_contract": "api"}  # fmt: skip
_APART = frozenset({Category.SCHEMA, Category.INTEGRATION, Category.API})


class Judged(msgspec.Struct, frozen=True):
    """What Greenlane would have done with one case, and why. `by_risk` names triggers of risk and security."""

    case: Case
    by_risk: tuple[str, ...]
    by_policy: tuple[str, ...]
    incomplete: bool
    evidence: tuple[str, ...]


class Job(msgspec.Struct, frozen=True):
    place: Place
    cases: tuple[Case, ...]
    analyzers: tuple[str, ...]


def judge(case: Case, reading: Reading, settings: Settings) -> Judged:
    """The verdict of a review on what was read, its triggers told apart.

    Floors under the score would hide which kind of trigger asked, so the part of risk and security is judged by
    itself, without findings of schema, API and integration and without gaps.
    """
    own = msgspec.structs.replace(
        reading, findings=tuple(f for f in reading.findings if f.category not in _APART), skipped=()
    )
    whole, alone = (_triggers(r, settings) for r in (reading, own))
    return Judged(
        case=case,
        by_risk=tuple(sorted(alone)),
        by_policy=tuple(sorted(_BY_POLICY[t] for t in whole if t in _BY_POLICY)),
        incomplete="incomplete_analysis" in whole,
        evidence=tuple(e for lines in alone.values() for e in lines) or tuple(e for ls in whole.values() for e in ls),
    )


def _triggers(reading: Reading, settings: Settings) -> dict[str, tuple[str, ...]]:
    verdict = assess_review(
        risk_facts(reading, settings),
        paths=reading.paths, labels=(), services=reading.services, settings=settings,
    )  # fmt: skip
    return {t.rule: t.evidence for gate in verdict.gates for t in gate.triggers}


def work(job: Job) -> list[Judged]:
    """All cases of one repository; runs in a process of its own."""
    settings = project_settings(job.place.path, job.cases[0].base)
    readings = read_cases(job.place, job.cases, job.analyzers, settings)
    return [judge(c, r, settings) for c, r in zip(job.cases, readings, strict=True)]


def fixes_of(repositories: Sequence[str], found: dict[str, Path]) -> tuple[list[Case], Counter[str]]:
    """The fixes of these repositories turned around, and how many do not count, by reason."""
    excluded: Counter[str] = Counter()
    cases, seen = [], set()
    for row in csv.DictReader(FACTS.read_text(encoding="utf-8").splitlines()):
        clone = found.get(row["repository"])
        if row["repository"] not in repositories or clone is None:
            continue
        if not has_commit(clone, row["commit"]):
            excluded["not in the clone"] += 1
            continue
        parent = parent_of(clone, row["commit"])
        paths = [p for p in changed_paths(clone, parent, row["commit"]) if is_fixable(p)]
        patch = _python_patch(clone, parent, row["commit"], paths)
        if not patch:
            excluded["no Python of production"] += 1
        elif len(paths) > MAX_FIX_FILES:
            excluded["a release, not a fix"] += 1
        elif patch in seen:
            excluded["the same patch on another branch"] += 1
        else:
            seen.add(patch)
            cases.append(Case(row["repository"], row["commit"], parent, row["advisory"]))
    return cases, excluded


def is_fixable(path: str) -> bool:
    """Python that production runs, apart from packaging and version numbers."""
    return files.kind_of(path) is files.Kind.PYTHON and not files.is_support(path) and not _NO_FIX.search(path)


def _python_patch(clone: Path, base: str, head: str, paths: Sequence[str]) -> str:
    """A digest of what changes in these files, versions and comments apart; empty if nothing does."""
    if not paths:
        return ""
    argv = ["git", "-C", str(clone), "diff", "-U0", base, head, "--", *paths]
    text = subprocess.run(argv, capture_output=True, check=True).stdout.decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    counted = [line for line in lines if not _VERSION_LINE.match(line)]
    return hashlib.sha256("\n".join(counted).encode()).hexdigest() if counted else ""


def wilson(hits: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share in percent (Wilson 1927)."""
    if not of:
        return math.nan, math.nan
    p = hits / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    scale = 100 / (1 + z * z / of)
    return max(0.0, (middle - half) * scale), min(100.0, (middle + half) * scale)


def measure(bench: Bench) -> None:
    args = bench.args
    if args.repos is None:
        names = {*TUNING_ORDINARY, *HELD_OUT_ORDINARY, *TUNING_FIXES, *HELD_OUT_FIXES}
        bench.note("--repos DIR is needed: a folder of clones, fetched by\n" + clone_words(sorted(names), Path("DIR")))
        bench.goal("public repositories are at hand", "repositories", ">=", 1)
        return
    for side in ("tuning", "held-out") if args.side == "both" else (args.side,):
        ordinary, fixes = (TUNING_ORDINARY, TUNING_FIXES) if side == "tuning" else (HELD_OUT_ORDINARY, HELD_OUT_FIXES)
        _measure_side(bench, side.replace("-", "_"), ordinary, fixes)
    if args.side != "tuning":
        bench.goal("enough ordinary changes", "held_out_ordinary", ">=", 600)
        bench.goal("ordinary changes pass", "held_out_human_pct", "<=", 7)
        bench.goal("enough security fixes", "held_out_fixes", ">=", 60)
        bench.goal("security fixes turned around are stopped", "held_out_stopped_pct", ">=", 65)


def _measure_side(bench: Bench, side: str, ordinary: Sequence[str], fixes: Sequence[str]) -> None:
    args = bench.args
    names = [n for n in {*ordinary, *fixes} if not args.only or n in args.only]
    found = {name: clone for name in names if (clone := find_clone(args.repos, name))}
    missing = [name for name in names if name not in found]
    if missing:
        bench.note(f"{side}: not there, so not counted:\n{clone_words(missing, args.repos)}")
    wanted = 10 if bench.quick else args.each
    analyzers = tuple(args.analyzers or ANALYZERS)
    merged = [
        c for name in ordinary if name in found for c in merged_changes(name, found[name], last=LAST, wanted=wanted)
    ] if "ordinary" in args.parts else []  # fmt: skip
    turned, excluded = fixes_of(fixes, found) if "fixes" in args.parts else ([], Counter[str]())
    judged = _judge_all(bench, side, [*merged, *turned], found, analyzers)
    if merged:
        _report_ordinary(bench, side, [judged[c] for c in merged if c in judged])
    if turned:
        _report_fixes(bench, side, [judged[c] for c in turned if c in judged], excluded)


def _judge_all(
    bench: Bench, side: str, cases: Sequence[Case], found: dict[str, Path], analyzers: tuple[str, ...]
) -> dict[Case, Judged]:
    by_repository: dict[str, list[Case]] = {}
    for case in cases:
        by_repository.setdefault(case.repository, []).append(case)
    cache = str(Path(bench.args.cache).resolve())
    jobs = [
        Job(Place(name, str(found[name].resolve()), cache), tuple(part), analyzers)
        for name, own in by_repository.items()
        for part in (own[i : i + 50] for i in range(0, len(own), 50))
    ]
    judged: dict[Case, Judged] = {}
    with (
        bench.progress(f"{side} changes", total=len(cases)) as advance,
        ProcessPoolExecutor(max_workers=bench.args.at_once, max_tasks_per_child=1) as pool,
    ):
        for done in as_completed([pool.submit(work, job) for job in jobs]):
            for one in done.result():
                judged[one.case] = one
                advance()
    return judged


def _report_ordinary(bench: Bench, side: str, judged: Sequence[Judged]) -> None:
    total = len(judged)
    bench.figure(f"{side}_ordinary", total, f"ordinary merged changes of {_count_projects(judged)} projects")
    _share(bench, f"{side}_human", [j for j in judged if j.by_risk], total, "sent to a human by risk or security")
    for rule in ("risk_score", "security_finding", "secret_found", "rules_changed"):
        bench.figure(f"{side}_{rule}", sum(rule in j.by_risk for j in judged), f"of these: {rule}")
    for policy in ("schema", "api", "integration"):
        bench.figure(f"{side}_policy_{policy}", sum(policy in j.by_policy for j in judged), f"by policy: {policy}")
    bench.figure(f"{side}_incomplete", sum(j.incomplete for j in judged), "a part was not analysed")
    anything = sum(bool(j.by_risk or j.by_policy or j.incomplete) for j in judged)
    bench.figure(f"{side}_anything_pct", 100 * anything / total, "sent to a human for whatever reason, %")
    shares = {name: _percent(own) for name, own in _by_project(judged).items()}
    bench.bars(f"{side}: ordinary changes sent to a human by risk or security", shares, unit="%", limit=7)
    _show(bench, [j for j in judged if j.by_risk])


def _report_fixes(bench: Bench, side: str, judged: Sequence[Judged], excluded: Counter[str]) -> None:
    total = len(judged)
    words = f"security fixes turned around, of {_count_projects(judged)} projects"
    bench.figure(f"{side}_fixes", total, words)
    for reason, count in sorted(excluded.items()):
        bench.figure(f"{side}_fixes_excluded_{reason.split(',')[0].replace(' ', '_')}", count, f"left out: {reason}")
    _share(bench, f"{side}_stopped", [j for j in judged if j.by_risk], total, "of these stopped by risk or security")
    anything = sum(bool(j.by_risk or j.by_policy or j.incomplete) for j in judged)
    bench.figure(f"{side}_stopped_by_anything_pct", 100 * anything / total, "stopped for whatever reason, %")
    shares = {name: _percent(own) for name, own in _by_project(judged).items()}
    bench.bars(f"{side}: security fixes turned around, stopped by risk or security", shares, unit="%", limit=65)
    _show(bench, judged)


def _share(bench: Bench, name: str, hits: Sequence[Judged], total: int, words: str) -> None:
    low, high = wilson(len(hits), total)
    bench.figure(name, len(hits), words)
    bench.figure(f"{name}_pct", 100 * len(hits) / total, f"{words}, %")
    bench.figure(f"{name}_low_pct", low, "lower end of the 95 % interval")
    bench.figure(f"{name}_high_pct", high, "upper end of the 95 % interval")


def _by_project(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = {}
    for one in judged:
        found.setdefault(one.case.repository, []).append(one)
    return found


def _percent(judged: Sequence[Judged]) -> float:
    return 100 * sum(bool(j.by_risk) for j in judged) / len(judged)


def _count_projects(judged: Sequence[Judged]) -> int:
    return len(_by_project(judged))


def _show(bench: Bench, judged: Sequence[Judged]) -> None:
    if not bench.args.show:
        return
    for one in judged:
        words = "stopped" if one.by_risk else "MISSED"
        bench.console.print(
            f"{words} {one.case.repository} {one.case.base[:10]} {one.case.head[:10]} {one.case.label} "
            f"{','.join(one.by_risk)} | {','.join(one.by_policy)}{' incomplete' if one.incomplete else ''}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        for line in one.evidence[:6]:
            bench.console.print(f"    {line[:200]}", markup=False, highlight=False, soft_wrap=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repos", type=Path, metavar="DIR", help="the folder of clones; without it, how to get them")
    parser.add_argument("--cache", type=Path, metavar="DIR", default=OUT / "escalation", help="for trees and results")
    parser.add_argument("--side", choices=("tuning", "held-out", "both"), default="held-out")
    parser.add_argument("--parts", nargs="+", choices=("ordinary", "fixes"), default=("ordinary", "fixes"))
    parser.add_argument("--each", type=int, default=WANTED, help="ordinary changes of a project (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="OWNER/NAME", help="only these repositories")
    parser.add_argument("--analyzers", nargs="+", choices=tuple(ANALYZERS), help="only these analyzers")
    parser.add_argument("--at-once", type=int, default=2, help="repositories read at the same time")
    parser.add_argument("--show", action="store_true", help="every case that counts, with its evidence, on stderr")


if __name__ == "__main__":
    run("escalation", "Who is sent to a human: ordinary changes, and security fixes turned around", measure,
        arguments=add_arguments)  # fmt: skip
