"""The API of a Python library, by griffe: public names that callers relied on and that are gone or ask for more.

Called by `api.py` for services that are not deployed; kept apart because griffe takes a while to import.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import griffe

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput, SourceRoot
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

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


def compare_packages(review: ReviewInput, packages: Iterable[tuple[SourceRoot, str]]) -> AnalysisResult:
    """Breaks of the API of these packages: (source root, top-level name)."""
    logging.getLogger("griffe").setLevel(logging.CRITICAL)
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    for root, package in packages:
        path = str(PurePosixPath(root.path) / package)
        large = [name for tree in (review.base, review.head) for name in _oversized(tree, root, package, review)]
        if large:
            reason = f"{large[0]} is larger than {review.max_file_bytes} bytes"
            skipped.append(SkippedFile(path=path, analyzer="api", reason=reason))
            continue
        try:
            before, after = _load(review.base, root, package), _load(review.head, root, package)
        except Exception as error:  # griffe reads code that nobody checked; whatever it raises is 'not analysed'
            reason = f"griffe could not read the package {package} ({type(error).__name__})"
            skipped.append(SkippedFile(path=path, analyzer="api", reason=reason))
            continue
        if before is not None and after is not None:
            findings += _breaks(review, before, after)
        elif before is not None:
            findings += [_removed_package(review, root, package)]
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _oversized(tree: Path, root: SourceRoot, package: str, review: ReviewInput) -> list[str]:
    """Files of a package that are too large to be parsed: a syntax tree takes some fifty times its source."""
    folder = tree / root.path
    sources = [folder / f"{package}.py", *(folder / package).rglob("*.py")]
    return [
        file.relative_to(folder).as_posix()
        for file in sources
        if file.is_file() and file.stat().st_size > review.max_file_bytes
    ]


def _load(tree: Path, root: SourceRoot, package: str) -> griffe.Object | griffe.Alias | None:
    """The package as griffe reads it, from its sources only; None if this side does not have it."""
    folder = tree / root.path
    if not (folder / package / "__init__.py").is_file() and not (folder / f"{package}.py").is_file():
        return None
    return griffe.load(
        package, search_paths=[str(folder)], allow_inspection=False, store_source=False, try_relative_path=False
    )


def _breaks(
    review: ReviewInput, before: griffe.Object | griffe.Alias, after: griffe.Object | griffe.Alias
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
        if breakage.kind is griffe.BreakageKind.OBJECT_REMOVED and _may_be_inherited(breakage.obj, after):
            severity = Severity.LOW
        tree = review.base if at_base else review.head
        yield Finding(
            rule="griffe." + breakage.kind.name.lower().replace("_", "-"),
            category=Category.API,
            severity=severity,
            message=_explain(breakage, name, at_base=at_base),
            path=path,
            line=line,
            quotation=_quote(tree, path, line, review.max_file_bytes),
        )


def _may_be_inherited(removed: griffe.Object | griffe.Alias, after: griffe.Object | griffe.Alias) -> bool:
    """Whether a member that a class no longer defines may come from a base class outside of the package."""
    owner = removed.parent
    if owner is None or not owner.is_class:
        return False
    try:
        now = after[owner.path.removeprefix(f"{after.path}.")]
    except KeyError:
        return False
    bases = now.bases if isinstance(now, griffe.Class) else []
    return len(bases) > len(now.resolved_bases if isinstance(now, griffe.Class) else [])


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


def _explain(breakage: griffe.Breakage, name: str, *, at_base: bool) -> str:
    where = " (as it stood at the base)" if at_base else ""
    return f"{name}: {breakage.kind.value.lower()}{where}"


def _removed_package(review: ReviewInput, root: SourceRoot, package: str) -> Finding:
    folder = PurePosixPath(root.path) / package
    path = f"{folder}/__init__.py" if (review.base / folder / "__init__.py").is_file() else f"{folder}.py"
    return Finding(
        rule="griffe.package-removed",
        category=Category.API,
        severity=Severity.HIGH,
        message=f"{package}: the whole package was removed",
        path=path,
    )


def _quote(tree: Path, path: str, line: int, limit: int) -> str:
    try:
        lines = files.read_text(tree, path, limit).splitlines()
    except files.UnreadableError:
        return ""
    return lines[line - 1].strip()[:300] if 0 < line <= len(lines) else ""
