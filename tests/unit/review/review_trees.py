"""Real little trees as base and head of a change, and the difference between them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from greenlane.domain.diff import Diff, FileDiff, Line

Tree = Mapping[str, str | bytes]


def write_tree(folder: Path, tree: Tree) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in tree.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())


def diff_of(base: Tree, head: Tree) -> Diff:
    """What git would say of both trees, without renames; what is not UTF-8 is skipped as git's adapter does."""
    files = []
    for path in sorted({*base, *head}):
        old, new = base.get(path), head.get(path)
        if old == new:
            continue
        status = "added" if old is None else "deleted" if new is None else "modified"
        if isinstance(old, bytes) or isinstance(new, bytes):
            files.append(FileDiff(path=path, status=status, skipped="it is binary"))
            continue
        before, after = (old or "").splitlines(), (new or "").splitlines()
        added, removed = [], []
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if tag != "equal":
                removed += [Line(n + 1, before[n]) for n in range(i1, i2)]
                added += [Line(n + 1, after[n]) for n in range(j1, j2)]
        files.append(FileDiff(path=path, status=status, added=tuple(added), removed=tuple(removed)))
    return Diff(base_sha="b" * 40, head_sha="e" * 40, sha256="0" * 64, files=tuple(files))
