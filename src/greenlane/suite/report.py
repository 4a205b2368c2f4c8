"""What a run of a suite reports of itself, and how far that is believed. Pure, apart from comparing two trees.

The report is written by the process that also runs the code under test, so whoever knows how it is made can forge it.
What is done against that: each line carries a nonce of the run, which is taken out of the environment before code of
the project is loaded; the number of tests that reported is held against the number that was collected; and after the
last test a canary that fails is sent through pytest's own machinery, and has to come out as failed. `docs/limits.md`
says what can still be forged, and what that gains.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

_MAX_NAMED = 20
_LAST_WORDS = 200
_INTERNAL, _USAGE = 3, 4
NOT_BEGUN = (_INTERNAL, _USAGE)
"""pytest's exit codes for an error inside pytest or a plugin, and for options or paths that it does not take."""


class TestOutcome(msgspec.Struct, frozen=True):
    """One line of the report: a test (pytest's node id), the phase, `passed`, `failed` or `skipped`, and the reason.

    Lines of the phase `session` say of a process (its id stands for the test) that it `began` to run tests, or `ended`
    them (the detail is the number of tests that it had collected); those of the phase `canary` what became of it.
    """

    __test__ = False

    test: str
    when: str
    outcome: str
    detail: str = ""
    xfail: bool = False


def find_doubts(lines: Sequence[TestOutcome], *, due: bool = False) -> tuple[str, ...]:
    """Why this report can't be believed; empty if nothing speaks against it. `due`: pytest was called and ended well.

    A canary that is missing where tests were counted at their end counts as one that passed.
    """
    doubts = []
    if due and not any(o.when == "session" for o in lines):
        doubts.append("pytest ended well and left no report of its own: something ended it, or took the report away")
    ended = {o.test: o.detail for o in lines if o.when == "session" and o.outcome == "ended"}
    canaries = {o.test: o.outcome for o in lines if o.when == "canary"}
    for process, collected in ended.items():
        if collected and canaries.get(process, "passed") == "passed":
            doubts.append("a test that must fail was reported as passed: something changes what the runner reports")
        if collected.isdecimal() and len(ended) == 1:
            reported = {o.test for o in lines if o.when not in {"session", "canary", "collect"}}
            if len(reported) < int(collected):
                doubts.append(f"{collected} tests were collected and {len(reported)} reported an outcome")
    return tuple(dict.fromkeys(doubts))


def last_words(exit_code: int, output: str) -> str:
    """How a run ended that says nothing of its tests, to be put behind a sentence: the exit code, and what it printed
    last. One line of printable characters, for they come from the change's own process."""
    printed = [line.strip() for line in output.splitlines() if line.strip()]
    words = "".join(c if c.isprintable() else "?" for c in printed[-1])[:_LAST_WORDS] if printed else ""
    return f" (exit code {exit_code}{': ' if words else ''}{words})"


def list_disturbed(before: Path, after: Path, ignored: Iterable[str]) -> tuple[str, ...]:
    """Files of the tree `before` that are gone from its copy `after`, or have another content there."""
    names = frozenset(ignored)
    found = []
    for path in _files(before, names):
        copy = after / path
        # through no link that the job may have made: neither the file nor a folder above it
        same = copy.resolve() == copy and copy.is_file() and filecmp.cmp(before / path, copy, shallow=False)
        if not same:
            found.append(str(path))
            if len(found) >= _MAX_NAMED:
                break
    return tuple(found)


def _files(root: Path, ignored: frozenset[str]) -> Iterator[Path]:
    """Regular files of a tree, relative to it."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in ignored)
        for name in sorted(names):
            path = Path(folder, name)
            if name not in ignored and not path.is_symlink() and path.is_file():
                yield path.relative_to(root)


def why_cut_short(exit_code: int) -> str:
    """Why a suite ended before its last test, as its exit code tells: a clause of which the suite is the subject."""
    if exit_code == _USAGE:
        return f"did not begin: pytest did not take its options or paths (exit code {exit_code}): look at commands.test"
    if exit_code == _INTERNAL:
        return f"ended before its last test: pytest or one of its plugins broke (exit code {exit_code})"
    return f"ended before its last test (exit code {exit_code}): a test ends the process"
