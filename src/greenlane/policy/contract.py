"""Requests that a service's OpenAPI document allows to send without knowing anything else, and what it promises.

Called by the staging agent and by the probe. Of an answer, status and media type are held against the document; its
body is not held against the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from greenlane.domain.contract import DocumentedGet

OPERATIONS_MAX = 30
"""Requests of one document that are sent: a smoke test is short."""
CHECK_PREFIX = "openapi "
"""Of the names of such checks: `openapi GET /products`."""
_MAX_DEPTH = 12
_VALUE_CHARS = 200

Node: TypeAlias = Mapping[str, Any]
"""A part of a document that came from outside: of unknown shape until each step has looked at it."""


def find_requests(document: Node) -> tuple[DocumentedGet, ...]:
    """GET operations that need no credentials, and whose required parameters all have an example or default."""
    found = []
    base = _base_path(document)
    for path, raw in _mapping(document.get("paths")).items():
        item = _resolve(document, raw)
        operation = _resolve(document, item.get("get"))
        if not operation or not str(path).startswith("/") or _needs_credentials(document, operation):
            continue
        filled = _fill_in(document, str(path), item, operation)
        answers = tuple(_answers(document, operation))
        if filled is not None and answers:
            found.append(DocumentedGet(path=base + filled, answers=answers))
    return tuple(found[:OPERATIONS_MAX])


def judge_answer(request: DocumentedGet, status: int, media_type: str) -> str:
    """Why this answer is not one that the document promises; empty if it is. A 5xx is a failure though documented."""
    if status >= 500:
        return f"status {status}"
    known = dict(request.answers)
    promised = next((known[k] for k in (str(status), f"{status // 100}XX", "default") if k in known), None)
    if promised is None:
        return f"status {status} is not documented (it has {', '.join(known)})"
    kind = media_type.partition(";")[0].strip().lower()
    if promised and not any(_fits(kind, wanted) for wanted in promised):
        return f"status {status} with {kind or 'no content type'}, documented is {', '.join(promised)}"
    return ""


def _fits(kind: str, wanted: str) -> bool:
    return wanted in ("*/*", kind) or (wanted.endswith("/*") and kind.startswith(wanted[:-1]))


def _base_path(document: Node) -> str:
    """The path of the first server (OpenAPI 3) or `basePath` (Swagger 2), where it is one."""
    text = document.get("basePath")
    for server in _sequence(document.get("servers"))[:1]:
        text = _mapping(server).get("url")
    if not isinstance(text, str):
        return ""
    path = "/" + text.split("://", 1)[1].partition("/")[2] if "://" in text else text
    return path.rstrip("/") if path.startswith("/") and "{" not in path else ""


def _needs_credentials(document: Node, operation: Node) -> bool:
    wanted = operation.get("security", document.get("security"))
    return bool(wanted) and {} not in _sequence(wanted)


def _fill_in(document: Node, path: str, item: Node, operation: Node) -> str | None:
    """The path with its required parameters; None if one has neither example nor default."""
    query = {}
    for raw in (*_sequence(item.get("parameters")), *_sequence(operation.get("parameters"))):
        parameter = _resolve(document, raw)
        name, place = str(parameter.get("name", "")), parameter.get("in")
        if not parameter.get("required") and place != "path":
            continue
        value = _example(document, parameter)
        if value is None or place not in ("path", "query"):
            return None
        if place == "query":
            query[name] = value
        path = path.replace("{" + name + "}", quote(value, safe="")) if place == "path" else path
    if "{" in path:
        return None
    return path + ("?" + urlencode(query) if query else "")


def _example(document: Node, parameter: Node) -> str | None:
    schema = _resolve(document, parameter.get("schema"))
    candidates = [parameter.get("example"), schema.get("example"), schema.get("default"), parameter.get("default")]
    for example in _mapping(parameter.get("examples")).values():
        candidates.append(_resolve(document, example).get("value"))
    candidates += _sequence(schema.get("examples"))[:1]
    for value in candidates:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return str(value)[:_VALUE_CHARS]
    return None


def _answers(document: Node, operation: Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    produces = [str(kind) for kind in _sequence(operation.get("produces")) or _sequence(document.get("produces"))]
    for status, raw in _mapping(operation.get("responses")).items():
        kinds = [str(kind) for kind in _mapping(_resolve(document, raw).get("content"))]
        name = str(status)
        yield name if name == "default" else name.upper(), tuple(k.partition(";")[0].lower() for k in kinds or produces)


def _mapping(value: object) -> Node:
    return value if isinstance(value, dict) else {}


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
    return {}
