"""Which lines of a source file can be executed, and which statement a changed line belongs to. Parses, never runs."""

from __future__ import annotations

import ast
import contextlib
import functools
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import coverage
import msgspec
from coverage.exceptions import CoverageException
from coverage.parser import PythonParser

PARSING = threading.RLock()
"""Held while anything is parsed: `ast` of Python 3.11 counts its depth for all threads together, and fails if two of
them parse at the same time."""

_AGAIN = 5


class UnreadableSourceError(ValueError):
    """The file is not Python that this interpreter can parse."""


def parse_source(text: str) -> ast.Module:
    """Raises UnreadableSourceError for whatever hostile text does to a parser."""
    try:
        with PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed: ast.Module = _parsed(text, "exec")
            return parsed
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableSourceError(str(error)) from error


def parse_expression(text: str) -> ast.Expression:
    """Raises what `ast.parse` raises."""
    with PARSING:
        parsed: ast.Expression = _parsed(text, "eval")
        return parsed


def _parsed(text: str, mode: str) -> Any:
    """A library that does not know of the lock may parse meanwhile: then once more."""
    for _ in range(_AGAIN):
        with contextlib.suppress(SystemError):
            return ast.parse(text, mode=mode)
    return ast.parse(text, mode=mode)


@functools.lru_cache(maxsize=256)
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes of a parsed text in the order of `ast.walk`, gone through once: for a text that nobody changes."""
    return tuple(ast.walk(tree))


def executable_lines(text: str) -> frozenset[int]:
    """First lines of all statements that can run, as coverage.py counts them; `# pragma: no cover` changes nothing,
    but what stands under `if TYPE_CHECKING:` never runs and is left out. Raises UnreadableSourceError."""
    parse_source(text)
    with tempfile.TemporaryDirectory(prefix="greenlane-lines-") as folder:
        path = Path(folder, "source.py")
        path.write_text(text, encoding="utf-8", newline="\n", errors="surrogateescape")
        measure = coverage.Coverage(data_file=None, config_file=False)
        measure.set_option("report:exclude_lines", [r"if (typing\.)?TYPE_CHECKING:"])
        try:
            with PARSING:
                _, statements, _, _, _ = measure.analysis2(str(path))
        except (CoverageException, RecursionError, MemoryError, UnicodeError) as error:
            raise UnreadableSourceError(str(error)) from error
    return frozenset(statements)


def changed_statements(text: str, changed: Iterable[int]) -> frozenset[int]:
    """The executable lines that a change touches: a changed line inside a long statement counts as that statement's
    first line; comments, blank lines and docstrings count as nothing. Raises UnreadableSourceError."""
    executable = executable_lines(text)
    owners = {line: first for first, line in _owned_lines(parse_source(text))}
    touched = {line if line in executable else owners.get(line, 0) for line in changed}
    return frozenset(touched & executable)


class Branches(msgspec.Struct, frozen=True, kw_only=True):
    """The ways on from each line that has several: (line, next line; negative: out of the function that begins
    there). `first` maps a line inside a long statement to the statement's first."""

    ways: frozenset[tuple[int, int]] = frozenset()
    first: Mapping[int, int] = {}

    def at(self, lines: Iterable[int]) -> frozenset[tuple[int, int]]:
        """Those that lead on from these lines."""
        wanted = frozenset(lines)
        return frozenset(way for way in self.ways if way[0] in wanted)

    def plain(self, arc: tuple[int, int]) -> tuple[int, int]:
        """An arc as it was run, between the first lines of its statements."""
        start, end = (abs(self.first.get(abs(n), abs(n))) * (1 if n > 0 else -1) for n in arc)
        return start, end


def branches_of(text: str) -> Branches:
    """As coverage.py counts them. Raises UnreadableSourceError."""
    parse_source(text)
    parser = PythonParser(text=text, exclude="a^")
    try:
        with PARSING:
            parser.parse_source()
            several = {line for line, count in parser.exit_counts().items() if count > 1}
            ways = frozenset((a, b) for a, b in parser.arcs() if a in several)
            lines = range(1, text.count("\n") + 2)
            first = {line: begin for line in lines if (begin := parser.first_line(line)) != line}
    except (CoverageException, RecursionError, MemoryError) as error:
        raise UnreadableSourceError(str(error)) from error
    return Branches(ways=ways, first=first)


def _owned_lines(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """(first line of a statement, line that belongs to it and to no statement inside it)."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        body = getattr(node, "body", None)
        end = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
        for line in range(node.lineno + 1, end + 1):
            yield node.lineno, line
