"""The writer of tests: a language model that is shown a gap. Optional; it may only propose, and decides nothing."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from greenlane.domain.asked import AskedTest
from greenlane.domain.opinion import ModelCall, Outcome


class NumberedLine(msgspec.Struct, frozen=True):
    """A line of a file. `gap`: it was changed and no test runs it; `hidden`: an analyzer saw a secret there."""

    number: int
    text: str
    gap: bool = False
    hidden: bool = False


class FixtureOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A fixture that the tests may use: its name, its scope, and what it returns as far as its text says."""

    name: str
    scope: str = "function"
    returns: str = ""


class FailedTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test of the answer before that was not kept: which gate stopped it, and the end of what it said."""

    test: AskedTest
    gate: str
    failure: str


class WritingTask(msgspec.Struct, frozen=True, kw_only=True):
    """What the writer gets, and nothing else: the functions that hold the gap, the nearest test file, the fixtures.

    `form` is how the file's tests look: plain functions, methods of a class, or of a `unittest.TestCase` (then the
    test takes `self` alone). `modules` are the project's own top-level names. `failed` is empty at the first asking.
    """

    repo: str
    pr_number: int
    path: str
    module: str
    functions: tuple[tuple[NumberedLine, ...], ...]
    neighbour_path: str = ""
    neighbour: tuple[NumberedLine, ...] = ()
    fixtures: tuple[FixtureOffer, ...] = ()
    form: Literal["function", "class", "unittest"] = "function"
    modules: tuple[str, ...] = ()
    max_tests: int = 8
    failed: tuple[FailedTest, ...] = ()
    still_open: tuple[int, ...] = ()
    """At the second asking: the lines of the gap that no kept test runs."""


class WritingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: tests that have the right form and no more; the claims of the model; the call for the record."""

    outcome: Outcome
    call: ModelCall
    tests: tuple[AskedTest, ...] = ()
    coverage_targets: tuple[str, ...] = ()
    edge_cases_covered: tuple[str, ...] = ()


class TestWriter(Protocol):
    async def write(self, task: WritingTask) -> WritingAnswer:
        """Proposed tests for the gap. Never raises for what the model or its host does: that is an outcome."""
