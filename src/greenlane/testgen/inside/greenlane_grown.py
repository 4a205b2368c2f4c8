"""Runs inside the sandbox: sequences of calls that were run, and their order. Called by `greenlane_grow.py`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from greenlane_programs import Program  # type: ignore[import-not-found]  # they lie beside this file inside
from greenlane_templates import Seen  # type: ignore[import-not-found]


class Sequence:
    """Steps that were run: what they ran, whether they ended in a crash, and what is alive at their end."""

    def __init__(self, program: Program, steps: tuple[Any, ...], seen: Seen, failed: bool, raised: bool) -> None:
        self.program, self.steps, self.failed, self.raised = program, steps, failed, raised
        self.arcs = frozenset(seen.arcs)
        self.lines = frozenset(line for _, line in seen.arcs)
        self.alive: list[tuple[tuple[Any, ...], Any]] = []
        self.told: list[tuple[dict[str, Any], str]] | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        return (self.failed, len(self.steps), sum(len(str(step)) for step in self.steps))


def in_ways(sequences: Iterable[Sequence]) -> list[Sequence]:
    """Those of each way through the file in turn, short ones first."""
    ways: dict[Any, list[Sequence]] = {}
    for sequence in sorted({id(s): s for s in sequences}.values(), key=lambda one: one.order):
        ways.setdefault(sequence.arcs, []).append(sequence)
    rows = itertools.zip_longest(*ways.values())
    return [sequence for row in rows for sequence in row if sequence is not None]
