"""What one change is scored by, whoever wrote the tests: people, Greenlane or Pynguin. For `bench/testgen.py`.

A line counts as closed, and a mutant as noticed, by tests that are steady: a test that fails now and then shows
nothing. What is finished is kept below `--cache`, by change and by a digest of the sources that it comes from.
"""

from __future__ import annotations

import asyncio
import hashlib
import resource
import tempfile
import time
from collections.abc import Container, Sequence
from pathlib import Path

import msgspec

import greenlane
from _harness import Bench, load_now
from _merged import Case, find_clone, parent_of
from _testgen_cases import Listed, Trees, lay_out, open_lines
from _testgen_projects import PROJECTS, Project
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
TRIAL_S, TRIALS = 300.0, 4
"""For all mutants of a change. A fault may take the process down that tries them, by its hunger for memory say: those
behind it are tried again, since a mutant that is not reached would count as noticed by nobody."""
PYNGUIN_S = (10, 60)
_SCORING = "2"
"""Changed with every change of how tests are scored: what was kept before is measured anew."""
_SEARCH = "1"
"""The same for how Pynguin is run."""
_MUTANTS = ("testgen/mutants.py", "testgen/inside/greenlane_mutants.py")
"""Which faults there are, and when a test has noticed one."""
_SOURCES = ("testgen", "suite", "policy/testing.py")
_NOT_USED = frozenset({"asked.py", "faults.py", "fixtures.py", "given.py", "program.py"})
"""Modules of the model's path and of other languages, without which results stay the same."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What one tool (or the people) reached on one change. `noticed` are numbers of mutants, `load` is that of the
    machine while the tests were made."""

    tests: int = 0
    lines_closed: int = 0
    noticed: tuple[int, ...] = ()
    steady: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    load: float = 0.0
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


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """The files (path, text) that Pynguin wrote, which nothing of ours changes; what it took, `load` while it did."""

    files: tuple[tuple[str, str], ...]
    seconds: float
    cpu_s: float
    load: float
    problem: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One change under all tools that were asked for. `people` are lines of tests that the change added."""

    change: Listed
    truth: Truth
    ours: Score | None = None
    pynguin: dict[int, Score] = {}
    people: int = 0

    def noticed(self, score: Score) -> int:
        return len(set(score.noticed) & set(self.truth.surviving))

    def share(self, score: Score) -> float:
        return score.lines_closed / len(self.truth.open)


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
            truth = await self._kept(change, "truth", _digest(_MUTANTS, scoring=""), Truth, place.truth)
            ours = None
            if "ours" in self.bench.args.tools:
                ours = await self._kept(change, "ours", _digest(_SOURCES), Score, lambda: place.ours(truth))
            scores = {}
            for seconds in PYNGUIN_S if pynguin and "pynguin" in self.bench.args.tools else ():
                assert pynguin is not None
                tool = Pynguin(self.sandbox, pynguin, self.python)
                found = await self._kept(
                    change, f"pynguin-{seconds}-search", _SEARCH, Searched,
                    lambda seconds=seconds, tool=tool: place.search(truth, tool, seconds),
                )  # fmt: skip
                scores[seconds] = await self._kept(
                    change, f"pynguin-{seconds}", _digest(_MUTANTS), Score,
                    lambda found=found: place.pynguin(truth, found),
                )  # fmt: skip
        return Outcome(change=change, truth=truth, ours=ours, pynguin=scores, people=trees.human_lines)

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
        if not (without.passed and whole.passed):
            raise RuntimeError(f"a suite that passed when it was chosen does not: {without.failing} {whole.failing}")
        gap = sorted(open_lines(without, self.trees.lines))
        still = open_lines(whole, self.trees.lines)
        noticed = await self._noticed(self.trees.withheld, without, ())
        own = {o.test for o in whole.outcomes if o.test.split("::")[0] in self.trees.human}
        by_people = await self._noticed(self.trees.whole, whole, (), only=own)
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

    async def search(self, truth: Truth, tool: Pynguin, seconds: int) -> Searched:
        used, started = _cpu_s(), time.monotonic()
        files: list[tuple[str, str]] = []
        problem = ""
        roots = import_roots(self.project.service, self.trees.withheld)
        for path in sorted({path for path, _ in truth.open}):
            content, problem = await tool.write(self.trees.withheld, roots, module_name(path, roots), seconds)
            if content:
                name = f"{self.project.tests}/test_pynguin_{Path(path).stem}.py"
                files.append((name, content.decode("utf-8", "replace")))
        return Searched(
            files=tuple(files), seconds=time.monotonic() - started, cpu_s=_cpu_s() - used, load=load_now(),
            problem=problem,
        )  # fmt: skip

    async def pynguin(self, truth: Truth, found: Searched) -> Score:
        files = tuple((name, text.encode()) for name, text in found.files)
        return await self.score(
            truth, files, found.seconds, found.cpu_s, problem=found.problem, load=found.load, reruns=PEER_RERUNS
        )

    async def score(
        self,
        truth: Truth,
        files: tuple[tuple[str, bytes], ...],
        seconds: float,
        cpu_s: float,
        problem: str,
        load: float | None = None,
        reruns: int = RERUNS,
    ) -> Score:
        load = load_now() if load is None else load
        if not files:
            return Score(seconds=seconds, cpu_s=cpu_s, load=load, problem=problem or "no test was written")
        names = tuple(path for path, _ in files)
        request = SuiteRequest(select=names, extra=files, measure=tuple(self.trees.lines))
        first = await self._run(self.trees.withheld, request)
        tests = {o.test for o in first.outcomes if o.when == "call"}
        steady = await self._steady(_green(first), files, reruns)
        noticed = await self._noticed(self.trees.withheld, first, files, only=steady)
        text = "\n".join(content.decode("utf-8", "replace") for _, content in files)
        return Score(
            tests=len(tests),
            lines_closed=sum(_ran(first, path, line, steady) for path, line in truth.open),
            noticed=tuple(sorted(noticed)),
            steady=len(steady),
            seconds=seconds,
            cpu_s=cpu_s,
            load=load,
            test_lines=len(text.splitlines()),
            text=text,
            problem=problem,
        )

    async def _steady(self, green: set[str], files: tuple[tuple[str, bytes], ...], reruns: int) -> set[str]:
        """Those that pass again and again: every time another process, hash seed and order. Only they are collected,
        so that a rerun costs a start of the interpreter."""
        names = tuple(path for path, _ in files)
        for number in range(0, reruns, TOGETHER):
            requests = [
                SuiteRequest(select=names, extra=files, hash_seed=seed + 1, shuffle=seed)
                for seed in range(number, number + TOGETHER)
            ]
            for again in await asyncio.gather(*(self._run(self.trees.withheld, request) for request in requests)):
                green &= _green(again)
        return green

    async def _run(self, tree: Path, request: SuiteRequest) -> SuiteRun:
        return await self.yard.runner.run(self.project.service, self.yard.python, tree, request)

    async def _noticed(
        self, tree: Path, ran: SuiteRun, files: tuple[tuple[str, bytes], ...], *, only: Container[str] | None = None
    ) -> frozenset[int]:
        """The mutants that the tests of this run (of these only) notice."""
        tests = [
            [
                t
                for t in sorted(ran.contexts.get(m.path, {}).get(m.line, frozenset()))
                if t and (only is None or t in only)
            ]
            for m in self.mutants
        ]
        scene = Scene(
            service=self.project.service, environment=self.yard.python, tree=tree, folder=self.project.tests,
            modules=frozenset(), measured=(),
        )  # fmt: skip
        killed: frozenset[int] = frozenset()
        left = {number for number, wanted in enumerate(tests) if wanted}
        for _ in range(TRIALS):
            asked = [wanted if number in left else [] for number, wanted in enumerate(tests)]
            trial = await self.yard.trials.run(scene, self.mutants, asked, extra=files, seconds=TRIAL_S)
            killed |= trial.killed
            left -= left & set(trial.tried) or {min(left, default=0)}  # the first took the process down at once
            if not left:
                break
        return killed


def _ran(run: SuiteRun, path: str, line: int, tests: set[str]) -> bool:
    """Whether one of these tests ran the line, or the import of their file."""
    return bool(run.contexts.get(path, {}).get(line, frozenset()) & (tests | {""})) and bool(tests)


def _green(run: SuiteRun) -> set[str]:
    """The tests that did not fail; Pynguin marks those that end in an error as expected to fail, which counts."""
    return {o.test for o in run.outcomes if o.when == "call" and (o.outcome == "passed" or o.xfail)} - set(run.failing)


def _cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime + own.ru_utime + own.ru_stime


def _digest(sources: Sequence[str], *, scoring: str = _SCORING) -> str:
    root = Path(greenlane.__file__).parent
    files = [f for name in sources for f in ([root / name] if (root / name).is_file() else (root / name).rglob("*.py"))]
    text = b"\0".join(f.read_bytes() for f in sorted(files) if f.name not in _NOT_USED)
    return hashlib.sha256(text + scoring.encode()).hexdigest()[:12]
