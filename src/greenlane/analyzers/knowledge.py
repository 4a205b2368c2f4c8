"""What the base knows already: declared distributions, imported modules, and any text in its files.

Reads the base lazily and bounded: a change that brings nothing to look up costs nothing.
"""

from __future__ import annotations

import re
import sys
from functools import cached_property
from pathlib import Path

from greenlane.analyzers import files
from greenlane.analyzers.dependencies import declared_in, is_manifest

_MAX_FILES = 20_000
_MAX_BYTES = 200 << 20
"""Bounds of what is read of a base; beyond them something known may be called new, which errs on the safe side."""
_SEARCHED = (".py", ".pyi", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".json", ".env", ".conf", ".properties", ".in")
_IMPORT = re.compile(rb"^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_STANDARD_LIBRARY = frozenset(sys.stdlib_module_names) | {"__future__", "__main__"}


class BaseKnowledge:
    def __init__(self, tree: Path, limit: int) -> None:
        self._tree = tree
        self._limit = limit

    @cached_property
    def _paths(self) -> list[str]:
        found = []
        for path in sorted(self._tree.rglob("*")):
            if path.is_file() and not path.is_symlink():
                found.append(path.relative_to(self._tree).as_posix())
                if len(found) >= _MAX_FILES:
                    break
        return found

    @cached_property
    def _code(self) -> list[tuple[str, bytes]]:
        """The content of files in which the base may use something: code and configuration, no prose."""
        read, total = [], 0
        for path in self._paths:
            name = path.rsplit("/", 1)[-1]
            if not path.endswith(_SEARCHED) and not name.startswith((".env", "requirements", "Dockerfile")):
                continue
            try:
                data = files.read_bytes(self._tree, path, self._limit)
            except files.UnreadableError:
                continue
            total += len(data)
            if total > _MAX_BYTES:
                break
            read.append((path, data))
        return read

    @cached_property
    def distributions(self) -> dict[str, str]:
        """Names that any manifest of the base declares, with the addresses that they were taken from."""
        found: dict[str, str] = {}
        for path in self._paths:
            if not is_manifest(path):
                continue
            try:
                for declared in declared_in(path, files.read_text(self._tree, path, self._limit)):
                    found[declared.name] = found.get(declared.name, "") + " " + declared.source
            except (ValueError, files.UnreadableError):
                continue
        return found

    @cached_property
    def has_plain_manifest(self) -> bool:
        """Whether the base names its direct dependencies anywhere, so that a lock file adds indirect ones."""
        for path in self._paths:
            if not is_manifest(path):
                continue
            try:
                declared = declared_in(path, files.read_text(self._tree, path, self._limit))
            except (ValueError, files.UnreadableError):
                continue
            if any(not d.locked and not d.development for d in declared):
                return True
        return False

    @cached_property
    def _imports(self) -> frozenset[str]:
        return frozenset(
            match.decode() for path, data in self._code if path.endswith(".py") for match in _IMPORT.findall(data)
        )

    def mentions(self, text: str) -> bool:
        """Whether code or configuration of the base holds this text, as a whole word (a host, a name, an address)."""
        wanted = re.compile(rb"(?<![\w.-])" + re.escape(text.encode()) + rb"(?![\w-]|\.\w)")
        return any(wanted.search(data) for _, data in self._code)

    def is_new_module(self, module: str, head: Path, importer: str, roots: list[str]) -> bool:
        """Whether this top-level module is third-party and imported nowhere at the base."""
        if module in _STANDARD_LIBRARY or module in self._imports:
            return False
        folders = {".", "src", "lib", *roots, *(p.as_posix() for p in Path(importer).parents)}
        return not any(
            (tree / folder / module).is_dir() or (tree / folder / f"{module}.py").is_file()
            for tree in (head, self._tree)
            for folder in folders
        )
