"""Calls that end the process they are made in: by an exit, or because nothing else ends them (`greenlane_ending.py`).
Pure; for `explore.py`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

import msgspec

from greenlane.suite.runner import SuiteRun
from greenlane.testgen.inputs import Case

_LARGE = re.compile(r"(?<![\w.])\d{7,}(?![\w.])")
"""A number that few loops come to the end of."""


class _Begun(msgspec.Struct, frozen=True):
    begun: int


class Endless:
    """What is not to be made any more: calls that ended a run, and those with a large number of theirs."""

    def __init__(self) -> None:
        self._keys, self._numbers = set[str](), set[str]()

    def add(self, case: Case) -> None:
        self._keys.add(case.key)
        self._numbers |= _large_numbers(case)

    def allows(self, case: Case) -> bool:
        return case.key not in self._keys and self._numbers.isdisjoint(_large_numbers(case))


def ended_by(run: SuiteRun, cases: Sequence[Case]) -> Case | None:
    """The call that was begun last, if nothing came after it."""
    last = run.plugin_output.rstrip().rpartition(b"\n")[2]
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        number = msgspec.json.decode(last, type=_Begun).begun
        return cases[number] if 0 <= number < len(cases) else None
    return None


def _large_numbers(case: Case) -> set[str]:
    texts = (*case.texts, *(text for step in case.history for _, text in step.arguments))
    return {number for text in texts for number in _LARGE.findall(text)}
