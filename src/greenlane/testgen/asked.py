"""`TestAsker`: tests that a language model proposes, through the gates of the generator's own. For the test agent.

It is shown a gap and what stands around it, and answers with texts. Each is read, run and judged like any other; what
fails is sent back once with the reason (`validation.max_retry_passes`), and dropped if it fails again. What the model
says of its tests is kept for the record; what they cover is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from greenlane.domain.asked import AskedTest, ModelTests
from greenlane.domain.events import DroppedTest
from greenlane.domain.opinion import ModelCall, Outcome
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox
from greenlane.ports.test_writer import FailedTest, NumberedLine, TestWriter, WritingAnswer, WritingTask
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.suite.runner import SuiteRun, SuiteRunner, import_roots
from greenlane.testgen.code import Function, enclosing, list_functions, module_name
from greenlane.testgen.fixtures import offer_fixtures
from greenlane.testgen.gates import Gatekeeper, Judged
from greenlane.testgen.generator import Generation, TestGenerator
from greenlane.testgen.given import GivenText
from greenlane.testgen.neighbours import Style, free_path, nearest_test, read_style
from greenlane.testgen.render import WrittenCase
from greenlane.testgen.scene import Scene
from greenlane.testgen.source import collected_files, scene_of
from greenlane.testgen.targets import Lines

_MAX_FILES = 6
"""Source files of one change that are asked about, those with the largest gap first."""
_MAX_FUNCTION_LINES = 400
_MAX_FAILURE = 1_500
_BUDGET_S = 300.0
"""After this long nothing further is asked."""
_TOGETHER = frozenset({"harmless", "executed", "passes", "passes-again"})
"""Gates at which a test may be stopped for what another one in the same run did."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Whose change it is: what budgets are counted on, and the lines (path, number) where an analyzer saw a secret."""

    repo: str
    pr_number: int
    hidden: frozenset[tuple[str, int]] = frozenset()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The tests that passed every gate, and the record of the asking."""

    generation: Generation
    record: ModelTests


class _Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One source file: where its tests would go, and the first task."""

    scene: Scene
    style: Style
    path: str
    task: WritingTask
    open_lines: Lines


class TestAsker:
    __test__ = False

    def __init__(self, writer: TestWriter, generator: TestGenerator, sandbox: Sandbox, settings: Settings) -> None:
        self._writer = writer
        self._generator = generator
        self._gates = Gatekeeper(SuiteRunner(sandbox, settings), settings)
        self._retries = settings.validation.max_retry_passes

    async def ask(
        self,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        gaps: Mapping[str, frozenset[int]],
        baseline: SuiteRun,
        origin: Origin,
    ) -> Asked:
        """Tests for the open lines of `gaps` (by path). `baseline` is a measured run of the suite as it stands."""
        deadline = time.monotonic() + _BUDGET_S
        kept: list[tuple[str, Style, tuple[Judged, ...]]] = []
        dropped: list[DroppedTest] = []
        answers: list[WritingAnswer] = []
        collected = collected_files(baseline)
        for path in sorted(gaps, key=lambda path: (-len(gaps[path]), path))[:_MAX_FILES]:
            taken = [name for name, *_ in kept]
            gap = await asyncio.to_thread(_read_gap, service, environment, tree, path, gaps, origin, collected, taken)
            if gap is None:
                continue
            own, lost, given = await self._one_file(gap)
            answers += given
            dropped += lost
            kept += [(gap.path, gap.style, own)] if own else []
            if given[-1].outcome != "answered" or time.monotonic() > deadline:
                break
        generation = await self._generator.finish(
            service, environment, tree, kept, dropped, baseline, tuple(sorted(gaps))
        )
        return Asked(generation=generation, record=_record(answers, generation))

    async def _one_file(self, gap: _Gap) -> tuple[tuple[Judged, ...], list[DroppedTest], list[WritingAnswer]]:
        kept: list[Judged] = []
        dropped: list[DroppedTest] = []
        answers: list[WritingAnswer] = []
        task, left = gap.task, gap.open_lines
        for _ in range(self._retries + 1):
            answer = await self._writer.write(task)
            answers.append(answer)
            asked = [t for t in answer.tests if t.name not in {j.test.name for j in kept}]
            judged = await self._judge(gap, asked)
            kept += [j for j in judged if j.verdict.keep]
            failed = [j for j in judged if not j.verdict.keep]
            again = {test.name for test in asked}
            dropped = [d for d in dropped if d.name not in again]
            dropped += [DroppedTest(name=j.test.name, reason=j.verdict.reason) for j in failed]
            left -= frozenset(line for j in kept for line in j.covers)
            if not failed:
                break
            task = _again(gap.task, asked, failed, left)
        return tuple(kept), dropped, answers

    async def _judge(self, gap: _Gap, asked: Sequence[AskedTest]) -> list[Judged]:
        """Together first; whatever is stopped at something that another test may have done is run once more alone."""
        tests = [
            WrittenCase(
                name=test.name,
                purpose=" ".join(test.purpose.split()),
                given=GivenText(imports=test.imports, code=test.code, about=gap.task.path),
            )
            for test in asked
        ]
        if not tests:
            return []
        judged = await self._gates.judge(gap.scene, gap.path, tests, gap.style, gap.open_lines)
        ran = [j for j in judged if j.facts.executed is not None]
        if len(ran) < 2:
            return judged
        alone = {j.test.name for j in ran if j.verdict.gate in _TOGETHER}
        return [
            (await self._gates.judge(gap.scene, gap.path, [j.test], gap.style, gap.open_lines))[0]
            if j.test.name in alone
            else j
            for j in judged
        ]


