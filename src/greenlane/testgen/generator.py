"""`TestGenerator`: from a gap to test files that passed every gate. Called by the test agent.

The steps: *carve* the calls that existing tests make, *vary* them, *explore* what comes of each and which faults it
would notice (`search.py`), *choose* the fewest that reach the open lines and branches and notice the mutants, *render*
them like the neighbours' tests, *judge* each on its own, and run the whole suite with what is left. Everything is run
in the sandbox; everything is the same on each run with the same inputs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from greenlane.domain.events import DroppedTest, WrittenTest
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.testing import assess_test
from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox
from greenlane.suite.plugins import idle_plugins
from greenlane.suite.runner import SuiteRun, SuiteRunner
from greenlane.testgen.choose import Chosen, choose_tests
from greenlane.testgen.conditions import list_conditions
from greenlane.testgen.contained import contained
from greenlane.testgen.explore import Observed
from greenlane.testgen.gates import Gatekeeper, Judged, is_of
from greenlane.testgen.guards import Guard, guards_of
from greenlane.testgen.hints import Hint
from greenlane.testgen.naming import called_instead, describe_outcome, describe_test, name_test, plain_name, seen_after
from greenlane.testgen.neighbours import Style, free_path, read_style
from greenlane.testgen.render import WrittenCase, render_file
from greenlane.testgen.scene import Scene
from greenlane.testgen.search import Search
from greenlane.testgen.source import Source, collected_files, read_file, scene_of, users_first
from greenlane.testgen.targets import Gap, Targets, is_fault, line_of
from greenlane.testgen.whole import GeneratedFile, TriedSuite, WholeSuite, borne_of
from greenlane.testgen.words import words_of

_MAX_TESTS = 24
_MAX_SUITE_RUNS = 4
_MAX_COVERED = 2
"""Files without an open line in which mutants are tried: each costs a search of its own."""


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `suite` is the last run of the whole suite with the kept files in it (None: nothing kept).
    `mutants` were tried on the changed lines; `surviving` of them, in words, no test notices, old or new;
    `hints` are crashes that look like faults of the change."""

    files: tuple[GeneratedFile, ...] = ()
    written: tuple[WrittenTest, ...] = ()
    dropped: tuple[DroppedTest, ...] = ()
    suite: SuiteRun | None = None
    mutants: int = 0
    surviving: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()


