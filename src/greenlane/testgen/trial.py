"""`Trials`: which tests notice which mutants. Called by the generator, by the gates, and by the benchmark."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from greenlane.suite.runner import SuiteRequest, SuiteRunner
from greenlane.testgen.mutants import Mutant
from greenlane.testgen.scene import Scene

_INSIDE = Path(__file__).with_name("inside")
_MAX_SELECTED = 300
_CLOCK = 6.0
"""By the clock, a trial on a busy machine may take so much longer than the processor time it is given."""
_START_S = 30.0
"""Time for the interpreter, the imports and the collection, beside what the trial itself may take."""
AT_ONCE = min(os.cpu_count() or 1, 2)
"""Processes beside each other, where there is much to ask."""
_FEW = 100
"""More pairs of a mutant and a test than a few are tried by several processes."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one mutant, as the sandbox tells it. `tests` noticed it; `timeout` counts as noticed by someone,
    `absent` means that its code was not found in the running program."""

    mutant: int
    kind: Literal["baseline", "killed", "alive", "absent", "timeout"]
    tests: tuple[str, ...] = ()
    looks: Mapping[str, tuple[str, ...]] = {}
    """Of a test that makes a proposed call: which looks at it see something else (`looks.py` names them)."""
    ms: float = 0.0

    @property
    def killed(self) -> bool:
        return self.kind in {"killed", "timeout"}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """By the mutant's number in the list that was asked; one that is not here was not tried (time, or a crash).
    `failing` are tests that fail without any fault, and say nothing about one."""

    tried: Mapping[int, Tried]
    failing: frozenset[str] = frozenset()

    @property
    def killed(self) -> frozenset[int]:
        return frozenset(number for number, tried in self.tried.items() if tried.killed)


class Trials:
    def __init__(self, runner: SuiteRunner) -> None:
        self._runner = runner

    async def run(
        self,
        scene: Scene,
        mutants: Sequence[Mutant],
        tests: Sequence[Sequence[str]],
        *,
        extra: tuple[tuple[str, bytes], ...] = (),
        more: Mapping[str, object] | None = None,
        every: bool = False,
        seconds: float = 30.0,
    ) -> Trial:
        """Try each mutant with its own tests (node ids, by number). `every`: all that notice it, not only the first.
        `extra` are files put into the copy, `more` is further input for plugins."""
        if not mutants or not any(tests):
            return Trial(tried={})
        asked = [number for number in range(len(mutants)) if tests[number]]
        beside = AT_ONCE if sum(len(tests[number]) for number in asked) > _FEW else 1

        async def part(numbers: Sequence[int]) -> Trial:
            rows = [encode_mutant(number, mutants[number]) | {"tests": tests[number]} for number in numbers]
            given = {"mutants": rows, "every": every, "seconds": seconds} | dict(more or {})
            request = SuiteRequest(
                select=_selection(test for number in numbers for test in tests[number]),
                extra=extra,
                plugins=("greenlane_mutants",),
                plugin_folders=(_INSIDE,),
                without=scene.idle_plugins,
                plugin_input=msgspec.json.encode(given),
                timeout_s=seconds * _CLOCK + _START_S,
            )
            run = await self._runner.run(scene.service, scene.environment, scene.tree, request)
            return _read(run.plugin_output, len(mutants))

        parts = await asyncio.gather(*(part(asked[n::beside]) for n in range(min(beside, len(asked)))))
        tried = {number: one for trial in parts for number, one in trial.tried.items()}
        return Trial(tried=tried, failing=frozenset().union(*(trial.failing for trial in parts)))


def encode_mutant(number: int, mutant: Mutant) -> dict[str, object]:
    """As `inside/greenlane_mutants.py` takes it; the path is that of the copy."""
    return {
        "id": number,
        "path": "{tree}/" + mutant.path,
        "module": mutant.module,
        "line": mutant.line,
        "chain": mutant.chain,
        "first": mutant.first,
        "source": mutant.source,
    }


def _selection(tests: Iterable[str]) -> tuple[str, ...]:
    """Node ids without parameters; whole files where there are too many of them."""
    names = dict.fromkeys(test.split("[")[0] for test in tests)
    if len(names) <= _MAX_SELECTED:
        return tuple(names)
    return tuple(dict.fromkeys(name.split("::")[0] for name in names))


def _read(data: bytes, count: int) -> Trial:
    decoder = msgspec.json.Decoder(Tried)
    tried: dict[int, Tried] = {}
    failing: frozenset[str] = frozenset()
    for line in data.splitlines():
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            found = decoder.decode(line)
            if found.kind == "baseline":
                failing = frozenset(found.tests)
            elif 0 <= found.mutant < count:
                tried[found.mutant] = found
    return Trial(tried=tried, failing=failing)
