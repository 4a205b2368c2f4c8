"""Files of a change as the generator reads them, Python and settings: they come from outside. Runs nothing."""

from __future__ import annotations

import ast
import configparser
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def read_toml(tree: Path, name: str) -> Mapping[str, Any]:
    """A file of settings of the tree; empty if there is none, or it can't be read."""
    try:
        return tomllib.loads(read_inside(tree, tree / name) or "")
    except tomllib.TOMLDecodeError:
        return {}


def table_of(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table of a document; empty if there is none of this name."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def read_ini(tree: Path, name: str) -> configparser.RawConfigParser:
    """A file of settings of the tree, what stands before its first section as section `*`; empty if it can't be
    read."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string("[*]\n" + (read_inside(tree, tree / name) or ""))  # an .editorconfig begins without one
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser
