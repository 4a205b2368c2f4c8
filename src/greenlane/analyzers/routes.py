"""Routes that the code registers: a path that callers could reach at the base and the head no longer has.

Reads decorators (`@app.route("/x", methods=[...])`, `@router.get("/x")`) and Django's `path("x", ...)`. Only a route
that is gone from every changed file counts: moving one is no break.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.findings import Category, Finding, Severity

_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_PATH_CALLS = frozenset({"path", "re_path", "url"})


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route with its place; `shape` is the path with its parameters' names taken out."""

    method: str
    shape: str
    path: str
    line: int
    quotation: str


def compare_routes(review: ReviewInput) -> AnalysisResult:
    """Routes of changed files that are gone."""
    before, after = list(_routes(review, at_head=False)), list(_routes(review, at_head=True))
    left = {(r.method, r.shape) for r in after}
    findings = [
        Finding(
            rule="greenlane.route-removed",
            category=Category.API,
            severity=Severity.HIGH,
            message=f"the route {route.method} {route.shape} is no longer registered (as it stood at the base)",
            path=route.path,
            line=route.line,
            quotation=route.quotation,
        )
        for route in before
        if (route.method, route.shape) not in left
    ]
    return AnalysisResult(findings=tuple(findings))


def _routes(review: ReviewInput, *, at_head: bool) -> Iterator[Route]:
    for diff in review.diff.files:
        gone = diff.status == ("deleted" if at_head else "added")
        path = diff.path if at_head else diff.old_path or diff.path
        if gone or diff.skipped or files.is_support(path) or files.kind_of(path) is not files.Kind.PYTHON:
            continue
        tree: Path = review.head if at_head else review.base
        try:
            yield from _routes_of(files.read_python(tree, path, review.max_file_bytes))
        except files.UnreadableError:
            continue


def _routes_of(file: files.PythonFile) -> Iterator[Route]:
    for node in ast.walk(file.tree):
        calls: list[ast.expr] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [d for d in node.decorator_list if isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute)]
        elif isinstance(node, ast.List) and file.path.rsplit("/", 1)[-1].startswith("urls"):
            calls = [e for e in node.elts if isinstance(e, ast.Call)]
        for call in calls:
            assert isinstance(call, ast.Call)
            for method, text in _registered(call):
                shape = re.sub(r"<[^>]*>|\{[^}]*\}|\(\?P[^)]*\)", "{}", text)
                yield Route(
                    method=method, shape=shape, path=file.path, line=call.lineno, quotation=file.quote(call.lineno)
                )


def _registered(call: ast.Call) -> Iterator[tuple[str, str]]:
    """(method, path) pairs that this call registers."""
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return
    if isinstance(call.func, ast.Name):
        if call.func.id in _PATH_CALLS:
            yield "ANY", first.value
        return
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if not first.value.startswith("/"):
        return
    if name in _VERBS:
        yield name.upper(), first.value
    elif name in ("route", "api_route"):
        for method in _methods(call):
            yield method, first.value


def _methods(call: ast.Call) -> list[str]:
    for keyword in call.keywords:
        if keyword.arg == "methods" and isinstance(keyword.value, ast.List | ast.Tuple | ast.Set):
            return [str(e.value).upper() for e in keyword.value.elts if isinstance(e, ast.Constant)]
    return ["GET"]