def _read_gap(
    service: Service,
    environment: PythonEnvironment,
    tree: Path,
    path: str,
    gaps: Mapping[str, frozenset[int]],
    origin: Origin,
    collected: frozenset[str] | None,
    taken: Sequence[str] = (),
) -> _Gap | None:
    """What is asked about one file; None if no function of it holds an open line. Reads files."""
    try:
        text = (tree / path).read_text(encoding="utf-8-sig")
        module = module_name(path, import_roots(service, tree))
        functions = list_functions(parse_source(text), path, module)
    except (UnreadableSourceError, UnicodeDecodeError, OSError):
        return None
    holding = {function.line: function for line in gaps[path] if (function := enclosing(functions, line))}
    if not holding:
        return None
    style = read_style(service, tree, path, module, collected)
    scene = scene_of(service, environment, tree, style, gaps)
    hidden = frozenset(number for name, number in origin.hidden if name == path)
    near = nearest_test(service, tree, path, module)
    task = WritingTask(
        repo=origin.repo,
        pr_number=origin.pr_number,
        path=path,
        module=module,
        functions=tuple(_shown(f, functions, text, gaps[path], hidden) for _, f in sorted(holding.items())),
        neighbour_path=near or "",
        neighbour=_whole(tree, near, origin) if near else (),
        fixtures=() if style.form == "unittest" else offer_fixtures(tree, style.folder),
        form=style.form,
        modules=tuple(sorted(scene.modules)),
    )
    return _Gap(
        scene=scene,
        style=style,
        path=free_path(tree, style, module, taken),
        task=task,
        open_lines=frozenset((path, line) for line in gaps[path]),
    )


def _shown(
    function: Function, functions: Sequence[Function], text: str, gap: frozenset[int], hidden: Collection[int]
) -> tuple[NumberedLine, ...]:
    """The lines of a function; a method with the constructor of its class."""
    lines = text.splitlines()
    wanted = list(range(function.line, min(function.last, function.line + _MAX_FUNCTION_LINES) + 1))
    if function.owner is not None:
        init = next((f for f in functions if f.owner == function.owner and f.name == "__init__"), None)
        heads = [n for n, line in enumerate(lines, 1) if line.lstrip().startswith(f"class {function.owner}")][:1]
        heads += range(init.line, min(init.last, init.line + _MAX_FUNCTION_LINES) + 1) if init else []
        wanted = [*(n for n in heads if n not in wanted), *wanted]
    return tuple(
        NumberedLine(number, lines[number - 1], number in gap, number in hidden) for number in wanted if number
    )


def _whole(tree: Path, path: str, origin: Origin) -> tuple[NumberedLine, ...]:
    lines = (tree / path).read_text(encoding="utf-8-sig").splitlines()
    return tuple(NumberedLine(n, line, hidden=(path, n) in origin.hidden) for n, line in enumerate(lines, 1))


def _again(task: WritingTask, asked: Sequence[AskedTest], failed: Sequence[Judged], left: Lines) -> WritingTask:
    by_name = {test.name: test for test in asked}
    return msgspec.structs.replace(
        task,
        failed=tuple(FailedTest(test=by_name[j.test.name], gate=j.verdict.gate, failure=_trimmed(j)) for j in failed),
        still_open=tuple(sorted(line for _, line in left)),
    )


def _trimmed(judged: Judged) -> str:
    """The reason, and the end of what pytest said, if it was run."""
    said = judged.facts.failure or judged.facts.failure_again or ""
    return f"{judged.verdict.reason}\n{said[-_MAX_FAILURE:]}".strip()


def _record(answers: Sequence[WritingAnswer], generation: Generation) -> ModelTests:
    calls: tuple[ModelCall, ...] = tuple(answer.call for answer in answers)
    failed = [answer for answer in answers if answer.outcome != "answered"]
    outcome: Outcome = failed[-1].outcome if failed else "answered" if answers else "nothing-to-read"
    return ModelTests(
        outcome=outcome,
        calls=calls,
        asked=len({(n, test.name) for n, answer in enumerate(answers) for test in answer.tests}),
        kept=len(generation.written),
        coverage_targets=tuple(dict.fromkeys(c for answer in answers for c in answer.coverage_targets)),
        edge_cases_covered=tuple(dict.fromkeys(c for answer in answers for c in answer.edge_cases_covered)),
        detail=failed[-1].call.detail if failed else "",
    )
