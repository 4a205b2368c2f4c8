"""Generated tests on real merged changes: the source change is applied, the tests that people wrote are withheld.

For each change of `testgen_changes.csv` (chosen by `_testgen_cases.py`): which of its lines no test runs any more, how
many of them the generated tests run, whether the kept tests pass again and again under random orders, and which
mutants of the changed lines they notice, beside the withheld human tests and, with `--pynguin PYTHON`, beside Pynguin.
Only lines and mutants that the remaining suite leaves open count. The changes are split: on `develop` the generator
was developed, the goals are held against `report`.

`--repos DIR` holds clones (without it, how to get them), `--python` is an interpreter that has what their suites
import. Results are kept below `--cache`, by change and by a digest of the sources that they come from.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import resource
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

import greenlane
from _harness import Bench, run
from _merged import Case, clone_words, find_clone, parent_of
from _testgen_cases import PACKAGES, PROJECTS, Listed, Project, Trees, environment_of, lay_out, open_lines, read_list
from _testgen_pynguin import Pynguin
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.suite.lines import parse_source
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner, import_roots
from greenlane.testgen import TestGenerator
from greenlane.testgen.code import module_name
from greenlane.testgen.mutants import Mutant, mutants_of
from greenlane.testgen.scene import Scene
from greenlane.testgen.trial import Trials

RERUNS, PEER_RERUNS, TOGETHER = 20, 4, 2
TRIAL_S = 60.0
SIDES = ("report", "develop")
PYNGUIN_S = (10, 60)
TOOLS = ("ours", "pynguin")
PYNGUIN = "pynguin==0.48.0 pytest"
_SOURCES = ("testgen", "suite", "policy/testing.py")
_NOT_USED = frozenset({"asked.py", "faults.py", "fixtures.py", "given.py", "harms.py", "program.py"})
"""Modules of the model's path and of other languages, without which results stay the same."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What one tool (or the people) reached on one change. `noticed` are numbers of mutants."""

    tests: int = 0
    lines_closed: int = 0
    noticed: tuple[int, ...] = ()
    steady: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    test_lines: int = 0
    text: str = ""
    problem: str = ""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for every tool: the open lines, the mutants, and those that no remaining test notices."""

    lines: int
    open: tuple[tuple[str, int], ...]
    mutants: int
    surviving: tuple[int, ...]
    human: Score


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    change: Listed
    truth: Truth
    ours: Score
    pynguin: dict[int, Score] = {}

    def noticed(self, score: Score) -> int:
        return len(set(score.noticed) & set(self.truth.surviving))

    @property
    def share(self) -> float:
        return self.ours.lines_closed / len(self.truth.open)


class Yard:
    """Where the changes are tried."""

    def __init__(self, bench: Bench, repos: Path, python: PythonEnvironment, cache: Path) -> None:
        self.settings = Settings()
        self.sandbox = choose_sandbox()
        self.runner = SuiteRunner(self.sandbox, self.settings)
        self.trials = Trials(self.runner)
        self.bench, self.repos, self.python, self.cache = bench, repos, python, cache

    async def look_at(self, change: Listed, pynguin: Path | None) -> Outcome:
        project = next(p for p in PROJECTS if p.repository == change.repository)
        clone = find_clone(self.repos, change.repository)
        assert clone is not None
        case = Case(change.repository, parent_of(clone, change.commit), change.commit)
        with tempfile.TemporaryDirectory(prefix="greenlane-testgen-") as work:
            trees = await asyncio.to_thread(lay_out, project, clone, case, Path(work).resolve())
            place = Place(self, project, trees)
            truth = await self._kept(
                change,
                "truth",
                _digest(("testgen/mutants.py", "testgen/trial.py", "testgen/inside/greenlane_mutants.py")),
                Truth,
                place.truth,
            )
            ours = Score()
            if "ours" in self.bench.args.tools:
                ours = await self._kept(change, "ours", _digest(_SOURCES), Score, lambda: place.ours(truth))
            scores = {}
            for seconds in PYNGUIN_S if pynguin and "pynguin" in self.bench.args.tools else ():
                assert pynguin is not None
                tool = Pynguin(self.sandbox, pynguin, self.python)
                scores[seconds] = await self._kept(
                    change, f"pynguin-{seconds}", _digest(("testgen/mutants.py",)), Score,
                    lambda seconds=seconds, tool=tool: place.pynguin(truth, tool, seconds),
                )  # fmt: skip
        return Outcome(change=change, truth=truth, ours=ours, pynguin=scores)

    async def _kept(self, change, what, digest, kind, make):  # type: ignore[no-untyped-def]  # what `make` gives
        path = self.cache / f"{change.repository.replace('/', '+')}-{change.commit[:10]}-{what}-{digest}.json"
        if path.is_file():
            return msgspec.json.decode(path.read_bytes(), type=kind)
        made = await make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(made))
        return made


class Place:
    """One change, laid out."""

    def __init__(self, yard: Yard, project: Project, trees: Trees) -> None:
        self.yard, self.project, self.trees = yard, project, trees
        roots = import_roots(project.service, trees.withheld)
        self.mutants: list[Mutant] = []
        for path, lines in sorted(trees.lines.items()):
            tree = parse_source((trees.withheld / path).read_text(encoding="utf-8"))
            self.mutants += mutants_of(tree, path, module_name(path, roots), lines)

    async def truth(self) -> Truth:
        measured = tuple(self.trees.lines)
        without = await self._run(self.trees.withheld, SuiteRequest(measure=measured))
        whole = await self._run(self.trees.whole, SuiteRequest(measure=measured))
        gap = sorted(open_lines(without, self.trees.lines))
        still = open_lines(whole, self.trees.lines)
        noticed = await self._noticed(self.trees.withheld, without, ())
        by_people = await self._noticed(self.trees.whole, whole, (), only=self.trees.human)
        own = {o.test for o in whole.outcomes if o.test.split("::")[0] in self.trees.human}
        return Truth(
            lines=sum(map(len, self.trees.lines.values())),
            open=tuple(gap),
            mutants=len(self.mutants),
            surviving=tuple(n for n in range(len(self.mutants)) if n not in noticed),
            human=Score(
                tests=len(own - {o.test for o in without.outcomes}),
                lines_closed=len(set(gap) - still),
                noticed=tuple(sorted(by_people)),
            ),
        )

    async def ours(self, truth: Truth) -> Score:
        service, tree = self.project.service, self.trees.withheld
        used, started = _cpu_s(), time.monotonic()
        baseline = await self._run(tree, SuiteRequest(measure=tuple(self.trees.lines), branches=True))
        gaps: dict[str, frozenset[int]] = {}
        for path, line in open_lines(baseline, self.trees.lines):
            gaps[path] = gaps.get(path, frozenset()) | {line}
        generator = TestGenerator(self.yard.sandbox, self.yard.settings)
        made = await generator.generate(service, self.yard.python, tree, gaps, baseline, self.trees.lines)
        seconds, cpu_s = time.monotonic() - started, _cpu_s() - used
        files = tuple((f.path, f.content) for f in made.files)
        dropped = "\n".join(f"{d.name}: {d.reason}" for d in made.dropped)
        return await self.score(truth, files, seconds, cpu_s, problem=dropped)

    async def pynguin(self, truth: Truth, tool: Pynguin, seconds: int) -> Score:
        used, started = _cpu_s(), time.monotonic()
        files: list[tuple[str, bytes]] = []
        problem = ""
        roots = import_roots(self.project.service, self.trees.withheld)
        for path in sorted({path for path, _ in truth.open}):
            content, problem = await tool.write(self.trees.withheld, roots, module_name(path, roots), seconds)
            if content:
                files.append((f"{self.project.tests}/test_pynguin_{Path(path).stem}.py", content))
        took, cpu_s = time.monotonic() - started, _cpu_s() - used
        return await self.score(truth, tuple(files), took, cpu_s, problem=problem, reruns=PEER_RERUNS)

    async def score(
        self,
        truth: Truth,
        files: tuple[tuple[str, bytes], ...],
        seconds: float,
        cpu_s: float,
        problem: str,
        reruns: int = RERUNS,
    ) -> Score:
        if not files:
            return Score(seconds=seconds, cpu_s=cpu_s, problem=problem or "no test was written")
        names = tuple(path for path, _ in files)
        request = SuiteRequest(select=names, extra=files, measure=tuple(self.trees.lines))
        first = await self._run(self.trees.withheld, request)
        steady = _green(first)
        tests = {o.test for o in first.outcomes if o.when == "call"}
        for number in range(0, reruns, TOGETHER):
            requests = [
                SuiteRequest(select=names, extra=files, hash_seed=seed + 1, shuffle=seed)
                for seed in range(number, number + TOGETHER)
            ]
            for again in await asyncio.gather(*(self._run(self.trees.withheld, request) for request in requests)):
                steady &= _green(again)
        noticed = await self._noticed(self.trees.withheld, first, files)
        text = "\n".join(content.decode("utf-8", "replace") for _, content in files)
        return Score(
            tests=len(tests),
            lines_closed=len(set(truth.open) - open_lines(first, self.trees.lines)),
            noticed=tuple(sorted(noticed)),
            steady=len(steady),
            seconds=seconds,
            cpu_s=cpu_s,
            test_lines=len(text.splitlines()),
            text=text,
            problem=problem,
        )

    async def _run(self, tree: Path, request: SuiteRequest) -> SuiteRun:
        return await self.yard.runner.run(self.project.service, self.yard.python, tree, request)

    async def _noticed(
        self, tree: Path, ran: SuiteRun, files: tuple[tuple[str, bytes], ...], *, only: Iterable[str] | None = None
    ) -> frozenset[int]:
        """The mutants that the tests of this run (of these files only) notice."""
        wanted = None if only is None else set(only)
        tests = [
            [
                t
                for t in sorted(ran.contexts.get(m.path, {}).get(m.line, frozenset()))
                if t and (wanted is None or t.split("::")[0] in wanted)
            ]
            for m in self.mutants
        ]
        scene = Scene(
            service=self.project.service, environment=self.yard.python, tree=tree, folder=self.project.tests,
            modules=frozenset(), measured=(),
        )  # fmt: skip
        trial = await self.yard.trials.run(scene, self.mutants, tests, extra=files, seconds=TRIAL_S)
        return trial.killed


def _green(run: SuiteRun) -> set[str]:
    """The tests that did not fail; Pynguin marks those that end in an error as expected to fail, which counts."""
    return {o.test for o in run.outcomes if o.when == "call" and (o.outcome == "passed" or o.xfail)} - set(run.failing)


def _cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime + own.ru_utime + own.ru_stime


def _digest(sources: Sequence[str]) -> str:
    root = Path(greenlane.__file__).parent
    files = [f for name in sources for f in ([root / name] if (root / name).is_file() else (root / name).rglob("*.py"))]
    text = b"\0".join(f.read_bytes() for f in sorted(files) if f.name not in _NOT_USED)
    return hashlib.sha256(text).hexdigest()[:12]


# ------------------------------------------------------------------ the figures


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repos", type=Path, metavar="DIR", help="the folder of clones; without it, how to get them")
    parser.add_argument("--python", type=Path, metavar="PYTHON", help="an interpreter with the projects' dependencies")
    parser.add_argument("--pynguin", type=Path, metavar="PYTHON", help="an interpreter that has Pynguin")
    parser.add_argument("--cache", type=Path, default=Path("bench/out/testgen"), help="where results are kept")
    parser.add_argument("--side", choices=SIDES, help="this half of the changes only")
    parser.add_argument("--tools", nargs="*", choices=TOOLS, default=TOOLS, help="run these only")
    parser.add_argument("--only", default="", help="changes whose repository or commit holds this text")


async def measure(bench: Bench) -> None:
    args = bench.args
    listed = [c for c in read_list() if args.side in (None, c.side) and args.only in f"{c.repository} {c.commit}"]
    missing = [p.repository for p in PROJECTS if args.repos is None or find_clone(args.repos, p.repository) is None]
    if missing or args.python is None:
        bench.note(clone_words(missing, args.repos or Path("DIR")))
        bench.note(f"python3.11 -m venv ENV && ENV/bin/pip install {PACKAGES}   # then --python ENV/bin/python")
        bench.note(f"python3.11 -m venv PEER && PEER/bin/pip install {PYNGUIN}   # then --pynguin PEER/bin/python")
        return
    if bench.quick:
        listed = listed[:4]
    yard = Yard(bench, args.repos, environment_of(args.python), args.cache)
    outcomes = []
    with bench.progress("changes", total=len(listed)) as advance:
        for change in listed:
            outcome = await yard.look_at(change, args.pynguin)
            outcomes.append(outcome)
            bench.note(_sentence(outcome))
            advance()
    for side in SIDES:
        chosen = [o for o in outcomes if o.change.side == side]
        if chosen:
            _figures(bench, side, chosen)
    _goals(bench)


def _sentence(outcome: Outcome) -> str:
    truth, ours, human = outcome.truth, outcome.ours, outcome.truth.human
    said = (
        f"{outcome.change.side} {outcome.change.repository} {outcome.change.commit[:10]}: "
        f"lines {ours.lines_closed} of {len(truth.open)} (people {human.lines_closed}); "
        f"mutants {outcome.noticed(ours)} of {len(truth.surviving)} (people {outcome.noticed(human)}); "
        f"{ours.steady} of {ours.tests} tests steady; {ours.seconds:.0f} s, {ours.cpu_s:.0f} s of CPU"
    )
    for seconds, score in outcome.pynguin.items():
        said += f"; Pynguin {seconds} s: {score.lines_closed} lines, {outcome.noticed(score)} mutants, "
        said += f"{score.steady} of {score.tests} steady, {score.test_lines} lines of tests, {score.seconds:.0f} s"
    return said


def _figures(bench: Bench, side: str, outcomes: Sequence[Outcome]) -> None:
    ours = [o.ours for o in outcomes]
    tests, steady = sum(s.tests for s in ours), sum(s.steady for s in ours)
    people = sum(o.noticed(o.truth.human) for o in outcomes)
    noticed = sum(o.noticed(o.ours) for o in outcomes)
    bench.figure(f"{side}_changes", len(outcomes), f"changes ({side} side)")
    bench.figure(f"{side}_projects", len({o.change.repository for o in outcomes}), "projects that they are from")
    share, seconds = statistics.median(o.share for o in outcomes), statistics.median(s.seconds for s in ours)
    bench.figure(f"{side}_lines_share", share, "open changed lines closed, median change")
    total = sum(len(o.truth.open) for o in outcomes)
    bench.figure(f"{side}_lines_pooled", sum(s.lines_closed for s in ours) / total, "the same over all lines together")
    bench.figure(f"{side}_people_lines_pooled", sum(o.truth.human.lines_closed for o in outcomes) / total, "people's")
    bench.figure(f"{side}_tests", tests, "tests kept")
    bench.figure(
        f"{side}_steady_share", steady / tests if tests else None, f"of them pass {RERUNS} times in random order"
    )
    bench.figure(f"{side}_mutants_ratio", noticed / people if people else None, "open mutants noticed: ours / people's")
    bench.figure(f"{side}_mutants_ours", noticed, "open mutants that ours notice")
    bench.figure(f"{side}_mutants_people", people, "open mutants that the withheld human tests notice")
    bench.figure(f"{side}_seconds", seconds, "seconds, median change, the suite's run included")
    bench.figure(f"{side}_cpu_s", statistics.median(s.cpu_s for s in ours), "seconds of CPU, median change")
    for search_s in sorted({s for o in outcomes for s in o.pynguin}):
        _peer(bench, f"{side}_pynguin{search_s}", [o for o in outcomes if search_s in o.pynguin], search_s)


def _peer(bench: Bench, name: str, outcomes: Sequence[Outcome], seconds: int) -> None:
    scores = [o.pynguin[seconds] for o in outcomes]
    shares = [s.lines_closed / len(o.truth.open) for o, s in zip(outcomes, scores, strict=True)]
    people = sum(o.noticed(o.truth.human) for o in outcomes)
    tests = sum(s.tests for s in scores)
    words = f"Pynguin, {seconds} s of search: "
    bench.figure(f"{name}_lines_share", statistics.median(shares), words + "open changed lines closed, median change")
    bench.figure(f"{name}_files", sum(bool(s.text) for s in scores), words + "changes for which it wrote a file")
    bench.figure(
        f"{name}_steady_share",
        sum(s.steady for s in scores) / tests if tests else None,
        words + f"of its tests pass {PEER_RERUNS} times",
    )
    noticed = sum(o.noticed(s) for o, s in zip(outcomes, scores, strict=True))
    bench.figure(f"{name}_mutants_ratio", noticed / people if people else None, words + "mutants noticed / people's")
    bench.figure(f"{name}_seconds", statistics.median(s.seconds for s in scores), words + "seconds, median change")


def _goals(bench: Bench) -> None:
    bench.goal("at least 10 changes on the report side", "report_changes", ">=", 10)
    bench.goal("80 % of the open lines in the median change", "report_lines_share", ">=", 0.8)
    bench.goal("90 % of kept tests are steady", "report_steady_share", ">=", 0.9)
    bench.goal("0.9 of the mutants that people's tests notice", "report_mutants_ratio", ">=", 0.9)
    bench.goal("median under 60 s", "report_seconds", "<", 60)


if __name__ == "__main__":
    run("testgen", "Generated tests on merged changes whose human tests are withheld", measure, arguments=add)
