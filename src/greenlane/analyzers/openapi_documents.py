"""OpenAPI documents of one side of a change: found, parsed, and their references followed inside the repository.

A reference to another host is never fetched: what it leads to is not known, and is said where it matters. Called by
`openapi.py`; the comparison works on `At`, a part of a document that knows where it stands.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import msgspec
import yaml

from greenlane.analyzers import files

Node: TypeAlias = Mapping[str, Any]
"""A part of a document that came from outside: of unknown shape until each step has looked at it."""
EMPTY: Node = {}
MAX_DEPTH = 40
_MAX_FILES = 300
"""Files that one document may be spread over."""
_NAMES = ("openapi", "swagger")
_SUFFIXES = (".json", ".yaml", ".yml")
_DECLARES = re.compile(r"""(^|[\n{,])\s*["']?(openapi|swagger)["']?\s*:\s*["']?[23]\.""")
_REFERENCE = re.compile(r"""\$ref["']?\s*:\s*["']?([^"'\s#,}]+)""")
_KEY = re.compile(r"""^(\s*)(?:-\s+)?(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'#{\[-][^:#]*?))\s*:(?:\s|$|["'\[{\d])""")


class DocumentError(Exception):
    """A document or a part of it can't be read; the text says why."""


class At(msgspec.Struct, frozen=True):
    """A part of a document: its value, the file that it stands in, and the keys that lead to it there."""

    value: Any
    file: str
    pointer: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        return self.value if isinstance(self.value, dict) else EMPTY

    @property
    def items(self) -> list[At]:
        return (
            [At(v, self.file, (*self.pointer, str(i))) for i, v in enumerate(self.value)]
            if isinstance(self.value, list)
            else []
        )

    def at(self, key: str) -> At:
        """The part under this key; of value None if there is none. Keys that are numbers are found by their text."""
        node = self.node
        if key in node:
            return At(node[key], self.file, (*self.pointer, key))
        for found, value in node.items():
            if str(found) == key:
                return At(value, self.file, (*self.pointer, key))
        return At(None, self.file, (*self.pointer, key))

    def children(self) -> Iterator[tuple[str, At]]:
        for key, value in self.node.items():
            yield str(key), At(value, self.file, (*self.pointer, str(key)))


def may_be_document(path: str) -> bool:
    """`openapi.json`, `api/openapi.v2.yaml`, `swagger.yml`: by its name."""
    name = PurePosixPath(path).name.lower()
    return name.endswith(_SUFFIXES) and any(n in name for n in _NAMES)


def declares_document(path: str, text: str) -> bool:
    """Whether a file says that it is an OpenAPI document, whatever its name."""
    return path.lower().endswith(_SUFFIXES) and bool(_DECLARES.search(text[:4000]))


class Side:
    """The documents of one tree, each file parsed once."""

    def __init__(self, tree: Path, limit: int) -> None:
        self._tree = tree
        self._limit = limit
        self._parsed: dict[str, Any] = {}
        self._texts: dict[str, str] = {}

    def text(self, path: str) -> str:
        """Raises DocumentError."""
        if path not in self._texts:
            try:
                self._texts[path] = files.read_text(self._tree, path, self._limit)
            except files.UnreadableError as error:
                raise DocumentError(f"{path}: {error}") from error
        return self._texts[path]

    def load(self, path: str) -> At:
        """The whole of a file. Raises DocumentError."""
        if path not in self._parsed:
            if len(self._parsed) >= _MAX_FILES:
                raise DocumentError(f"the document is spread over more than {_MAX_FILES} files")
            self._parsed[path] = _parse(path, self.text(path))
        return At(self._parsed[path], path)

    def files_of(self, path: str) -> set[str]:
        """The files of the repository that a document refers to, however indirectly, and itself."""
        found, pending = set[str](), [path]
        while pending and len(found) < _MAX_FILES:
            file = pending.pop()
            if file in found:
                continue
            found.add(file)
            try:
                text = self.text(file)
            except DocumentError:
                continue
            pending += [target for ref in _REFERENCE.findall(text) if (target := _file_of(file, ref))]
        return found

    def resolve(self, part: At) -> At:
        """The part with its references followed. Raises DocumentError: one leads nowhere, or out of the repository."""
        for _ in range(MAX_DEPTH):
            reference = part.node.get("$ref")
            if not isinstance(reference, str):
                return part
            part = self._follow(part, reference)
        raise DocumentError(f"{part.file}: references lead in a circle")

    def _follow(self, part: At, reference: str) -> At:
        path, _, fragment = reference.partition("#")
        file = _file_of(part.file, path) if path else part.file
        if file is None:
            raise DocumentError(f"the reference {reference[:100]} leads out of the repository and was not read")
        found = self.load(file)
        for step in [s for s in fragment.split("/") if s]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.items[int(name)] if isinstance(found.value, list) and name.isdigit() else found.at(name)
            if found.value is None:
                raise DocumentError(f"the reference {reference[:100]} leads nowhere")
        return found

    def place(self, part: At) -> tuple[int, str]:
        """(1-based line, the line itself) of a part; (0, '') if it can't be found."""
        try:
            lines = self.text(part.file).splitlines()
        except DocumentError:
            return 0, ""
        number = locate(lines, part.pointer)
        return (number, lines[number - 1].strip()[:300]) if number else (0, "")


def locate(lines: list[str], pointer: tuple[str, ...]) -> int:
    """The 1-based line of the innermost key that is found, by keys and their indentation; 0 for none."""
    start, indent, found = 0, -1, 0
    for key in pointer:
        if key.isdigit() and not any(_key_of(line) == key for line in lines[start : start + 400]):
            continue  # the number of an item of a list
        level = None
        for number in range(start, len(lines)):
            match = _KEY.match(lines[number])
            if not match:
                continue
            depth = len(match[1])
            if depth <= indent:
                break
            level = depth if level is None or depth < level else level
            if depth == level and _unquoted(match) == key:
                start, indent, found = number + 1, depth, number + 1
                break
        else:
            break
        if found != start:
            break
    return found


def _key_of(line: str) -> str:
    match = _KEY.match(line)
    return _unquoted(match) if match else ""


def _unquoted(match: re.Match[str]) -> str:
    return next((g for g in match.groups()[1:] if g is not None), "").replace("\\/", "/").strip()


def _file_of(base: str, reference: str) -> str | None:
    """The path in the repository that a relative reference of `base` names; None if it leads out of it."""
    if not reference or "://" in reference or reference.startswith(("/", "\\")) or ":" in reference.split("/")[0]:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), reference))
    return None if path.startswith("..") else path


def _parse(path: str, text: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=loader)
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise DocumentError(f"{path} is not valid: {str(error).splitlines()[0][:100]}") from error
    if not isinstance(found, dict):
        raise DocumentError(f"{path} is not valid: it is no object")
    return found
