"""The history facts of many merged changes, each as of its own base, from one walk over the whole history.

Called by the backtest and the calibration. What `GitHistory` would have said on the day of each change is what stands
here: nothing that came after the base of a change is in its facts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from greenlane.adapters.git.merged import MergedChange
from greenlane.adapters.git.process import Git, GitFailedError
from greenlane.adapters.git.walk import FileSize, Touch, read_sizes, walk_touches
from greenlane.adapters.history import (
    MAX_COMMITS,
    PastCommit,
    Present,
    address_of,
    known_paths,
    lines_on,
    measure_history,
    past_commit,
    recent_parts,
)
from greenlane.domain.errors import InputError
from greenlane.domain.history import HistoryFacts


class LookedBack(msgspec.Struct, frozen=True):
    """One change as it was when it came: its files with their lines, and the history before it."""

    sizes: tuple[FileSize, ...]
    history: HistoryFacts


def look_back(repo: Path, changes: Sequence[MergedChange]) -> dict[str, LookedBack]:
    """Each change (by its head) with its past; one of which objects are missing is left out. `changes` stand newest
    first. Blocks. Raises InputError for a history that git can't read."""
    if not changes:
        return {}
    git = Git(repo)
    try:
        sizes = read_sizes(git, [(c.head_sha, c.base_sha) for c in changes])
        shallow = git.text("rev-parse", "--is-shallow-repository") == "true"
        past = _Past()
        seen = _walk(git, changes, sizes, past, shallow=shallow)
        parts = {sha for item in seen for sha in item.parts}
        lines = read_sizes(git, [(sha,) for sha in sorted(parts)])
    except GitFailedError as error:
        raise InputError(f"the history can't be read: {error.message}", hint="run `git fsck`") from error
    return {item.sha: _measure(item, lines) for item in seen}


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was known when a change came."""

    sha: str
    present: Present
    commits: tuple[PastCommit, ...]
    own: tuple[int, ...]
    parts: tuple[str, ...]


def _walk(
    git: Git,
    changes: Sequence[MergedChange],
    sizes: dict[str, tuple[FileSize, ...]],
    past: _Past,
    *,
    shallow: bool,
) -> list[_Seen]:
    """From the first commit on. The commits of a change are added to the past when the change itself is reached, so
    that another one that was begun before it and merged after it does not see them too early, nor too late."""
    heads = {c.head_sha: c for c in changes}
    owned = {sha for c in changes for sha in c.commits}
    held: dict[str, Touch] = {}
    dates: dict[str, int] = {}
    seen: list[_Seen] = []
    for touch in walk_touches(git, changes[0].head_sha):
        dates[touch.sha] = touch.at
        if touch.sha not in owned:
            past.add(touch)
            continue
        held[touch.sha] = touch
        change = heads.get(touch.sha)
        if change is None:
            continue
        if change.head_sha not in sizes:
            _add_all(past, change, held)
            continue
        present = Present(
            files=sizes[change.head_sha],
            author=address_of(change.author),
            subject=change.title,
            now=dates.get(change.base_sha, change.at),
            shallow=shallow,
        )
        seen.append(past.look_at(change.head_sha, present))
        _add_all(past, change, held)
    return seen


def _add_all(past: _Past, change: MergedChange, held: dict[str, Touch]) -> None:
    for sha in change.commits:
        if sha in held:
            past.add(held.pop(sha))


class _Past:
    """What is known so far: the commits, those of each file and each author by their number."""

    def __init__(self) -> None:
        self._commits: list[PastCommit] = []
        self._by_path: dict[str, list[int]] = defaultdict(list)
        self._by_author: dict[str, list[int]] = defaultdict(list)

    def add(self, touch: Touch) -> None:
        if touch.merge:
            return
        number = len(self._commits)
        self._commits.append(past_commit(touch.sha, touch.at, touch.author, touch.message))
        self._by_author[touch.author].append(touch.at)
        for path in touch.paths:
            self._by_path[path].append(number)

    def look_at(self, sha: str, present: Present) -> _Seen:
        numbers = {n for path in known_paths(present.files) for n in self._by_path.get(path, ())}
        newest = sorted((self._commits[n] for n in numbers), key=lambda c: -c.at)[:MAX_COMMITS]
        return _Seen(
            sha=sha,
            present=present,
            commits=tuple(newest),
            own=tuple(self._by_author.get(present.author, ())[-MAX_COMMITS:]),
            parts=recent_parts(newest, present.author, present.now),
        )


def _measure(item: _Seen, lines: dict[str, tuple[FileSize, ...]]) -> LookedBack:
    own = {sha: lines[sha] for sha in item.parts if sha in lines}
    paths = known_paths(item.present.files)
    history = measure_history(item.present, item.commits, item.own, author_recent_lines=lines_on(paths, own))
    return LookedBack(item.present.files, history)
