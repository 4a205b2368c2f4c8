"""Runs inside the sandbox: what is alive after some statements, and what a call changed of it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import types
from collections.abc import Iterator
from typing import Any

from greenlane_looks import state_of  # type: ignore[import-not-found]  # they lie beside this file inside
from greenlane_values import Describer  # type: ignore[import-not-found]

_MAX_ALIVE, _MAX_ITEMS, _MAX_PARTS = 12, 4, 3
_NO_OBJECTS = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
_NO_PARTS = (*_NO_OBJECTS, property, functools.cached_property, classmethod, staticmethod, types.MemberDescriptorType)
"""What stands in a class and gives no object that stays; a property of the changed module may give one that leads back
to what it is of: `shop.labels["a"] = "b"`."""
Path = tuple[Any, ...]
"""As `greenlane_sequences.py` writes it."""


def kin_of(given: list[list[str]]) -> Path:
    """The classes of these names ([module, class])."""
    found = []
    for module, name in given:
        with contextlib.suppress(Exception):  # it is not to be had here
            found.append(getattr(importlib.import_module(module), name))
    return tuple(kind for kind in found if isinstance(kind, type))


def alive_in(names: dict[str, Any], base: dict[str, Any], kinds: tuple[Any, ...]) -> list[tuple[Path, Any]]:
    """What names hold that were bound since; then objects of these classes that stand in those, each once."""
    own = [((name,), value) for name, value in names.items() if _is_own(name, value, base)]
    known = {id(value) for _, value in own}
    found: list[tuple[Path, Any]] = []
    for path, value in own:
        for inner, item in _inside(path, value, names, {kind.__module__ for kind in kinds}):
            if isinstance(item, kinds) and id(item) not in known:
                known.add(id(item))
                found.append((inner, item))
    return [*own, *found][:_MAX_ALIVE]


def _is_own(name: str, value: Any, base: dict[str, Any]) -> bool:
    return not name.startswith("__") and not isinstance(value, _NO_OBJECTS) and base.get(name, _NO_OBJECTS) is not value


def _inside(path: Path, value: Any, names: dict[str, Any], homes: set[str]) -> Iterator[tuple[Path, Any]]:
    """Attributes and items, and the items of attributes; what properties of classes of these modules give."""
    yield from _items(path, value, names)
    for name, held in list(getattr(value, "__dict__", {}).items()):
        if isinstance(name, str) and name.isidentifier() and not name.startswith("_"):
            yield (*path, name), held
            yield from _items((*path, name), held, names)
    for name, member in list(vars(type(value)).items()):
        stays = hasattr(type(member), "__get__") and not isinstance(member, _NO_PARTS)
        fresh = isinstance(member, property) and type(value).__module__ in homes
        if (stays or fresh) and not name.startswith("_"):
            with contextlib.suppress(Exception):  # it is of no use now
                yield (*path, name), getattr(value, name)


def _items(path: Path, value: Any, names: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, held in list(value.items())[:_MAX_ITEMS]:
            written = _key(key, names)
            if written is not None:
                yield (*path, written), held
    elif isinstance(value, (list, tuple)):
        for number, held in enumerate(value[:_MAX_ITEMS]):
            yield (*path, ["number", number]), held


def _key(key: Any, names: dict[str, Any]) -> list[Any] | None:
    if type(key) is str:
        return ["text", key]
    if type(key) is int:
        return ["number", key]
    named = next((name for name, value in names.items() if value is key and not name.startswith("__")), None)
    return ["name", named] if named is not None else None


def found_at(path: Any, names: dict[str, Any]) -> Any:
    """Raises what looking for it raises."""
    value = names[path[0]]
    for part in path[1:]:
        if isinstance(part, str):
            value = getattr(value, part)
        else:
            value = value[names[part[1]] if part[0] == "name" else part[1]]
    return value


def changed_parts(path: Any, before: dict[str, Any], after: dict[str, Any]) -> list[list[str]]:
    """What was changed of an object: attributes by their names, the whole of it first where that shows something."""
    describer = Describer()
    now = state_of(found_at(path, after), describer, wholly=True)
    try:
        then = state_of(found_at(path, before), describer, wholly=True)
    except Exception:  # it was not there
        then = {}
    changed = [key[0] for key, shown in now.items() if shown is not None and then.get(key) != shown]
    whole: list[list[str]] = [[]] if "" in changed or not changed else []
    return [*whole, *([name] for name in dict.fromkeys(changed) if name)][:_MAX_PARTS]
