"""Trees of commits that are moved from one commit to the next by writing what differs, for whoever reads many in a row.

The result is what a fresh export gives. Called by the backtest; a live review exports afresh each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from greenlane.adapters.git.export import Item, export_tree, require_safe, write_items
from greenlane.adapters.git.process import Git, require_object

_ABSENT = b"000000"
_PLAIN = frozenset({b"100644", b"100755", _ABSENT})
_MAX_ITEMS = 2_000
"""With more differences a fresh export is as quick."""


class RollingTrees:
    """`base` and `head` in each folder, wherever they stood before."""

    def __init__(self, repo: Path) -> None:
        self._git = Git(repo)
        self._at: dict[Path, str] = {}

    async def place(self, base_sha: str, head_sha: str, folder: Path) -> None:
        """Bring `folder/base` and `folder/head` to these commits. Raises as an export does."""
        for name, commit in (("base", base_sha), ("head", head_sha)):
            await asyncio.to_thread(self._move, folder / name, require_object(commit))

    def forget(self, folder: Path) -> None:
        """Remove the trees of this folder and all that stands beside them: the next ones are exported afresh."""
        for name in ("base", "head"):
            self._at.pop(folder / name, None)
        shutil.rmtree(folder, ignore_errors=True)

    def _move(self, tree: Path, commit: str) -> None:
        before = self._at.pop(tree, None)  # until it is done, nothing is known of this tree
        differences = self._differences(before, commit) if before else None
        if differences is None:
            shutil.rmtree(tree, ignore_errors=True)
            export_tree(self._git, commit, tree)
        else:
            gone, items = differences
            for path in gone:
                _remove(tree, path)
            write_items(self._git, items, tree)
        self._at[tree] = commit

    def _differences(self, before: str, commit: str) -> tuple[list[bytes], list[Item]] | None:
        """The files that are gone or others, and those to be written; None if a fresh export is simpler."""
        out = self._git.run("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", before, commit)
        fields = out.split(b"\0")[:-1]
        gone: list[bytes] = []
        items: list[Item] = []
        for meta, path in zip(fields[::2], fields[1::2], strict=True):
            old_mode, new_mode, _, name, _ = meta.lstrip(b":").split(b" ")
            if not {old_mode, new_mode} <= _PLAIN:
                return None  # a link or a submodule: what may stand of them depends on the whole tree
            require_safe(path)
            if old_mode != _ABSENT:
                gone.append(path)
            if new_mode != _ABSENT:
                items.append(Item(new_mode, name, 0, path))
        return (gone, items) if len(items) <= _MAX_ITEMS else None


def _remove(tree: Path, name: bytes) -> None:
    """Remove a file, and the folders that it leaves empty, as git knows none."""
    path = tree / os.fsdecode(name)
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        while path.parent != tree:
            path = path.parent
            path.rmdir()
