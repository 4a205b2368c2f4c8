"""`TestGenerator`: from open lines to test files that passed every gate. Called by the test agent.

The steps: *carve* the calls that existing tests make, *vary* them, *explore* what comes of each, *choose* the fewest
that reach the open lines, *render* them like the neighbours' tests, *judge* each on its own, and run the whole suite
with what is left. Everything is run in the sandbox; everything is the same on each run with the same inputs.
"""

from __future__ import annotations

import ast
import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from greenlane.domain.events import DroppedTest, WrittenTest
from greenlane.domain.settings import Service, Settings
from greenlane.policy.testing import assess_test
from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner, import_roots
from greenlane.testgen.choose import Chosen, Lines, choose_tests, differing, is_tellable, reached
from greenlane.testgen.code import (
    Function,
    Guard,
    enclosing,
    entries_of,
    guards_of,
    list_constructors,
    list_functions,
    module_name,
)
from greenlane.testgen.explore import Explorer, Observed, Scene
from greenlane.testgen.gates import Gatekeeper, Judged, is_of
from greenlane.testgen.inputs import CarvedCall, Case, Constructors, made_receivers, seed_cases, vary
from greenlane.testgen.naming import describe_condition, describe_outcome, describe_test, name_test
from greenlane.testgen.neighbours import Style, free_path, read_style
from greenlane.testgen.render import WrittenCase, render_file

_ROUNDS = 4
_CASES_A_ROUND = 480
_SEEDS = 8
_FEWEST_VARIATIONS, _MOST_VARIATIONS = 12, 120
_BASES_A_LINE = 3
_BASES_A_ROUND = 24
_BUDGET_S = 120.0
"""After this long no further round of exploring is begun."""
_MAX_TESTS = 12
_MAX_SUITE_RUNS = 4


class GeneratedFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    content: bytes


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `suite` is the last run of the whole suite with the kept files in it (None: nothing kept)."""

    files: tuple[GeneratedFile, ...] = ()
    written: tuple[WrittenTest, ...] = ()
    dropped: tuple[DroppedTest, ...] = ()
    suite: SuiteRun | None = None


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """A changed file: its parsed text, the lines that are open, the functions to call, best first."""

    path: str
    module: str
    tree: ast.Module
    open_lines: Lines
    entries: tuple[tuple[int, Function], ...]
    functions: tuple[Function, ...]
    constructors: Constructors


class _Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the making."""

    path: str
    style: Style
    kept: tuple[Judged, ...]


