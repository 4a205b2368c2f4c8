"""Models that say something else of their tables than before, in a change that has no migration for it.

Django: a field or an option of a model that reaches the database, in an app that has migrations. SQLAlchemy: a column
of a declarative model or of a `Table`, in a repository with Alembic versions. What only Python sees (a help text, a
default of Python, a relationship) is left out. Called by `schema.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.base import ReviewInput
from greenlane.domain.findings import Category, Finding, Severity

_NO_COLUMN = frozenset({"Field", "GenericForeignKey", "GenericRelation", "ManyToOneRel", "GeneratedField"})
_RELATIONS = frozenset({"ForeignKey", "OneToOneField", "ManyToManyField", "ParentalKey", "ParentalManyToManyField",
                        "TreeForeignKey"})  # fmt: skip
_DJANGO_OPTIONS = frozenset({
    "null", "max_length", "unique", "db_index", "primary_key", "db_column", "max_digits", "decimal_places", "to",
    "db_constraint", "db_default", "db_collation", "db_type", "through", "to_field", "base_field", "size", "srid",
    "dim",
})  # fmt: skip
_NO_MODEL = re.compile(r"(^object|Form|Serializer|FilterSet|Filter|Schema|ObjectType|Document|Factory|Admin|Table)$")
"""Classes whose fields are no columns."""
_META = ("unique_together", "index_together", "indexes", "constraints", "db_table")
_SQLALCHEMY_IGNORED = frozenset({
    "default", "default_factory", "onupdate", "doc", "comment", "info", "key", "init", "repr", "compare", "kw_only",
    "insert_default", "sort_order", "deferred", "deferred_group", "active_history", "server_onupdate", "system",
    "quote",
})  # fmt: skip
_MAX_LISTED = 30_000


class Column(msgspec.Struct, frozen=True):
    """A field or column as the database sees it, and where it stands."""

    text: str
    path: str
    line: int
    quotation: str


Columns: TypeAlias = dict[tuple[str, str], Column]
"""(model or table, field) to what the database sees; the field is empty for the table itself."""
Reader: TypeAlias = Callable[[files.PythonFile], Columns]


def models_without_migration(review: ReviewInput, migrated: Iterable[str]) -> Iterator[Finding]:
    """`migrated` are the paths of migrations that the change has."""
    changed = [
        d for d in review.diff.files
        if not files.is_support(d.path) and d.skipped is None and files.kind_of(d.path) is files.Kind.PYTHON
    ]  # fmt: skip
    paths = {p for d in changed for p in (d.path, d.old_path or d.path)}
    done = [PurePosixPath(p) for p in migrated]
    apps: dict[str, set[str]] = {}
    for path in paths:
        app = _app_of(path)
        if app is not None:
            apps.setdefault(app, set()).add(path)
    for app, own in sorted(apps.items()):
        folder = PurePosixPath(app) / "migrations"
        if _has_migrations(review, folder) and not any(p.is_relative_to(folder) for p in done):
            yield from _differences(review, own, _django_columns, "Django", str(folder))
    versions = [] if done or not _mentions_columns(review, paths) else _alembic_folders(review.head)
    if versions:
        yield from _differences(review, paths, _sqlalchemy_columns, "Alembic", versions[0])


def _app_of(path: str) -> str | None:
    """The folder of the Django app whose models this file holds; None if it holds none by its name."""
    pure = PurePosixPath(path)
    if pure.name == "models.py":
        return str(pure.parent)
    if "models" in pure.parts[:-1]:
        at = len(pure.parts) - 1 - pure.parts[::-1].index("models")
        return str(PurePosixPath(*pure.parts[:at]) if at else PurePosixPath("."))
    return None


def _has_migrations(review: ReviewInput, folder: PurePosixPath) -> bool:
    return any(any((tree / folder).glob("[0-9]*_*.py")) for tree in (review.base, review.head))


def _alembic_folders(tree: Path) -> list[str]:
    """Folders with the versions of an Alembic environment."""
    found = []
    for path in islice(tree.rglob("env.py"), _MAX_LISTED):
        versions = path.parent / "versions"
        if any(versions.glob("*.py")) and not path.is_symlink():
            found.append(versions.relative_to(tree).as_posix())
    return sorted(found)


def _mentions_columns(review: ReviewInput, paths: Iterable[str]) -> bool:
    """Whether a line that changed may be of an SQLAlchemy model: looked at before anything is searched for."""
    own = set(paths)
    return any(
        word in line.text
        for d in review.diff.files
        if d.path in own or d.old_path in own
        for line in (*d.added, *d.removed)
        for word in ("Column(", "mapped_column", "Mapped[", "Table(", "__table", "Field(", "ForeignKey")
    )


def _differences(review: ReviewInput, paths: set[str], read: Reader, kind: str, folder: str) -> Iterator[Finding]:
    before, after = _read(review.base, paths, read, review), _read(review.head, paths, read, review)
    if before is None or after is None:
        return  # `reading` tells of the file that can't be read
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and old.text == new.text:
            continue
        model, field = key
        if field and ((model, "") not in before or (model, "") not in after):
            continue  # that the model is new or gone is told once
        what = "added" if old is None else "removed" if new is None else "altered"
        shown = new or old
        assert shown is not None
        name = f"{model}.{field}" if field else model
        at_base = " (line of the base)" if new is None else ""
        yield Finding(
            rule="schema.model-without-migration",
            category=Category.SCHEMA,
            severity=Severity.MEDIUM,
            message=f"{name} was {what}, and no migration in {folder} goes with it ({kind}){at_base}",
            path=shown.path,
            line=shown.line,
            quotation=shown.quotation,
        )


def _read(tree: Path, paths: Iterable[str], read: Reader, review: ReviewInput) -> Columns | None:
    found: Columns = {}
    for path in sorted(paths):
        if not (tree / path).is_file():
            continue
        try:
            found.update(read(files.read_python(tree, path, review.max_file_bytes)))
        except files.UnreadableError:
            return None
    return found


# ------------------------------------------------------------------ Django


def _django_columns(file: files.PythonFile) -> Columns:
    found: Columns = {}
    for cls in (n for n in file.tree.body if isinstance(n, ast.ClassDef)):
        meta = next((n for n in cls.body if isinstance(n, ast.ClassDef) and n.name == "Meta"), None)
        options = dict(_assignments(meta.body)) if meta else {}
        if any(_is_true(options.get(word)) for word in ("proxy", "abstract")) or _is_false(options.get("managed")):
            continue  # the fields of an abstract model are in tables of whoever derives from it
        if not cls.bases or _NO_MODEL.search(ast.unparse(cls.bases[-1])):
            continue  # Django takes no field from a class that is no model
        fields = {name: value for name, value in _assignments(cls.body) if _is_field(value)}
        if not fields and not any(ast.unparse(b) in ("models.Model", "Model") for b in cls.bases):
            continue
        text = ", ".join(f"{w}={ast.unparse(options[w])}" for w in _META if w in options)
        found[cls.name, ""] = _column(file, cls, text)
        for name, value in fields.items():
            found[cls.name, name] = _column(file, value, _field_text(value))
    return found


def _is_field(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    root = value.func
    while isinstance(root, ast.Attribute):
        root = root.value
    name = _last(value.func)
    other = getattr(root, "id", "") in ("forms", "serializers", "filters", "fields", "graphene", "schema")
    return name.endswith(("Field", "Key")) and name not in _NO_COLUMN and not other


class FieldParts(msgspec.Struct, frozen=True):
    """A Django field as the database sees it: its class, and its options in words."""

    kind: str
    options: dict[str, str]


def field_parts(call: ast.Call) -> FieldParts:
    kind = _last(call.func)
    given = {k.arg: k.value for k in call.keywords if k.arg in _DJANGO_OPTIONS}
    if kind in _RELATIONS and call.args:
        given.setdefault("to", call.args[0])
    return FieldParts(kind, {str(k): _plain(v) for k, v in given.items() if not _is_false(v)})


def _field_text(call: ast.expr) -> str:
    assert isinstance(call, ast.Call)
    parts = field_parts(call)
    return f"{parts.kind}({', '.join(f'{k}={v}' for k, v in sorted(parts.options.items()))})"


def _plain(node: ast.expr) -> str:
    """A value as text; a model is the same whether it is named or given, with its app or without."""
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
    return text.rpartition(".")[2]


# ------------------------------------------------------------------ SQLAlchemy

_PREFIX = re.compile(r"\b(sqlalchemy|sa|db|orm|sqla|types|typing|datetime)\.(?=[A-Za-z_])")


def _sqlalchemy_columns(file: files.PythonFile) -> Columns:
    found: Columns = {}
    for node in file.tree.body:
        if isinstance(node, ast.ClassDef):
            found.update(_declared(file, node))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _last(node.value.func) == "Table":
            name = ast.unparse(node.value.args[0]) if node.value.args else ast.unparse(node.targets[0])
            found[name, ""] = _column(file, node, "")
            for part in node.value.args:
                if isinstance(part, ast.Call) and _last(part.func) == "Column" and part.args:
                    found[name, ast.unparse(part.args[0])] = _column(file, part, _column_text(part))
    return found


def _declared(file: files.PythonFile, cls: ast.ClassDef) -> Columns:
    found: Columns = {}
    is_sqlmodel = any(k.arg == "table" and _is_true(k.value) for k in cls.keywords)
    for statement in cls.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value, annotation = statement.value, ast.unparse(statement.annotation)
            called = _last(value.func) if isinstance(value, ast.Call) else ""
            mapped = "Mapped[" in annotation and called in ("", "mapped_column", "Column")
            if mapped or called in ("mapped_column", "Column") or (is_sqlmodel and called in ("", "Field")):
                text = f"{_PREFIX.sub('', annotation)} {_column_text(value)}"
                found[cls.name, statement.target.id] = _column(file, statement, text)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            value = statement.value
            if isinstance(value, ast.Call) and _last(value.func) in ("Column", "mapped_column"):
                found[cls.name, statement.targets[0].id] = _column(file, statement, _column_text(value))
    table = {n: v for n, v in _assignments(cls.body) if n in ("__tablename__", "__table_args__")}
    if found or table:
        found[cls.name, ""] = _column(file, cls, _PREFIX.sub("", ", ".join(ast.unparse(v) for v in table.values())))
    return found


def _column_text(value: ast.expr | None) -> str:
    if not isinstance(value, ast.Call):
        return ""
    parts = [ast.unparse(a) for a in value.args]
    for keyword in sorted(value.keywords, key=lambda k: str(k.arg)):
        usual = _is_true(keyword.value) if keyword.arg == "nullable" else _is_false(keyword.value)
        if keyword.arg not in _SQLALCHEMY_IGNORED and not usual:
            parts.append(f"{keyword.arg}={ast.unparse(keyword.value)}")
    return _PREFIX.sub("", ", ".join(parts))


# ------------------------------------------------------------------ reading classes


def _column(file: files.PythonFile, node: ast.expr | ast.stmt, text: str) -> Column:
    return Column(text, file.path, node.lineno, file.quote(node.lineno))


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target: ast.expr = statement.targets[0]
            value: ast.expr | None = statement.value
        elif isinstance(statement, ast.AnnAssign):
            target, value = statement.target, statement.value
        else:
            continue
        if isinstance(target, ast.Name) and value is not None:
            yield target.id, value


def _last(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
