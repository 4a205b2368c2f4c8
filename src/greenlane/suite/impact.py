"""Which test files have to do with changed modules: those that import one of them, directly or through others.

For suites that take longer than they may. Read from the text alone; what is imported by a computed name is not seen, so
the answer is a part of the suite and never stands for all of it.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from greenlane.suite.lines import UnreadableSourceError, parse_source

_MAX_FILES = 5_000
_MAX_BYTES = 1 << 20
_LEFT_OUT = frozenset({"node_modules", "__pycache__", "build", "dist", "venv"})


def impacted_tests(tree: Path, roots: Sequence[str], changed: Iterable[str]) -> tuple[str, ...]:
    """Paths of test files that import a changed module (given by its path), the nearest first."""
    names: dict[str, set[str]] = {}  # by path: what the file can be imported as
    imports: dict[str, set[str]] = {}
    for path in _sources(tree):
        names[path] = _names_of(path, roots)
        imports[path] = _imported(tree / path, names[path])
    waiting = [path for path in sorted(set(changed)) if path in names]
    seen = dict.fromkeys(waiting)
    while waiting:
        reached = {name for path in waiting for name in names[path]}
        waiting = [path for path in sorted(imports) if path not in seen and imports[path] & reached]
        seen |= dict.fromkeys(waiting)
    return tuple(path for path in seen if _is_test(path))


def _sources(tree: Path) -> Iterator[str]:
    count = 0
    for folder, folders, files in os.walk(tree):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _LEFT_OUT)
        for name in sorted(files):
            file = Path(folder, name)
            if not name.endswith(".py") or file.is_symlink() or file.stat().st_size > _MAX_BYTES:
                continue
            count += 1
            if count > _MAX_FILES:
                return
            yield file.relative_to(tree).as_posix()


def _names_of(path: str, roots: Sequence[str]) -> set[str]:
    """Dotted names, from each root of imports that the file lies under, and from the root of the tree."""
    found = set()
    parts = PurePosixPath(path).with_suffix("").parts
    for root in (".", *roots):
        above = PurePosixPath(root).parts
        if parts[: len(above)] == above:
            own = parts[len(above) :]
            found.add(".".join(own[:-1] if own[-1] == "__init__" else own))
    return found - {""}


def _imported(file: Path, names: set[str]) -> set[str]:
    try:
        parsed = parse_source(file.read_text(encoding="utf-8-sig"))
    except (UnreadableSourceError, UnicodeDecodeError, OSError):
        return set()
    found: set[str] = set()
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for base in _bases(node, file, names):
                found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def _bases(node: ast.ImportFrom, file: Path, names: set[str]) -> Iterator[str]:
    """The module that names are imported from; a relative one under each name that the file has itself."""
    if not node.level:
        yield node.module or ""
        return
    up = node.level - (1 if file.name == "__init__.py" else 0)
    for name in names:
        package = name.split(".")[: len(name.split(".")) - up]
        yield ".".join([*package, *([node.module] if node.module else [])])


def _is_test(path: str) -> bool:
    name = PurePosixPath(path).name
    return name.startswith("test") or name.endswith(("_test.py", "_tests.py"))
