"""A change to files, as facts: what was added, removed, renamed, and what could not be read."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

FileStatus = Literal["added", "modified", "deleted", "renamed"]


class ChangeType(StrEnum):
    """What kind of change it is, as far as its files decide it."""

    DOCUMENTS = "documents"
    TESTS = "tests"
    DEPENDENCIES = "dependencies"
    MOVED = "moved"
    FEATURE = "feature"
    OTHER = "other"


class Line(msgspec.Struct, frozen=True):
    """One line of a diff: its 1-based number on its own side, and its text without the line end."""

    number: int
    text: str


class FileDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What a change does to one file. `skipped` says why the content was not read (binary, too large, not text)."""

    path: str
    old_path: str | None = None
    status: FileStatus
    added: tuple[Line, ...] = ()
    removed: tuple[Line, ...] = ()
    skipped: str | None = None


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between the merge base and the head of a change. `sha256` is of git's bytes as read."""

    base_sha: str
    head_sha: str
    sha256: str
    files: tuple[FileDiff, ...]

    @property
    def added_count(self) -> int:
        return sum(len(f.added) for f in self.files)

    @property
    def removed_count(self) -> int:
        return sum(len(f.removed) for f in self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(f.path for f in self.files)
