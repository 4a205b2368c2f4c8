"""Which test files of a program (any language) are kept. Pure.

Fewer gates than for Python, since the text is not understood here: what can be seen from outside is held, in order, and
a file is kept or dropped whole.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ProgramGate = Literal["place", "harmless", "executed", "passes", "passes-again", "covers", "notices", "suite", ""]


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one proposed test file. `None` stands for not looked at: no gate is passed on that."""

    misplaced: str | None = None
    """Why it may not lie where it shall; empty: it may."""
    disturbed: tuple[str, ...] | None = None
    """Files of the project that its run removed or changed."""
    missing: tuple[str, ...] | None = None
    """Tests that it is said to hold and that did not run."""
    failure: str | None = None
    """Why one of its tests did not pass; empty: all passed."""
    failure_again: str | None = None
    """The same in another order, time zone and hash seed."""
    new_lines: int | None = None
    noticed: int | None = None
    """Faults put into changed lines that it runs, and that make it fail."""
    tried: int | None = None
    """Faults that could be tried at all: with none of them, there is nothing to notice."""
    suite_failures: tuple[str, ...] | None = None


class FileVerdict(msgspec.Struct, frozen=True, kw_only=True):
    keep: bool
    gate: ProgramGate = ""
    reason: str = ""


def assess_file(facts: FileFacts) -> FileVerdict:
    """Hold one file against every gate; the first that is not passed names the reason."""
    checks: tuple[tuple[ProgramGate, bool, str], ...] = (
        ("place", facts.misplaced == "", f"it may not lie there: {facts.misplaced}"),
        ("harmless", facts.disturbed == (), f"it changes the project's file {_first(facts.disturbed)}"),
        ("executed", facts.missing == (), f"its test {_first(facts.missing)} was not run"),
        ("passes", facts.failure == "", f"it fails: {facts.failure}"),
        (
            "passes-again",
            facts.failure_again == "",
            f"it fails in another order, time zone or hash seed: {facts.failure_again}",
        ),
        ("covers", (facts.new_lines or 0) > 0, "it covers no changed line that was not covered before"),
        (
            "notices",
            facts.tried is not None and (facts.tried == 0 or (facts.noticed or 0) > 0),
            f"it notices none of {facts.tried} faults that were put into the changed lines it runs",
        ),
        ("suite", facts.suite_failures == (), f"the suite fails with it: {_first(facts.suite_failures)}"),
    )
    for gate, passed, reason in checks:
        if not passed:
            return FileVerdict(keep=False, gate=gate, reason=reason)
    return FileVerdict(keep=True)


def _first(names: tuple[str, ...] | None) -> str:
    return names[0] if names else "(not looked at)"
