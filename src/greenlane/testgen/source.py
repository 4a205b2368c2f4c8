"""A changed file as the generator sees it: functions, gap, what may be imported. Reads files, runs nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from greenlane.domain.service_settings import Service
from greenlane.ports.environments import PythonEnvironment
from greenlane.suite.lines import UnreadableSourceError, branches_of, parse_source
from greenlane.suite.runner import SuiteRun, import_roots
from greenlane.testgen.code import (
    Function,
    FunctionNode,
    Param,
    enclosing,
    entries_of,
    list_constructors,
    list_functions,
    module_name,
)
from greenlane.testgen.inputs import Constructors
from greenlane.testgen.mutants import mutants_of
from greenlane.testgen.neighbours import Style
from greenlane.testgen.scene import Scene
from greenlane.testgen.targets import Gap, open_branches
from greenlane.testgen.uses import Members, members_of, with_uses

_MAX_AROUND, _MAX_BYTES = 60, 400_000
"""Files that may import the changed one, and how large each may be."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A changed file: its parsed text, what is open in it, the functions to call, best first."""

    path: str
    module: str
    tree: ast.Module
    gap: Gap
    entries: tuple[tuple[int, Function], ...]
    functions: tuple[Function, ...]
    constructors: Constructors


def read_file(
    service: Service, tree: Path, path: str, lines: frozenset[int], changed: frozenset[int], baseline: SuiteRun
) -> Source | None:
    """The file with the gap that `baseline` left in it: these open `lines`, branches and mutants of what `changed`.
    None if it can't be read."""
    try:
        text = (tree / path).read_text(encoding="utf-8-sig")
        parsed, known = parse_source(text), branches_of(text)
    except (UnreadableSourceError, UnicodeDecodeError, OSError):
        return None
    module = module_name(path, import_roots(service, tree))
    gap = Gap(
        path=path,
        lines=lines,
        branches=open_branches(baseline, path, changed | lines, known),
        mutants=mutants_of(parsed, path, module, changed | lines),
        known=known,
        changed=changed | lines,
    )
    members = members_of(parsed)
    functions = _told(list_functions(parsed, path, module), parsed, members)
    return Source(
        path=path,
        module=module,
        tree=parsed,
        gap=gap,
        entries=_entries(functions, lines | {start for start, _ in gap.branches}),
        functions=functions,
        constructors=_of_importers(tree, path) | _callables(functions) | _constructors(parsed, members),
    )


def _callables(functions: Iterable[Function]) -> dict[str, tuple[Param, ...]]:
    return {f.name: f.params for f in functions if not f.name.startswith("__")}


def _of_importers(tree: Path, path: str) -> dict[str, tuple[Param, ...]]:
    """What the functions and classes of the files around take that import this one: a test of a private module calls
    those. Reads files."""
    file = tree / path
    name = file.parent.name if file.stem == "__init__" else file.stem
    imports = re.compile(rf"^\s*(?:from|import)\b.*\b{re.escape(name)}\b", re.MULTILINE)
    around = sorted([*file.parent.glob("*.py"), *file.parent.parent.glob("*.py")])[:_MAX_AROUND]
    found: dict[str, tuple[Param, ...]] = {}
    for other in around:
        try:
            if other == file or other.is_symlink() or other.stat().st_size > _MAX_BYTES:
                continue
            text = other.read_text(encoding="utf-8-sig")
            if not imports.search(text):
                continue
            parsed = parse_source(text)
        except (UnreadableSourceError, UnicodeDecodeError, OSError):
            continue
        members = members_of(parsed)
        found = _callables(list_functions(parsed, "", "")) | _constructors(parsed, members) | found
    return found


def _constructors(parsed: ast.Module, members: Members) -> dict[str, tuple[Param, ...]]:
    classes = {node.name: node for node in parsed.body if isinstance(node, ast.ClassDef)}
    return {name: with_uses(params, classes[name], members) for name, params in list_constructors(parsed).items()}


def _told(functions: Iterable[Function], parsed: ast.Module, members: Members) -> tuple[Function, ...]:
    """The functions with what their code tells of parameters without annotation."""
    nodes = {node.lineno: node for node in ast.walk(parsed) if isinstance(node, FunctionNode)}
    return tuple(msgspec.structs.replace(f, params=with_uses(f.params, nodes[f.first], members)) for f in functions)


def _entries(functions: tuple[Function, ...], lines: Iterable[int]) -> tuple[tuple[int, Function], ...]:
    entries: dict[Function, int] = {}
    for line in sorted(lines):
        function = enclosing(functions, line)
        for rank, entry in enumerate(entries_of(function, functions) if function else ()):
            entries[entry] = min(rank, entries.get(entry, rank))
    return tuple((rank, entry) for entry, rank in entries.items())


def scene_of(
    service: Service, environment: PythonEnvironment, tree: Path, style: Style, measured: Iterable[str]
) -> Scene:
    """The scene of tests in the folder of their neighbours. Reads folders."""
    return Scene(
        service=service,
        environment=environment,
        tree=tree,
        folder="" if style.folder == "." else style.folder,
        modules=project_modules(service, tree),
        measured=tuple(sorted(measured)),
    )


def collected_files(run: SuiteRun) -> frozenset[str] | None:
    """The test files that a suite ran; None where it does not tell."""
    return frozenset(outcome.test.split("::")[0] for outcome in run.outcomes) or None


def project_modules(service: Service, tree: Path) -> frozenset[str]:
    """Top-level names that the project itself offers."""
    found = set()
    for root in import_roots(service, tree):
        folder = tree / root
        if not folder.is_dir():
            continue
        for entry in folder.iterdir():
            if entry.suffix == ".py":
                found.add(entry.stem)
            elif entry.is_dir() and entry.name.isidentifier():
                found.add(entry.name)
    return frozenset(found)
