"""Who calls a function: what has to be called to reach it, and whose tests come near it. Pure."""

from __future__ import annotations

from greenlane.testgen.code import Function

_CALLER_LEVELS = 2
_SPECIAL = frozenset(
    {"__init__", "__call__", "__iter__", "__getitem__", "__contains__", "__len__", "__bool__", "__repr__", "__str__",
     "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__add__", "__sub__", "__mul__", "__or__",
     "__and__", "__format__"}
)  # fmt: skip
"""Methods that are called by a sign or by a function of the language."""


def entries_of(function: Function, functions: tuple[Function, ...]) -> tuple[Function, ...]:
    """Functions whose call can reach `function`, the one that a careful colleague would call first: itself if it is
    public, else the public ones of its module that call it, operators and the like and the making of an object last."""
    callers = callers_of(function, functions)
    public = [f for f in callers if not f.private and not f.name.startswith("__")]
    special = [f for f in callers if f.name in _SPECIAL]
    return tuple([*public, *special, function] if function.private else [function, *public])


def callers_of(function: Function, functions: tuple[Function, ...]) -> list[Function]:
    """Those of these functions that call it by its name, and those that call them."""
    callers: list[Function] = []
    level = [function]
    for _ in range(_CALLER_LEVELS):
        names = {f.called for f in level}
        level = [f for f in functions if f.calls & names and f not in callers and f != function]
        callers += level
    return callers