class Author:
    """Writes tests of one file in rounds: each is chosen from what was seen, named and judged, and what was chosen once
    is not chosen again."""

    def __init__(
        self,
        gates: Gatekeeper,
        scene: Scene,
        source: Source,
        style: Style,
        path: str,
        observed: list[Observed],
        gap: Gap,
    ) -> None:
        self._gates, self._scene, self._source, self._style, self._path = gates, scene, source, style, path
        self._observed, self._gap = observed, gap
        self._taken, self._tried = set[str](), set[str]()
        self.failed: dict[str, Judged] = {}

    async def write(self, kept: Sequence[Judged]) -> list[Judged]:
        """Tests of what these leave open, as far as they pass every gate but the last; `failed` holds the others."""
        left = self._gap.everything - frozenset(target for j in kept for target in _closed(j, self._gap))
        candidates = [o for o in self._observed if o.case.key not in self._tried]
        chosen = choose_tests(candidates, left, most=_MAX_TESTS - len(kept))
        if not chosen:
            return []
        tests = [_name(choice, self._source, self._taken) for choice in chosen]
        open_lines = frozenset((self._gap.path, line) for line in self._gap.lines)
        judged = await self._gates.judge(self._scene, self._path, tests, self._style, open_lines, self._gap)
        self.failed |= {j.test.name: j for j in judged if not j.verdict.keep}
        self._tried |= {o.case.key for j in judged for o in j.test.chosen.calls}  # what is kept is not written twice
        return [j for j in judged if j.verdict.keep]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the making."""

    path: str
    style: Style
    kept: tuple[Judged, ...]
    mutants: int = 0
    open_faults: tuple[str, ...] = ()
    """Mutants, in words, that no existing test notices."""
    hints: tuple[Hint, ...] = ()
    author: Author | None = None
    """Who can write others in place of tests that the suite does not bear."""


class TestGenerator:
    __test__ = False

    def __init__(self, sandbox: Sandbox, settings: Settings) -> None:
        self._settings = settings
        self._runner = SuiteRunner(sandbox, settings)
        self._gates = Gatekeeper(self._runner, settings)

    async def generate(
        self,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        gaps: Mapping[str, frozenset[int]],
        baseline: SuiteRun,
        changed: Mapping[str, frozenset[int]] | None = None,
    ) -> Generation:
        """Tests for the open lines of `gaps` (by path), and for open branches of all `changed` lines if `baseline`, a
        measured run of the suite as it stands, traced branches. Mutants are those of the changed lines."""
        started = time.monotonic()
        drafts: list[Draft] = []
        dropped: list[DroppedTest] = []
        touched = dict(gaps) if changed is None else {**changed, **{p: changed.get(p, n) | n for p, n in gaps.items()}}
        collected = collected_files(baseline)
        sources: list[Source] = []
        for path, lines in sorted(touched.items()):
            open_lines = gaps.get(path, frozenset())
            source = await asyncio.to_thread(read_file, service, tree, path, open_lines, lines, baseline)
            sources += [source] if source is not None else []
        seen: list[Observed] = []
        idle = await asyncio.to_thread(idle_plugins, tree)
        for source in _worth_a_look(sources):
            path = source.path
            style = read_style(service, tree, path, source.module, collected)
            scene = scene_of(service, environment, tree, style, touched, idle)
            beside = [other for other in sources if other is not source]
            search = Search(self._runner, scene, source, style, started, beside, tuple(seen))
            written = await contained(
                self._write_file(scene, source, style, baseline, search, [draft.path for draft in drafts]),
                None,
                f"the search for {path}",
            )
            seen += search.seen
            if written is not None:
                dropped += written[1]
                drafts.append(written[0])
        return await self.with_suite(service, environment, tree, drafts, dropped, baseline, tuple(sorted(touched)))

    # -------------------------------------------------------------- one file

    async def _write_file(
        self, scene: Scene, source: Source, style: Style, baseline: SuiteRun, search: Search, taken: Sequence[str]
    ) -> tuple[Draft, list[DroppedTest]]:
        observed = await search.run(baseline)
        gap = search.gap
        path = free_path(scene.tree, style, source.module, taken)
        author = Author(self._gates, scene, source, style, path, observed, gap)
        kept: list[Judged] = []
        for _ in range(self._settings.validation.max_retry_passes + 1):
            failed = len(author.failed)
            kept += await author.write(kept)
            if len(author.failed) == failed:
                break
        lost = [DroppedTest(name=name, reason=judged.verdict.reason) for name, judged in author.failed.items()]
        draft = Draft(
            path=path,
            style=style,
            kept=tuple(kept),
            mutants=len(source.gap.mutants),
            open_faults=tuple(mutant.key for mutant in gap.mutants),
            hints=search.hints,
            author=author,
        )
        return draft, lost

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
        drafts = [Draft(path=path, style=style, kept=tests) for path, style, tests in kept]
        return await self.with_suite(service, environment, tree, drafts, [*dropped], baseline, measured)

    # -------------------------------------------------------------- the whole suite

    async def with_suite(
        self,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        drafts: list[Draft],
        dropped: list[DroppedTest],
        baseline: SuiteRun,
        measured: tuple[str, ...],
    ) -> Generation:
        """The last gate: the whole suite with the files exactly as they would be committed."""
        suite = WholeSuite(self._runner, service, environment, tree, baseline, measured)
        mutants = sum(draft.mutants for draft in drafts)
        faults = tuple(words for draft in drafts for words in draft.open_faults)
        hints = tuple(hint for draft in drafts for hint in draft.hints)
        repeated = replaced = False
        for _ in range(_MAX_SUITE_RUNS):
            if not any(draft.kept for draft in drafts):
                break
            files = _files_of(drafts)
            tried = await suite.run(files)
            if tried.green and _collected(tried.run, drafts) and len(files) > 1:
                tried = await suite.run_backwards(files) or tried
            if tried.green and _collected(tried.run, drafts):
                return Generation(
                    files=files,
                    written=_written(drafts),
                    dropped=tuple(dropped),
                    suite=tried.run,
                    mutants=mutants,
                    surviving=_surviving(faults, drafts),
                    hints=hints,
                )
            before_it, by_name = drafts, _failing_of_ours(drafts, tried.run)
            if tried.broken and not repeated and not by_name:
                repeated = True  # a test that fails now and then, perhaps: it is asked once more
                continue
            names = by_name or await _culprits(drafts, suite, tried)
            drafts, lost = _drop_for_suite(drafts, tried.run, tried.broken, names)
            dropped += lost
            if by_name and not replaced:
                replaced = True
                pairs = zip(before_it, drafts, strict=True)
                drafts = [await _with_others(now) if len(now.kept) < len(then.kept) else now for then, now in pairs]
        else:
            dropped += [
                DroppedTest(name=j.test.name, reason="the suite does not settle with it")
                for d in drafts
                for j in d.kept
            ]
        return Generation(dropped=tuple(dropped), mutants=mutants, surviving=faults, hints=hints)


def _files_of(drafts: Sequence[Draft]) -> tuple[GeneratedFile, ...]:
    """The files exactly as they would be committed."""
    return tuple(
        GeneratedFile(path=d.path, content=render_file([j.test for j in d.kept], d.style).encode())
        for d in drafts
        if d.kept
    )


async def _culprits(drafts: Sequence[Draft], suite: WholeSuite, tried: TriedSuite) -> set[str]:
    """The tests of ours with which others fail, and theirs do not; all of them where it can't be told apart."""
    own = [j.test.name for d in drafts for j in d.kept]

    async def bears(names: Sequence[str]) -> bool:
        return (await suite.run(_files_of([_only(draft, names) for draft in drafts]))).green

    borne = await borne_of(own, bears, suite.spare_runs(tried)) if tried.broken else []
    return {*own} - {*borne}


