"""Two versions of an OpenAPI document, operation by operation: paths, parameters, bodies, responses, security.

Direction-aware: what callers send may only be widened, what they get only narrowed (`openapi_schemas.py`). Called by
`openapi.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from greenlane.analyzers.openapi_documents import At, Side
from greenlane.analyzers.openapi_schemas import Break, Direction, SchemaComparison, is_remote
from greenlane.domain.findings import Severity

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_PARAMETER = re.compile(r"\{[^{}]*\}")


class DocumentComparison:
    """One comparison of two documents."""

    def __init__(self, before: Side, after: Side, old: At, new: At) -> None:
        self._before = before
        self._after = after
        self._old = old
        self._new = new
        self._schemas = SchemaComparison(before, after)

    def run(self) -> Iterator[Break]:
        """Raises DocumentError: a part of it can't be read, so that the comparison says nothing."""
        if self._old.node.get("basePath", "/") != self._new.node.get("basePath", "/"):
            yield Break("base-path-changed", "every path has another prefix now", self._new.at("basePath"))
        yield from self._schemes()
        shapes = {_shape(path): item for path, item in self._new.at("paths").children()}
        for path, raw in self._old.at("paths").children():
            if _shape(path) not in shapes:
                yield Break("path-removed", f"the path {path} was removed", raw, at_base=True)
                continue
            if is_remote(raw) and raw.node["$ref"] == shapes[_shape(path)].node.get("$ref"):
                continue  # it stands elsewhere, and this change says nothing about it
            old_item, new_item = self._before.resolve(raw), self._after.resolve(shapes[_shape(path)])
            for method in _METHODS:
                if method not in old_item.node:
                    continue
                name = f"{method.upper()} {path}"
                if method not in new_item.node:
                    message = f"the operation {name} was removed"
                    yield Break("operation-removed", message, old_item.at(method), at_base=True)
                    continue
                yield from self._operation(name, (old_item, old_item.at(method)), (new_item, new_item.at(method)))

    def _operation(self, name: str, old: tuple[At, At], new: tuple[At, At]) -> Iterator[Break]:
        yield from self._parameters(name, old, new)
        yield from self._request(name, old[1], new[1])
        yield from self._responses(name, old[1], new[1])
        yield from self._security(name, old[1], new[1])

    # -------------------------------------------------------------- what callers send

    def _parameters(self, name: str, old: tuple[At, At], new: tuple[At, At]) -> Iterator[Break]:
        before, after = _parameters_of(self._before, old), _parameters_of(self._after, new)
        for key, parameter in after.items():
            was, node = before.get(key), parameter.node
            kind, label = str(node.get("in")), str(node.get("name"))
            if node.get("required") and kind != "path" and not (was and was.node.get("required")):
                what = "a new parameter is required" if was is None else "a parameter is required now"
                yield Break("parameter-required", f"{name}: {what}: {label} ({kind})", parameter)
            if was is not None:
                parts = _parameter_schema(was), _parameter_schema(parameter)
                yield from self._schemas.compare(Direction.REQUEST, f"{name} {label}", *parts)

    def _request(self, name: str, old: At, new: At) -> Iterator[Break]:
        before, after = self._before.resolve(old.at("requestBody")), self._after.resolve(new.at("requestBody"))
        if after.node.get("required") and not before.node.get("required"):
            yield Break("request-required", f"{name}: a request body is required now", after)
        if before.node and after.node:
            yield from self._media(Direction.REQUEST, f"{name} request", before, after)

    def _media(self, direction: Direction, where: str, old: At, new: At) -> Iterator[Break]:
        """Bodies by their media types; those of Swagger 2 have one schema for all."""
        if "schema" in old.node:
            yield from self._schemas.compare(direction, where, old.at("schema"), new.at("schema"))
            return
        offered = {kind.partition(";")[0]: body for kind, body in new.at("content").children()}
        for kind, body in old.at("content").children():
            now = offered.get(kind.partition(";")[0]) or offered.get("*/*")
            if now is None:
                verb = "accepted" if direction is Direction.REQUEST else "returned"
                yield Break("media-type-removed", f"{where}: {kind} is no longer {verb}", body, at_base=True)
            else:
                yield from self._schemas.compare(direction, where, body.at("schema"), now.at("schema"))

    # -------------------------------------------------------------- what callers get

    def _responses(self, name: str, old: At, new: At) -> Iterator[Break]:
        before, after = old.at("responses"), dict(new.at("responses").children())
        for status, raw in before.children():
            now = after.get(status) or after.get(f"{status[:1]}XX") or after.get(f"{status[:1]}xx")
            if now is None:
                serious = status[:1] in "23" or status == "default"
                severity = Severity.HIGH if serious else Severity.LOW
                message = f"{name}: the response {status} was removed"
                yield Break("response-removed", message, raw, at_base=True, severity=severity)
                continue
            was, now = self._before.resolve(raw), self._after.resolve(now)
            yield from self._media(Direction.RESPONSE, f"{name} {status}", was, now)
            headers = {key.lower() for key, _ in now.at("headers").children()}
            for header, part in was.at("headers").children():
                if header.lower() not in headers:
                    message = f"{name} {status}: the header {header} was removed"
                    yield Break("response-header-removed", message, part, at_base=True, severity=Severity.MEDIUM)

    # -------------------------------------------------------------- security

    def _security(self, name: str, old: At, new: At) -> Iterator[Break]:
        before, after = _demands(self._old, old), _demands(self._new, new)
        if any(all(not now <= was for now in after) for was in before):
            place = new.at("security") if "security" in new.node else new
            yield Break("security-added", f"{name}: it demands an authorisation that it did not demand", place)

    def _schemes(self) -> Iterator[Break]:
        """A scheme under the same name that is another one now: what callers present no longer counts."""
        before, after = _schemes_of(self._old), _schemes_of(self._new)
        for name, old in before.node.items():
            new = after.node.get(name)
            if not isinstance(old, dict) or not isinstance(new, dict):
                continue
            if any(old.get(word) != new.get(word) for word in ("type", "in", "name", "scheme")):
                message = f"the security scheme {name} is presented in another way now"
                yield Break("security-scheme-changed", message, after.at(str(name)))


