"""The test agent: closes coverage gaps on the changed lines with tests that it ran before it commits them.

It runs the change's own suite first: red on the change and green on the base blocks. Then it has tests generated for
the changed lines that no test runs, holds each against the gates, and puts what is left on the change's branch in one
commit. A gap that stays open is said, with its lines.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

import greenlane
from greenlane.agents.base import Yielded
from greenlane.agents.testing_bundle import (
    FILES_NAMED,
    NOT_MEASURED,
    RULE_CRASH,
    RULE_OFF,
    Bundle,
    ServiceTests,
    findings_of,
    undelivered,
)
from greenlane.agents.testing_delivery import delivery_of, digests, intend, patch_path, write_patch
from greenlane.agents.testing_text import commit_message, explain_tests
from greenlane.analyzers.coverage import Measured, describe_run, measure_suite, merge_coverage
from greenlane.domain.asked import ModelTests
from greenlane.domain.change import Change
from greenlane.domain.errors import FinalError, PushRefusedError
from greenlane.domain.events import (
    Event,
    Gate,
    HumanRequested,
    Input,
    Reasoning,
    ReviewComplete,
    Stage,
    TestsCommitting,
    TestsComplete,
)
from greenlane.domain.findings import Category
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.escalation import assess_coverage_gate
from greenlane.policy.paths import match_paths
from greenlane.policy.testing import SuiteFacts, SuiteVerdict, assess_suite
from greenlane.ports.code_host import CodeHost, SourceControl
from greenlane.ports.environments import Environments, PythonEnvironment
from greenlane.ports.sandbox import Sandbox
from greenlane.suite.commands import files_named
from greenlane.suite.program import AnySuiteRunner
from greenlane.suite.project import complete_service
from greenlane.suite.report import last_words, why_cut_short
from greenlane.suite.runner import SuiteRequest, SuiteRun, remove_tree
from greenlane.testgen import GeneratedFile, Generation, Origin, TestAsker, TestGenerator
from greenlane.testgen.neighbours import MARKER
from greenlane.testgen.program import ProgramTests

RULE_GAP = "coverage-gap-open"


class TestAgent:
    """Listens to `review.complete`; ends with `tests.complete`."""

    __test__ = False

    def __init__(
        self,
        code_host: CodeHost,
        source: SourceControl,
        sandbox: Sandbox,
        environments: Environments,
        generator: TestGenerator,
        settings: Settings,
        work_dir: Path,
        asker: TestAsker | None = None,
    ) -> None:
        """`asker` proposes tests by a model before the generator writes some for what stays open; None: no model."""
        self._code_host = code_host
        self._source = source
        self._sandbox = sandbox
        self._environments = environments
        self._generator = generator
        self._asker = asker
        self._settings = settings
        self._work_dir = work_dir
        self._runner = AnySuiteRunner(sandbox, settings)
        self._program = ProgramTests(sandbox, settings)

    @property
    def stage(self) -> Stage:
        return Stage.TEST

    @property
    def version(self) -> str:
        return greenlane.__version__

    @property
    def listens_to(self) -> tuple[type[Event], ...]:
        return (ReviewComplete,)

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        """Raises FinalError if the branch moved before the generated tests could be committed."""
        if change.tests is not None:
            return
        begun = change.last_of(TestsCommitting)
        bundle = self._recall(change, begun) if begun else None
        if bundle is None:
            bundle = await self._work(change)
        commit = None
        if bundle.files:
            known = begun if begun and begun.files == digests(bundle) else None
            intent = known or intend(change, bundle, delivery_of(change, self._settings.validation.generated_tests))
            if intent is not known:
                self._keep(change, bundle)
                yield intent
            if intent.delivery == "commit":
                try:
                    commit = await self._commit(change, intent, bundle)
                except PushRefusedError:  # nobody knew before that the branch is not ours to push to
                    intent = intend(change, bundle, "patch")
                    yield intent
            if intent.delivery == "patch":
                await asyncio.to_thread(write_patch, patch_path(self._work_dir, change), change, bundle)
                bundle = undelivered(bundle)
        complete = self._complete(change, bundle, commit)
        gate = assess_coverage_gate(complete.coverage_after, self._settings)
        yield (_ask(change, gate), complete) if gate and complete.proceed else complete
        await asyncio.to_thread(self._bundle_path(change).unlink, missing_ok=True)

    # -------------------------------------------------------------- finding out

    async def _work(self, change: Change) -> Bundle:
        started = time.monotonic()
        folder = self._work_dir / f"{change.run}-tests"
        await asyncio.to_thread(_clear, folder)
        try:
            head = folder / "head"
            await self._source.export(change.head_sha, head)
            diff = await self._source.diff(change.opened.merge_base_sha, change.head_sha)
            changed = {f.path: frozenset(line.number for line in f.added) for f in diff.files if f.added}
            results = []
            for service in self._services(change):
                alone = len(self._settings.services) == 1
                own = tuple(changed) if alone else match_paths(service.paths, changed)
                lines = {path: changed[path] for path in own}
                results.append(await self._test_service(change, service, head, lines, folder))
        finally:
            await asyncio.to_thread(_clear, folder)
        return Bundle(services=tuple(results), seconds=round(time.monotonic() - started, 3))

    def _services(self, change: Change) -> tuple[Service, ...]:
        named = change.review.services if change.review else ()
        return tuple(service for service in self._settings.services if service.name in named)

    async def _test_service(
        self, change: Change, service: Service, head: Path, changed: dict[str, frozenset[int]], folder: Path
    ) -> ServiceTests:
        environment = await self._environments.prepare(service, head)
        service = complete_service(service, environment.found)
        measured = await measure_suite(self._runner, service, environment, head, changed, branches=True)
        run, statements = measured.run, measured.statements
        verdict = await self._judge_suite(change, service, measured.judged, folder)
        before = describe_run(measured)
        gaps = {file.path: frozenset(file.uncovered) for file in before.files if file.uncovered}
        generation, notes, asked = Generation(), list(measured.unread), None
        runs: list[SuiteRun] = []
        if gaps and verdict.proceed:
            if not self._settings.validation.test_execution_required:
                notes.append(RULE_OFF)
            elif measured.is_lost:
                notes.append(NOT_MEASURED)
            elif not run.result.stopped:
                scene = _Scene(service=service, environment=environment, head=head, statements=statements)
                generation, asked, runs = await self._close_gaps(change, scene, gaps, run)
                notes += [FILES_NAMED] if generation.files and files_named(service.commands.test, head) else []
        after = merge_coverage(
            before.files, *(describe_run(Measured(run=run, statements=statements)).files for run in runs)
        )
        return ServiceTests(
            service=service.name,
            verdict=verdict,
            tests_run=measured.judged.tests_run,
            before=before.files,
            after=after,
            files=_allowed(service, head, generation.files),
            written=generation.written,
            dropped=generation.dropped,
            suite_passed=generation.suite.passed if generation.suite else measured.judged.passed,
            environment=environment.digest,
            notes=tuple(notes),
            found=environment.found.notes if environment.found else (),
            asked=asked,
            mutants=generation.mutants,
            surviving=generation.surviving,
            findings=findings_of(generation.hints),
        )

    async def _close_gaps(
        self, change: Change, scene: _Scene, gaps: dict[str, frozenset[int]], run: SuiteRun
    ) -> tuple[Generation, ModelTests | None, list[SuiteRun]]:
        """The model's tests, if there is one, and then the generator's for what they leave open; with the runs of the
        whole suite that each of them was kept after. Of a service whose tests a program runs, the program's."""
        service, environment = scene.service, scene.environment
        if service.tests.kind == "command":
            if not service.tests.writes:
                return Generation(), None, []
            written = await self._program.generate(service, environment, scene.head, gaps, run)
            return written, None, [written.suite] if written.suite else []
        first, record = Generation(), None
        if self._asker is not None:
            asked = await self._asker.ask(service, environment, scene.head, gaps, run, _origin_of(change))
            first, record = asked.generation, asked.record
        if first.suite is not None:
            run = msgspec.structs.replace(first.suite, in_part=run.in_part)
            await asyncio.to_thread(_put, scene.head, _allowed(service, scene.head, first.files))
            left = describe_run(Measured(run=run, statements=scene.statements)).files
            gaps = {file.path: frozenset(file.uncovered) for file in left if file.uncovered}
        if not gaps:
            return first, record, [run]
        second = await self._generator.generate(service, environment, scene.head, gaps, run, scene.statements)
        both = Generation(
            files=(*first.files, *second.files),
            written=(*first.written, *second.written),
            dropped=(*first.dropped, *second.dropped),
            suite=second.suite or first.suite,
            mutants=second.mutants,
            surviving=second.surviving,
            hints=second.hints,
        )
        return both, record, [suite for suite in (first.suite, second.suite) if suite]

    async def _judge_suite(self, change: Change, service: Service, run: SuiteRun, folder: Path) -> SuiteVerdict:
        head = _suite_facts(run)
        if head.passed:
            return assess_suite(head, None, in_part=len(run.in_part))
        base_tree = folder / f"base-{service.name}"
        await self._source.export(change.opened.merge_base_sha, base_tree)
        there = tuple(path for path in run.in_part if (base_tree / path).is_file())
        if run.in_part and not there:
            return assess_suite(head, None)  # all of these tests are the change's own
        environment = await self._environments.prepare(service, base_tree)
        base = await self._runner.run(service, environment, base_tree, SuiteRequest(select=there))
        return assess_suite(head, _suite_facts(base))

    # -------------------------------------------------------------- committing

    async def _commit(self, change: Change, intent: TestsCommitting, bundle: Bundle) -> str:
        written = [test for service in bundle.services for test in service.written]
        return await self._code_host.commit_files(
            change.opened.branch,
            expected_head=intent.expected_head,
            files={file.path: file.content for file in bundle.files},
            message=commit_message(change, written),
            key=intent.key,
        )

    def _bundle_path(self, change: Change) -> Path:
        return self._work_dir / f"{change.run}-tests.json"

    def _keep(self, change: Change, bundle: Bundle) -> None:
        path = self._bundle_path(change)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(bundle))
        partial.replace(path)

    def _recall(self, change: Change, begun: TestsCommitting) -> Bundle | None:
        """The bundle that an earlier attempt decided to commit, if it is still there and is what was decided."""
        try:
            bundle = msgspec.json.decode(self._bundle_path(change).read_bytes(), type=Bundle)
        except (OSError, msgspec.MsgspecError):
            return None
        return bundle if digests(bundle) == begun.files else None

    def _complete(self, change: Change, bundle: Bundle, commit: str | None) -> TestsComplete:
        proceed = all(service.verdict.proceed for service in bundle.services)
        rules = [service.verdict.rule for service in bundle.services]
        rules += [rule for service in bundle.services for rule in (RULE_OFF, NOT_MEASURED) if rule in service.notes]
        rules += [RULE_GAP] if any(service.open_lines for service in bundle.services) else []
        patch = "" if commit or not bundle.files else str(patch_path(self._work_dir, change))
        rules += ["tests-committed"] if commit else ["tests-as-patch"] if patch else []
        rules += ["sandbox-off"] if self._sandbox.kind == "none" else []
        environments = [Input(f"environment of {s.service}", s.environment) for s in bundle.services]
        asked = tuple(service.asked for service in bundle.services if service.asked)
        findings = tuple(finding for service in bundle.services for finding in service.findings)
        rules += [RULE_CRASH] if findings else []
        rules += ["model-proposed-tests"] if any(a.kept for a in asked) else []
        rules += [f"model-{a.outcome}" for a in asked if a.outcome != "answered"]
        calls = [call for a in asked for call in a.calls]
        return TestsComplete(
            why=Reasoning(
                decision="proceed" if proceed else "block",
                rationale=explain_tests(bundle.services, self._sandbox.kind, commit, patch),
                rules_fired=tuple(dict.fromkeys(rules)),
                risk_score=change.risk_score,
                inputs=(Input("head", change.head_sha), Input("diff", change.opened.diff_sha256), *environments),
                model_id=calls[-1].model_id if calls else None,
                prompt_digest=calls[-1].prompt_digest if calls else None,
            ),
            proceed=proceed,
            asked=asked,
            written=tuple(test for service in bundle.services for test in service.written) if bundle.files else (),
            patch=patch,
            dropped=tuple(test for service in bundle.services for test in service.dropped),
            commit_sha=commit,
            coverage_before=tuple(file for service in bundle.services for file in service.before),
            coverage_after=tuple(file for service in bundle.services for file in service.after),
            suite_passed=all(service.suite_passed for service in bundle.services),
            seconds=bundle.seconds,
            mutants=sum(service.mutants for service in bundle.services),
            surviving=tuple(words for service in bundle.services for words in service.surviving),
            findings=findings,
        )


