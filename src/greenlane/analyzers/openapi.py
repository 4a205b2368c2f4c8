"""The HTTP contract: the OpenAPI documents that a change touches, compared with what they were.

A document is found by its name or by what it says of itself. It is compared too if only a file changed that it refers
to. One that can't be read is an analysis that did not happen. Called by `api.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.openapi_compare import DocumentComparison
from greenlane.analyzers.openapi_documents import DocumentError, Side, declares_document, may_be_document
from greenlane.analyzers.openapi_schemas import Break
from greenlane.domain.diff import FileDiff
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

_SUFFIXES = (".json", ".yaml", ".yml")
_MAX_LISTED = 20_000
"""Files of a tree among which documents are looked for that refer to a changed one."""
_MAX_SNIFFED = 100


def compare_documents(review: ReviewInput) -> AnalysisResult:
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    compared: set[str] = set()
    before, after = Side(review.base, review.max_file_bytes), Side(review.head, review.max_file_bytes)
    for diff in review.diff.files:
        old_path = diff.old_path or diff.path
        if not diff.path.lower().endswith(_SUFFIXES) or files.is_test(old_path):
            continue
        if not _is_document(before, old_path) and not _is_document(after, diff.path):
            continue
        compared.add(old_path)
        if diff.status == "deleted":
            if _is_document(before, old_path):
                findings.append(_removed(old_path))
        elif diff.status == "added":
            skipped += _check(after, diff.path)
        else:
            _compare(before, after, (old_path, diff.path), findings, skipped)
    for path in _referring(review, before):
        if path not in compared:
            _compare(before, after, (path, path), findings, skipped)
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _is_document(side: Side, path: str) -> bool:
    """Whether this file is an OpenAPI document, or is called one and can't be read."""
    try:
        text = side.text(path)
    except DocumentError:
        return False
    if declares_document(path, text):
        return True
    if not may_be_document(path):
        return False
    try:
        node = side.load(path).node
    except DocumentError:
        return True
    return "paths" in node and bool({"openapi", "swagger"} & node.keys())


def _check(side: Side, path: str) -> Iterator[SkippedFile]:
    """A new document has nothing to be compared with; that it can be read is what the next change rests on."""
    try:
        side.load(path)
    except DocumentError as error:
        yield _gap(path, error)


def _compare(
    before: Side, after: Side, paths: tuple[str, str], findings: list[Finding], skipped: list[SkippedFile]
) -> None:
    old_path, path = paths
    try:
        comparison = DocumentComparison(before, after, before.load(old_path), after.load(path))
        seen = set()
        for broken in comparison.run():
            if (broken.rule, broken.message) not in seen:
                seen.add((broken.rule, broken.message))
                findings.append(_finding(broken, before if broken.at_base else after))
    except DocumentError as error:
        skipped.append(_gap(path, error))


def _gap(path: str, error: DocumentError) -> SkippedFile:
    return SkippedFile(path=path, analyzer="api", reason=f"the OpenAPI document can't be compared ({error})")


def _finding(broken: Break, side: Side) -> Finding:
    line, quotation = side.place(broken.part)
    return Finding(
        rule=f"openapi.{broken.rule}",
        category=Category.API,
        severity=broken.severity,
        message=broken.message + (" (line of the base)" if broken.at_base and line else ""),
        path=broken.part.file,
        line=line,
        quotation=quotation,
    )


def _removed(path: str) -> Finding:
    message = "the OpenAPI document was removed"
    return Finding(
        rule="openapi.contract-removed", category=Category.API, severity=Severity.HIGH, message=message, path=path
    )


# ------------------------------------------------------------------ documents over several files


def _referring(review: ReviewInput, before: Side) -> Iterator[str]:
    """Documents of the base that refer to a file that the change touches."""
    changed = {p for d in review.diff.files for p in _sides(d) if p.lower().endswith(_SUFFIXES)}
    changed = {p for p in changed if not files.is_test(p) and not files.is_lock_file(p)}
    if not changed:
        return
    for path in _candidates(review.base, changed):
        touched = before.files_of(path) & changed
        if touched and _is_document(before, path) and (review.head / path).is_file():
            yield path


def _sides(diff: FileDiff) -> tuple[str, str]:
    return diff.path, diff.old_path or diff.path


def _candidates(tree: Path, changed: set[str]) -> list[str]:
    """Files that are called documents, and those beside and above what changed, whatever they are called."""
    found = []
    for _, path in zip(range(_MAX_LISTED), tree.rglob("*"), strict=False):
        if may_be_document(path.name) and path.is_file() and not path.is_symlink():
            found.append(path.relative_to(tree).as_posix())
    near = {parent for path in changed for parent in PurePosixPath(path).parents}
    for folder in sorted(near):
        for path in sorted((tree / folder).glob("*")) if (tree / folder).is_dir() else []:
            if path.name.lower().endswith(_SUFFIXES) and path.is_file() and len(found) < _MAX_SNIFFED:
                found.append(path.relative_to(tree).as_posix())
    return [p for p in dict.fromkeys(found) if not files.is_test(p) and not files.is_lock_file(p)]
