"""Plugins of pytest that an environment holds and a suite has no use for. pytest loads all that are installed, which
takes longer than many a test; in an environment that several projects share, most are not this one's. Reads files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from greenlane.suite.runner import IGNORED

_TELLING: dict[str, str] = {
    "anyio": r"anyio",
    "benchmark": r"benchmark",
    "faker": r"faker",
    "hypothesispytest": r"hypothesis",
    "pytest-datadir": r"datadir|regression",
    "pytest_lazyfixture": r"lazy.?fixture|\blf\(",
    "pytest_mock": r"mocker|pytest.mock|mock_(?:use_standalone|traceback)",
    "regressions": r"regression",
    "timeout": r"mark\.timeout|pytest.timeout|--timeout|^\s*timeout|session_timeout",
    "typeguard": r"typeguard",
}
"""By the name of their entry point those that do nothing for a suite that says none of these words: no fixture, mark,
option, setting or import of theirs."""
_SUFFIXES = frozenset({".py", ".toml", ".ini", ".cfg"})
_MOST_FILES, _MOST_BYTES = 3_000, 30 << 20


def idle_plugins(tree: Path) -> tuple[str, ...]:
    """The entry points of known plugins that nothing in the tree names; none where there is too much to read."""
    left = {name: re.compile(words.encode(), re.IGNORECASE | re.MULTILINE) for name, words in _TELLING.items()}
    size = 0
    for count, file in enumerate(_files(tree)):
        try:
            data = file.read_bytes()
        except OSError:
            return ()
        size += len(data)
        if count >= _MOST_FILES or size > _MOST_BYTES:
            return ()
        left = {name: words for name, words in left.items() if not words.search(data)}
        if not left:
            break
    return tuple(sorted(left))


def _files(tree: Path) -> Iterator[Path]:
    """Those that may name a plugin; what a link leads to lies elsewhere, or is read where it lies."""
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix in _SUFFIXES and not file.is_symlink():
                yield file
