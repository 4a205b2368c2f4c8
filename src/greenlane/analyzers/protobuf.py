"""The contract of Protocol Buffers: messages, fields, enums and services of the `.proto` files that a change touches.

Both what is on the wire (numbers, types, how often a field stands) and what callers compile against (names). Parsed by
proto-schema-parser, strictly: what it would only guess at is an analysis that did not happen. A definition that moves
between two changed files of one package is not gone. Source of the rules: protobuf.dev, "Updating A Message Type".
Called by `api.py`; the parser takes a while to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from antlr4.error.ErrorListener import ErrorListener  # type: ignore[import-untyped]  # antlr4 has no types
from proto_schema_parser import ast as proto
from proto_schema_parser.parser import Parser

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

_ON_THE_WIRE = ({"int32", "uint32", "int64", "uint64", "bool"}, {"sint32", "sint64"}, {"string", "bytes"},
                {"fixed32", "sfixed32"}, {"fixed64", "sfixed64"})  # fmt: skip
"""Types that read each other's bytes, though not every value survives."""


class ProtoError(Exception):
    """A file can't be parsed; the text says where."""


class Field(msgspec.Struct, frozen=True):
    number: int
    type: str
    label: str
    """`repeated`, `required` or empty."""
    line: int


class Message(msgspec.Struct, frozen=True):
    """A message or an enum; an enum's values are fields without a type. `reserved` holds ranges and names."""

    path: str
    line: int
    fields: dict[str, Field]
    ranges: tuple[tuple[int, int], ...] = ()
    is_enum: bool = False


class Method(msgspec.Struct, frozen=True):
    path: str
    line: int
    takes: str
    gives: str


class Definitions(msgspec.Struct):
    """What some files define, by full names."""

    messages: dict[str, Message] = {}
    services: dict[str, tuple[str, int]] = {}
    methods: dict[str, Method] = {}
    texts: dict[str, list[str]] = {}


def compare_protos(review: ReviewInput) -> AnalysisResult:
    before, after = Definitions(), Definitions()
    skipped: list[SkippedFile] = []
    for diff in review.diff.files:
        old_path = diff.old_path or diff.path
        if not diff.path.endswith(".proto") or files.is_support(old_path) or diff.skipped:
            continue
        try:
            if diff.status != "added":
                _read(review.base, old_path, review.max_file_bytes, before)
            if diff.status != "deleted":
                _read(review.head, diff.path, review.max_file_bytes, after)
        except ProtoError as error:
            reason = f"the protobuf definitions can't be compared ({error})"
            skipped.append(SkippedFile(path=diff.path, analyzer="api", reason=reason))
    if skipped:  # without one of the files, what moved there would look removed
        return AnalysisResult(skipped=tuple(skipped))
    findings = (*_messages(before, after), *_services(before, after))
    return AnalysisResult(findings=findings)


# ------------------------------------------------------------------ reading


class _Strict(ErrorListener):  # type: ignore[misc]  # antlr4 has no types
    def syntaxError(self, _1: Any, _2: Any, line: int, _3: int, message: str, _4: Any) -> NoReturn:
        raise ProtoError(f"line {line}: {message[:120]}")


def _strictly(part: Any) -> None:
    part.removeErrorListeners()
    part.addErrorListener(_Strict())


def _read(tree: Path, path: str, limit: int, into: Definitions) -> None:
    """Raises ProtoError."""
    try:
        text = files.read_text(tree, path, limit)
        parsed = Parser(setup_lexer=_strictly, setup_parser=_strictly).parse(text)
    except files.UnreadableError as error:
        raise ProtoError(f"{path}: {error}") from error
    except ProtoError as error:
        raise ProtoError(f"{path}, {error}") from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ProtoError(f"{path}: it can't be parsed ({type(error).__name__})") from error
    lines = into.texts[path] = text.splitlines()
    package = next((e.name for e in parsed.file_elements if isinstance(e, proto.Package)), "")
    _collect(parsed.file_elements, package, path, lines, 0, into)


