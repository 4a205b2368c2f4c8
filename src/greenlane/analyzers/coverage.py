"""Which changed lines the existing tests run: the service's suite, in the sandbox, under coverage.

Called by the review agent (to see the gap) and by the test agent (to see it before and after its own tests).

What is trusted: which lines were changed and which of them can be executed is computed here, from the tree as it was
exported, without running anything. That a line was *covered*, and that the suite *passed*, is said by a process in the
sandbox which also ran the change's own code and could forge it. A forged answer can hide a coverage gap of the very
change; it can't lower a risk score below its floors, approve anything, or reach outside the sandbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from greenlane.analyzers.base import CoverageReport
from greenlane.domain.findings import FileCoverage
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.paths import match_paths
from greenlane.ports.environments import Environments, PythonEnvironment
from greenlane.ports.sandbox import Sandbox
from greenlane.suite.impact import impacted_tests
from greenlane.suite.lines import UnreadableSourceError, changed_statements
from greenlane.suite.program import AnySuiteRunner
from greenlane.suite.project import complete_service
from greenlane.suite.report import last_words, why_cut_short
from greenlane.suite.runner import SuiteRequest, SuiteRun, import_roots

MAX_SOURCE_BYTES = 1 << 20
"""A larger source file is generated or hostile; it is said to be unread, never taken for covered."""

MAX_CHANGED_BYTES = 4 << 20
"""Source of one change that is parsed for its statements, some seconds' work; files beyond it are said to be unread."""


MAX_NAMED = 3
"""Files that are named as unread; of the rest the number is told."""


class SandboxedCoverage:
    def __init__(self, sandbox: Sandbox, environments: Environments, settings: Settings) -> None:
        self._environments = environments
        self._runner = AnySuiteRunner(sandbox, settings)

    async def measure(self, service: Service, tree: Path, changed: Mapping[str, frozenset[int]]) -> CoverageReport:
        """Run the suite on a copy of `tree`; `changed` maps paths in the tree to 1-based changed lines.

        Raises ChangeError if the project's dependencies can't be installed.
        """
        environment = await self._environments.prepare(service, tree)
        service = complete_service(service, environment.found)
        measured = await measure_suite(self._runner, service, environment, tree, changed)
        return describe_run(measured)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a suite, the changed lines of each source file that can be executed, and the files not looked at."""

    run: SuiteRun
    statements: dict[str, frozenset[int]]
    unread: tuple[str, ...] = ()
    plain: SuiteRun | None = None
    """The suite run again without measuring anything, if it did not pass while it was measured."""

    @property
    def judged(self) -> SuiteRun:
        """The run that says whether the suite passes: being measured is no fault of a change."""
        return self.plain or self.run

    @property
    def is_lost(self) -> bool:
        """Whether its tests run, but none does while it is measured: nothing can be told of what they cover."""
        return bool(self.judged.tests_run) and not self.run.tests_run


async def measure_suite(
    runner: AnySuiteRunner,
    service: Service,
    environment: PythonEnvironment,
    tree: Path,
    changed: Mapping[str, frozenset[int]],
    *,
    branches: bool = False,
) -> Measured:
    """Run the suite with the changed files measured, with `branches` also from which line to which (Python only).
    Which of their lines can be executed is read from the text of Python; of other languages the program says it."""
    if service.tests.kind != "command":
        statements, unread = await asyncio.to_thread(read_statements, tree, changed)
        request = SuiteRequest(measure=tuple(statements), branches=branches)
        run = await runner.run(service, environment, tree, request)
        if run.result.stopped == "time":
            run = await _run_in_part(runner, service, environment, tree, request) or run
        plain = None
        if statements and not (run.passed or run.no_tests or run.result.stopped):
            plain = await runner.run(service, environment, tree, SuiteRequest(select=run.in_part))
            plain = msgspec.structs.replace(plain, in_part=run.in_part)
        return Measured(run=run, statements=statements, unread=unread, plain=plain)
    sources = measured_sources(service, changed)
    run = await runner.run(service, environment, tree, SuiteRequest(measure=sources))
    found = {path: changed[path] & run.executable.get(path, frozenset()) for path in sources}
    silent = () if run.result.stopped else tuple(path for path in sources if path not in run.executable)
    return Measured(
        run=run,
        statements={path: lines for path, lines in found.items() if lines},
        unread=tuple(f"{path}: the tests' program said nothing of its lines" for path in silent),
    )


async def _run_in_part(
    runner: AnySuiteRunner, service: Service, environment: PythonEnvironment, tree: Path, request: SuiteRequest
) -> SuiteRun | None:
    """The test files that import the changed code, where the whole suite takes too long; None if there are none, or
    they take too long as well."""
    roots = import_roots(service, tree)
    chosen = await asyncio.to_thread(impacted_tests, tree, roots, request.measure)
    if not chosen:
        return None
    part = await runner.run(service, environment, tree, msgspec.structs.replace(request, select=chosen))
    return None if part.result.stopped else msgspec.structs.replace(part, in_part=chosen)


def measured_sources(service: Service, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of these paths that `tests.sources` names and that hold no tests."""
    named = match_paths(service.tests.sources, sorted(paths))
    folder = service.tests_dir.rstrip("/") + "/"
    return tuple(path for path in named if not is_test_file(path) and not path.startswith(folder))


