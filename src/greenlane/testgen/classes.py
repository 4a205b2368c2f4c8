"""What the classes of a changed module take, and those of the project that it imports, so that objects of them can be
made for its functions. Pure, but for the modules that `read` gives.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from greenlane.testgen.code import Function, Param, params_of, with_choices
from greenlane.testgen.enums import enumerations
from greenlane.testgen.inherited import inherited_from_outside
from greenlane.testgen.rest import handed_to

ReadModule: TypeAlias = Callable[[str], tuple[str, ast.Module] | None]
"""By a dotted name, the path and the tree of the project's module; None if the project has none."""
_MAX_HOPS = 3
"""A package's `__init__` may pass on what another passes on."""
_MAX_CLASSES, _MAX_BASES = 40, 5
_NONE: Mapping[str, tuple[Param, ...]] = MappingProxyType({})
_NONE_SAID: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_LONGEST_TAG = 24


class KnownClasses(msgspec.Struct, frozen=True, kw_only=True):
    """By the name under which the module knows them: what classes take, the members of enumerations, and
    (name, module) where each is defined."""

    constructors: Mapping[str, tuple[Param, ...]]
    choices: Mapping[str, tuple[str, ...]]
    homes: tuple[tuple[str, str], ...]
    tags: Mapping[str, tuple[str, ...]] = _NONE_SAID
    """Texts that stand in the bodies of these classes, and of the module's own: by what they are found, mostly."""


def list_constructors(tree: ast.Module, known: Mapping[str, tuple[Param, ...]] = _NONE) -> dict[str, tuple[Param, ...]]:
    """What the classes of a module take: the parameters of `__init__`, or the annotated fields of a dataclass, its
    own and those of its bases in the module, or of those that are `known` from elsewhere, or of Python's own."""
    known = inherited_from_outside(tree) | dict(known)
    enums = enumerations(tree)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return {name: with_choices(_taken(name, classes, 0, known)[0], enums) for name in classes if name not in enums}


def _taken(
    name: str, classes: Mapping[str, ast.ClassDef], depth: int, known: Mapping[str, tuple[Param, ...]]
) -> tuple[tuple[Param, ...], bool]:
    """(what the class takes, whether an `__init__` says so, or a `__new__` that asks for something)."""
    node = classes.get(name)
    if node is None or depth > _MAX_BASES:
        return known.get(name, ()), False
    made = {m.name: m for m in node.body if isinstance(m, ast.FunctionDef) and m.name in {"__init__", "__new__"}}
    init = made.get("__init__") or next((m for m in made.values() if len(params_of(m)) > 1), None)
    bases = (_taken(ast.unparse(base).split("[")[0], classes, depth + 1, known) for base in node.bases)
    inherited, said = next((found for found in bases if found[0] or found[1]), ((), False))
    if init:
        return (*params_of(init)[1:], *(_passed_on(init, inherited) if init.args.kwarg else ())), True
    own = tuple(
        Param(
            name=field.target.id,
            annotation=ast.unparse(field.annotation),
            default=ast.unparse(field.value) if field.value is not None else None,
        )
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and not _is_of_class(field)
    )
    names = {param.name for param in own}
    return (inherited if said else (*(param for param in inherited if param.name not in names), *own)), said


def _passed_on(init: ast.FunctionDef, inherited: Iterable[Param]) -> Iterator[Param]:
    """Options of a base that an `__init__` with `**options` hands on to it."""
    own = {param.name for param in params_of(init)}
    for param in inherited if handed_to(init) else ():
        if param.default is not None and param.name not in own:
            yield msgspec.structs.replace(param, keyword_only=True)


