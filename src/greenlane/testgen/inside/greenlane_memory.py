"""Runs inside the sandbox: what the modules of the project remember is after each call what it was before, so that no
call is seen in the light of another one. A test that is written for it will be run without the others.

Remembered are what module names stand for, the attributes of their classes and of objects that these made of them, and
what is in the dicts, lists and sets of modules, classes and such objects.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import itertools
import operator
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

KINDS = (dict, list, set, collections.OrderedDict, collections.defaultdict, collections.deque)
PLAIN = (type(None), bool, int, float, str, bytes, tuple, *KINDS)
_MOST, _ALL = 2_000, 100_000
"""Items of one container (a larger one is a table, and no memory), and of all, that may be copied for each call."""


class Memory:
    def __init__(self, project: str, tests: str) -> None:
        self._project, self._tests = project + os.sep, tests + os.sep
        self._known = -1
        self._names: list[dict[str, Any]] = []
        self._attributes: list[dict[str, Any]] = []
        self._classes: list[type] = []
        self._held: list[Any] = []

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """What the project's modules hold now, they hold again afterwards; what was imported from a folder that is on
        the path for a while is imported anew by the next one."""
        self._look_round()
        path, imported = list(sys.path), set(sys.modules)
        names = [(space, dict(space)) for space in self._names]
        attributes = [(space, dict(space)) for space in self._attributes]
        held = [(one, one.copy()) for one in self._held]
        classes = [(kind, dict(vars(kind))) for kind in self._classes]
        try:
            yield
        finally:
            for space, before in names:
                space.update(
                    {name: value for name, value in before.items() if _is_other(space.get(name, value), value)}
                )
            for space, before in attributes:
                if not is_same(space, before):
                    refill(space, before)
            for one, copied in held:
                if not is_same(one, copied):
                    refill(one, copied)
            for kind, members in classes:
                set_back(kind, members)
            if sys.path != path:
                sys.path[:] = path
            self._forget(sys.modules.keys() - imported)

    def _forget(self, fresh: set[str]) -> None:
        """Of modules that were imported meanwhile, those of the project that nobody could import now."""
        folders = {os.path.realpath(folder) for folder in sys.path} if fresh else set()
        tops = {name for name in fresh if "." not in name and self._is_gone(sys.modules.get(name), folders)}
        for name in sorted(fresh):
            if name.partition(".")[0] in tops:
                sys.modules.pop(name, None)

    def _is_gone(self, module: Any, folders: set[str]) -> bool:
        file = getattr(module, "__file__", None) if isinstance(module, types.ModuleType) else None
        if not file or not file.startswith(self._project):
            return False
        home = os.path.dirname(file)  # noqa: PTH120 - plain and often
        return os.path.realpath(os.path.dirname(home) if hasattr(module, "__path__") else home) not in folders  # noqa: PTH120

    def _look_round(self) -> None:
        if len(sys.modules) == self._known:
            return
        self._known = len(sys.modules)
        modules = [module for module in list(sys.modules.values()) if self._is_own(module)]
        self._names = [vars(module) for module in modules]
        own = {module.__name__ for module in modules}
        found = (one for space in self._names for one in space.values() if str(type(one).__module__) in own)
        objects = {id(one): one for one in found}
        rows = map(attributes_of, objects.values())
        self._attributes = [row for row in rows if row is not None]
        held_in = zip(self._names, modules, strict=True)
        kinds = [
            k
            for space, module in held_in
            for k in space.values()
            if isinstance(k, type) and k.__module__ == module.__name__
        ]
        self._classes = list({id(kind): kind for kind in kinds}.values())
        spaces = [*self._names, *self._attributes, *(dict(vars(kind)) for kind in self._classes)]
        values = (value for space in spaces for name, value in space.items() if not name.startswith("__"))
        held = {id(value): value for value in values if type(value) in KINDS and len(value) <= _MOST}
        ordered = sorted(held.values(), key=len)
        sizes = itertools.accumulate(len(value) for value in ordered)
        self._held = [value for value, size in zip(ordered, sizes, strict=True) if size <= _ALL]

    def _is_own(self, module: Any) -> bool:
        file = getattr(module, "__file__", None) or "" if isinstance(module, types.ModuleType) else ""
        return file.startswith(self._project) and not file.startswith(self._tests)


def import_before(case: dict[str, Any]) -> None:
    """What modules remember from their making is there before the call: also what those that the case imports enter
    in a register of another one, which they do once."""
    imports = [*case["imports"], *(case["script"][0] if case["script"] is not None else ())]
    for module in dict.fromkeys([case["module"], *(module.partition(" as ")[0] for module, _ in imports)]):
        with contextlib.suppress(Exception, SystemExit):
            importlib.import_module(module)


def attributes_of(one: Any) -> dict[str, Any] | None:
    """None of an object that has them in another way. None of the project's code is run."""
    try:
        held = object.__getattribute__(one, "__dict__")
    except (AttributeError, TypeError):
        return None
    return held if type(held) is dict and not isinstance(one, type) else None


def _is_other(now: Any, before: Any) -> bool:
    """A name that stands for a module is of the import system."""
    return now is not before and not isinstance(before, types.ModuleType)


def set_back(kind: type, before: dict[str, Any]) -> None:
    """The class has again what it had by each name. A method or a descriptor that is new stays: what is set up once is
    remembered elsewhere, too."""
    now = vars(kind)
    if len(now) == len(before) and all(map(operator.is_, now.values(), before.values())):
        return
    with contextlib.suppress(TypeError, AttributeError):  # a class that can't be altered is none that was
        for name, value in dict(now).items():
            if name.startswith("__"):
                continue
            if name not in before and isinstance(value, PLAIN):
                type.__delattr__(kind, name)
            elif name in before and value is not before[name]:
                type.__setattr__(kind, name, before[name])
        for name in before.keys() - now.keys():
            type.__setattr__(kind, name, before[name])


def is_same(one: Any, copied: Any) -> bool:
    """By identity: to ask whether values are equal could run the project's code."""
    if len(one) != len(copied):
        return False
    if isinstance(one, dict):
        pairs = zip(one.items(), copied.items(), strict=True)
        return all(a is b and x is y for (a, x), (b, y) in pairs)
    if isinstance(one, set):
        return {id(item) for item in one} == {id(item) for item in copied}
    return all(a is b for a, b in zip(one, copied, strict=True))


def refill(one: Any, copied: Any) -> None:
    one.clear()
    if isinstance(one, (dict, set)):
        one.update(copied)
    else:
        one.extend(copied)
