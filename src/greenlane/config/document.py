"""Reads a YAML file into plain values, and remembers where each of them stands.

Called by `greenlane.config`. Only the plain part of YAML is taken: no tags, anchors or aliases (so that a small file
can't grow into a huge one), no key twice, no values that are not finite.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import TypeAlias

import msgspec
import yaml

from greenlane.domain.errors import ConfigError

MAX_BYTES = 256 * 1024
"""A configuration by hand is a few KiB; a larger file is a mistake or an attack."""
MAX_DEPTH = 20
"""The deepest key of the configuration stands at 6."""
MAX_SHOWN = 60

KeyPath: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"


class Place(msgspec.Struct, frozen=True):
    """1-based line and column."""

    line: int
    column: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the file: where, at which key, and what to write instead."""

    place: Place
    path: KeyPath
    text: str

    def render(self, file: str) -> str:
        key = dotted(self.path)
        return f"{file}:{self.place.line}:{self.place.column}: " + (f"{key}: " if key else "") + self.text


class Document(msgspec.Struct, kw_only=True):
    """The file as plain values. `keys` and `values` say where a key, or what it holds, begins."""

    root: dict[str, Value]
    keys: dict[KeyPath, Place]
    values: dict[KeyPath, Place]
    problems: list[Problem]

    def place_of(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where this path stands; for one that is absent, where the nearest part above it does."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        while path:
            found = first.get(path) or second.get(path)
            if found:
                return found
            path = path[:-1]
            first, second = self.keys, self.values
        return Place(1, 1)


def dotted(path: KeyPath) -> str:
    """`services[0].port`"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: object) -> str:
    """A value from the file as an error quotes it: short, on one line, nothing that could move a terminal's cursor."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises ConfigError if there is none, or it is no readable file of a sane size."""
    try:
        if not path.is_file():
            what = "is no regular file" if path.exists() else "does not exist"
            raise ConfigError(f"{path} {what}", hint="`greenlane init` writes one by looking at the repository")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", hint="check its permissions") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"{path} is larger than {MAX_BYTES // 1024} KiB, so it is no configuration",
            hint="`greenlane init` writes one by looking at the repository",
        )
    return data


def decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise ConfigError(
            f"{file}:{line}:{column}: byte 0x{data[error.start]:02x} is not UTF-8", hint="save the file as UTF-8"
        ) from error


def parse(text: str, file: str) -> Document:
    """The document of this text. Raises ConfigError if it is no YAML; what can be told apart is in `problems`."""
    try:
        node = _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _explain_syntax(error, text, file) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        raise ConfigError(
            f"{file}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: "
            f"a control character (U+{ord(text[error.position]):04X}) is not allowed",
            hint="delete it",
        ) from error
    document = Document(root={}, keys={}, values={}, problems=[])
    if node is None:
        return document
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"{file}:1:1: the file must hold keys and values (`services:` ...), not {_kind_of(node)}",
            hint="`greenlane init --force` writes a new one",
        )
    document.root = _Reader(document).mapping(node, ())
    return document


def _explain_syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    hint = "check the indentation and the quotes around here"
    problem = error.problem or "this is no YAML"
    if "\\t" in problem or (line <= len(lines) and "\t" in lines[line - 1][: column + 1]):
        problem, hint = "a tab is used for indentation", "use spaces: YAML allows no tabs there"
    elif "single document" in (error.context or ""):
        problem, hint = "a second document begins here (`---`)", "keep one document in the file"
    context = f" ({error.context})" if error.context and hint.startswith("check") else ""
    return ConfigError(f"{file}:{line}:{column}: {problem}{context}", hint=hint)


def _kind_of(node: yaml.Node) -> str:
    return "a list" if isinstance(node, yaml.SequenceNode) else "a single value"


class _Composer(
    yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, yaml.resolver.Resolver
):
    """PyYAML's own pipeline up to nodes, without construction, and bounded."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stub leaves it untyped
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            problem = f"anchors and aliases (`{sign}{shown(anchor)[1:-1]}`) are not taken: write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        if self._depth >= MAX_DEPTH:
            problem = f"nothing here is nested deeper than {MAX_DEPTH} levels"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


_PLAIN = "tag:yaml.org,2002:"


class _Reader:
    """Turns nodes into plain values, notes their places, and collects what is wrong."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._scalars = yaml.constructor.SafeConstructor()

    def problem(self, node: yaml.Node, path: KeyPath, text: str) -> None:
        self.document.problems.append(Problem(place=_place(node), path=path, text=text))

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, path, "a key must be a single word")
                continue
            key = str(key_node.value)
            here: KeyPath = (*path, key)
            if key in values:
                first = self.document.keys[here].line
                self.problem(key_node, here, f"this key stands twice (first in line {first}): keep one of them")
                continue
            self.document.keys[here] = _place(key_node)
            values[key] = self.value(value_node, here)
        return values

    def value(self, node: yaml.Node, path: KeyPath) -> Value:
        self.document.values[path] = _place(node)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self.scalar(node, path)

    def scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Value:
        text = str(node.value)
        kind = node.tag.removeprefix(_PLAIN)
        if kind in ("str", "timestamp", "value", "merge") or (kind in ("int", "float") and ":" in text):
            return text  # YAML 1.1 reads 8:30 as a number to the base 60, and 2026-01-01 as a date: neither is meant
        if kind not in ("null", "bool", "int", "float"):
            self.problem(node, path, f"the tag {shown(node.tag)[1:-1]} is not taken: write a plain value")
            return None
        try:
            value: Hashable = self._scalars.construct_object(node)
        except (ValueError, OverflowError, yaml.YAMLError):
            return text
        if isinstance(value, float) and not math.isfinite(value):
            self.problem(node, path, f"{shown(text)[1:-1]} is not a finite number")
            return None
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 53:
            return text  # larger than any limit here, and than what JSON keeps exactly
        assert value is None or isinstance(value, bool | int | float)
        return value


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