def _schemes_of(document: At) -> At:
    new = document.at("components").at("securitySchemes")
    return new if new.node else document.at("securityDefinitions")


def _demands(document: At, operation: At) -> list[frozenset[str]]:
    """The alternatives that an operation accepts, each as scheme names with scopes; an empty one: nothing is needed."""
    given = operation.node.get("security", document.node.get("security"))
    if not isinstance(given, list) or not given:
        return [frozenset()]
    found = []
    for one in given:
        wanted = set()
        for scheme, scopes in one.items() if isinstance(one, dict) else ():
            wanted |= {str(scheme), *(f"{scheme}:{scope}" for scope in (scopes if isinstance(scopes, list) else ()))}
        found.append(frozenset(wanted))
    return found


def _parameters_of(side: Side, levels: tuple[At, At]) -> dict[tuple[str, str], At]:
    """By kind and name; header names know no case, and a parameter of the path counts by its place in it."""
    found: dict[tuple[str, str], At] = {}
    path = levels[0].pointer[-1] if levels[0].pointer else ""
    order = [match[1:-1] for match in _PARAMETER.findall(path)]
    for level in levels:
        for raw in level.at("parameters").items:
            part = side.resolve(raw)
            kind, name = str(part.node.get("in")), str(part.node.get("name"))
            if kind == "path" and name in order:
                name = str(order.index(name))
            elif kind == "body":
                name = ""
            found[(kind, name.lower() if kind == "header" else name)] = part
    return found


def _parameter_schema(parameter: At) -> At:
    """Swagger 2 writes the type beside the name."""
    if "schema" in parameter.node:
        return parameter.at("schema")
    for _, body in parameter.at("content").children():
        return body.at("schema")
    plain = {k: v for k, v in parameter.node.items() if k not in ("required", "properties")}
    return At(plain, parameter.file, parameter.pointer)


def _shape(path: str) -> str:
    """A path without the names of its parameters."""
    return _PARAMETER.sub("{}", path)
