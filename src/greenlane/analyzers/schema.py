"""Schema changes: migrations (Django, Alembic, plain SQL) and DDL in strings of the code, with their danger.

Every file of a migrations folder that is added, changed or removed is a schema change, whatever can be read of it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from greenlane.analyzers import ddl, ddl_words, files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.diff import FileDiff
from greenlane.domain.findings import Category, Finding, Severity

NAME = "schema"
_MIGRATION_FOLDERS = frozenset({"migrations", "migration", "alembic", "db_migrations", "schema_migrations"})
_DJANGO = {
    "RemoveField": (Severity.HIGH, "removes a field that the running version still reads"),
    "DeleteModel": (Severity.HIGH, "drops a table that the running version may use, and its data"),
    "RenameField": (Severity.HIGH, "renames a field that the running version still uses"),
    "RenameModel": (Severity.HIGH, "renames a table that the running version still uses"),
    "AlterModelTable": (Severity.HIGH, "renames a table that the running version still uses"),
    "AlterField": (Severity.MEDIUM, "changes a column: it may lock the table or refuse existing rows"),
    "AlterUniqueTogether": (Severity.MEDIUM, "changes a constraint: existing rows may not meet it"),
    "AddConstraint": (Severity.MEDIUM, "adds a constraint: existing rows may not meet it"),
    "RunPython": (Severity.MEDIUM, "runs code over the data"),
    "RunSQL": (Severity.MEDIUM, "runs SQL"),
    "AddField": (Severity.LOW, "adds a field"),
    "CreateModel": (Severity.LOW, "creates a table"),
    "AddIndex": (Severity.LOW, "adds an index, which locks a large table unless it is built concurrently"),
}
_ALEMBIC = {
    "drop_table": (Severity.HIGH, "drops a table that the running version may use, and its data"),
    "drop_column": (Severity.HIGH, "drops a column that the running version still reads"),
    "rename_table": (Severity.HIGH, "renames a table that the running version still uses"),
    "alter_column": (Severity.MEDIUM, "changes a column: it may lock the table or refuse existing rows"),
    "create_unique_constraint": (Severity.MEDIUM, "adds a constraint: existing rows may not meet it"),
    "create_check_constraint": (Severity.MEDIUM, "adds a constraint: existing rows may not meet it"),
    "create_foreign_key": (Severity.MEDIUM, "adds a foreign key: existing rows may not meet it"),
    "drop_constraint": (Severity.MEDIUM, "drops a constraint"),
    "drop_index": (Severity.MEDIUM, "drops an index that queries may need"),
    "execute": (Severity.MEDIUM, "runs SQL"),
    "bulk_insert": (Severity.LOW, "inserts rows"),
    "add_column": (Severity.LOW, "adds a column"),
    "create_table": (Severity.LOW, "creates a table"),
    "create_index": (Severity.LOW, "adds an index, which locks a large table unless it is built concurrently"),
}
_LEAD = re.compile(r"(\s+|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
"""White space and comments before a statement."""
_NOT_NULL = "adds a column that must not be null and has no default: inserts of the running version fail"


def analyze(review: ReviewInput) -> AnalysisResult:
    findings: list[Finding] = []
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
    if files.is_test(path) and not {"migrations", "migration"} & folders:
        return False
    return bool(folders & _MIGRATION_FOLDERS) and not files.is_test(path)


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
        if diff.path.endswith(".sql"):
            yield from _sql_findings(diff.path, files.read_text(review.head, diff.path, limit))
        elif diff.path.endswith(".py"):
            file = files.read_python(review.head, diff.path, limit)
            yield from _operations(file)
            yield from (f for _, f in _ddl_strings(file, _alembic_scope(file)))
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
        after_strings = list(_ddl_strings(file, file.tree))
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
    return Counter(text for text, _ in _ddl_strings(file, file.tree))


def _texts(findings: list[Finding]) -> Counter[str]:
    return Counter(f.message + f.quotation for f in findings)


def _take(known: Counter[str], text: str) -> bool:
    if known[text]:
        known[text] -= 1
        return True
    return False


def _sql_findings(path: str, text: str) -> Iterator[Finding]:
    """The DDL of an SQL file, statement by statement, so that each has a line."""
    line = 1
    for piece in re.split(r"(;)", text):
        start = line + piece[: _LEAD.match(piece).end()].count("\n")  # type: ignore[union-attr]  # it always matches
        if ddl_words.STARTS_WITH_DDL.match(piece):
            words = " ".join(re.sub(r"--[^\n]*", " ", piece).split())
            for effect in ddl.effects_of(piece):
                yield _finding(effect.rule, effect.severity, effect.message, path, start, words[:200])
        line += piece.count("\n")


def _ddl_strings(file: files.PythonFile, within: ast.AST) -> Iterator[tuple[str, Finding]]:
    """(statement without white space, finding) for the DDL in string constants; docstrings are prose."""
    ignored = _docstrings(file.tree)
    ignored |= {id(v) for n in ast.walk(within) if isinstance(n, ast.JoinedStr) for v in n.values}
    for node in ast.walk(within):
        if not isinstance(node, ast.Constant | ast.JoinedStr) or id(node) in ignored:
            continue
        line, quotation = node.lineno, file.quote(node.lineno)
        for statement in _text_of(node).split(";"):
            if ddl_words.STARTS_WITH_DDL.match(statement):
                for effect in ddl.effects_of(statement):
                    found = _finding(effect.rule, effect.severity, effect.message, file.path, line, quotation)
                    yield "".join(statement.split()), found


def _text_of(node: ast.Constant | ast.JoinedStr) -> str:
    """The text of a string; what is spliced into it stands as a name."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "x" for v in node.values)
    return node.value if isinstance(node.value, str) else ""