class _Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A service at the head of a change, with its changed executable lines by path."""

    service: Service
    environment: PythonEnvironment
    head: Path
    statements: dict[str, frozenset[int]]


def _origin_of(change: Change) -> Origin:
    findings = change.review.findings if change.review else ()
    hidden = frozenset((f.path, f.line) for f in findings if f.category is Category.SECRET)
    return Origin(repo=change.opened.repo, pr_number=change.opened.pr_number, hidden=hidden)


def _put(tree: Path, files: tuple[GeneratedFile, ...]) -> None:
    for file in files:
        target = tree / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)


def _clear(folder: Path) -> None:
    if folder.exists():
        remove_tree(folder)


def _ask(change: Change, gate: Gate) -> HumanRequested:
    reasons = "; ".join(trigger.summary for trigger in gate.triggers)
    return HumanRequested(
        gate=gate,
        why=Reasoning(
            decision="ask-human",
            rationale=f"A human is asked before production: {reasons}.",
            rules_fired=tuple(trigger.rule for trigger in gate.triggers),
            risk_score=change.risk_score,
        ),
    )


def _suite_facts(run: SuiteRun) -> SuiteFacts:
    stopped = f"it was stopped ({run.result.stopped})" if run.result.stopped else ""
    if run.cut_short and not stopped:
        stopped = f"it {why_cut_short(run.result.exit_code)}"
    if run.doubts:
        stopped = f"its report can't be believed: {run.doubts[0]}"
    return SuiteFacts(
        passed=run.passed,
        tests_run=run.tests_run,
        failing=run.failing,
        unavailable=stopped
        or ("" if run.passed else f"it did not run its tests to the end{last_words(run.result.exit_code, run.output)}"),
        absent=run.no_tests,
    )


def _allowed(service: Service, tree: Path, files: tuple[GeneratedFile, ...]) -> tuple[GeneratedFile, ...]:
    """Only new files, or ours from before, in the service's folder of tests; anything else is a fault of ours."""
    folder = (tree / service.tests_dir).resolve()
    for file in files:
        target = tree / file.path
        inside = folder in target.resolve().parents and tree.resolve() in target.resolve().parents
        ours = not target.exists() or MARKER in target.read_text(encoding="utf-8", errors="replace")[:500]
        if not inside or not ours:
            raise FinalError(f"a generated test was to be written to {file.path}, which is not its place")
    return files
