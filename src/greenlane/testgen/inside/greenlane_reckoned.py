"""Runs inside the sandbox: what is held against lent values, and what is reckoned with them. For `greenlane_lent.py`.

What comes of `flags & 0xF0` is a lent value as well: where that turns out to be 16, `flags` turns out to be 16, too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from greenlane_answers import (  # type: ignore[import-not-found]  # it lies beside this file inside
    Base,
    ask,
    is_lent,
    plain,
    real,
    settle,
    state_of,
)

Operation = Callable[[Any, Any], Any]
_BACK: Mapping[str, Operation] = {
    "add": lambda value, other: value - other,
    "sub": lambda value, other: value + other,
    "mul": lambda value, other: value // other if other and value % other == 0 else value,
    "truediv": lambda value, other: value * other,
    "floordiv": lambda value, other: value * other,
    "mod": lambda value, _other: value,
    "and": lambda value, _other: value,
    "or": lambda value, _other: value,
    "xor": lambda value, other: value ^ other,
    "lshift": lambda value, other: value >> other if 0 <= other < 64 else value,
    "rshift": lambda value, other: value << other if 0 <= other < 64 else value,
}
"""What a number was, so that this comes of it and the other."""
_EITHER_WAY = frozenset({"add", "mul", "and", "or", "xor"})
_WHOLE = frozenset({"and", "or", "xor", "lshift", "rshift"})


def equal(lent: Any, other: Any) -> bool:
    mine = state_of(lent)
    if is_lent(other):
        yours = state_of(other)
        if mine is yours:
            return True
        if mine.kind and yours.kind:
            return bool(real(lent) == real(other))
        if not mine.kind and not yours.kind:
            if ask(lent, 2) == 1:
                return False
            yours.like = mine.like or yours.like
            mine.same = yours
            return True
        return equal(other, real(lent)) if mine.kind else equal(lent, real(other))
    if mine.kind:
        return bool(real(lent) == other)
    fits = mine.like is None or isinstance(other, mine.like) or {mine.like, type(other)} <= {int, float, bool}
    if not fits or type(other) not in {str, int, float, bool} or other in mine.unequal:
        return False
    if isinstance(other, str) and not (
        other.startswith(mine.begin) and mine.middle in other and other.endswith(mine.end)
    ):
        return False
    if ask(lent, 2) == 0:
        settle(lent, other)
        return True
    mine.unequal.append(other)
    mine.like = mine.like or type(other)
    return False


def known(value: Any, beside: Any) -> Any:
    """What is reckoned with: beside a number a number, at the other's boundary first; beside a text one."""
    if not is_lent(value) or state_of(value).kind:
        return plain(value)
    if isinstance(beside, int | float) or is_lent(beside):
        near = beside if isinstance(beside, int | float) else 1
        options = (near, near + 1, near - 1)
        return settle(value, options[ask(value, len(options))])
    if isinstance(beside, list):
        return list(value)
    return plain(value)


def ordered(operate: Operation) -> Callable[[Any, Any], Any]:
    """The method of a sign that holds two values against one another."""

    def compare(lent: Any, other: Any) -> Any:
        mine = known(lent, other)
        return operate(mine, known(other, mine))

    return compare


def reckoned(name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The two methods of a sign that reckons: with the lent value before it, and after it."""
    operate: Operation = getattr(operator, f"{name}_" if name in {"and", "or"} else name)
    back = _BACK.get(name)

    def before(lent: Any, other: Any) -> Any:
        if back is not None and _is_open(lent) and _is_number(other, name):
            return _derived(lent, lambda value: operate(value, other), lambda value: back(value, other), other)
        mine = known(lent, other)
        return operate(mine, known(other, mine))

    def after(lent: Any, other: Any) -> Any:
        if name in _EITHER_WAY and _is_open(lent) and _is_number(other, name):
            return before(lent, other)
        if name == "sub" and _is_open(lent) and _is_number(other, name):
            return _derived(lent, lambda value: other - value, lambda value: other - value, other)
        return operate(known(other, lent), known(lent, other))

    return before, after


def as_number(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda lent: convert(known(lent, 1))


def _is_open(lent: Any) -> bool:
    state = state_of(lent)
    return not state.kind and state.like in {None, int, float}


def _is_number(other: Any, name: str) -> bool:
    return isinstance(other, int) if name in _WHOLE else isinstance(other, int | float) and not is_lent(other)


def _derived(lent: Any, forward: Callable[[Any], Any], back: Callable[[Any], Any], other: Any) -> Any:
    """What comes of a lent number; it says what that number is once it is known itself."""
    state = state_of(lent)
    state.like = state.like or type(other + 0)
    child: Base = type(lent)(lent._greenlane_answers)
    made = state_of(child)
    made.like, made.origin, made.filling = state.like, (lent, forward, back), other or 1
    return child