def _docstrings(tree: ast.Module) -> set[int]:
    """String constants that stand alone as a statement: prose."""
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


def _alembic_scope(file: files.PythonFile) -> ast.AST:
    """`upgrade()` of an Alembic migration: what `downgrade()` would do is not done. Else the whole file."""
    for node in file.tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade":
            return node
    return file.tree


def _operations(file: files.PythonFile) -> Iterator[Finding]:
    for node in ast.walk(_alembic_scope(file)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, getattr(node.func.value, "id", "")
        if owner == "migrations" and name in _DJANGO:
            severity, message = _DJANGO[name]
            if name == "AddField" and _django_demands(node):
                severity, message = Severity.HIGH, _NOT_NULL
        elif owner in ("op", "batch_op") and name in _ALEMBIC:
            severity, message = _ALEMBIC[name]
            if name == "add_column" and _alembic_demands(node):
                severity, message = Severity.HIGH, _NOT_NULL
        else:
            continue
        rule = "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-").replace("_", "-")
        yield _finding(rule, severity, message, file.path, node.lineno, file.quote(node.lineno))


def _django_demands(call: ast.Call) -> bool:
    """A field without null, default and database default; relations to many have no column."""
    field = next((k.value for k in call.keywords if k.arg == "field"), None)
    if not isinstance(field, ast.Call) or "ManyToMany" in ast.unparse(field.func):
        return False
    given = {k.arg: k.value for k in field.keywords}
    nullable = isinstance(given.get("null"), ast.Constant) and bool(getattr(given["null"], "value", False))
    # Django drops a Python-side default after it has filled the rows, so only `db_default` helps a running version;
    # a default at least lets the migration itself succeed, so it counts as the lesser danger.
    return not nullable and "default" not in given and "db_default" not in given and "auto_now_add" not in given


def _alembic_demands(call: ast.Call) -> bool:
    column = next((a for a in call.args if isinstance(a, ast.Call)), None)
    if column is None:
        return False
    given = {k.arg: k.value for k in column.keywords}
    nullable = given.get("nullable")
    return isinstance(nullable, ast.Constant) and nullable.value is False and "server_default" not in given


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
