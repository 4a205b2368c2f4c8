"""The gates that a generated test has to pass: the facts are gathered here, the decision is `policy.testing`'s."""

from __future__ import annotations

import ast
import asyncio
import functools
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from greenlane.domain.settings import Settings
from greenlane.policy.testing import TestFacts, TestVerdict, assess_test
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.suite.report import TestOutcome
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner, import_roots
from greenlane.testgen.code import module_name
from greenlane.testgen.given import given_facts
from greenlane.testgen.harms import asserts_something
from greenlane.testgen.inputs import Script
from greenlane.testgen.mutants import Mutant, mutants_of
from greenlane.testgen.neighbours import Style
from greenlane.testgen.reading import parse_inside
from greenlane.testgen.render import WrittenCase, render_file
from greenlane.testgen.scene import Scene
from greenlane.testgen.targets import Gap, Lines, Target, Targets, ran_by
from greenlane.testgen.trial import Trials

_NO_FIXTURE = re.compile(r"fixture '(\w+)' not found")


class _Conditions(msgspec.Struct, frozen=True, kw_only=True):
    hash_seed: int = 0
    timezone: str = "UTC"
    reverse: bool = False
    shuffle: int | None = None


_AGAIN = (
    _Conditions(hash_seed=977, timezone="Pacific/Kiritimati", reverse=True),
    _Conditions(hash_seed=1, timezone="America/Anchorage", shuffle=1),
    _Conditions(hash_seed=42, timezone="Asia/Kathmandu", shuffle=2),
    _Conditions(hash_seed=31337, timezone="Europe/Zurich", shuffle=3),
)
"""Other hash seeds, time zones where it is tomorrow or still yesterday, and other orders. (The values themselves were
seen under a second seed and zone before: `Explorer.explore(again=True)`.)"""
_TRIAL_S = 30.0


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A test with what was found out about it; `covers` are the open lines that it ran, `reached` these and the open
    branches, `noticed` the mutants (by their keys) that it fails with."""

    test: WrittenCase
    facts: TestFacts
    verdict: TestVerdict
    covers: Lines = frozenset()
    reached: Targets = frozenset()
    noticed: frozenset[str] = frozenset()


class Gatekeeper:
    def __init__(self, runner: SuiteRunner, settings: Settings) -> None:
        self._runner = runner
        self._trials = Trials(runner)
        self._validation = settings.validation

    async def judge(
        self,
        scene: Scene,
        path: str,
        tests: Sequence[WrittenCase],
        style: Style,
        open_lines: Lines,
        gap: Gap | None = None,
    ) -> list[Judged]:
        """Every gate but the last (the whole suite), each test on its own. `gap` adds the open branches, and the
        mutants to try; without it, they are those of the open lines."""
        tops_of = functools.cache(functools.partial(imported_tops, scene.tree))
        facts = {test.name: _static_facts(test, scene, style, tops_of) for test in tests}
        sound = [test for test in tests if _is_sound(facts[test.name])]
        reached: dict[str, Targets] = {}
        noticed: dict[str, frozenset[str]] = {}
        if sound:
            content = render_file(sound, style).encode()
            strange = any(test.given or _script_of(test) for test in sound)  # a plain call changes no file
            first, *again = await asyncio.gather(
                self._run(scene, path, content, measure=scene.measured, branches=gap is not None, guarded=strange),
                *(self._run(scene, path, content, under=under) for under in _AGAIN),
            )
            harms = tuple(f"changes the project's file {name}" for name in first.disturbed)
            named = any(test.fixtures for test in sound)
            plan = await self._run(scene, path, content, options=("--setup-plan",)) if named else None
            for test in sound:
                reached[test.name] = _covered(first, path, test.name, open_lines, gap)
                facts[test.name] = msgspec.structs.replace(
                    facts[test.name],
                    harms=harms,
                    missing_fixtures=_missing_fixtures(plan, path, test.name) if plan else (),
                    executed=bool(_outcomes(first, path, test.name)),
                    failure=_failure(first, path, test.name),
                    failure_again=next((f for run in again if (f := _failure(run, path, test.name))), ""),
                    new_lines=len(reached[test.name]),
                    suite_failures=(),  # looked at for all of them together, later
                )
            passing = [t for t in sound if not facts[t.name].failure and not facts[t.name].failure_again]
            mutants = gap.mutants if gap is not None else await asyncio.to_thread(_mutants, scene, open_lines)
            noticed = await self._try_mutants(scene, path, passing, content, mutants, first, facts)
            for name in noticed if gap is not None else ():  # those of a gap are the ones that nobody notices yet
                facts[name] = msgspec.structs.replace(facts[name], new_faults=len(noticed[name]))
        return [
            Judged(
                test=test,
                facts=facts[test.name],
                verdict=assess_test(facts[test.name], fixture_validation=self._validation.fixture_validation),
                covers=frozenset((t[0], t[1]) for t in reached.get(test.name, frozenset()) if len(t) == 2),
                reached=reached.get(test.name, frozenset()),
                noticed=noticed.get(test.name, frozenset()),
            )
            for test in tests
        ]

    async def _try_mutants(
        self,
        scene: Scene,
        path: str,
        tests: Sequence[WrittenCase],
        content: bytes,
        mutants: Sequence[Mutant],
        ran: SuiteRun,
        facts: dict[str, TestFacts],
    ) -> dict[str, frozenset[str]]:
        """Which mutants each test notices, by its name; writes how many into its facts."""
        passing = {test.name for test in tests}
        nodes: list[list[str]] = []
        for mutant in mutants:
            on_line = sorted(ran.contexts.get(mutant.path, {}).get(mutant.line, frozenset()))
            nodes.append([node for node in on_line if _name_of(node, path) in passing])
        trial = await self._trials.run(scene, mutants, nodes, extra=((path, content),), every=True, seconds=_TRIAL_S)
        noticed: dict[str, set[str]] = {name: set() for name in passing}
        noticeable = dict.fromkeys(passing, 0)
        for number, tried in trial.tried.items():
            if tried.kind == "absent":
                continue
            names = {_name_of(node, path) for node in nodes[number] if node not in trial.failing}
            failing = {_name_of(node, path) for node in tried.tests} or (names if tried.killed else set())
            for name in names & passing:
                noticeable[name] += 1
                if name in failing:
                    noticed[name].add(mutants[number].key)
        for name in passing:
            facts[name] = msgspec.structs.replace(facts[name], noticed=len(noticed[name]), noticeable=noticeable[name])
        return {name: frozenset(keys) for name, keys in noticed.items()}

    async def _run(
        self,
        scene: Scene,
        path: str,
        content: bytes,
        *,
        measure: tuple[str, ...] = (),
        branches: bool = False,
        options: tuple[str, ...] = (),
        guarded: bool = False,
        under: _Conditions = _Conditions(),  # noqa: B008 - frozen
    ) -> SuiteRun:
        request = SuiteRequest(
            select=(path,),
            extra=((path, content),),
            measure=measure,
            branches=branches,
            options=options,
            hash_seed=under.hash_seed,
            timezone=under.timezone,
            reverse=under.reverse,
            shuffle=under.shuffle,
            guard_tree=guarded,
        )
        return await self._runner.run(scene.service, scene.environment, scene.tree, request)


def is_of(outcome: TestOutcome, path: str, name: str) -> bool:
    """Whether an outcome is of this generated test (any of its parameters)."""
    file, _, rest = outcome.test.partition("::")
    return file == path and rest.split("::")[-1].split("[")[0] == name


def _outcomes(run: SuiteRun, path: str, name: str) -> list[TestOutcome]:
    return [outcome for outcome in run.outcomes if is_of(outcome, path, name)]


def _failure(run: SuiteRun, path: str, name: str) -> str:
    """Why it did not plainly pass; empty if it did. A skipped test shows nothing and counts as failed."""
    if run.doubts:
        return run.doubts[0]
    outcomes = _outcomes(run, path, name)
    if not outcomes:
        collecting = [o.detail for o in run.outcomes if o.when == "collect" and o.test.startswith(path)]
        return (collecting or ["the run ended before it"])[0]
    wrong = [o for o in outcomes if o.outcome != "passed" or o.xfail]
    return (wrong[0].detail or wrong[0].outcome) if wrong else ""


def _missing_fixtures(run: SuiteRun, path: str, name: str) -> tuple[str, ...]:
    details = "\n".join(o.detail for o in _outcomes(run, path, name) if o.outcome == "failed")
    return tuple(dict.fromkeys(_NO_FIXTURE.findall(details)))


def _covered(run: SuiteRun, path: str, name: str, open_lines: Lines, gap: Gap | None) -> Targets:
    found: set[Target] = set()
    for file, lines in run.contexts.items():
        for line, tests in lines.items():
            if (file, line) in open_lines and any(_name_of(test, path) == name for test in tests):
                found.add((file, line))
    if gap is not None:
        ran = ran_by(run, gap)
        found |= {t for test, targets in ran.items() if _name_of(test, path) == name for t in targets}
    return frozenset(found)


def _name_of(node: str, path: str) -> str:
    """The function's name of a node of this file; empty for any other."""
    file, _, rest = node.partition("::")
    return rest.split("::")[-1].split("[")[0] if file == path else ""


