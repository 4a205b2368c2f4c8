"""What tests are written for: open lines, open branches, and mutants that nobody notices yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from greenlane.suite.lines import Branches
from greenlane.suite.runner import SuiteRun
from greenlane.testgen.mutants import Mutant

Line: TypeAlias = tuple[str, int]
Branch: TypeAlias = tuple[str, int, int]
Fault: TypeAlias = tuple[str, int, int, int]
Target: TypeAlias = Line | Branch | Fault
"""A line (path, line), a branch (path, from, to), or a mutant (path, line, 0, its number in the file's list)."""
Targets: TypeAlias = frozenset[Target]
Lines: TypeAlias = frozenset[Line]

_WEIGHTS = {2: 3.0, 3: 2.0, 4: 1.0}


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What is open in one file: changed lines and branches that no test runs, and the mutants of changed lines."""

    path: str
    lines: frozenset[int]
    branches: frozenset[tuple[int, int]] = frozenset()
    mutants: tuple[Mutant, ...] = ()
    known: Branches = Branches()
    changed: frozenset[int] = frozenset()
    """Executable lines that the change touched, open or not."""

    @property
    def covering(self) -> Targets:
        """Lines and branches: what a test has to run one of to be worth keeping."""
        lines: set[Target] = {(self.path, line) for line in self.lines}
        return frozenset(lines | {(self.path, start, end) for start, end in self.branches})

    @property
    def faults(self) -> Targets:
        return frozenset(self.fault(number) for number in range(len(self.mutants)))

    @property
    def everything(self) -> Targets:
        return self.covering | self.faults

    def fault(self, number: int) -> Fault:
        return (self.path, self.mutants[number].line, 0, number)


def weigh(targets: Iterable[Target]) -> float:
    """A line counts more than a branch, a branch more than a mutant."""
    return sum(_WEIGHTS[len(target)] for target in targets)


def is_fault(target: Target) -> bool:
    return len(target) == 4


def line_of(target: Target) -> int:
    return target[1]


def ran_by(run: SuiteRun, gap: Gap) -> dict[str, Targets]:
    """The open lines and branches of a gap that each test ran."""
    found: dict[str, set[Target]] = {}
    for line, tests in run.contexts.get(gap.path, {}).items():
        if line in gap.lines:
            for test in tests:
                found.setdefault(test, set()).add((gap.path, line))
    arcs: Mapping[tuple[int, int], frozenset[str]] = run.arcs.get(gap.path, {})
    for arc, tests in arcs.items():
        start, end = gap.known.plain(arc)
        if (start, end) in gap.branches:
            for test in tests:
                found.setdefault(test, set()).add((gap.path, start, end))
    return {test: frozenset(targets) for test, targets in found.items()}


def open_branches(run: SuiteRun, path: str, changed: Iterable[int], known: Branches) -> frozenset[tuple[int, int]]:
    """Ways on from changed lines that nothing took; none where branches were not traced."""
    arcs = run.arcs.get(path)
    if arcs is None:
        return frozenset()
    return known.at(changed) - {known.plain(arc) for arc in arcs}
