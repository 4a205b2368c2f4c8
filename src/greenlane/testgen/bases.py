"""Classes of other files of tests that the classes of a test file inherit from. Pure; for `scripts.py`."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.inputs import Import
from greenlane.testgen.testmodules import ReadTests, TestModule, bound_at_top, flat, origin_of

_MOST = 6


class Bases(msgspec.Struct, frozen=True, kw_only=True):
    """The classes, by what they are called, and what the names in their files are imported as."""

    classes: dict[str, ast.ClassDef]
    imports: dict[str, Import]


def outside_bases(own: TestModule, read: ReadTests) -> Bases:
    """Those that stand in modules of the project's tests, with the bases of these; without one in whose file a name
    stands for something else than here."""
    found = Bases(classes={}, imports={})
    known = {**own.imports, **{name: ("", name) for name in bound_at_top(own.parsed)}}
    pending = [(own, base) for node in _classes(own.parsed).values() for base in node.bases]
    while pending and len(found.classes) < _MOST:
        home, base = pending.pop(0)
        source, name = origin_of(home, base)
        plain = ast.unparse(base).split(".")[-1] == name  # not under another name
        other = read(source) if source and plain and name not in found.classes else None
        classes = _classes(other.parsed) if other is not None else {}
        if other is None or name not in classes:
            continue
        names = {**{n: (source, n) for n in bound_at_top(other.parsed)}, **other.imports}
        if any(known.get(n, place) != place for n, place in names.items() if n in _words(classes[name])):
            continue
        known |= names
        found.imports.update(names)
        found.classes[name] = classes[name]
        for above in classes[name].bases:
            if isinstance(above, ast.Name) and above.id in classes:
                found.classes[above.id] = classes[above.id]
                pending += [(other, further) for further in classes[above.id].bases]
            pending.append((other, above))
    return found


def _classes(parsed: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in flat(parsed.body) if isinstance(node, ast.ClassDef)}


def _words(node: ast.ClassDef) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
