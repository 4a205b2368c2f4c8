"""Schemas of an HTTP contract, compared in the direction in which callers depend on them.

What a caller sends (`REQUEST`) may only be widened: each value that was accepted is accepted still. What a caller gets
(`RESPONSE`) may only be narrowed: nothing comes back that could not come before, and nothing is missing. The source of
the notions is JSON Schema as OpenAPI 3.1, 3.0 (`nullable`) and Swagger 2 use it. Called by `openapi_compare.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from enum import Enum

import msgspec

from greenlane.analyzers.openapi_documents import MAX_DEPTH, At, DocumentError, Side
from greenlane.domain.findings import Severity

_MAX_STEPS = 200_000
"""Comparisons of one document: aliases and unions can be nested so that there is no end."""
_ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_WIDER_FORMATS = (("int32", "int64"), ("float", "double"))
_UPPER = ("maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum")
_LOWER = ("minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum")


class Direction(Enum):
    REQUEST = "request"
    RESPONSE = "response"


class Break(msgspec.Struct, frozen=True):
    """A break of the contract: its rule, words, and the part of a document that shows it, of the base or the head."""

    rule: str
    message: str
    part: At
    at_base: bool = False
    severity: Severity = Severity.HIGH


class Schema(msgspec.Struct, frozen=True):
    """A schema with references followed and its `allOf` put together. `types` are all that it admits."""

    part: At
    types: frozenset[str]
    typed: bool
    values: tuple[str, ...] | None
    """Of `enum` or `const`, as JSON; None: any."""
    properties: dict[str, At]
    required: frozenset[str]
    variants: tuple[At, ...]
    """Of `anyOf` or `oneOf`, without that for null."""
    words: dict[str, object]
    """Further keywords: formats and bounds."""


class SchemaComparison:
    """Compares schemas of two sides. Each pair of named schemas is compared once in each direction."""

    def __init__(self, before: Side, after: Side) -> None:
        self._before = before
        self._after = after
        self._known: dict[tuple[Direction, str, str], list[Break]] = {}
        self._steps = 0

    def compare(self, direction: Direction, where: str, old: At, new: At, depth: int = 0) -> list[Break]:
        """Raises DocumentError: a reference can't be followed, or there is too much to compare."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise DocumentError("there is too much to compare")
        if depth > MAX_DEPTH or not isinstance(new.value, dict | bool) or not isinstance(old.value, dict):
            return []
        if old.node.get("$ref") == new.node.get("$ref") and is_remote(old):
            return []  # the same place elsewhere: this change says nothing about it
        key = (direction, _identity(old), _identity(new))
        if key not in self._known:
            self._known[key] = []  # what is met again on the way down is being compared
            was, now = read_schema(self._before, old), read_schema(self._after, new)
            self._known[key] = list(self._differences(direction, where, was, now, depth + 1))
        return self._known[key]

    def _differences(self, direction: Direction, where: str, old: Schema, new: Schema, depth: int) -> Iterator[Break]:
        if old.words.get("elsewhere") != new.words.get("elsewhere"):
            raise DocumentError(f"{where}: a part of it stands out of the repository and was not read")
        if old.variants or new.variants:
            yield from self._variants(direction, where, old, new, depth)
            if bool(old.variants) != bool(new.variants):
                return  # one side is a choice, the other is not: their parts were compared as its variants
        yield from _types(direction, where, old, new)
        yield from _values(direction, where, old, new)
        yield from _formats(direction, where, old, new)
        if direction is Direction.REQUEST:
            yield from _bounds(where, old, new)
        yield from _required(direction, where, old, new)
        yield from self._properties(direction, where, old, new, depth)
        for word, label in (("items", "[]"), ("additionalProperties", ".*")):
            was, now = old.words.get(word), new.words.get(word)
            if isinstance(was, At) and isinstance(now, At):
                yield from self.compare(direction, where + label, was, now, depth)

    def _properties(self, direction: Direction, where: str, old: Schema, new: Schema, depth: int) -> Iterator[Break]:
        ignored = "writeOnly" if direction is Direction.RESPONSE else "readOnly"
        for name, part in old.properties.items():
            if part.node.get(ignored) is True:
                continue
            if name in new.properties:
                yield from self.compare(direction, f"{where}.{name}", part, new.properties[name], depth)
            elif direction is Direction.RESPONSE:
                message = f"{where}: the property {name} was removed"
                yield Break("response-property-removed", message, part, at_base=True)
            elif new.words.get("closed"):
                message = f"{where}: the property {name} is refused now"
                yield Break("request-property-removed", message, part, at_base=True)

    def _variants(self, direction: Direction, where: str, old: Schema, new: Schema, depth: int) -> Iterator[Break]:
        """Each variant that was accepted is accepted by some; each that is returned now could be returned before."""
        olds, news = old.variants or (old.part,), new.variants or (new.part,)
        asked, offered = (olds, news) if direction is Direction.REQUEST else (news, olds)
        for one in asked:
            pairs: list[Callable[[], list[Break]]] = []
            same: list[Break] | None = None
            for other in offered:
                was, now = (one, other) if direction is Direction.REQUEST else (other, one)
                if _is_same_name(was, now):
                    same = self._variant(direction, where, was, now, depth)
                    break
                pairs.append(lambda was=was, now=now: self._variant(direction, where, was, now, depth))  # type: ignore[misc]  # mypy can't infer a lambda's defaults
            if same is not None:
                yield from same
            elif not any(not compare() for compare in pairs):
                removed = direction is Direction.REQUEST
                words = "one of its forms is no longer accepted" if removed else "it may come back in another form now"
                rule = "request-variant-removed" if removed else "response-variant-added"
                yield Break(rule, f"{where}: {words}", one, at_base=removed)

    def _variant(self, direction: Direction, where: str, old: At, new: At, depth: int) -> list[Break]:
        found = list(self.compare(direction, where, old, new, depth))
        was, now = read_schema(self._before, old), read_schema(self._after, new)
        if not found and was.typed != now.typed:
            found.append(Break("type-changed", f"{where}: the type changed", new))
        return found


