"""A Python package as its callers see it: loaded by griffe from its sources alone, with every name that is public.

griffe knows the names that a module defines or lists in `__all__`. Added here: names that a package's `__init__`
imports from its own modules and hands on without listing them, and modules in folders without an `__init__.py`, which
Python imports all the same. Called by `library.py`.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Iterator
from pathlib import Path

import griffe
import msgspec

from greenlane.analyzers import files
from greenlane.analyzers.base import SourceRoot

Node = griffe.Object | griffe.Alias
_UNSHIPPED = frozenset({"tests", "test", "conftest", "migrations"})
"""Parts of a package that nobody calls: its tests, and what only its database runs."""
_STANDARD = (
    "abc", "argparse", "asyncio", "collections", "collections.abc", "contextlib", "enum", "http.server", "io", "json",
    "logging", "queue", "socketserver", "string", "threading", "typing", "unittest",
)  # fmt: skip
"""Modules of the standard library whose classes are known as base classes. A name in a change never chooses one."""
_MAX_FOLDERS = 200


class Pair(msgspec.Struct, frozen=True):
    """A public object before and after, with the name that callers reach it by."""

    path: str
    old: griffe.Object
    new: griffe.Object


def load_package(tree: Path, root: SourceRoot, package: str, limit: int) -> Node | None:
    """The package with its public names; None if this side does not have it. Raises whatever griffe raises."""
    folder = tree / root.path
    if not (folder / package / "__init__.py").is_file() and not (folder / f"{package}.py").is_file():
        return None
    loader = griffe.GriffeLoader(search_paths=[str(folder)], allow_inspection=False, store_source=False)
    loaded = loader.load(package, try_relative_path=False)
    if isinstance(loaded, griffe.Module) and (folder / package).is_dir():
        _add_bare_folders(loader, loaded, folder / package, limit)
    loader.resolve_aliases(implicit=False, external=False)
    if isinstance(loaded, griffe.Module):
        _export_what_is_handed_on(loaded, loaded.name)
    return loaded


def _add_bare_folders(loader: griffe.GriffeLoader, package: griffe.Module, folder: Path, limit: int) -> None:
    """Load the modules of folders without `__init__.py` from which some module of the package imports."""
    wanted = {alias.target_path.rsplit(".", 1)[0] for alias in _imports(package)}
    for _, path in zip(range(_MAX_FOLDERS), sorted(p for p in folder.rglob("*") if p.is_dir()), strict=False):
        parts = path.relative_to(folder).parts
        dotted = ".".join((package.name, *parts))
        known = any(name == dotted or name.startswith(f"{dotted}.") for name in wanted)
        if not known or (path / "__init__.py").exists() or _member(package, parts) is not None:
            continue
        parent = _member(package, parts[:-1])
        if isinstance(parent, griffe.Module):
            module = griffe.Module(parts[-1], filepath=path / "__init__.py", parent=parent)
            parent.set_member(parts[-1], module)
            for source in sorted(path.glob("*.py")):
                text = files.read_text(path, source.name, limit)
                visited = griffe.visit(
                    source.stem, source, text, parent=module, modules_collection=loader.modules_collection,
                    lines_collection=loader.lines_collection,
                )  # fmt: skip
                module.set_member(source.stem, visited)


def _imports(module: griffe.Module) -> Iterator[griffe.Alias]:
    for member in module.members.values():
        if isinstance(member, griffe.Alias):
            yield member
        elif isinstance(member, griffe.Module):
            yield from _imports(member)


def _member(package: griffe.Module, parts: tuple[str, ...]) -> Node | None:
    found: Node = package
    for part in parts:
        if found.is_alias or part not in found.members:
            return None
        found = found.members[part]
    return found


def _export_what_is_handed_on(module: griffe.Module, package: str) -> None:
    """An `__init__` without `__all__`: what it imports from its own package is there to be imported from it."""
    for member in module.members.values():
        if isinstance(member, griffe.Module):
            _export_what_is_handed_on(member, package)
    if module.exports or not module.is_init_module:
        return
    handed_on = [
        name
        for name, member in module.members.items()
        if member.is_public
        or (
            isinstance(member, griffe.Alias)
            and not name.startswith("_")
            and member.runtime
            and member.target_path.startswith(f"{package}.")
        )
    ]
    if handed_on:
        module.exports = list(handed_on)


def target_of(node: Node) -> griffe.Object | None:
    """The object behind a name; None if it is not of this package."""
    try:
        found = node.final_target if isinstance(node, griffe.Alias) else node
    except (griffe.AliasResolutionError, griffe.CyclicAliasError):
        return None
    return found if isinstance(found, griffe.Object) else None


def members_of(node: griffe.Object) -> dict[str, Node]:
    """The members of a module, or of a class with those that it inherits inside the package."""
    return dict(node.all_members) if node.is_class else dict(node.members)


def public_pairs(before: Node, after: Node) -> Iterator[Pair]:
    """Every public object that both sides have, once, however many names lead to it."""
    seen: set[str] = set()
    start = target_of(before), target_of(after)
    pending = [(before.path, start[0], start[1])]
    while pending:
        path, old, new = pending.pop()
        if old is None or new is None or old.path in seen:
            continue
        seen.add(old.path)
        yield Pair(path, old, new)
        if (old.is_module and new.is_module) or (old.is_class and new.is_class):
            others = members_of(new)
            for name, member in members_of(old).items():
                if name in others and name not in _UNSHIPPED and member.is_public:
                    pending.append((f"{path}.{name}", target_of(member), target_of(others[name])))


def dangling_names(before: Node, after: Node) -> Iterator[tuple[str, Node]]:
    """Public names of modules that led to an object of the package, and now lead to one that it does not have."""
    for pair in public_pairs(before, after):
        if not pair.old.is_module or not pair.new.is_module:
            continue
        for name, member in pair.old.members.items():
            now = pair.new.members.get(name)
            if not member.is_public or not isinstance(now, griffe.Alias) or target_of(member) is None:
                continue
            inside = now.target_path.startswith(f"{after.path}.")
            if inside and target_of(now) is None:
                yield f"{pair.path}.{name}", member


def is_shipped(dotted: str) -> bool:
    return not _UNSHIPPED & set(dotted.replace("(", ".").split("."))


def mro_of(cls: griffe.Class) -> list[griffe.Class]:
    """The class and those of its ancestors that the package has, nearest first."""
    try:
        return [cls, *cls.mro()]
    except ValueError:  # its bases contradict each other
        return [cls]


def outer_bases(cls: griffe.Class) -> set[str]:
    """Dotted names of base classes, at any depth, that are not of this package."""
    found = set()
    for owner in mro_of(cls):
        for base in owner.bases:
            name = base if isinstance(base, str) else base.canonical_path
            try:
                inside = owner.modules_collection.get_member(name)
            except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
                inside = None
            if inside is None or target_of(inside) is None:
                found.add(name)
    return found


def standard_class(dotted: str) -> type | None:
    """The class of the standard library that a base's name stands for, if it is one of those that are known."""
    module, _, name = dotted.rpartition(".")
    if module in ("", "builtins"):
        found = getattr(builtins, name, None)
    elif module in _STANDARD:
        found = getattr(importlib.import_module(module), name, None)
    else:
        return None
    return found if isinstance(found, type) else None
