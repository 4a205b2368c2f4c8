"""Schema changes: migrations (Django, Alembic, plain SQL) and DDL in strings of the code, with their danger.

Every file of a migrations folder that is added, changed or removed is a schema change, whatever can be read of it. So
is a model that says something else than before with no migration beside it (`schema_models.py`).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.ddl_script import Script
from greenlane.analyzers.ddl_words import Effect
from greenlane.analyzers.schema_earlier import Earlier
from greenlane.analyzers.schema_migrations import read_operations, reversing_nodes, upgrading
from greenlane.analyzers.schema_models import models_without_migration
from greenlane.domain.diff import FileDiff
from greenlane.domain.findings import Category, Finding, Severity

NAME = "schema"
_MIGRATION_FOLDERS = frozenset({
    "migrations", "migration", "alembic", "db_migrations", "schema_migrations", "migrate", "delta", "deltas",
})  # fmt: skip
_NUMBERED_SQL = re.compile(r"^([VUR]\d[\d._]*__|\d{2,}[._-]).*\.sql$")
"""`V2__add_items.sql` (Flyway), `0012_add_items.up.sql`: a migration wherever it stands."""
_REVISION = re.compile(r"^([0-9a-f]{6,}|\d+)_\w+\.py$")
"""A revision of Alembic in its folder `versions`, wherever that stands."""
_REVERSING_SQL = re.compile(r"(^U\d[\d._]*__|[._-](down|undo|rollback)\.sql$)", re.IGNORECASE)


def analyze(review: ReviewInput) -> AnalysisResult:
    migrated = [p for d in review.diff.files if is_migration(d.path) for p in (d.path, d.old_path or d.path)]
    findings: list[Finding] = list(models_without_migration(review, migrated))
    for diff in review.diff.files:
        if is_migration(diff.path) or is_migration(diff.old_path or diff.path):
            findings += _migration(review, diff)
        elif diff.status != "deleted" and diff.skipped is None and not files.is_support(diff.path):
            findings += _other_file(review, diff)
    return AnalysisResult(findings=tuple(findings))


def is_migration(path: str) -> bool:
    """A file of a migrations folder: not its package file, documents or tests."""
    pure = PurePosixPath(path)
    folders = set(pure.parts[:-1])
    if pure.name in ("__init__.py", "env.py", "script.py.mako", "README") or pure.suffix not in (
        ".py",
        ".sql",
        ".yaml",
        ".yml",
    ):
        return False
    if files.is_support(path):
        return False
    revision = pure.parent.name == "versions" and bool(_REVISION.match(pure.name))
    return bool(folders & _MIGRATION_FOLDERS) or revision or bool(_NUMBERED_SQL.match(pure.name))


def _migration(review: ReviewInput, diff: FileDiff) -> list[Finding]:
    if diff.status == "deleted":
        return [_finding("migration-removed", Severity.MEDIUM, "a migration was removed", diff.path)]
    found = list(_effects_of_file(review, diff))
    if diff.status != "added":
        message = "a migration that may have run already was changed: databases that ran it will differ"
        severity = Severity.INFO if not diff.added and not diff.removed else Severity.MEDIUM
        found.append(_finding("migration-changed", severity, message, diff.path))
    if not found:
        found.append(_finding("migration", Severity.LOW, "a migration whose effect could not be read", diff.path))
    return found


def _effects_of_file(review: ReviewInput, diff: FileDiff) -> Iterator[Finding]:
    limit = review.max_file_bytes
    try:
        if _REVERSING_SQL.search(PurePosixPath(diff.path).name):
            return  # it only runs when the migration is taken back
        if diff.path.endswith(".sql"):
            yield from _sql_findings(diff.path, files.read_text(review.head, diff.path, limit), data=True)
        elif diff.path.endswith(".py"):
            file = files.read_python(review.head, diff.path, limit)
            for operation in read_operations(file, Earlier(review.head, diff.path, limit)):
                yield _effect(operation.effect, diff.path, operation.line, file.quote(operation.line))
            yield from (f for _, f in _ddl_strings(file, upgrading(file), data=True))
    except files.UnreadableError:
        return  # `reading` says so; that it is a migration is said here in any case


def _other_file(review: ReviewInput, diff: FileDiff) -> list[Finding]:
    """DDL outside of migrations: in `.sql` files and in strings, where the base does not have the same."""
    limit = review.max_file_bytes
    try:
        if diff.path.endswith(".sql"):
            after = list(_sql_findings(diff.path, files.read_text(review.head, diff.path, limit)))
            before = _texts(list(_sql_findings(diff.path, _base_text(review, diff))))
            return [f for f in after if not _take(before, f.message + f.quotation)]
        if files.kind_of(diff.path) is not files.Kind.PYTHON or not diff.added:
            return []
        file = files.read_python(review.head, diff.path, limit)
        after_strings = list(_ddl_strings(file, [file.tree]))
        if not after_strings:
            return []
        known = _base_statements(review, diff)
        return [finding for text, finding in after_strings if not _take(known, text)]
    except files.UnreadableError:
        return []


def _base_text(review: ReviewInput, diff: FileDiff) -> str:
    if diff.status == "added":
        return ""
    try:
        return files.read_text(review.base, diff.old_path or diff.path, review.max_file_bytes)
    except files.UnreadableError:
        return ""


def _base_statements(review: ReviewInput, diff: FileDiff) -> Counter[str]:
    try:
        file = files.PythonFile(diff.path, _base_text(review, diff))
    except files.UnreadableError:
        return Counter()
    return Counter(text for text, _ in _ddl_strings(file, [file.tree]))


def _texts(findings: list[Finding]) -> Counter[str]:
    return Counter(f.message + f.quotation for f in findings)


def _take(known: Counter[str], text: str) -> bool:
    if known[text]:
        known[text] -= 1
        return True
    return False


def _sql_findings(path: str, text: str, *, data: bool = False) -> Iterator[Finding]:
    """The DDL of an SQL file, statement by statement, so that each has a line; with `data` what changes rows too."""
    for statement, effect in Script().judge(text, data=data):
        shown = " ".join(re.sub(r"--[^\n]*", " ", statement.text).split())
        yield _effect(effect, path, statement.line + 1, shown[:200])


def _ddl_strings(file: files.PythonFile, within: list[ast.AST], *, data: bool = False) -> Iterator[tuple[str, Finding]]:
    """(statement without white space, finding) for the DDL in string constants; docstrings are prose."""
    ignored = _docstrings(file.tree) | reversing_nodes(file)
    nodes = [n for part in within for n in ast.walk(part)]
    ignored |= {id(v) for n in nodes if isinstance(n, ast.JoinedStr) for v in n.values}
    script = Script()
    for node in nodes:
        if not isinstance(node, ast.Constant | ast.JoinedStr) or id(node) in ignored:
            continue
        line, quotation = node.lineno, file.quote(node.lineno)
        for statement, effect in script.judge(_text_of(node), data=data):
            yield "".join(statement.text.split()), _effect(effect, file.path, line, quotation)


def _text_of(node: ast.Constant | ast.JoinedStr) -> str:
    """The text of a string; what is spliced into it stands as a name."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "x" for v in node.values)
    return node.value if isinstance(node.value, str) else ""


def _docstrings(tree: ast.Module) -> set[int]:
    """String constants that stand alone as a statement: prose."""
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


def _effect(effect: Effect, path: str, line: int, quotation: str) -> Finding:
    return _finding(effect.rule, effect.severity, effect.words, path, line, quotation)


def _finding(rule: str, severity: Severity, message: str, path: str, line: int = 0, quotation: str = "") -> Finding:
    return Finding(
        rule=f"schema.{rule}",
        category=Category.SCHEMA,
        severity=severity,
        message=message,
        path=path,
        line=line,
        quotation=quotation[:300],
    )
