"""Small source trees for tests of what runs projects."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Write these files (dedented) under `root`, and give it back."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return root


def lines_with(text: str, *needles: str) -> frozenset[int]:
    """1-based numbers of the lines that hold one of these words."""
    numbered = enumerate(text.splitlines(), 1)
    return frozenset(number for number, line in numbered if any(needle in line for needle in needles))
