"""What the test agent found out and wrote: kept between the decision to commit and the commit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from greenlane.domain.asked import ModelTests
from greenlane.domain.events import DroppedTest, WrittenTest
from greenlane.domain.findings import Category, FileCoverage, Finding, Severity
from greenlane.policy.testing import SuiteVerdict
from greenlane.testgen import GeneratedFile
from greenlane.testgen.hints import Hint

RULE_CRASH = "crash-on-changed-line"
RULE_OFF = "test-execution-off"
NOT_MEASURED = "suite-not-measured"
"""Its tests run, but none does while it is measured: nothing can be told of what they cover."""
FILES_NAMED = "command-names-files"
"""The command that runs the tests names its files: a new one has to be named there."""


class ServiceTests(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out and written for one service."""

    service: str
    verdict: SuiteVerdict
    tests_run: int
    before: tuple[FileCoverage, ...] = ()
    after: tuple[FileCoverage, ...] = ()
    files: tuple[GeneratedFile, ...] = ()
    written: tuple[WrittenTest, ...] = ()
    dropped: tuple[DroppedTest, ...] = ()
    suite_passed: bool = True
    environment: str = ""
    notes: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    """What was not understood of the project's own files."""
    asked: ModelTests | None = None
    mutants: int = 0
    surviving: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def uncovered_before(self) -> int:
        return sum(len(file.uncovered) for file in self.before)

    @property
    def open_lines(self) -> tuple[str, ...]:
        return tuple(f"{file.path}:{line}" for file in self.after for line in file.uncovered)


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as it is kept between the decision to commit and the commit: a crash there repeats nothing."""

    services: tuple[ServiceTests, ...]
    seconds: float

    @property
    def files(self) -> tuple[GeneratedFile, ...]:
        return tuple(file for service in self.services for file in service.files)


def undelivered(bundle: Bundle) -> Bundle:
    """The same where the tests are in no commit: the gap of the change itself is as it was."""
    services = tuple(msgspec.structs.replace(service, after=service.before) for service in bundle.services)
    return msgspec.structs.replace(bundle, services=services)


def findings_of(hints: Sequence[Hint]) -> tuple[Finding, ...]:
    """Crashes that the search met on changed lines, as findings of the change."""
    return tuple(
        Finding(
            rule=RULE_CRASH,
            category=Category.COVERAGE,
            severity=Severity.MEDIUM,
            message=f"`{hint.call}` ends in `{hint.error}` here, which nothing raises on purpose",
            path=hint.path,
            line=hint.line,
        )
        for hint in hints
    )