class TestGenerator:
    __test__ = False

    def __init__(self, sandbox: Sandbox, settings: Settings) -> None:
        self._settings = settings
        self._runner = SuiteRunner(sandbox, settings)
        self._explorer = Explorer(self._runner)
        self._gates = Gatekeeper(self._runner, settings)

    async def generate(
        self,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        gaps: Mapping[str, frozenset[int]],
        baseline: SuiteRun,
    ) -> Generation:
        """Tests for the open lines of `gaps` (by path). `baseline` is a measured run of the suite as it stands."""
        started = time.monotonic()
        drafts: list[_Draft] = []
        dropped: list[DroppedTest] = []
        for path, lines in sorted(gaps.items()):
            source = await asyncio.to_thread(_read_source, service, tree, path, lines)  # parsing takes its time
            if source is None or not source.entries:
                continue
            style = read_style(service, tree, path, source.module)
            scene = Scene(
                service=service,
                environment=environment,
                tree=tree,
                folder="" if style.folder == "." else style.folder,
                modules=project_modules(service, tree),
                measured=tuple(sorted(gaps)),
            )
            draft, lost = await self._write_file(scene, source, style, baseline, started)
            dropped += lost
            drafts += [draft] if draft.kept else []
        return await self._with_suite(service, environment, tree, drafts, dropped, baseline, tuple(sorted(gaps)))

    async def finish(
        self,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        kept: Sequence[tuple[str, Style, tuple[Judged, ...]]],
        dropped: Sequence[DroppedTest],
        baseline: SuiteRun,
        measured: tuple[str, ...],
    ) -> Generation:
        """The last gate (the whole suite) for tests that passed all others: by file, its style and its tests."""
        drafts = [_Draft(path=path, style=style, kept=tests) for path, style, tests in kept]
        return await self._with_suite(service, environment, tree, drafts, [*dropped], baseline, measured)

    # -------------------------------------------------------------- one file

    async def _write_file(
        self, scene: Scene, source: _Source, style: Style, baseline: SuiteRun, started: float
    ) -> tuple[_Draft, list[DroppedTest]]:
        observed = await self._observe(scene, source, style, baseline, started)
        path = free_path(scene.tree, style, source.module)
        taken: set[str] = set()
        kept: list[Judged] = []
        failed: dict[str, Judged] = {}
        left, banned = source.open_lines, set[str]()
        for attempt in range(self._settings.validation.max_retry_passes + 1):
            candidates = [o for o in observed if o.case.key not in banned]
            candidates, unstable = await self._stable(scene, candidates, left)
            banned |= unstable
            chosen = choose_tests(candidates, left)[:_MAX_TESTS]
            if not chosen:
                break
            tests = [_name(choice, source, taken) for choice in chosen]
            judged = await self._gates.judge(scene, path, tests, style, left)
            kept += [j for j in judged if j.verdict.keep]
            failed |= {j.test.name: j for j in judged if not j.verdict.keep}
            banned |= {o.case.key for j in judged if not j.verdict.keep for o in j.test.chosen.calls}
            left -= frozenset(line for j in kept for line in j.covers)
            if not left or attempt == self._settings.validation.max_retry_passes:
                break
        lost = [DroppedTest(name=name, reason=judged.verdict.reason) for name, judged in failed.items()]
        return _Draft(path=path, style=style, kept=tuple(kept)), lost

    async def _observe(
        self, scene: Scene, source: _Source, style: Style, baseline: SuiteRun, started: float
    ) -> list[Observed]:
        """Rounds of exploring: from the calls that tests make, then from those that came nearest to an open line."""
        functions = [function for _, function in source.entries]
        owners = {function.owner for function in functions} - {None}
        functions += [f for f in source.functions if f.owner in owners and f not in functions]  # for their receivers
        calls = await self._explorer.carve(scene, functions, _tests_of(functions, baseline))
        cases = self._first_round(source, style, calls)
        observed: list[Observed] = []
        tried: set[str] = set()
        varied = {case.key for case in cases if case.carved}
        for _ in range(_ROUNDS):
            fresh = [case for case in cases if case.key not in tried][:_CASES_A_ROUND]
            tried |= {case.key for case in fresh}
            observed += await self._explorer.explore(scene, fresh)
            left = source.open_lines - frozenset(
                p for o in observed if is_tellable(o) for p in reached(o, source.open_lines)
            )
            if not left or time.monotonic() - started > _BUDGET_S:
                break
            bases = _nearest(observed, source.tree, left, varied)
            share = _CASES_A_ROUND // max(len(bases), 1)
            cases = [v for o in bases for v in vary(o.case, min(share, _MOST_VARIATIONS), source.constructors)]
        return observed

    def _first_round(self, source: _Source, style: Style, calls: Sequence[CarvedCall]) -> list[Case]:
        cases: list[Case] = []
        share = _CASES_A_ROUND // max(len(source.entries), 1)
        for rank, entry in source.entries:
            own = _calls_of([entry], calls)
            siblings = [f for f in source.functions if f.owner == entry.owner and f.kind == "method"]
            receivers = made_receivers(entry, _calls_of(siblings, calls), source.constructors)
            seeds = seed_cases(entry, own, rank, _SEEDS if own else share // 4, receivers)
            if style.form == "unittest":
                seeds = [seed for seed in seeds if not seed.fixtures]
            limit = max(share // max(len(seeds), 1), _FEWEST_VARIATIONS)
            variations = [variation for seed in seeds for variation in vary(seed, limit, source.constructors)]
            cases += [*seeds, *variations][: max(share, len(seeds))]
        return cases

    async def _stable(self, scene: Scene, candidates: list[Observed], left: Lines) -> tuple[list[Observed], set[str]]:
        """The candidates that show the same under another hash seed, time zone and order; and the keys of the rest."""
        useful = [o for o in candidates if is_tellable(o) and reached(o, left)]
        again = await self._explorer.explore(scene, [o.case for o in useful], again=True)
        unlike = differing(useful, again)
        return [o for o in useful if o.case.key not in unlike], unlike

    # -------------------------------------------------------------- the whole suite

    async def _with_suite(
        self,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        drafts: list[_Draft],
        dropped: list[DroppedTest],
        baseline: SuiteRun,
        measured: tuple[str, ...],
    ) -> Generation:
        """The last gate: the whole suite with the files exactly as they would be committed."""
        before = set(baseline.failing)
        for _ in range(_MAX_SUITE_RUNS):
            files = tuple(
                GeneratedFile(path=d.path, content=render_file([j.test for j in d.kept], d.style).encode())
                for d in drafts
                if d.kept
            )
            if not files:
                break
            request = SuiteRequest(measure=measured, extra=tuple((f.path, f.content) for f in files))
            run = await self._runner.run(service, environment, tree, request)
            broken = tuple(test for test in run.failing if test not in before)
            green = run.passed or (not baseline.passed and not broken and not run.result.stopped)
            if green and _collected(run, drafts):
                return Generation(files=files, written=_written(drafts), dropped=tuple(dropped), suite=run)
            drafts, lost = _drop_for_suite(drafts, run, broken)
            dropped += lost
        else:
            dropped += [
                DroppedTest(name=j.test.name, reason="the suite does not settle with it")
                for d in drafts
                for j in d.kept
            ]
        return Generation(dropped=tuple(dropped))


def _read_source(service: Service, tree: Path, path: str, lines: frozenset[int]) -> _Source | None:
    try:
        parsed = parse_source((tree / path).read_text(encoding="utf-8-sig"))
    except (UnreadableSourceError, UnicodeDecodeError, OSError):
        return None
    module = module_name(path, import_roots(service, tree))
    functions = list_functions(parsed, path, module)
    entries: dict[Function, int] = {}
    for line in sorted(lines):
        function = enclosing(functions, line)
        for rank, entry in enumerate(entries_of(function, functions) if function else ()):
            entries[entry] = min(rank, entries.get(entry, rank))
    return _Source(
        path=path,
        module=module,
        tree=parsed,
        open_lines=frozenset((path, line) for line in lines),
        entries=tuple((rank, entry) for entry, rank in entries.items()),
        functions=functions,
        constructors=list_constructors(parsed),
    )


def project_modules(service: Service, tree: Path) -> frozenset[str]:
    """Top-level names that the project itself offers."""
    found = set()
    for root in import_roots(service, tree):
        folder = tree / root
        if not folder.is_dir():
            continue
        for entry in folder.iterdir():
            if entry.suffix == ".py":
                found.add(entry.stem)
            elif entry.is_dir() and entry.name.isidentifier():
                found.add(entry.name)
    return frozenset(found)


def _tests_of(functions: Iterable[Function], baseline: SuiteRun) -> set[str]:
    """The existing tests that ran one of these functions, or else one of their files."""
    functions = list(functions)
    near: set[str] = set()
    far: set[str] = set()
    for function in functions:
        for line, tests in baseline.contexts.get(function.path, {}).items():
            far |= tests
            if function.first < line <= function.last:
                near |= tests
    return (near or far) - {""}


def _nearest(observed: Sequence[Observed], tree: ast.Module, left: Lines, varied: set[str]) -> list[Observed]:
    """Calls that ran the condition right before an open line and were not varied yet: one step may be enough. Those
    that give something which the condition names come first. Adds them to `varied`."""
    found: dict[str, Observed] = {}
    for path, line in sorted(left):
        for guard in reversed(guards_of(tree, line)):
            near = [o for o in observed if guard.line in o.lines.get(path, frozenset()) and o.case.key not in varied]
            if near:
                words = set(re.findall(r"[A-Za-z_]{2,}", guard.test))
                near.sort(
                    key=lambda o: (-_mentions(o.case, words), o.case.steps, o.case.rank, o.case.length, o.case.key)
                )
                found |= {o.case.key: o for o in near[:_BASES_A_LINE]}
                break
    chosen = list(found.values())[:_BASES_A_ROUND]
    varied |= {o.case.key for o in chosen}
    return chosen


def _calls_of(functions: Sequence[Function], calls: Sequence[CarvedCall]) -> list[CarvedCall]:
    places = {f"/{function.path}:{function.line}" for function in functions}
    return [call for call in calls if any(call.target.endswith(place) for place in places)]


def _mentions(case: Case, words: set[str]) -> int:
    text = " ".join(f"{name or ''} {value}" for name, value in case.arguments)
    return sum(word in text for word in words)


def _name(choice: Chosen, source: _Source, taken: set[str]) -> WrittenCase:
    observed = choice.calls[0]
    entry = observed.case.entry
    inside = [line for _, line in sorted(choice.covers) if entry.first <= line <= entry.last]
    line = (inside or [line for _, line in sorted(choice.covers)])[0]
    guards: tuple[Guard, ...] = guards_of(source.tree, line) if inside else ()
    condition, condition_sentence = describe_condition(guards, observed)
    outcome, outcome_sentence = describe_outcome(observed)
    several = len(choice.calls)
    return WrittenCase(
        name=name_test(entry, outcome if several == 1 else "", condition, taken),
        purpose=describe_test(entry, outcome_sentence, condition_sentence, several),
        chosen=choice,
    )


def _collected(run: SuiteRun, drafts: Sequence[_Draft]) -> bool:
    """Whether the suite's own command ran our files; one that does not report (no pytest) is believed."""
    if not run.outcomes:
        return True
    tests = [(d.path, j.test.name) for d in drafts for j in d.kept]
    return all(any(is_of(outcome, path, name) for outcome in run.outcomes) for path, name in tests)


def _drop_for_suite(
    drafts: Sequence[_Draft], run: SuiteRun, broken: tuple[str, ...]
) -> tuple[list[_Draft], list[DroppedTest]]:
    """Take out the tests that fail in the suite; if it fails elsewhere, or leaves ours out, take out all."""
    own = [(d, j) for d in drafts for j in d.kept]
    failing = {
        j.test.name
        for d, j in own
        if any(is_of(o, d.path, j.test.name) and o.outcome == "failed" for o in run.outcomes)
    }
    names = failing or {j.test.name for _, j in own}
    why = broken or (("(the suite's own command does not collect it)",) if run.passed else ("(it does not end)",))
    lost = []
    for _, judged in own:
        if judged.test.name in names:
            verdict = assess_test(msgspec.structs.replace(judged.facts, suite_failures=why))
            lost.append(DroppedTest(name=judged.test.name, reason=verdict.reason))
    left = [msgspec.structs.replace(d, kept=tuple(j for j in d.kept if j.test.name not in names)) for d in drafts]
    return [draft for draft in left if draft.kept], lost


def _written(drafts: Sequence[_Draft]) -> tuple[WrittenTest, ...]:
    return tuple(
        WrittenTest(
            path=draft.path,
            name=judged.test.name,
            purpose=judged.test.purpose,
            covers=tuple(f"{path}:{line}" for path, line in sorted(judged.covers)),
        )
        for draft in drafts
        for judged in draft.kept
    )
