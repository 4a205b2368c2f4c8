"""A change in figures and in words: how large it is, what it consists of, and how much of it is read at all.

Called by the review agent before and beside the analyzers.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.dependencies import is_manifest
from greenlane.analyzers.schema import is_migration
from greenlane.domain.diff import Diff, FileDiff
from greenlane.domain.events import ChangedFile
from greenlane.domain.settings import Review

_SHOWN = 4


class ChangeSize(msgspec.Struct, frozen=True, kw_only=True):
    """Lines, files and folders of what production runs: no tests, documents, lock files or media."""

    lines: int
    files: int
    folders: int


def bound_diff(diff: Diff, limits: Review) -> Diff:
    """The difference as far as it is read: files beyond the limits lose their content and say why."""
    kept: list[FileDiff] = []
    lines = 0
    for index, file in enumerate(diff.files):
        lines += len(file.added)
        if index >= limits.max_files:
            reason = f"the change has more than {limits.max_files} files"
        elif lines > limits.max_added_lines:
            reason = f"the change adds more than {limits.max_added_lines} lines"
        else:
            kept.append(file)
            continue
        kept.append(msgspec.structs.replace(file, added=(), removed=(), skipped=file.skipped or reason))
    return msgspec.structs.replace(diff, files=tuple(kept))


def is_production(path: str) -> bool:
    return not (
        files.is_support(path)
        or files.is_document(path)
        or files.is_lock_file(path)
        or files.kind_of(path) is files.Kind.MEDIA
    )


def measure_change(diff: Diff) -> ChangeSize:
    counted = [f for f in diff.files if is_production(f.path)]
    return ChangeSize(
        lines=sum(len(f.added) + len(f.removed) for f in counted),
        files=len(counted),
        folders=len({str(PurePosixPath(f.path).parent) for f in counted}),
    )


def list_changed_files(diff: Diff, sensitive: Collection[str]) -> tuple[ChangedFile, ...]:
    """Each file with its part of the size above, so that the score of a part of the change can be computed later."""
    return tuple(
        ChangedFile(
            path=f.path,
            old_path=f.old_path,
            lines=len(f.added) + len(f.removed) if is_production(f.path) else None,
            sensitive=f.path in sensitive or (f.old_path is not None and f.old_path in sensitive),
        )
        for f in diff.files
    )


def purpose_of(path: str) -> str:
    """What a file is for, in the word that a reader of the change would use."""
    if is_migration(path):
        return "migrations"
    if is_manifest(path) or files.is_lock_file(path):
        return "dependencies"
    if files.is_test(path):
        return "tests"
    if files.is_document(path) or files.is_support(path):
        return "documents and examples"
    if files.kind_of(path) in (
        files.Kind.PYTHON,
        files.Kind.STUB,
        files.Kind.SCRIPT,
        files.Kind.SHELL,
        files.Kind.CODE,
        files.Kind.SQL,
    ):
        return "code"
    return "configuration and data"


def summarise(diff: Diff) -> tuple[str, ...]:
    """One line for each purpose, largest first: `code: 3 files, +40 -2 (app/a.py, app/b.py ...)`."""
    groups: dict[str, list[FileDiff]] = {}
    for file in diff.files:
        groups.setdefault(purpose_of(file.path), []).append(file)
    lines = []
    for purpose, group in sorted(groups.items(), key=lambda g: -_weight(g[1])):
        ranked = sorted(group, key=lambda f: -_weight([f]))
        shown = ", ".join(f.path for f in ranked[:_SHOWN]) + (" ..." if len(group) > _SHOWN else "")
        added, removed = sum(len(f.added) for f in group), sum(len(f.removed) for f in group)
        plural = "s" if len(group) > 1 else ""
        lines.append(f"{purpose}: {len(group)} file{plural}, +{added} -{removed} ({shown})")
    return tuple(lines)


def _weight(group: list[FileDiff]) -> int:
    return sum(len(f.added) + len(f.removed) for f in group)
