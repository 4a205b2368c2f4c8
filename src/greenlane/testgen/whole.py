"""The whole suite with generated files in it, and which of our tests it bears. Called by `generator.py`."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from greenlane.domain.service_settings import Service
from greenlane.ports.environments import PythonEnvironment
from greenlane.suite.commands import naming
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner

_MAX_HALVES, _MAX_HALVES_S = 12, 180.0
"""Runs of the suite, and their seconds, spent on finding out which of our tests disturb others."""


class GeneratedFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    content: bytes


class TriedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A run, the tests that failed in it and not before, and whether it is as green as it was without our files."""

    run: SuiteRun
    broken: tuple[str, ...]
    green: bool


class WholeSuite:
    """A service's suite as it is run with our files; `baseline` is its run without them."""

    def __init__(
        self,
        runner: SuiteRunner,
        service: Service,
        environment: PythonEnvironment,
        tree: Path,
        baseline: SuiteRun,
        measured: tuple[str, ...],
    ) -> None:
        self._runner, self._service, self._environment, self._tree = runner, service, environment, tree
        self._baseline, self._measured = baseline, measured

    async def run(self, files: Sequence[GeneratedFile]) -> TriedSuite:
        part = (*self._baseline.in_part, *(f.path for f in files)) if self._baseline.in_part else ()
        request = SuiteRequest(measure=self._measured, select=part, extra=tuple((f.path, f.content) for f in files))
        service = naming(self._service, self._tree, [file.path for file in files])
        run = await self._runner.run(service, self._environment, self._tree, request)
        before = set(self._baseline.failing)
        broken = tuple(test for test in run.failing if test not in before)
        green = run.passed or (not self._baseline.passed and not broken and not run.result.stopped)
        return TriedSuite(run=run, broken=broken, green=green)

    async def run_backwards(self, files: Sequence[GeneratedFile]) -> TriedSuite | None:
        """Our files alone, the last test first, if one fails so: what it wants was left by a test of another file, or
        altered. (Those of one file were run in other orders before.) None if all pass."""
        request = SuiteRequest(
            select=tuple(f.path for f in files), extra=tuple((f.path, f.content) for f in files), reverse=True
        )
        run = await self._runner.run(self._service, self._environment, self._tree, request)
        return TriedSuite(run=run, broken=run.failing, green=False) if run.failing else None

    def spare_runs(self, tried: TriedSuite) -> int:
        """How many more runs as long as this one are worth their time."""
        return min(_MAX_HALVES, int(_MAX_HALVES_S / max(tried.run.result.seconds, 0.1)))


async def borne_of(names: Sequence[str], bears: Callable[[Sequence[str]], Awaitable[bool]], most: int) -> list[str]:
    """Those of these tests that the suite bears together, though it does not bear all of them.

    Halves of what it does not bear are tried, each with all that was found to be borne before it (two tests may disturb
    only together), in `most` runs at the most; what is then still unclear is not borne. That is Zeller's and
    Hildebrandt's delta debugging, for a largest good part instead of a smallest bad one.
    """
    good: list[str] = []
    waiting = deque(_halves(list(names)))
    while waiting:
        group = waiting.popleft()
        if len(good) + len(group) < len(names):
            if not most:
                break
            most -= 1
            if await bears([*good, *group]):
                good += group
                continue
        waiting += _halves(group)
    return [name for name in names if name in set(good)]


def _halves(group: list[str]) -> list[list[str]]:
    middle = len(group) // 2
    return [group[:middle], group[middle:]] if middle else []