def _collect(elements: Iterable[Any], scope: str, path: str, lines: list[str], start: int, into: Definitions) -> None:
    for element in elements:
        if isinstance(element, proto.Message | proto.Enum | proto.Extension):
            name = element.typeName if isinstance(element, proto.Extension) else element.name
            word = type(element).__name__.lower().replace("extension", "extend")
            line = _find(lines, rf"\b{word}\s+{re.escape(name)}\b", start)
            full = f"{scope}.{name}".lstrip(".") + (" (extended)" if word == "extend" else "")
            _message(element, full, path, lines, line, into)
        elif isinstance(element, proto.Service):
            line = _find(lines, rf"\bservice\s+{re.escape(element.name)}\b", start)
            full = f"{scope}.{element.name}".lstrip(".")
            into.services[full] = (path, line)
            for method in element.elements:
                if isinstance(method, proto.Method):
                    at = _find(lines, rf"\brpc\s+{re.escape(method.name)}\b", line)
                    takes, gives = (_streamed(t, scope) for t in (method.input_type, method.output_type))
                    into.methods[f"{full}.{method.name}"] = Method(path, at, takes, gives)


def _message(element: Any, full: str, path: str, lines: list[str], line: int, into: Definitions) -> None:
    fields: dict[str, Field] = {}
    ranges: list[tuple[int, int]] = []
    nested = []
    for part in _flattened(element.elements):
        match part:
            case proto.EnumValue():
                fields[part.name] = Field(part.number, "", "", _find_field(lines, part, line))
            case proto.Field():
                label = part.cardinality.value.lower() if part.cardinality else ""
                kind = _relative(part.type, full)
                own = label if label != "optional" else ""
                fields[part.name] = Field(part.number, kind, own, _find_field(lines, part, line))
            case proto.MapField():
                kind = f"map<{part.key_type}, {_relative(part.value_type, full)}>"
                fields[part.name] = Field(part.number, kind, "repeated", _find_field(lines, part, line))
            case proto.Group():
                label = part.cardinality.value.lower() if part.cardinality else ""
                fields[part.name] = Field(part.number, "group", label, _find_field(lines, part, line))
            case proto.Reserved() | proto.EnumReserved():
                ranges += [_range(r) for r in part.ranges]
            case proto.Message() | proto.Enum() | proto.Extension():
                nested.append(part)
    into.messages[full] = Message(path, line, fields, tuple(ranges), isinstance(element, proto.Enum))
    _collect(nested, full, path, lines, line, into)


def _flattened(elements: Iterable[Any]) -> Iterator[Any]:
    """The parts of a message, with those of its `oneof`s."""
    for element in elements:
        if isinstance(element, proto.OneOf):
            yield from element.elements
        else:
            yield element


def _relative(name: str, scope: str) -> str:
    """A type without the part of its name that the scope gives: `.shop.Item` in `shop.Order` is `Item`."""
    name = name.lstrip(".")
    parts = scope.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length]) + "."
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _streamed(kind: Any, scope: str) -> str:
    return ("stream " if kind.stream else "") + _relative(kind.type, scope)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition(" to ")
    start = int(first.strip() or 0)
    return start, start if not last else (1 << 31) if last.strip() == "max" else int(last)


def _find(lines: list[str], pattern: str, start: int) -> int:
    """The 1-based line, from `start` on, that matches; 0 for none."""
    found = re.compile(pattern)
    return next((n + 1 for n in range(max(start - 1, 0), len(lines)) if found.search(lines[n])), 0)


def _find_field(lines: list[str], part: Any, start: int) -> int:
    return _find(lines, rf"\b{re.escape(part.name)}\s*=\s*(0x)?[\da-fA-F]*{part.number}\b", start)


# ------------------------------------------------------------------ comparing


def _messages(before: Definitions, after: Definitions) -> Iterator[Finding]:
    for name, old in before.messages.items():
        new = after.messages.get(name)
        kind = "enum" if old.is_enum else "message"
        if new is None:
            if name.rpartition(".")[0] in before.messages.keys() - after.messages.keys():
                continue  # the message around it is gone, which is said
            yield _finding(f"{kind}-removed", Severity.HIGH, f"the {kind} {name} was removed", old, before)
            continue
        yield from _fields(name, old, new, before, after)


