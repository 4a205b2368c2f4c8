"""The gates that a generated test has to pass: the facts are gathered here, the decision is `policy.testing`'s."""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Iterable, Sequence

import msgspec

from greenlane.domain.settings import Settings
from greenlane.policy.testing import TestFacts, TestVerdict, assess_test
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.suite.report import TestOutcome
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner
from greenlane.testgen.choose import Lines
from greenlane.testgen.explore import Scene
from greenlane.testgen.given import given_facts
from greenlane.testgen.harms import asserts_something
from greenlane.testgen.neighbours import Style
from greenlane.testgen.render import WrittenCase, render_file

_NO_FIXTURE = re.compile(r"fixture '(\w+)' not found")


class _Conditions(msgspec.Struct, frozen=True, kw_only=True):
    hash_seed: int = 0
    timezone: str = "UTC"
    reverse: bool = False


_AGAIN = _Conditions(hash_seed=977, timezone="Pacific/Kiritimati", reverse=True)
"""Another hash seed, a time zone where it is tomorrow already, and the tests in reverse. (The values themselves were
seen under a second seed and zone before: `Explorer.explore(again=True)`.)"""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A test with what was found out about it; `covers` are the open lines that it ran."""

    test: WrittenCase
    facts: TestFacts
    verdict: TestVerdict
    covers: Lines = frozenset()


class Gatekeeper:
    def __init__(self, runner: SuiteRunner, settings: Settings) -> None:
        self._runner = runner
        self._validation = settings.validation

    async def judge(
        self, scene: Scene, path: str, tests: Sequence[WrittenCase], style: Style, open_lines: Lines
    ) -> list[Judged]:
        """Every gate but the last (the whole suite), each test on its own."""
        facts = {test.name: _static_facts(test, scene, style) for test in tests}
        sound = [test for test in tests if _is_sound(facts[test.name])]
        covers: dict[str, Lines] = {}
        if sound:
            content = render_file(sound, style).encode()
            strange = any(test.given for test in sound)  # what the generator writes changes no file
            first, again = await asyncio.gather(
                self._run(scene, path, content, measure=scene.measured, guarded=strange),
                self._run(scene, path, content, under=_AGAIN),
            )
            harms = tuple(f"changes the project's file {name}" for name in first.disturbed)
            named = any(test.fixtures for test in sound)
            plan = await self._run(scene, path, content, options=("--setup-plan",)) if named else None
            for test in sound:
                covers[test.name] = _covered(first, path, test.name, open_lines)
                facts[test.name] = msgspec.structs.replace(
                    facts[test.name],
                    harms=harms,
                    missing_fixtures=_missing_fixtures(plan, path, test.name) if plan else (),
                    executed=bool(_outcomes(first, path, test.name)),
                    failure=_failure(first, path, test.name),
                    failure_again=_failure(again, path, test.name),
                    new_lines=len(covers[test.name]),
                    suite_failures=(),  # looked at for all of them together, later
                )
        return [
            Judged(
                test=test,
                facts=facts[test.name],
                verdict=assess_test(facts[test.name], fixture_validation=self._validation.fixture_validation),
                covers=covers.get(test.name, frozenset()),
            )
            for test in tests
        ]

    async def _run(
        self,
        scene: Scene,
        path: str,
        content: bytes,
        *,
        measure: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        guarded: bool = False,
        under: _Conditions = _Conditions(),  # noqa: B008 - frozen
    ) -> SuiteRun:
        request = SuiteRequest(
            select=(path,),
            extra=((path, content),),
            measure=measure,
            options=options,
            hash_seed=under.hash_seed,
            timezone=under.timezone,
            reverse=under.reverse,
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


def _covered(run: SuiteRun, path: str, name: str, open_lines: Lines) -> Lines:
    found = set()
    for file, lines in run.contexts.items():
        for line, tests in lines.items():
            if (file, line) in open_lines and any(_is_context(test, path, name) for test in tests):
                found.add((file, line))
    return frozenset(found)


def _is_context(test: str, path: str, name: str) -> bool:
    return is_of(TestOutcome(test=test, when="", outcome=""), path, name)


def _is_sound(facts: TestFacts) -> bool:
    """Whether its text allows it to be run."""
    return bool(facts.parses and facts.asserts) and facts.foreign_imports == () and facts.harms == ()


def _static_facts(test: WrittenCase, scene: Scene, style: Style) -> TestFacts:
    if test.given is not None:
        return given_facts(test.name, test.given, scene.modules)
    text = render_file([test], style)
    try:
        tree = parse_source(text)
    except UnreadableSourceError:
        return TestFacts(parses=False)
    return TestFacts(
        parses=True,
        foreign_imports=tuple(sorted(set(_foreign(tree, scene.modules)))),
        harms=(),
        asserts=asserts_something(tree),
    )


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
