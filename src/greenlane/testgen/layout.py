"""How a project lays out its source: what its formatter is told, or, without one, what its tests look like.

The formatter itself is never run: its settings, and plugins with them, come from the change. Those of its settings that
shape text are read here and handed to ours. Reads files, runs nothing.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

import msgspec

from greenlane.testgen.reading import read_ini, read_inside, read_toml, table_of

_LENGTHS = range(60, 201)
_WIDTHS = range(1, 9)

Quotes = Literal["double", "single", "preserve"]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """`indent_width` counts only for spaces. `magic_comma`: a comma after the last item keeps items on their lines."""

    line_length: int = 88
    quotes: Quotes = "double"
    indent: Literal["space", "tab"] = "space"
    indent_width: int = 4
    magic_comma: bool = True


def read_layout(tree: Path, near: str = "") -> Layout:
    """The layout of a project; `near` is the text of the test file that stands nearest, for what no setting says."""
    pyproject = table_of(read_toml(tree, "pyproject.toml"), "tool")
    ruff = read_toml(tree, "ruff.toml") or read_toml(tree, ".ruff.toml") or table_of(pyproject, "ruff")
    black = table_of(pyproject, "black")
    said: dict[str, Any] = {"line_length": _length(tree, pyproject, ruff, black)}
    formatted = table_of(ruff, "format")
    if black:
        said["quotes"] = "preserve" if black.get("skip-string-normalization") is True else "double"
        said["magic_comma"] = black.get("skip-magic-trailing-comma") is not True
    elif "quote-style" in formatted or _runs_formatter(tree):
        quotes = formatted.get("quote-style")
        said["quotes"] = quotes if quotes in ("single", "preserve") else "double"
        said["magic_comma"] = formatted.get("skip-magic-trailing-comma") is not True
    if said.get("quotes", "preserve") == "preserve":
        said["quotes"] = _usual_quotes(near)
    indent = _usual_indent(near)
    said["indent"] = "tab" if formatted.get("indent-style") == "tab" or indent == "\t" else "space"
    width = ruff.get("indent-width") or len(indent.replace("\t", "    "))
    said["indent_width"] = width if isinstance(width, int) and width in _WIDTHS else 4
    return Layout(**{key: value for key, value in said.items() if value is not None})


# ------------------------------------------------------------------ settings


def _length(tree: Path, pyproject: Mapping[str, Any], ruff: Mapping[str, Any], black: Mapping[str, Any]) -> int | None:
    found: list[Any] = [ruff.get("line-length"), black.get("line-length")]
    found += [table_of(pyproject, "yapf").get("column_limit"), table_of(pyproject, "autopep8").get("max_line_length")]
    found.append(table_of(pyproject, "flake8").get("max-line-length"))
    for name in (".flake8", "setup.cfg", "tox.ini"):
        parser = read_ini(tree, name)
        found += [
            parser.get(section, key, fallback=None)
            for section in ("flake8", "pycodestyle", "yapf", "autopep8")
            for key in ("max-line-length", "max_line_length", "column_limit")
        ]
    editor = read_ini(tree, ".editorconfig")
    for section in reversed(editor.sections()):  # the last one that fits counts
        if any(fnmatch("test_it.py", pattern) for pattern in _alternatives(section)):
            found.append(editor.get(section, "max_line_length", fallback=None))
    lengths = (int(f) for f in found if isinstance(f, int) or (isinstance(f, str) and f.strip().isdigit()))
    return next((length for length in lengths if length in _LENGTHS), None)


def _alternatives(pattern: str) -> list[str]:
    """`*.{py,pyi}` as the patterns `*.py` and `*.pyi`."""
    head, opened, rest = pattern.partition("{")
    inside, closed, tail = rest.partition("}")
    return [head + choice + tail for choice in inside.split(",")] if opened and closed else [pattern]


def _runs_formatter(tree: Path) -> bool:
    """Whether a formatter with double quotes by default is among the checks before a commit."""
    text = read_inside(tree, tree / ".pre-commit-config.yaml") or ""
    return any(word in text for word in ("id: ruff-format", "id: black"))


# ------------------------------------------------------------------ what the neighbours look like


def _usual_quotes(text: str) -> Quotes:
    counts = {"'": 0, '"': 0}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.STRING:
                opened = token.string.lstrip("rbfuRBFU")
                if not opened.startswith(('"""', "'''")):
                    counts[opened[0]] += 1
    except (tokenize.TokenError, SyntaxError):
        pass  # as far as it could be read
    return "single" if counts["'"] > counts['"'] else "double"


def _usual_indent(text: str) -> str:
    """The first indentation of a text: the step of all of it in any file that a formatter saw."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.INDENT:
                return "\t" if token.string.startswith("\t") else token.string
    except (tokenize.TokenError, SyntaxError):
        pass
    return ""
