"""API contracts: what callers relied on at the base and can't rely on any more.

Five kinds, each direction-aware: the HTTP contract in an OpenAPI document (`openapi.py`), a GraphQL schema
(`graphql_schema.py`), definitions of Protocol Buffers (`protobuf.py`), routes that the code no longer registers
(`routes.py`), and the names of a Python library (`library.py`). A service that is deployed is reached over the network,
so its Python names are internal: renaming a function there is a refactoring.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from greenlane.analyzers import files, openapi, routes
from greenlane.analyzers.base import AnalysisResult, ReviewInput, SourceRoot
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Finding

NAME = "api"
_NOT_SHIPPED = frozenset({"setup", "conftest", "noxfile", "tasks", "docs", "doc", "examples", "example", "scripts"})


def analyze(review: ReviewInput) -> AnalysisResult:
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    parts = (
        openapi.compare_documents(review), routes.compare_routes(review), _compare_libraries(review),
        _compare_graphql(review), _compare_protobuf(review),
    )  # fmt: skip
    for part in parts:
        findings += part.findings
        skipped += part.skipped
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _compare_libraries(review: ReviewInput) -> AnalysisResult:
    packages = sorted(_changed_packages(review), key=lambda p: (p[0].path, p[1]))
    if not packages:
        return AnalysisResult()
    from greenlane.analyzers import library  # griffe takes 0.2 s to import, and most changes do not need it

    return library.compare_packages(review, packages)


def _compare_graphql(review: ReviewInput) -> AnalysisResult:
    if not _touches(review, (".graphql", ".graphqls", ".gql")):
        return AnalysisResult()
    from greenlane.analyzers import graphql_schema  # likewise for graphql-core

    return graphql_schema.compare_schemas(review)


def _compare_protobuf(review: ReviewInput) -> AnalysisResult:
    if not _touches(review, (".proto",)):
        return AnalysisResult()
    from greenlane.analyzers import protobuf  # likewise for its parser

    return protobuf.compare_protos(review)


def _touches(review: ReviewInput, suffixes: tuple[str, ...]) -> bool:
    return any((d.old_path or d.path).lower().endswith(suffixes) for d in review.diff.files)


def _changed_packages(review: ReviewInput) -> set[tuple[SourceRoot, str]]:
    """(source root, top-level name) of the shipped packages and modules with changed Python files."""
    found = set()
    for diff in review.diff.files:
        for path in {diff.path, diff.old_path or diff.path}:
            if files.kind_of(path) not in (files.Kind.PYTHON, files.Kind.STUB) or files.is_support(path):
                continue
            placed = _place(review, path)
            if (
                placed
                and not placed[0].deployed
                and placed[1].isidentifier()
                and placed[1][0] != "_"
                and placed[1] not in _NOT_SHIPPED
            ):
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