# ------------------------------------------------------------------ one schema


def read_schema(side: Side, part: At, depth: int = 0) -> Schema:
    """Raises DocumentError."""
    found = side.resolve(part)
    node = found.node
    properties = dict(found.at("properties").children())
    required = {str(name) for name in _list(node.get("required"))}
    words = {k: node[k] for k in (*_UPPER, *_LOWER, "format", "pattern", "multipleOf") if k in node}
    types, typed = _types_of(node)
    values = _values_of(node)
    variants: list[At] = []
    for word in ("anyOf", "oneOf"):
        for variant in found.at(word).items:
            if variant.node.get("type") == "null":
                types, typed = types | {"null"}, typed
            else:
                variants.append(variant)
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            words[word] = found.at(word)
    words["closed"] = node.get("additionalProperties") is False
    for one in found.at("allOf").items if depth < MAX_DEPTH else []:
        if is_remote(one):
            words["elsewhere"] = (*_list(words.get("elsewhere")), one.node["$ref"])
            continue
        inner = read_schema(side, one, depth + 1)
        properties = {**inner.properties, **properties}
        required |= inner.required
        words = {**inner.words, **words, "closed": words["closed"] or inner.words["closed"]}
        types = inner.types & types if typed and inner.typed else inner.types if inner.typed else types
        typed, values = typed or inner.typed, values if values is not None else inner.values
        variants += inner.variants
    nullable = node.get("nullable") is True or part.node.get("nullable") is True
    if nullable:
        types = types | {"null"}
    return Schema(
        part=found, types=types, typed=typed, values=values, properties=properties,
        required=frozenset(required), variants=tuple(variants), words=words,
    )  # fmt: skip


def _types_of(node: object) -> tuple[frozenset[str], bool]:
    """(the types that a schema admits, whether it says so). Properties alone make an object of it in practice."""
    assert isinstance(node, dict)
    given = node.get("type")
    names = given if isinstance(given, list) else [given] if isinstance(given, str) else []
    types = frozenset(str(n) for n in names)
    if types:
        return types, True
    if "properties" in node:
        return frozenset({"object"}), True
    return _ALL_TYPES, False


def _values_of(node: object) -> tuple[str, ...] | None:
    assert isinstance(node, dict)
    given = [node["const"]] if "const" in node else node.get("enum")
    return tuple(json.dumps(v, default=str, sort_keys=True) for v in given) if isinstance(given, list) else None


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def is_remote(part: At) -> bool:
    return "://" in str(part.node.get("$ref", ""))


def _identity(part: At) -> str:
    return f"{part.file}#{'/'.join(part.pointer)}" if "$ref" not in part.node else f"{part.file}:{part.node['$ref']}"


def _is_same_name(old: At, new: At) -> bool:
    names = [str(p.node.get("$ref") or p.node.get("title") or "").rsplit("/", 1)[-1] for p in (old, new)]
    return bool(names[0]) and names[0] == names[1]


