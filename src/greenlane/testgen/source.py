"""A changed file as the generator sees it: functions, gap, what may be imported. Reads files, runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import msgspec

from greenlane.domain.service_settings import Service
from greenlane.ports.environments import PythonEnvironment
from greenlane.suite.lines import UnreadableSourceError, branches_of, nodes_of, parse_source
from greenlane.suite.runner import SuiteRun, import_roots
from greenlane.testgen.aliases import constructors_with_aliases, with_aliases
from greenlane.testgen.borrowed import borrowed_constants
from greenlane.testgen.callers import entries_of
from greenlane.testgen.classes import absolute_module, imported_classes, package_of, with_classes
from greenlane.testgen.code import (
    Function,
    FunctionNode,
    enclosing,
    list_functions,
    module_name,
    with_words_of,
)
from greenlane.testgen.commandlines import with_flags
from greenlane.testgen.importers import offered_around, offered_by
from greenlane.testgen.inputs import Constructors
from greenlane.testgen.mutants import mutants_of
from greenlane.testgen.neighbours import Style
from greenlane.testgen.reading import parse_inside
from greenlane.testgen.scene import Scene
from greenlane.testgen.targets import Gap, Targets, line_of, open_branches
from greenlane.testgen.uses import nodes_by_line, told_by_uses, with_company


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A changed file: its parsed text, what is open in it, the functions to call, best first."""

    path: str
    module: str
    tree: ast.Module
    gap: Gap
    entries: tuple[tuple[int, Function], ...]
    functions: tuple[Function, ...]
    constructors: Constructors
    borrowed: tuple[ast.Assign, ...] = ()
    """Constants of other modules that this one names, on line 0."""
    tags: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """By class, the texts by which it is found (`classes.py`)."""

    @property
    def whole(self) -> ast.Module:
        """The text with what it borrows."""
        return ast.Module(body=[*self.borrowed, *self.tree.body], type_ignores=[])


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
    roots = import_roots(service, tree)
    module = module_name(path, roots)
    gap = Gap(
        path=path,
        lines=lines,
        branches=open_branches(baseline, path, changed | lines, known),
        mutants=mutants_of(parsed, path, module, changed | lines),
        known=known,
        changed=changed | lines,
    )

    def read(name: str) -> tuple[str, ast.Module] | None:
        return _module_at(tree, roots, name)

    known_classes = imported_classes(parsed, path, module, read)
    borrowed = borrowed_constants(parsed, path, module, read)
    plain = [node for node in borrowed if not isinstance(node.value, ast.Call)]  # a pattern is no value to try
    listed = with_company(list_functions(parsed, path, module, plain), parsed)
    listed = with_aliases(listed, parsed, path, module, read)
    functions = with_flags(with_classes(told_by_uses(listed, parsed), known_classes), parsed, changed)
    own = offered_by(functions, parsed, known_classes.constructors)
    return Source(
        path=path,
        module=module,
        tree=parsed,
        gap=gap,
        entries=entries_at(functions, lines | {start for start, _ in gap.branches}),
        functions=functions,
        borrowed=borrowed,
        constructors={
            **offered_around(tree, path),
            **known_classes.constructors,
            **constructors_with_aliases(own, parsed, path, module, read),
        },
        tags=known_classes.tags,
    )


def _module_at(tree: Path, roots: tuple[str, ...], name: str) -> tuple[str, ast.Module] | None:
    """The project's module of that name: its path, and parsed; None if it has none, or it can't be read."""
    below = PurePosixPath(*name.split("."))
    for root in roots:
        for path in (tree / root / f"{below}.py", tree / root / below / "__init__.py"):
            if path.is_file():
                parsed = parse_inside(tree, path)
                return (path.as_posix(), parsed) if parsed is not None else None
    return None


def users_first(sources: Sequence[Source]) -> list[Source]:
    """Files that import others of them come before those, unless they import each other; else they stay in their order.
    What was seen to lead from a user into what it uses is a way in that no test of the latter may know."""
    named = {source.path: _names_imported(source) for source in sources}

    def is_used(one: Source, other: Source) -> bool:
        return one.module in named[other.path] and other.module not in named[one.path]

    found, rest = list[Source](), list(sources)
    while rest:
        free = (one for one in rest if not any(is_used(one, other) for other in rest))
        found.append(next(free, rest[0]))
        rest.remove(found[-1])
    return found


def _names_imported(source: Source) -> set[str]:
    """What a file may import as modules."""
    package, found = package_of(source.module, source.path), set[str]()
    for node in nodes_of(source.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (module := absolute_module(node, package)):
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def open_functions(source: Source, left: Targets) -> Iterator[tuple[int, Function, FunctionNode]]:
    """Each line of what is left, in their order, with the function that it stands in and the node of that."""
    nodes = nodes_by_line(source.tree)
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        if function is not None and function.first in nodes:
            yield line, function, nodes[function.first]


def entries_at(functions: tuple[Function, ...], lines: Iterable[int]) -> tuple[tuple[int, Function], ...]:
    """The functions to call so that these lines are run, with their rank, best first."""
    entries: dict[Function, int] = {}
    led_to: dict[Function, dict[Function, None]] = {}
    for line in sorted(lines):
        function = enclosing(functions, line)
        for rank, entry in enumerate(entries_of(function, functions) if function else ()):
            entries[entry] = min(rank, entries.get(entry, rank))
            led_to.setdefault(entry, {}).update({function: None} if function else {})
    return tuple(
        (rank, _with_lengths(with_words_of(entry, led_to[entry]), led_to[entry])) for entry, rank in entries.items()
    )


def _with_lengths(entry: Function, led_to: Iterable[Function]) -> Function:
    """A function that asks for a length where one that it leads to does."""
    asks = any("len" in function.calls for function in led_to)
    return msgspec.structs.replace(entry, calls=entry.calls | {"len"}) if asks else entry


def scene_of(
    service: Service,
    environment: PythonEnvironment,
    tree: Path,
    style: Style,
    measured: Iterable[str],
    idle: tuple[str, ...] = (),
) -> Scene:
    """The scene of tests in the folder of their neighbours. Reads folders."""
    return Scene(
        service=service,
        environment=environment,
        tree=tree,
        folder="" if style.folder == "." else style.folder,
        modules=project_modules(service, tree),
        measured=tuple(sorted(measured)),
        idle_plugins=idle,
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
