"""The HTTP contract: two versions of an OpenAPI document, compared in the direction in which callers depend on it.

What a caller may send can only be widened (a new required parameter or request property, a removed value of an enum,
breaks it); what a caller gets can only be narrowed (a removed response property, or one that is optional now, breaks
it). References inside the document are followed; those to other files are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import msgspec
import yaml

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

Node: TypeAlias = Mapping[str, Any]
"""A part of a document that came from outside: of unknown shape until each step has looked at it."""
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_NAMES = frozenset({"openapi", "swagger"})
_MAX_DEPTH = 12
_EMPTY: Node = {}


class Break(msgspec.Struct, frozen=True):
    """A break of the contract: its rule, words, and the text to look for in the documents to find its line."""

    rule: str
    message: str
    anchor: str
    removed: bool


def is_document(path: str) -> bool:
    """`openapi.json`, `api/openapi.v2.yaml`, `swagger.yml`."""
    name = PurePosixPath(path).name.lower()
    return name.endswith((".json", ".yaml", ".yml")) and any(n in name for n in _NAMES)


def compare_documents(review: ReviewInput) -> AnalysisResult:
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    for diff in review.diff.files:
        old_path = diff.old_path or diff.path
        if diff.status == "added" or not is_document(old_path) or files.is_test(old_path):
            continue
        if diff.status == "deleted":
            findings.append(
                _finding(Break("contract-removed", "the OpenAPI document was removed", "", True), old_path, "")
            )
            continue
        try:
            before_text = files.read_text(review.base, old_path, review.max_file_bytes)
            before = _parse(before_text)
        except (files.UnreadableError, ValueError):
            continue  # there was no contract that could be read
        try:
            after_text = files.read_text(review.head, diff.path, review.max_file_bytes)
            after = _parse(after_text)
        except (files.UnreadableError, ValueError) as error:
            reason = f"the OpenAPI document can't be read ({str(error)[:120]})"
            skipped.append(SkippedFile(path=diff.path, analyzer="api", reason=reason))
            continue
        for broken in _Comparison(before, after).run():
            findings.append(_finding(broken, diff.path, before_text if broken.removed else after_text))
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _parse(text: str) -> Node:
    """Raises ValueError."""
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not valid: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    return document


def _finding(broken: Break, path: str, text: str) -> Finding:
    line, quotation = 0, ""
    if broken.anchor:
        for number, content in enumerate(text.splitlines(), 1):
            if broken.anchor in content:
                line, quotation = number, content.strip()[:300]
                break
    return Finding(
        rule=f"openapi.{broken.rule}",
        category=Category.API,
        severity=Severity.HIGH,
        message=broken.message + (" (line of the base)" if broken.removed and line else ""),
        path=path,
        line=line,
        quotation=quotation,
    )


class _Comparison:
    """One comparison of two documents."""

    def __init__(self, before: Node, after: Node) -> None:
        self._before = before
        self._after = after

    def run(self) -> Iterator[Break]:
        old_paths, new_paths = _mapping(self._before.get("paths")), _mapping(self._after.get("paths"))
        new_shapes = {_shape(path): item for path, item in new_paths.items()}
        for path, old_item in old_paths.items():
            new_item = new_shapes.get(_shape(path))
            if new_item is None:
                yield Break("path-removed", f"the path {path} was removed", f"{path}", True)
                continue
            old_item, new_item = _mapping(old_item), _mapping(new_item)
            for method in _METHODS:
                if method not in old_item:
                    continue
                operation = f"{method.upper()} {path}"
                if method not in new_item:
                    yield Break("operation-removed", f"the operation {operation} was removed", path, True)
                    continue
                old, new = _mapping(old_item[method]), _mapping(new_item[method])
                yield from self._parameters(operation, (old_item, old), (new_item, new))
                yield from self._request(operation, old, new)
                yield from self._responses(operation, old, new)

    def _parameters(self, operation: str, old: tuple[Node, Node], new: tuple[Node, Node]) -> Iterator[Break]:
        before, after = self._parameters_of(self._before, old), self._parameters_of(self._after, new)
        for key, parameter in after.items():
            name = key[1]
            was = before.get(key)
            if parameter.get("required") and key[0] != "path" and not (was and was.get("required")):
                what = "a new parameter is required" if was is None else "a parameter is required now"
                yield Break("parameter-required", f"{operation}: {what}: {name} ({key[0]})", f"{name}", False)
            if was is not None:
                yield from self._accepted(f"{operation} {name}", was.get("schema"), parameter.get("schema"), 0)

    def _parameters_of(self, document: Node, levels: tuple[Node, Node]) -> dict[tuple[str, str], Node]:
        found = {}
        for level in levels:
            for raw in _sequence(level.get("parameters")):
                parameter = _resolve(document, raw)
                found[(str(parameter.get("in")), str(parameter.get("name")))] = parameter
        return found

    def _request(self, operation: str, old: Node, new: Node) -> Iterator[Break]:
        before = _resolve(self._before, old.get("requestBody"))
        after = _resolve(self._after, new.get("requestBody"))
        if after.get("required") and not before.get("required"):
            yield Break("request-required", f"{operation}: a request body is required now", "requestBody", False)
        if before and after:
            yield from self._accepted(f"{operation} request", _schema_of(before), _schema_of(after), 0)

    def _responses(self, operation: str, old: Node, new: Node) -> Iterator[Break]:
        before, after = _mapping(old.get("responses")), _mapping(new.get("responses"))
        for status, raw in before.items():
            if str(status) not in {str(s) for s in after}:
                if str(status).startswith("2"):
                    yield Break(
                        "response-removed", f"{operation}: the response {status} was removed", str(status), True
                    )
                continue
            was = _resolve(self._before, raw)
            now = _resolve(self._after, next(v for s, v in after.items() if str(s) == str(status)))
            if _schema_of(was) is not None:
                yield from self._returned(f"{operation} {status}", _schema_of(was), _schema_of(now), 0)

    def _returned(self, where: str, old_raw: object, new_raw: object, depth: int) -> Iterator[Break]:
        """What callers read: everything that was there must still be there, and still be always there."""
        old, new = _flat(self._before, old_raw), _flat(self._after, new_raw)
        if depth > _MAX_DEPTH or not old:
            return
        yield from _type_change(where, old, new)
        before, after = _mapping(old.get("properties")), _mapping(new.get("properties"))
        for name, schema in before.items():
            if name not in after:
                yield Break(
                    "response-property-removed", f"{where}: the property {name} is no longer returned", name, True
                )
                continue
            if name in _sequence(old.get("required")) and name not in _sequence(new.get("required")):
                yield Break(
                    "response-property-optional", f"{where}: the property {name} may be absent now", name, False
                )
            yield from self._returned(f"{where}.{name}", schema, after[name], depth + 1)
        if "items" in old and "items" in new:
            yield from self._returned(f"{where}[]", old["items"], new["items"], depth + 1)

    def _accepted(self, where: str, old_raw: object, new_raw: object, depth: int) -> Iterator[Break]:
        """What callers send: everything that was accepted must still be accepted."""
        old, new = _flat(self._before, old_raw), _flat(self._after, new_raw)
        if depth > _MAX_DEPTH or not new:
            return
        yield from _type_change(where, old, new)
        for name in _sequence(new.get("required")):
            if name not in _sequence(old.get("required")):
                yield Break(
                    "request-property-required", f"{where}: the property {name} is required now", str(name), False
                )
        allowed = _sequence(new.get("enum"))
        for value in _sequence(old.get("enum")):
            if allowed and value not in allowed:
                yield Break(
                    "request-value-removed", f"{where}: the value {value!r} is no longer accepted", str(value), True
                )
        before, after = _mapping(old.get("properties")), _mapping(new.get("properties"))
        for name in before:
            if name in after:
                yield from self._accepted(f"{where}.{name}", before[name], after[name], depth + 1)
            elif new.get("additionalProperties") is False:
                yield Break("request-property-removed", f"{where}: the property {name} is refused now", name, True)
        if "items" in old and "items" in new:
            yield from self._accepted(f"{where}[]", old["items"], new["items"], depth + 1)


def _type_change(where: str, old: Node, new: Node) -> Iterator[Break]:
    was, now = old.get("type"), new.get("type")
    if isinstance(was, str) and isinstance(now, str) and was != now and (was, now) != ("integer", "number"):
        name = where.rsplit(".", 1)[-1]
        yield Break(
            "type-changed", f"{where}: the type changed from {was} to {now}", name if "." in where else "", False
        )


def _shape(path: str) -> str:
    """A path without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in str(path).split("/"))


