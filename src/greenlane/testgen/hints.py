"""What the search met that looks like a fault of the change: a crash on an ordinary or boundary value. Pure.

A generated test pins what the code does; an error that nobody raised on purpose is not pinned but told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from greenlane.testgen.explore import Observed
from greenlane.testgen.targets import Gap

_CRASHES = frozenset(
    {"IndexError", "KeyError", "ZeroDivisionError", "UnboundLocalError", "RecursionError", "OverflowError", "NameError"}
)
"""Errors that ordinary values should not meet. A TypeError mostly says that the search gave a wrong type."""
_LOOKUPS = frozenset({"__getitem__", "__delitem__", "__missing__", "pop", "popitem", "remove"})
_MAX_HINTS = 5
_MAX_STEPS = 1
_MAX_TEXT = 160


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """A crash on a changed line: the call that meets it, and the error."""

    path: str
    line: int
    call: str
    error: str


def find_hints(observed: Iterable[Observed], gap: Gap) -> tuple[Hint, ...]:
    """One for each changed line that crashed, by the call nearest to one that an existing test makes."""
    found: dict[int, tuple[tuple[int, int, str], Hint]] = {}
    for one in observed:
        outcome, case = one.outcome, one.case
        if outcome.kind != "raises" or outcome.deliberate or outcome.error is None or outcome.at is None:
            continue
        path, line = outcome.at
        if path != gap.path or line not in gap.changed or case.steps > _MAX_STEPS or not _is_crash(one):
            continue
        hint = Hint(path=path, line=line, call=_call_of(one)[:_MAX_TEXT], error=_error_of(one)[:_MAX_TEXT])
        order = (case.steps, case.length, case.key)
        if line not in found or order < found[line][0]:
            found[line] = (order, hint)
    return tuple(hint for _, (_, hint) in sorted(found.items()))[:_MAX_HINTS]


def _is_crash(observed: Observed) -> bool:
    """A known crash; or something that turned out to be None although none was given."""
    outcome = observed.outcome
    if outcome.error is None or outcome.error[0] != "builtins":
        return False
    if observed.case.entry.name in _LOOKUPS and outcome.error[1] in {"KeyError", "IndexError"}:
        return False  # that is how a lookup says that there is nothing
    given = observed.case.script.text if observed.case.script else " ".join(text for _, text in observed.case.arguments)
    by_none = outcome.error[1] in {"AttributeError", "TypeError"} and "'NoneType' object" in outcome.message
    return outcome.error[1] in _CRASHES or (by_none and "None" not in given)


def _error_of(observed: Observed) -> str:
    kind = observed.outcome.error[1] if observed.outcome.error else "Error"
    return f"{kind}: {' '.join(observed.outcome.message.split())}".rstrip(": ")


def _call_of(observed: Observed) -> str:
    case = observed.case
    if case.script is not None:
        return re.sub(r"\s+", " ", case.script.look)
    given = ", ".join(f"{name}={text}" if name else text for name, text in case.arguments)
    holder = f"{case.receiver}." if case.receiver else ""
    shown = f"{holder}{case.entry.called}"
    return shown if case.entry.kind == "property" else f"{shown}({given})"