# ------------------------------------------------------------------ what differs


def _types(direction: Direction, where: str, old: Schema, new: Schema) -> Iterator[Break]:
    if not new.typed and direction is Direction.REQUEST:
        return
    if not old.typed:
        if new.typed and direction is Direction.REQUEST and not new.variants:
            message = f"{where}: only {_names(new.types)} is accepted now; the type was open"
            yield Break("type-narrowed", message, new.part, severity=Severity.MEDIUM)
        return
    wide, narrow = (new, old) if direction is Direction.REQUEST else (old, new)
    admitted = wide.types | ({"integer"} if "number" in wide.types else set())
    extra = narrow.types - admitted if narrow.typed else frozenset()
    if not extra:
        return
    if extra == {"null"}:
        asked = direction is Direction.REQUEST
        words = "null is no longer accepted" if asked else "it may be null now"
        yield Break("null-refused" if asked else "became-nullable", f"{where}: {words}", new.part)
    else:
        message = f"{where}: the type changed from {_names(old.types)} to {_names(new.types)}"
        yield Break("type-changed", message, new.part)


def _names(types: frozenset[str]) -> str:
    return " or ".join(sorted(types)) if types != _ALL_TYPES else "anything"


def _values(direction: Direction, where: str, old: Schema, new: Schema) -> Iterator[Break]:
    if direction is Direction.REQUEST and new.values is not None:
        if old.values is None:
            if not _admits_only(old, "boolean"):
                yield Break("request-value-removed", f"{where}: only certain values are accepted now", new.part)
            return
        for value in old.values:
            if value not in new.values:
                message = f"{where}: the value {value[:60]} is no longer accepted"
                yield Break("request-value-removed", message, _enum(old), at_base=True)
    elif direction is Direction.RESPONSE and old.values is not None:
        if new.values is None:
            yield Break("response-value-added", f"{where}: any value may come back now", new.part)
            return
        for value in new.values:
            if value not in old.values and value != "null":
                message = f"{where}: the value {value[:60]} may come back now, which callers do not know"
                yield Break("response-value-added", message, _enum(new))


def _enum(schema: Schema) -> At:
    return schema.part.at("const" if "const" in schema.part.node else "enum")


def _admits_only(schema: Schema, kind: str) -> bool:
    return schema.types - {"null"} == {kind}


def _formats(direction: Direction, where: str, old: Schema, new: Schema) -> Iterator[Break]:
    was, now = old.words.get("format"), new.words.get("format")
    if not isinstance(was, str) or not isinstance(now, str) or was == now:
        return
    pair = (was, now) if direction is Direction.REQUEST else (now, was)
    if pair not in _WIDER_FORMATS:
        message = f"{where}: the format changed from {was} to {now}"
        yield Break("format-changed", message, new.part.at("format"))


def _bounds(where: str, old: Schema, new: Schema) -> Iterator[Break]:
    """Bounds of what may be sent. One that is new may only write down what always held."""
    for words, tighter in ((_UPPER, float.__lt__), (_LOWER, float.__gt__)):
        for word in words:
            was, now = _number(old.words.get(word)), _number(new.words.get(word))
            if now is None or (was is None and word.startswith("min") and now <= 0):
                continue
            if was is None or tighter(now, was):
                severity = Severity.MEDIUM if was is None else Severity.HIGH
                message = f"{where}: {word} is {now:g} now" + (f", it was {was:g}" if was is not None else "")
                yield Break("request-bound-narrowed", message, new.part.at(word), severity=severity)
    now_pattern = new.words.get("pattern")
    if now_pattern is not None and now_pattern != old.words.get("pattern"):
        message = f"{where}: what is sent has to match another pattern"
        yield Break("request-pattern-changed", message, new.part.at("pattern"), severity=Severity.MEDIUM)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _required(direction: Direction, where: str, old: Schema, new: Schema) -> Iterator[Break]:
    if direction is Direction.REQUEST:
        for name in sorted(new.required - old.required):
            part = new.properties.get(name, new.part.at("required"))
            if part.node.get("readOnly") is not True:
                message = f"{where}: the property {name} is required now"
                yield Break("request-property-required", message, part)
        return
    for name in sorted(old.required - new.required):
        returned = new.properties.get(name)
        if returned is not None and returned.node.get("writeOnly") is not True:
            message = f"{where}: the property {name} may be absent now"
            yield Break("response-property-optional", message, returned)
