"""Which files and classes a project's pytest collects: `python_files` and `python_classes` of its settings. Reads
files, runs nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from greenlane.testgen.reading import read_ini, read_toml, table_of

_USUAL = ("test_*.py", "*_test.py")


def file_patterns(tree: Path) -> tuple[str, ...]:
    """The patterns of the settings that pytest would read, `test_*.py` and `*_test.py` by default.

    The order of the files: https://docs.pytest.org/en/stable/reference/customize.html"""
    return next(_settings(tree, "python_files"), ()) or _USUAL


def patterns_told(command: str) -> tuple[str, ...]:
    """Those of `-o python_files=check_*.py` in a command, which go before the settings; none where it says nothing."""
    told = re.findall(r"(?:-o|--override-ini)[ =]python_files=(\"[^\"]*\"|'[^']*'|\S+)", command)
    return _words(told[-1].strip("\"'")) if told else ()


def takes_classes(tree: Path) -> bool:
    """Whether classes called `Test...` are collected, those of `unittest` aside: the settings may ask for others."""
    patterns = next(_settings(tree, "python_classes"), ())
    return not patterns or any(fnmatch("TestIt", p if set("*?[") & set(p) else f"{p}*") for p in patterns)


def paths_of(folder: str, stem: str, patterns: tuple[str, ...], name_last: bool) -> Iterator[str]:
    """Paths for a new test file that these patterns collect, the better one first, without end: `test_pricing.py`,
    `pricing_test.py`, or after the pattern of the project. Under a pattern without a star (`tests.py`) it lies in a
    folder of its own."""
    number = 1
    while True:
        whole = stem if number == 1 else f"{stem}_{number}"
        usual = f"{whole}_test.py" if name_last else f"test_{whole}.py"
        yield str(PurePosixPath(folder) / _named(usual, whole, patterns))
        number += 1


def _named(usual: str, stem: str, patterns: tuple[str, ...]) -> str:
    if any(fnmatch(usual, pattern) for pattern in patterns):
        return usual
    simple = [p for p in patterns if p.endswith(".py") and "/" not in p and not set("?[") & set(p)]
    starred = [p for p in simple if p.count("*") == 1]
    if starred:
        return starred[0].replace("*", stem)
    exact = [p for p in simple if "*" not in p]
    return f"{stem}/{exact[0]}" if exact else usual


def _settings(tree: Path, key: str) -> Iterator[tuple[str, ...]]:
    """What each file says by this key that holds settings of pytest; empty: nothing."""
    for name, section in (("pytest.ini", "pytest"), (".pytest.ini", "pytest")):
        if (tree / name).is_file():
            yield _words(read_ini(tree, name).get(section, key, fallback=""))
    options = table_of(table_of(table_of(read_toml(tree, "pyproject.toml"), "tool"), "pytest"), "ini_options")
    if options:
        yield _words(options.get(key, ""))
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        parser = read_ini(tree, name)
        if parser.has_section(section):
            yield _words(parser.get(section, key, fallback=""))


def _words(said: object) -> tuple[str, ...]:
    if isinstance(said, list):
        return tuple(word for word in said if isinstance(word, str))
    try:
        return tuple(shlex.split(said)) if isinstance(said, str) else ()
    except ValueError:
        return ()
