"""The ledger of what was read: for each changed file its hunks, who looked at them, and any gap with its reason.

Pure. Called by the reader; a gap that no analyzer told of becomes a `SkippedFile`, which closes the green lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.base import EVERYTHING, AnalysisResult
from greenlane.domain.diff import Diff, FileDiff, Line
from greenlane.domain.events import FileRead, SkippedFile
from greenlane.domain.opinion import ModelReview

MAX_FILES = 500
"""Files that an event names; of more, those with a gap come first and the rest is counted."""
_NEEDED = {
    files.Kind.PYTHON: "security",
    files.Kind.SQL: "schema",
    files.Kind.SCRIPT: "scripts",
    files.Kind.SHELL: "scripts",
    files.Kind.MARKUP: "scripts",
}
"""The analyzer without which a file of this kind was not analysed, whatever else looked at it."""


def record_reading(
    diff: Diff, results: Mapping[str, AnalysisResult]
) -> tuple[tuple[FileRead, ...], tuple[SkippedFile, ...]]:
    """What was read of each file, in the order of the difference, and the gaps that no analyzer told of.

    `results` are by the name of the analyzer. One that does not tell what it read counts for nothing here.
    """
    told = {name: frozenset(result.read) for name, result in results.items() if result.read is not None}
    reasons = {s.path: f"{s.analyzer}: {s.reason}" for result in results.values() for s in result.skipped}
    read, gaps = [], []
    for file in diff.files:
        by = tuple(name for name in told if file.path in told[name])
        reason = file.skipped or reasons.get(file.path) or reasons.get(EVERYTHING, "")
        if not reason and told:
            reason = _unnoticed(file, by, frozenset(told))
            if reason:
                gaps.append(SkippedFile(path=file.path, analyzer="record", reason=reason))
        read.append(FileRead(path=file.path, hunks=count_hunks(file), by=by, skipped=reason[:300]))
    return tuple(read), tuple(gaps)


def _unnoticed(file: FileDiff, by: tuple[str, ...], told: frozenset[str]) -> str:
    """Why this file is a gap although nobody said so; empty if it is none. What is deleted brings nothing to read."""
    if file.status == "deleted" or files.is_harmless_media(file.path) or not (file.added or file.removed):
        return ""
    needed = _NEEDED.get(files.kind_of(file.path))
    if needed in told and needed not in by:
        return f"the analyzer {needed} did not read it"
    return "" if by else "no analyzer read it"


def count_hunks(file: FileDiff) -> int:
    """The separate places of the file that change; a file without lines (a mode, a binary) is one."""
    removed, added = _runs(file.removed), _runs(file.added)
    count = shift = at = 0
    for start, length in removed:
        while at < len(added) and added[at][0] < start + shift:
            count, shift, at = count + 1, shift + added[at][1], at + 1
        count += 1
        if at < len(added) and added[at][0] == start + shift:
            shift, at = shift + added[at][1], at + 1
        shift -= length
    return max(1, count + len(added) - at)


def _runs(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """(first number, how many) of lines that follow each other."""
    runs: list[tuple[int, int]] = []
    for line in lines:
        if runs and line.number == runs[-1][0] + runs[-1][1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((line.number, 1))
    return runs


def with_model(read: tuple[FileRead, ...], model: ModelReview | None) -> tuple[FileRead, ...]:
    """The record with what the model saw: all of a file unless something of it was left out of the request."""
    if model is None or model.opinion is None:
        return read
    left_out = tuple(model.left_out)
    return tuple(
        f
        if any(text == f.path or text.startswith((f.path + ":", f.path + " ")) for text in left_out)
        else msgspec.structs.replace(f, model_hunks=f.hunks)
        for f in read
    )


def analysed_hunks(read: tuple[FileRead, ...]) -> tuple[int, int]:
    """(hunks in files without a gap, all hunks)"""
    return sum(f.hunks for f in read if not f.skipped), sum(f.hunks for f in read)


def bound_record(read: tuple[FileRead, ...]) -> tuple[FileRead, ...]:
    if len(read) <= MAX_FILES:
        return read
    return tuple(sorted(read, key=lambda f: not f.skipped)[:MAX_FILES])


def reading_words(read: tuple[FileRead, ...]) -> str:
    """`40 of 40 hunks in 6 files analysed`"""
    done, total = analysed_hunks(read)
    plural = "s" if len(read) != 1 else ""
    model = sum(f.model_hunks for f in read)
    seen = f", {model} seen by the model" if model else ""
    return f"{done} of {total} hunks in {len(read)} file{plural} analysed{seen}"