def _mutants(scene: Scene, open_lines: Lines) -> tuple[Mutant, ...]:
    """Mutants of these lines, read from the tree; none of a file that can't be read."""
    roots = import_roots(scene.service, scene.tree)
    found: list[Mutant] = []
    for path in sorted({path for path, _ in open_lines}):
        try:
            tree = parse_source((scene.tree / path).read_text(encoding="utf-8-sig"))
        except (UnreadableSourceError, UnicodeDecodeError, OSError):
            continue
        lines = frozenset(line for file, line in open_lines if file == path)
        found += mutants_of(tree, path, module_name(path, roots), lines)
    return tuple(found)


def _is_sound(facts: TestFacts) -> bool:
    """Whether its text allows it to be run."""
    return bool(facts.parses and facts.asserts) and facts.foreign_imports == () and facts.harms == ()


def _static_facts(test: WrittenCase, scene: Scene, style: Style, tops_of: Callable[[str], frozenset[str]]) -> TestFacts:
    """`tops_of` says what a file imports itself."""
    if test.given is not None:
        return given_facts(test.name, test.given, scene.modules)
    text = render_file([test], style)
    try:
        tree = parse_source(text)
    except UnreadableSourceError:
        return TestFacts(parses=False)
    return TestFacts(
        parses=True,
        foreign_imports=tuple(sorted(set(_foreign(tree, scene.modules | _tops(test) | tops_of(_path_of(test)))))),
        harms=(),
        asserts=asserts_something(tree),
    )


def _script_of(test: WrittenCase) -> Script | None:
    return test.chosen.calls[0].case.script if test.chosen.calls else None


def _tops(test: WrittenCase) -> frozenset[str]:
    """What a test of the project imports itself is there for another of them."""
    script = _script_of(test)
    return frozenset(module.split(".")[0].split(" ")[0] for module, _ in script.imports) if script else frozenset()


def _path_of(test: WrittenCase) -> str:
    return test.chosen.calls[0].case.entry.path


def imported_tops(tree: Path, path: str) -> frozenset[str]:
    """What the file under test imports itself, a test of it may import, too: the errors of a library are its errors."""
    parsed = parse_inside(tree, tree / path)
    found: set[str] = set()
    for node in ast.walk(parsed) if parsed is not None else ():
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def _foreign(tree: ast.Module, modules: frozenset[str]) -> Iterable[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "." * node.level]
        for name in names:
            top = name.split(".")[0]
            if top not in modules and top != "pytest" and top not in sys.stdlib_module_names:
                yield name
