"""Which generated tests are kept, and what the state of the suite means for the change. Pure.

The gates stand in a fixed order, each test on its own; the first that is not passed names the reason.
"""

from __future__ import annotations

from typing import Literal

import msgspec

GATES = (
    "parses", "imports", "harmless", "asserts", "fixtures", "executed", "passes", "passes-again", "covers", "notices",
    "suite",
)  # fmt: skip
Gate = Literal[
    "parses",
    "imports",
    "harmless",
    "asserts",
    "fixtures",
    "executed",
    "passes",
    "passes-again",
    "covers",
    "notices",
    "suite",
    "",
]


class TestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one generated test. `None` stands for not looked at: no gate is passed on that."""

    __test__ = False

    parses: bool | None = None
    foreign_imports: tuple[str, ...] | None = None
    """Imports that are neither of the project, the standard library nor pytest."""
    harms: tuple[str, ...] | None = None
    """What it does that no test of ours may: ends the process, reaches into the runner, changes the project's files."""
    asserts: bool | None = None
    """Whether it asserts anything that some code would not fulfil."""
    missing_fixtures: tuple[str, ...] | None = None
    executed: bool | None = None
    failure: str | None = None
    """Why it failed when it was run; empty: it passed."""
    failure_again: str | None = None
    """Why it failed under another hash seed, time zone or order; empty: it passed each time."""
    new_lines: int | None = None
    """Changed lines and branches that it runs and that no test ran before."""
    new_faults: int | None = None
    """Faults put into changed lines that make it fail and that no test noticed before."""
    noticed: int | None = None
    """Faults put into changed lines that make it fail."""
    noticeable: int | None = None
    """Faults that were put into the changed lines it runs; with none that is possible, there is nothing to notice."""
    suite_failures: tuple[str, ...] | None = None
    """Tests that fail with it and did not fail before it."""


class TestVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a test is kept; if not, the gate that stopped it and why."""

    __test__ = False

    keep: bool
    gate: Gate = ""
    reason: str = ""


def assess_test(facts: TestFacts, *, fixture_validation: bool = True) -> TestVerdict:
    """Hold one test against every gate, in order."""
    checks: tuple[tuple[Gate, bool, str], ...] = (
        ("parses", facts.parses is True, "it is not valid Python"),
        ("imports", facts.foreign_imports == (), f"it imports {_listed(facts.foreign_imports)}, which is not offered"),
        ("harmless", facts.harms == (), f"it {_listed(facts.harms)}, which no generated test may"),
        ("asserts", facts.asserts is True, "it asserts nothing that could fail"),
        (
            "fixtures",
            facts.missing_fixtures == () or not fixture_validation,
            f"it names fixtures that do not exist: {_listed(facts.missing_fixtures)}",
        ),
        (
            "executed",
            facts.executed is True,
            f"it was not run: {_short(facts.failure)}" if facts.failure else "it was not run",
        ),
        ("passes", facts.failure == "", f"it fails: {_short(facts.failure)}"),
        (
            "passes-again",
            facts.failure_again == "",
            f"it fails under another hash seed, time zone or order: {_short(facts.failure_again)}",
        ),
        (
            "covers",
            (facts.new_lines or 0) > 0 or (facts.new_faults or 0) > 0,
            "it covers no changed line that was not covered before, and notices no fault that no test noticed",
        ),
        (
            "notices",
            facts.noticeable is not None and (facts.noticeable == 0 or (facts.noticed or 0) > 0),
            f"it notices none of {facts.noticeable} faults that were put into the changed lines it runs",
        ),
        ("suite", facts.suite_failures == (), f"the suite fails with it: {_listed(facts.suite_failures)}"),
    )
    for gate, passed, reason in checks:
        if not passed:
            return TestVerdict(keep=False, gate=gate, reason=reason)
    return TestVerdict(keep=True)


def _listed(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "(not looked at)"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _short(failure: str | None) -> str:
    if failure is None:
        return "it was not looked at"
    lines = [line.strip() for line in failure.splitlines() if line.strip()]
    errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return (errors or lines or ["no reason given"])[0][:200]


class SuiteVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the change may go on as far as its own suite goes. `caused` are the tests that it broke."""

    proceed: bool
    rule: str
    reason: str
    caused: tuple[str, ...] = ()


class SuiteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the service's suite. `unavailable` says why it could not be run to its end."""

    passed: bool
    tests_run: int
    failing: tuple[str, ...] = ()
    unavailable: str = ""
    absent: bool = False
    """The service has no tests at all."""


def assess_suite(head: SuiteFacts, base: SuiteFacts | None, *, in_part: int = 0) -> SuiteVerdict:
    """What the suite on the head means, given the suite on the base (None: it was not needed, the head is green).

    `in_part`: the whole suite takes too long, and so many test files were run of it; 0: it was run whole.
    """
    if head.passed and in_part:
        files = (
            "test file that imports the changed code passes"
            if in_part == 1
            else (f"{in_part} test files that import the changed code pass")
        )
        return SuiteVerdict(
            proceed=True,
            rule="suite-in-part",
            reason="the suite takes longer than validation.test_timeout_s; "
            f"of it, the {files} ({head.tests_run} tests)",
        )
    if head.passed:
        return SuiteVerdict(proceed=True, rule="suite-green", reason=f"the suite passes ({head.tests_run} tests)")
    if head.absent and (base is None or base.absent):
        return SuiteVerdict(proceed=True, rule="suite-absent", reason="the service has no tests")
    if base is None:
        return SuiteVerdict(
            proceed=False, rule="suite-red", reason="the suite fails on the change", caused=head.failing
        )
    if base.passed:
        named = _listed(head.failing) if head.failing else head.unavailable or "it did not run to its end"
        return SuiteVerdict(
            proceed=False,
            rule="suite-red",
            reason=f"the suite passes on the base and fails on the change: {named}",
            caused=head.failing,
        )
    new = tuple(test for test in head.failing if test not in set(base.failing))
    if new and base.failing:
        return SuiteVerdict(
            proceed=False,
            rule="suite-red",
            reason=f"the suite fails on the base too, but not with these tests: {_listed(new)}",
            caused=new,
        )
    named = _listed(base.failing) or base.unavailable or "it does not run to its end"
    return SuiteVerdict(proceed=True, rule="suite-red-before", reason=f"the suite fails on the base already: {named}")
