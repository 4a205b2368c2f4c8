"""Classes of other files of tests that the classes of a test file inherit from. Pure; for `scripts.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from greenlane.testgen.inputs import Import
from greenlane.testgen.testmodules import ReadTests, TestModule, flat

_MOST = 6


class Bases(msgspec.Struct, frozen=True, kw_only=True):
    """The classes, by what they are called, and what the names in their files are imported as."""

    classes: dict[str, ast.ClassDef]
    imports: dict[str, Import]


def outside_bases(own: TestModule, read: ReadTests) -> Bases:
    """Those that stand in modules of the project's tests, with the bases of these; without one in whose file a name
    stands for something else than here."""
    found = Bases(classes={}, imports={})
    known = {**own.imports, **{name: ("", name) for name in _bound(own.parsed)}}
    pending = [(own, name) for name in _bases_in(own.parsed)]
    while pending and len(found.classes) < _MOST:
        home, name = pending.pop(0)
        source, asked = home.imports.get(name, ("", ""))
        other = read(source) if source and asked == name and name not in found.classes else None
        classes = _classes(other.parsed) if other is not None else {}
        if other is None or name not in classes:
            continue
        names = {**{n: (source, n) for n in _bound(other.parsed)}, **other.imports}
        if any(known.get(n, place) != place for n, place in names.items() if n in _words(classes[name])):
            continue
        known |= names
        found.imports.update(names)
        found.classes[name] = classes[name]
        for base in _names(classes[name]):
            if base in classes:
                found.classes[base] = classes[base]
                pending += [(other, above) for above in _names(classes[base])]
            pending.append((other, base))
    return found


def _bases_in(parsed: ast.Module) -> Iterator[str]:
    for node in _classes(parsed).values():
        yield from _names(node)


def _names(node: ast.ClassDef) -> list[str]:
    return [base.id for base in node.bases if isinstance(base, ast.Name)]


def _classes(parsed: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in flat(parsed.body) if isinstance(node, ast.ClassDef)}


def _bound(parsed: ast.Module) -> set[str]:
    """What a file makes itself at its top."""
    found: set[str] = set()
    for node in flat(parsed.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def _words(node: ast.ClassDef) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
