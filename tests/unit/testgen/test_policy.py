"""The gates of generated tests and the verdict on a suite: the decision tables."""

from __future__ import annotations

import msgspec
import pytest

from greenlane.policy.testing import GATES, SuiteFacts, TestFacts, assess_suite, assess_test

PASSED = TestFacts(
    parses=True, foreign_imports=(), harms=(), asserts=True, missing_fixtures=(), executed=True, failure="",
    failure_again="", new_lines=2, noticed=1, noticeable=3, suite_failures=(),
)  # fmt: skip

BROKEN = {
    "parses": ({"parses": False}, "not valid Python"),
    "imports": ({"foreign_imports": ("requests",)}, "requests"),
    "harmless": ({"harms": ("names os",)}, "it names os"),
    "asserts": ({"asserts": False}, "asserts nothing"),
    "fixtures": ({"missing_fixtures": ("databse",)}, "databse"),
    "executed": ({"executed": False}, "not run"),
    "passes": ({"failure": "frame\nE   AssertionError: assert 1 == 2\n"}, "AssertionError: assert 1 == 2"),
    "passes-again": ({"failure_again": "E  assert {1} == {2}"}, "another hash seed"),
    "covers": ({"new_lines": 0}, "no changed line"),
    "notices": ({"noticed": 0}, "none of 3 faults"),
    "suite": ({"suite_failures": ("tests/test_a.py::test_b",)}, "tests/test_a.py::test_b"),
}


def test_a_test_that_passes_every_gate_is_kept() -> None:
    assert assess_test(PASSED).keep


def test_a_test_that_runs_nothing_new_is_kept_if_it_notices_a_fault_that_no_test_noticed() -> None:
    again = msgspec.structs.replace(PASSED, new_lines=0, noticed=1)
    assert assess_test(again).gate == "covers"  # what it notices, others notice too
    assert assess_test(msgspec.structs.replace(again, new_faults=1)).keep


@pytest.mark.parametrize("gate", GATES)
def test_each_gate_stops_a_test_and_says_why(gate: str) -> None:
    changes, words = BROKEN[gate]
    verdict = assess_test(msgspec.structs.replace(PASSED, **changes))
    assert (verdict.keep, verdict.gate) == (False, gate)
    assert words in verdict.reason


def test_the_first_gate_that_is_not_passed_names_the_reason() -> None:
    everything = {name: value for changes, _ in BROKEN.values() for name, value in changes.items()}
    assert assess_test(msgspec.structs.replace(PASSED, **everything)).gate == "parses"


def test_what_was_not_looked_at_passes_no_gate() -> None:
    assert assess_test(TestFacts()).gate == "parses"
    assert assess_test(msgspec.structs.replace(PASSED, suite_failures=None)).gate == "suite"


def test_fixtures_are_not_looked_at_where_the_configuration_says_so() -> None:
    unknown = msgspec.structs.replace(PASSED, missing_fixtures=("databse",))
    assert assess_test(unknown, fixture_validation=False).keep


GREEN = SuiteFacts(passed=True, tests_run=3)
ABSENT = SuiteFacts(passed=False, tests_run=0, absent=True, unavailable="exit code 5")
RED_A = SuiteFacts(passed=False, tests_run=3, failing=("a",))
RED_AB = SuiteFacts(passed=False, tests_run=3, failing=("a", "b"))
STOPPED = SuiteFacts(passed=False, tests_run=1, unavailable="it was stopped (time)")


@pytest.mark.parametrize(
    ("head", "base", "proceed", "rule"),
    [
        (GREEN, None, True, "suite-green"),
        (RED_A, GREEN, False, "suite-red"),
        (STOPPED, GREEN, False, "suite-red"),
        (RED_A, RED_A, True, "suite-red-before"),
        (RED_AB, RED_A, False, "suite-red"),
        (RED_A, RED_AB, True, "suite-red-before"),
        (STOPPED, STOPPED, True, "suite-red-before"),
        (ABSENT, ABSENT, True, "suite-absent"),
        (ABSENT, GREEN, False, "suite-red"),
    ],
)
def test_a_change_is_blocked_by_tests_that_it_broke_and_no_others(
    head: SuiteFacts, base: SuiteFacts | None, proceed: bool, rule: str
) -> None:
    verdict = assess_suite(head, base)
    assert (verdict.proceed, verdict.rule) == (proceed, rule)


def test_the_tests_that_the_change_broke_are_named() -> None:
    verdict = assess_suite(RED_AB, RED_A)
    assert verdict.caused == ("b",)
    assert "b" in verdict.reason