def _fields(name: str, old: Message, new: Message, before: Definitions, after: Definitions) -> Iterator[Finding]:
    by_number = {f.number: (n, f) for n, f in new.fields.items()}
    what = "value" if old.is_enum else "field"
    for field_name, was in old.fields.items():
        now = new.fields.get(field_name)
        place = f"{name}.{field_name}"
        if now is not None and now.number != was.number:
            message = f"{place}: its number changed from {was.number} to {now.number}"
            yield _at(f"{what}-renumbered", Severity.HIGH, message, new.path, now.line, after)
        elif now is not None:
            yield from _changed(place, was, now, new.path, after)
        elif was.number in by_number:
            other, taken = by_number[was.number]
            if (taken.type, taken.label) == (was.type, was.label) and other not in old.fields:
                message = f"{place}: it is called {other} now; code and JSON use the name"
                yield _at(f"{what}-renamed", Severity.MEDIUM, message, new.path, taken.line, after)
            else:
                message = f"{place}: it was removed, and {other} has its number {was.number} now"
                yield _at(f"{what}-replaced", Severity.HIGH, message, new.path, taken.line, after)
        else:
            kept = any(start <= was.number <= end for start, end in new.ranges)
            words = "" if kept else f", and its number {was.number} is not reserved"
            yield _at(f"{what}-removed", Severity.HIGH, f"{place}: it was removed{words}", old.path, was.line, before)
    for field_name, added in new.fields.items():
        if field_name in old.fields:
            continue
        if any(start <= added.number <= end for start, end in old.ranges):
            message = f"{name}.{field_name}: its number {added.number} was reserved"
            yield _at("reserved-number-used", Severity.HIGH, message, new.path, added.line, after)
        elif added.label == "required":
            message = f"{name}.{field_name}: a new field is required"
            yield _at("field-required", Severity.HIGH, message, new.path, added.line, after)


def _changed(place: str, was: Field, now: Field, path: str, after: Definitions) -> Iterator[Finding]:
    if was.type != now.type:
        akin = any({was.type, now.type} <= group for group in _ON_THE_WIRE)
        severity = Severity.MEDIUM if akin else Severity.HIGH
        message = f"{place}: its type changed from {was.type} to {now.type}"
        yield _at("field-retyped", severity, message, path, now.line, after)
    elif was.label != now.label:
        message = f"{place}: it was {was.label or 'single'} and is {now.label or 'single'} now"
        yield _at("field-label-changed", Severity.HIGH, message, path, now.line, after)


def _services(before: Definitions, after: Definitions) -> Iterator[Finding]:
    for name, (path, line) in before.services.items():
        if name not in after.services:
            yield _at("service-removed", Severity.HIGH, f"the service {name} was removed", path, line, before)
    for name, was in before.methods.items():
        now = after.methods.get(name)
        if now is None:
            if name.rpartition(".")[0] in after.services:
                yield _at("rpc-removed", Severity.HIGH, f"the call {name} was removed", was.path, was.line, before)
        elif (was.takes, was.gives) != (now.takes, now.gives):
            message = f"{name}: from {was.takes} -> {was.gives} to {now.takes} -> {now.gives}"
            yield _at("rpc-changed", Severity.HIGH, message, now.path, now.line, after)


def _finding(rule: str, severity: Severity, message: str, old: Message, before: Definitions) -> Finding:
    return _at(rule, severity, message, old.path, old.line, before)


def _at(rule: str, severity: Severity, message: str, path: str, line: int, side: Definitions) -> Finding:
    lines = side.texts.get(path, [])
    return Finding(
        rule=f"protobuf.{rule}", category=Category.API, severity=severity, path=path, line=line,
        message=message + (" (line of the base)" if rule.endswith("-removed") else ""),
        quotation=lines[line - 1].strip()[:300] if 0 < line <= len(lines) else "",
    )  # fmt: skip