def read_statements(
    tree: Path, changed: Mapping[str, frozenset[int]]
) -> tuple[dict[str, frozenset[int]], tuple[str, ...]]:
    """Executable changed lines of each changed source file that is Python and no test; and the files not readable.

    Parsing takes its time: call it in a thread.
    """
    statements: dict[str, frozenset[int]] = {}
    unread: list[str] = []
    left = MAX_CHANGED_BYTES
    for path, lines in sorted(changed.items()):
        if not path.endswith(".py") or is_test_file(path):
            continue
        try:
            text = read_source(tree, path)
            left -= len(text or "")
            if left < 0:
                raise UnreadableSourceError(f"the change holds more than {MAX_CHANGED_BYTES} bytes of source")
            if text is not None and (found := changed_statements(text, lines)):
                statements[path] = found
        except UnreadableSourceError as error:
            unread.append(f"{path}: {error}")
    return statements, tuple(unread)


def read_source(tree: Path, path: str) -> str | None:
    """The text of a file of the tree; None if it is gone. Raises UnreadableSourceError if it is no reasonable text."""
    file = tree / path
    if not file.resolve().is_relative_to(tree.resolve()):
        raise UnreadableSourceError("it leads out of the tree")
    if not file.is_file():
        return None
    if file.stat().st_size > MAX_SOURCE_BYTES:
        raise UnreadableSourceError(f"it is larger than {MAX_SOURCE_BYTES} bytes")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableSourceError("it is not UTF-8") from error


def is_test_file(path: str) -> bool:
    """Whether a path holds tests rather than code that ships."""
    parts = PurePosixPath(path).parts
    name = parts[-1]
    named = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    return named or any(part in {"tests", "test"} for part in parts[:-1])


def describe_run(measured: Measured) -> CoverageReport:
    """The report of a run of the suite: what it covers while it is measured, and whether it passes."""
    run, judged, statements = measured.run, measured.judged, measured.statements
    files = []
    for path, lines in statements.items():
        covered = lines & run.executed(path)
        files.append(FileCoverage(path=path, covered=tuple(sorted(covered)), uncovered=tuple(sorted(lines - covered))))
    unread = measured.unread
    reasons = [_unavailable(measured), *(f"not read: {reason}" for reason in unread[:MAX_NAMED])]
    reasons += [f"{len(unread) - MAX_NAMED} more files not read"] if len(unread) > MAX_NAMED else []
    return CoverageReport(
        files=tuple(files),
        suite_passed=judged.passed and not run.in_part,
        tests_run=judged.tests_run,
        output=judged.output,
        unavailable="; ".join(reason for reason in reasons if reason),
        failing=judged.failing,
    )


def merge_coverage(*seen: tuple[FileCoverage, ...]) -> tuple[FileCoverage, ...]:
    """The first, with what any other of them covers. Files that the first does not have are left out."""
    ran = {(file.path, line) for files in seen for file in files for line in file.covered}
    merged = []
    for file in seen[0] if seen else ():
        covered = {line for line in (*file.covered, *file.uncovered) if (file.path, line) in ran}
        left = tuple(line for line in file.uncovered if line not in covered)
        merged.append(FileCoverage(path=file.path, covered=tuple(sorted(covered)), uncovered=left))
    return tuple(merged)


def _unavailable(measured: Measured) -> str:
    run, judged = measured.run, measured.judged
    if measured.is_lost:
        ending = last_words(run.result.exit_code, run.output)
        return (
            f"the test suite {'passes' if judged.passed else 'runs'}, but does not start while it is measured{ending}"
        )
    if run.no_tests:
        return "the service has no tests"
    if run.in_part and not run.failing:
        return (
            "the test suite takes longer than validation.test_timeout_s allows; of it, "
            f"{len(run.in_part)} test files that import the changed code were run"
        )
    if run.result.stopped:
        limits = {"time": "takes longer than validation.test_timeout_s allows", "memory": "uses too much memory"}
        return f"the test suite {limits.get(run.result.stopped, f'went over its limit of {run.result.stopped}')}"
    if run.doubts:
        return f"the test suite's report can't be believed: {run.doubts[0]}"
    if run.cut_short and not run.failing:
        return f"the test suite {why_cut_short(run.result.exit_code)}"
    if not run.passed and not run.tests_run:
        return f"the test suite did not start{last_words(judged.result.exit_code, judged.output)}"
    if measured.statements and not run.contexts and not run.outcomes:
        return "the test command measured no coverage: it may not run Python from {python}"
    return ""
