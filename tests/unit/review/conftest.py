"""Real little trees as base and head of a change, and the difference between them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from greenlane.analyzers.base import ReviewInput, SourceRoot
from greenlane.domain.diff import Diff, FileDiff, Line

Tree = Mapping[str, str | bytes]
MakeReview = Callable[..., ReviewInput]


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


@pytest.fixture
def make_review(tmp_path: Path) -> MakeReview:
    def make(base: Tree, head: Tree, *, deployed: bool = True, root: str = ".") -> ReviewInput:
        write_tree(tmp_path / "base", base)
        write_tree(tmp_path / "head", head)
        return ReviewInput(
            diff=diff_of(base, head),
            base_tree=str(tmp_path / "base"),
            head_tree=str(tmp_path / "head"),
            roots=(SourceRoot(path=root, service="shop", deployed=deployed),),
        )

    return make
