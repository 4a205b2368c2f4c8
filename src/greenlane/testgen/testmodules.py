"""Files of tests, and those that they import from: what their names stand for. Reads files, runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from greenlane.testgen.classes import absolute_module
from greenlane.testgen.inputs import Import
from greenlane.testgen.reading import parse_inside
from greenlane.testgen.starred import starred

_NOTHING: Mapping[str, Import] = MappingProxyType({})


class TestModule(msgspec.Struct, frozen=True, kw_only=True):
    """A file of tests, or one that they import from: its tree, and what its names are imported as."""

    __test__ = False

    parsed: ast.Module
    imports: Mapping[str, Import]
    name: str = ""
    """The dotted name that tests import it by; empty for a file of tests itself."""


ReadTests: TypeAlias = Callable[[str], TestModule | None]
"""By a dotted name, the module of the project's tests; None for any other."""


def read_test_file(tree: Path, path: str) -> TestModule | None:
    """None if it can't be read."""
    parsed = parse_inside(tree, tree / path)
    if parsed is None:
        return None
    package = _package(tree, path)
    return as_test_module(parsed, package, starred(tree, parsed, package))


def read_imported(tree: Path, path: str, name: str) -> TestModule | None:
    """A module of the tree that this test file imports, or a package by its `__init__`, found as tests find it."""
    below = PurePosixPath(*name.split("."))
    for root in dict.fromkeys(("", "src", "tests", str(PurePosixPath(path).parent))):
        for file in (PurePosixPath(root) / f"{below}.py", PurePosixPath(root) / below / "__init__.py"):
            if (tree / file).is_file():
                found = read_test_file(tree, str(file))
                return msgspec.structs.replace(found, name=name) if found is not None else None
    return None


def origin_of(module: TestModule, node: ast.expr) -> Import:
    """The module that a class is imported from, and its name there: of `Base`, or of `helpers.Base`; empty where it is
    imported from nowhere."""
    held = node.value if isinstance(node, ast.Attribute) else node
    source, asked = module.imports.get(held.id, ("", "")) if isinstance(held, ast.Name) else ("", "")
    asked = asked.split(" as ")[0]
    if isinstance(node, ast.Attribute) and source:
        return (f"{source}.{asked}" if asked else source.split(" as ")[0]), node.attr
    return (source, asked) if asked else ("", "")


def bound_at_top(parsed: ast.Module) -> set[str]:
    """What a file makes itself at its top."""
    found: set[str] = set()
    for node in flat(parsed.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def as_test_module(parsed: ast.Module, package: str = "", offered: Mapping[str, Import] = _NOTHING) -> TestModule:
    """A parsed file; `package` is what relative imports of it start from, `offered` what it knows besides its own."""
    imports: dict[str, Import] = dict(offered)
    _Plain().visit(parsed)
    for node in flat(parsed.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= imported(node, package)
    return TestModule(parsed=parsed, imports=imports)


class _Plain(ast.NodeTransformer):
    """`rows: list[Row] = []` as `rows = []`: a test that is cut down needs no type. In a class it may be a field."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for member in node.body:
            if not isinstance(member, ast.AnnAssign):
                self.visit(member)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return node
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)


def module_of(tree: Path, path: str) -> str:
    """What a file of tests is imported as by one beside it: `tests.test_till`, or `test_till` in a folder that is no
    package."""
    package, name = _package(tree, path), PurePosixPath(path).stem
    return f"{package}.{name}" if package else name


def _package(tree: Path, path: str) -> str:
    """The package of a test file, for its relative imports; empty if it is in none."""
    parts: list[str] = []
    folder = PurePosixPath(path).parent
    while str(folder) != "." and (tree / folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from flat(node.body)


def imported(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, Import]:
    found: dict[str, Import] = {}
    for alias in node.names:
        renamed = f" as {alias.asname}" if alias.asname and alias.asname != alias.name else ""
        if isinstance(node, ast.Import):
            bound = alias.asname or alias.name.split(".")[0]
            found[bound] = (alias.name + renamed, "")
        elif alias.name != "*":
            module = absolute_module(node, package)
            if module is not None:
                found[alias.asname or alias.name] = (module, alias.name + renamed)
    found.pop("annotations", None)
    return found