def _is_of_class(field: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(field.annotation)


def imported_classes(tree: ast.Module, path: str, module: str, read: ReadModule) -> KnownClasses:
    """Those that `from ... import Name` names anywhere in the module, under `if TYPE_CHECKING:` as well, and those
    that objects of them are made of."""
    read = functools.cache(read)  # most classes come from few modules
    constructors: dict[str, tuple[Param, ...]] = {}
    choices: dict[str, tuple[str, ...]] = {}
    homes: dict[str, str] = {}
    tags = tags_of(tree)
    own = frozenset(node.name for node in tree.body if isinstance(node, ast.ClassDef))
    asked = [
        (source, name) for name, source in imported_from(tree, package_of(module, path)).items() if name not in own
    ]
    for source, name in asked:  # which grows by what they need
        found = _find(source, name, read, 0) if name not in homes and len(homes) < _MAX_CLASSES else None
        if found is None:
            continue
        homes[name], where, parsed = found
        tags |= {kind: words for kind, words in tags_of(parsed).items() if kind == name}
        if members := enumerations(parsed).get(name):
            choices[name] = members
            continue
        constructors[name] = list_constructors(parsed).get(name, ())
        near = imported_from(parsed, package_of(homes[name], where))
        words = {word for param in constructors[name] for word in re.findall(r"\b[A-Z]\w*", param.annotation)}
        asked += [(near.get(word, homes[name]), word) for word in sorted(words - own)]
    return KnownClasses(constructors=constructors, choices=choices, homes=tuple(homes.items()), tags=tags)


def tags_of(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """Short texts that the classes of a module bind: `tag = "include"`."""
    found: dict[str, tuple[str, ...]] = {}
    for node in (one for one in tree.body if isinstance(one, ast.ClassDef)):
        values = [part.value for part in node.body if isinstance(part, ast.Assign | ast.AnnAssign)]
        texts = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
        found[node.name] = tuple(text for text in texts if 0 < len(text) <= _LONGEST_TAG)
    return found


def with_classes(functions: Iterable[Function], known: KnownClasses) -> tuple[Function, ...]:
    """The functions, knowing these classes as well as those of their own module."""
    return tuple(
        msgspec.structs.replace(
            f,
            params=with_choices(f.params, known.choices),
            classes=tuple((dict(known.homes) | dict(f.classes)).items()),
        )
        for f in functions
    )


def package_of(module: str, path: str) -> str:
    """The package that a file's relative imports start from."""
    return module if path.endswith("__init__.py") else module.rpartition(".")[0]


def imported_from(tree: ast.Module, package: str) -> dict[str, str]:
    """By the name of what looks like a class, the module that it is imported from, or named as a part of: `val.Any`
    after `from shop import validators as val`."""
    found: dict[str, str] = {}
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (module := absolute_module(node, package)):
            for alias in node.names:
                modules[alias.asname or alias.name] = f"{module}.{alias.name}"
                if alias.name[:1].isupper() and alias.asname in {None, alias.name}:
                    found[alias.name] = module
        elif isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
    parts = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr[:1].isupper()]
    named = {part.attr: module for part in parts if (module := modules.get(ast.unparse(part.value)))}
    return named | found


def absolute_module(node: ast.ImportFrom, package: str) -> str | None:
    """The dotted name of the module that is imported from, in a file of this package (empty: of none); None if the dots
    lead out of it."""
    if not node.level:
        return node.module or ""
    parents = package.split(".") if package else []
    if node.level > len(parents):
        return None
    return ".".join([*parents[: len(parents) - node.level + 1], *([node.module] if node.module else [])])


def _find(source: str, name: str, read: ReadModule, hops: int) -> tuple[str, str, ast.Module] | None:
    """(module, path, tree) of the module that defines the class."""
    found = read(source) if source and hops <= _MAX_HOPS else None
    if found is None:
        return None
    path, tree = found
    if any(isinstance(node, ast.ClassDef) and node.name == name for node in tree.body):
        return source, path, tree
    package = package_of(source, path)
    passed_on = imported_from(tree, package).get(name)
    if passed_on:
        return _find(passed_on, name, read, hops + 1)
    starred = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
    there = (_find(absolute_module(node, package) or "", name, read, hops + 1) for node in starred)
    return next((one for one in there if one is not None), None)