def _mapping(value: object) -> Node:
    return value if isinstance(value, dict) else _EMPTY


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _resolve(document: Node, raw: object) -> Node:
    """A node with its reference (`#/components/...`) followed; empty if it leads nowhere."""
    node = _mapping(raw)
    for _ in range(_MAX_DEPTH):
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return node
        target: object = document
        for step in reference[2:].split("/"):
            target = _mapping(target).get(step.replace("~1", "/").replace("~0", "~"))
        node = _mapping(target)
    return _EMPTY


def _flat(document: Node, raw: object) -> Node:
    """A schema with its reference followed and its `allOf` parts put together."""
    node = dict(_resolve(document, raw))
    parts = [_resolve(document, part) for part in _sequence(node.get("allOf"))]
    if not parts:
        return node
    properties = dict(_mapping(node.get("properties")))
    required = list(_sequence(node.get("required")))
    for part in parts:
        properties |= _mapping(part.get("properties"))
        required += _sequence(part.get("required"))
    return {**node, "properties": properties, "required": required}


def _schema_of(holder: Node) -> object:
    """The schema of a request or response: of its JSON content, or (Swagger 2) of itself."""
    content = _mapping(holder.get("content"))
    for media, body in content.items():
        if "json" in str(media):
            return _mapping(body).get("schema")
    return holder.get("schema")