def _only(draft: Draft, names: Collection[str]) -> Draft:
    return msgspec.structs.replace(draft, kept=tuple(j for j in draft.kept if j.test.name in names))


def _worth_a_look(sources: Sequence[Source]) -> list[Source]:
    """Files with something open, then a few whose changed lines all were run, but perhaps not held to anything; none
    where nothing is open."""
    opened = users_first([source for source in sources if source.entries])
    covered = [source for source in sources if not source.entries and source.gap.mutants]
    covered.sort(key=lambda source: (-len(source.gap.mutants), source.path))
    return [*opened, *covered[:_MAX_COVERED]] if opened else []


def _closed(judged: Judged, gap: Gap) -> Targets:
    """What a kept test needs no other test for any more."""
    noticed = (n for n, mutant in enumerate(gap.mutants) if mutant.key in judged.noticed)
    return judged.reached | frozenset(gap.fault(number) for number in noticed)


def _name(choice: Chosen, source: Source, taken: set[str]) -> WrittenCase:
    observed = choice.calls[0]
    entry = observed.case.entry
    covers = sorted(choice.covers, key=lambda target: (is_fault(target), len(target), target))
    inside = [line_of(target) for target in covers if entry.first <= line_of(target) <= entry.last]
    line = (inside or [line_of(target) for target in covers])[0]
    alike = all(line in call.lines.get(source.path, frozenset()) for call in choice.calls)
    guards: tuple[Guard, ...] = guards_of(source.tree, line) if inside and alike else ()
    outcome, outcome_sentence = describe_outcome(observed)
    several, called = len(choice.calls), called_instead(observed)
    told = outcome if several == 1 or observed.outcome.kind == "raises" else ""
    conditions = list_conditions(guards, *choice.calls)
    if (after := seen_after(observed)) is not None:
        called, before, is_held = after
        conditions = [(f"after {words_of(before)}", f"after `{before}`"), *conditions]
        outcome_sentence = outcome_sentence.replace("returns ", "is ", 1) if is_held else outcome_sentence
    free = (one for one in conditions if plain_name(entry, told, one[0], called) not in taken)
    condition, condition_sentence = next(free, conditions[0])
    return WrittenCase(
        name=name_test(entry, told, condition, taken, called),
        purpose=describe_test(entry, outcome_sentence, condition_sentence, several, called),
        chosen=choice,
        makers={name: tuple(param.name for param in params) for name, params in source.constructors.items()},
    )


def _collected(run: SuiteRun, drafts: Sequence[Draft]) -> bool:
    """Whether the suite's own command ran our files; one that does not report (no pytest) is believed."""
    if not run.outcomes:
        return True
    tests = [(d.path, j.test.name) for d in drafts for j in d.kept]
    return all(any(is_of(outcome, path, name) for outcome in run.outcomes) for path, name in tests)


def _drop_for_suite(
    drafts: Sequence[Draft], run: SuiteRun, broken: tuple[str, ...], names: set[str]
) -> tuple[list[Draft], list[DroppedTest]]:
    """Take out these tests of ours, with the reason that the suite gives."""
    ending = (
        "(it does not end)" if run.result.stopped else f"(it ends with {run.result.exit_code}, though no test fails)"
    )
    why = broken or (("(the suite's own command does not collect it)",) if run.passed else (ending,))
    lost = []
    for judged in (j for d in drafts for j in d.kept if j.test.name in names):
        verdict = assess_test(msgspec.structs.replace(judged.facts, suite_failures=why))
        lost.append(DroppedTest(name=judged.test.name, reason=verdict.reason))
    left = [msgspec.structs.replace(d, kept=tuple(j for j in d.kept if j.test.name not in names)) for d in drafts]
    return left, lost


async def _with_others(draft: Draft) -> Draft:
    """The file with others in place of the tests that it lost."""
    more = await draft.author.write(draft.kept) if draft.author is not None else []
    return msgspec.structs.replace(draft, kept=(*draft.kept, *more))


def _failing_of_ours(drafts: Sequence[Draft], run: SuiteRun) -> set[str]:
    return {
        j.test.name
        for d in drafts
        for j in d.kept
        if any(is_of(o, d.path, j.test.name) and o.outcome == "failed" for o in run.outcomes)
    }


def _surviving(faults: Sequence[str], drafts: Sequence[Draft]) -> tuple[str, ...]:
    """The faults that none of the tests notices which are kept in the end."""
    noticed = {key for draft in drafts for judged in draft.kept for key in judged.noticed}
    return tuple(words for words in faults if words not in noticed)


def _held(judged: Judged) -> list[tuple[str, int]]:
    """The open lines that a test runs; of one that runs none, the lines of the faults that only it notices."""
    places = [key.partition(": ")[0].rpartition(":") for key in judged.noticed]
    return sorted(judged.covers or {(path, int(line)) for path, _, line in places})


def _written(drafts: Sequence[Draft]) -> tuple[WrittenTest, ...]:
    return tuple(
        WrittenTest(
            path=draft.path,
            name=judged.test.name,
            purpose=judged.test.purpose,
            covers=tuple(f"{path}:{line}" for path, line in _held(judged)),
        )
        for draft in drafts
        for judged in draft.kept
    )
