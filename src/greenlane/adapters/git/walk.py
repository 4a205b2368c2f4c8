"""Every commit of a branch with the files it touched, and the size of many changes, each in one call of git.

For whoever needs the past of many changes at once (the backtest, the calibration): asking git once for each of them
would take as many walks over the history. Reads, writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from greenlane.adapters.git.process import Git, GitFailedError

MAX_WALK_BYTES = 1 << 30
"""All commits of a history with their messages and file names: those of 100,000 commits take some 200 MB."""
_FIELDS = "%x00%H%x00%P%x00%at%x00%ae%x00%B%x00"
"""Separated by zero bytes, which neither a message nor a name can hold: nobody forges a commit by writing one."""


class Touch(msgspec.Struct, frozen=True):
    """One commit: when it was written (Unix seconds), by which address (folded), its message, and the files that it
    touched; a merge touches none, since what it brings was touched by others."""

    sha: str
    at: int
    author: str
    message: str
    merge: bool
    paths: tuple[str, ...]


class FileSize(msgspec.Struct, frozen=True):
    """What a change does to one file: lines added and removed (0 for what is not text)."""

    path: str
    old_path: str
    added: int
    removed: int


def walk_touches(git: Git, tip: str) -> Iterator[Touch]:
    """The commits that `tip` reaches, parents before children."""
    out = git.run(
        "log", "--topo-order", "--reverse", "--name-only", "--no-renames", "-z", f"--format={_FIELDS}",
        "--end-of-options", tip, "--", limit=MAX_WALK_BYTES,
    )  # fmt: skip
    yield from _records(iter(out.split(b"\0")))


def _records(fields: Iterator[bytes]) -> Iterator[Touch]:
    """An empty field stands before each commit and after its message; names follow, the first after a line end."""
    next(fields, None)
    for sha in fields:
        if not sha:
            continue
        parents, at, author, message, _ = (next(fields, b"") for _ in range(5))
        names: list[bytes] = []
        for name in fields:
            if not name:
                break
            names.append(name if names else name.removeprefix(b"\n"))
        yield Touch(
            sha=sha.decode("ascii", "replace"),
            at=int(at),
            author=author.decode("utf-8", "replace").strip().casefold(),
            message=message.decode("utf-8", "replace").strip(),
            merge=b" " in parents,
            paths=tuple(_text(name) for name in names),
        )


def read_sizes(git: Git, steps: Sequence[tuple[str, ...]]) -> dict[str, tuple[FileSize, ...]]:
    """The files of each step, by its head, with their lines; renames are recognised. A step is (head, base), or only
    the head: then it is what this commit changed, and nothing for a merge. One of which objects are missing (a partial
    clone, damage) is left out, and the others are read nevertheless."""
    if not steps:
        return {}
    try:
        return _read_sizes(git, steps)
    except GitFailedError:
        if len(steps) == 1:
            return {}
    middle = len(steps) // 2
    return read_sizes(git, steps[:middle]) | read_sizes(git, steps[middle:])


def _read_sizes(git: Git, steps: Sequence[tuple[str, ...]]) -> dict[str, tuple[FileSize, ...]]:
    asked = "".join(" ".join(step) + "\n" for step in steps)
    out = git.run(
        "diff-tree", "--stdin", "--root", "-r", "-M", "--numstat", "-z", "--no-ext-diff", "--no-textconv",
        "--diff-algorithm=myers", "--no-indent-heuristic", stdin=asked.encode(), limit=MAX_WALK_BYTES,
    )  # fmt: skip
    found: dict[str, list[FileSize]] = {step[0]: [] for step in steps}
    fields = iter(out.split(b"\0")[:-1])
    current: list[FileSize] = []
    for field in fields:
        added, tab, rest = field.partition(b"\t")
        if not tab:
            current = found.setdefault(field.decode("ascii", "replace").strip(), [])
            continue
        removed, _, path = rest.partition(b"\t")
        old = path
        if not path:  # a rename: both names follow
            old, path = next(fields), next(fields)
        current.append(FileSize(_text(path), _text(old), _count(added), _count(removed)))
    return {sha: tuple(sizes) for sha, sizes in found.items()}


def _count(field: bytes) -> int:
    return int(field) if field.isdigit() else 0


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
