"""A change on disk, as analyzers get it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from greenlane.analyzers.base import ReviewInput, SourceRoot
from tests.unit.review.review_trees import Tree, diff_of, write_tree

MakeReview = Callable[..., ReviewInput]


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
