"""API contracts: what callers relied on at the base and can't rely on any more.

Three kinds, each direction-aware: the HTTP contract in an OpenAPI document (`openapi.py`), routes that the code no
longer registers (`routes.py`), and the names of a Python library (griffe). A service that is deployed is reached over
HTTP, so its Python names are internal: renaming a function there is a refactoring, and is noted at most.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import griffe

from greenlane.analyzers import files, openapi, routes
from greenlane.analyzers.base import AnalysisResult, ReviewInput, SourceRoot
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

NAME = "api"
_SEVERITY = {
    griffe.BreakageKind.PARAMETER_MOVED: Severity.HIGH,
    griffe.BreakageKind.PARAMETER_REMOVED: Severity.HIGH,
    griffe.BreakageKind.PARAMETER_CHANGED_KIND: Severity.HIGH,
    griffe.BreakageKind.PARAMETER_CHANGED_DEFAULT: Severity.LOW,
    griffe.BreakageKind.PARAMETER_CHANGED_REQUIRED: Severity.HIGH,
    griffe.BreakageKind.PARAMETER_ADDED_REQUIRED: Severity.HIGH,
    griffe.BreakageKind.RETURN_CHANGED_TYPE: Severity.LOW,
    griffe.BreakageKind.OBJECT_REMOVED: Severity.HIGH,
    griffe.BreakageKind.OBJECT_CHANGED_KIND: Severity.MEDIUM,
    griffe.BreakageKind.ATTRIBUTE_CHANGED_TYPE: Severity.LOW,
    griffe.BreakageKind.CLASS_REMOVED_BASE: Severity.MEDIUM,
}
"""ATTRIBUTE_CHANGED_VALUE is left out: a version number or a constant is no contract."""
_NOT_SHIPPED = frozenset({"setup", "conftest", "noxfile", "tasks", "docs", "doc", "examples", "example", "scripts"})


def analyze(review: ReviewInput) -> AnalysisResult:
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    for part in (openapi.compare_documents(review), routes.compare_routes(review), _compare_packages(review)):
        findings += part.findings
        skipped += part.skipped
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _compare_packages(review: ReviewInput) -> AnalysisResult:
    """Breaks of the Python API of every package that the change touches."""
    logging.getLogger("griffe").setLevel(logging.CRITICAL)
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    for root, package in sorted(_changed_packages(review), key=lambda p: (p[0].path, p[1])):
        try:
            before, after = _load(review.base, root, package), _load(review.head, root, package)
        except Exception as error:  # griffe reads code that nobody checked; whatever it raises is 'not analysed'
            reason = f"griffe could not read the package {package} ({type(error).__name__})"
            skipped.append(SkippedFile(path=str(PurePosixPath(root.path) / package), analyzer=NAME, reason=reason))
            continue
        if before is not None and after is not None:
            findings += _breaks(review, root, before, after)
        elif before is not None:
            findings += [_removed_package(review, root, package)]
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _changed_packages(review: ReviewInput) -> set[tuple[SourceRoot, str]]:
    """(source root, top-level name) of the shipped packages and modules with changed Python files."""
    found = set()
    for diff in review.diff.files:
        for path in {diff.path, diff.old_path or diff.path}:
            if files.kind_of(path) not in (files.Kind.PYTHON, files.Kind.STUB) or files.is_support(path):
                continue
            placed = _place(review, path)
            if placed and not placed[1].startswith("_") and placed[1] not in _NOT_SHIPPED:
                found.add(placed)
    return found


def _place(review: ReviewInput, path: str) -> tuple[SourceRoot, str] | None:
    """The innermost source root of a file, and the top-level package or module that the file belongs to there."""
    for root in sorted(review.roots, key=lambda r: len(PurePosixPath(r.path).parts), reverse=True):
        if root.path != "." and not path.startswith(root.path.rstrip("/") + "/"):
            continue
        inside = PurePosixPath(path) if root.path == "." else PurePosixPath(path).relative_to(root.path)
        if len(inside.parts) == 1:
            return root, inside.stem
        package = inside.parts[0]
        for tree in (review.base, review.head):
            if (tree / root.path / package / "__init__.py").is_file():
                return root, package
    return None


def _load(tree: Path, root: SourceRoot, package: str) -> griffe.Object | griffe.Alias | None:
    """The package as griffe reads it, from its sources only; None if this side does not have it."""
    folder = tree / root.path
    if not (folder / package / "__init__.py").is_file() and not (folder / f"{package}.py").is_file():
        return None
    return griffe.load(
        package, search_paths=[str(folder)], allow_inspection=False, store_source=False, try_relative_path=False
    )


def _breaks(
    review: ReviewInput, root: SourceRoot, before: griffe.Object | griffe.Alias, after: griffe.Object | griffe.Alias
) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    changed = {p for d in review.diff.files for p in (d.path, d.old_path or d.path)}
    for breakage in griffe.find_breaking_changes(before, after):
        severity = _SEVERITY.get(breakage.kind)
        name = breakage.obj.path
        if severity is None or (breakage.kind.name, name) in seen or _is_private(name):
            continue
        seen.add((breakage.kind.name, name))
        path, line, at_base = _position(review, breakage)
        if files.is_support(path) or path not in changed:
            continue
        tree = review.base if at_base else review.head
        yield Finding(
            rule="griffe." + breakage.kind.name.lower().replace("_", "-"),
            category=Category.API,
            severity=Severity.LOW if root.deployed else severity,
            message=_explain(breakage, name, root, at_base=at_base),
            path=path,
            line=line,
            quotation=_quote(tree, path, line, review.max_file_bytes),
        )


def _is_private(dotted: str) -> bool:
    return any(
        (part.startswith("_") and not part.startswith("__")) or part in ("tests", "test", "conftest")
        for part in dotted.replace("(", ".").split(".")
    )


def _position(review: ReviewInput, breakage: griffe.Breakage) -> tuple[str, int, bool]:
    """(path in the repository, line, whether it is the base's) of what broke."""
    broken: object = breakage.obj
    if isinstance(broken, griffe.Alias):
        line = broken.alias_lineno or 0
        file = broken.parent.filepath if broken.parent is not None else None
    else:
        line, file = breakage.obj.lineno or 0, breakage.obj.filepath
    path = file if isinstance(file, Path) else Path()
    for tree, at_base in ((review.head, False), (review.base, True)):
        if path.is_relative_to(tree):
            return path.relative_to(tree).as_posix(), line, at_base
    return "", 0, True


def _explain(breakage: griffe.Breakage, name: str, root: SourceRoot, *, at_base: bool) -> str:
    where = " (as it stood at the base)" if at_base else ""
    scope = "; it is internal to a deployed service" if root.deployed else ""
    return f"{name}: {breakage.kind.value.lower()}{where}{scope}"


def _removed_package(review: ReviewInput, root: SourceRoot, package: str) -> Finding:
    folder = PurePosixPath(root.path) / package
    path = f"{folder}/__init__.py" if (review.base / folder / "__init__.py").is_file() else f"{folder}.py"
    return Finding(
        rule="griffe.package-removed",
        category=Category.API,
        severity=Severity.LOW if root.deployed else Severity.HIGH,
        message=f"{package}: the whole package was removed",
        path=path,
    )


def _quote(tree: Path, path: str, line: int, limit: int) -> str:
    try:
        lines = files.read_text(tree, path, limit).splitlines()
    except files.UnreadableError:
        return ""
    return lines[line - 1].strip()[:300] if 0 < line <= len(lines) else ""
