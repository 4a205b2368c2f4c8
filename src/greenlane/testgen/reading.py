"""Python files of a change as the generator reads them: they come from outside. Runs nothing."""

from __future__ import annotations

import ast
from pathlib import Path

from greenlane.suite.lines import UnreadableSourceError, parse_source

_MAX_BYTES = 1 << 20


def read_inside(tree: Path, file: Path, most: int = _MAX_BYTES) -> str | None:
    """The text of a file of the tree; None if it can't be read, holds more bytes, or a link leads out of the tree."""
    try:
        if not file.resolve().is_relative_to(tree.resolve()) or file.stat().st_size > most:
            return None
        return file.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError):
        return None


def parse_text(text: str | None) -> ast.Module | None:
    """None for what is no Python, or could not be read."""
    try:
        return parse_source(text) if text is not None else None
    except UnreadableSourceError:
        return None


def parse_inside(tree: Path, file: Path) -> ast.Module | None:
    """A file of the tree, parsed; None if it can't be."""
    return parse_text(read_inside(tree, file))
