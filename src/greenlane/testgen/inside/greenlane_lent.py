"""Runs inside the sandbox: values that become what is asked of them. For `greenlane_lend.py`.

A lent value is nothing at first. Where code looks up a key in it, it is a dict, and what is under the key is lent as
well, or missing; where it is compared, it is equal or not. Which of these it is, is a question with a few answers
(`greenlane_answers.py`), so that another run can be given another one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from greenlane_answers import (  # type: ignore[import-not-found]  # it lies beside this file inside
    Answers,
    Base,
    State,
    as_text,
    ask,
    class_of,
    plain,
    real,
    sample,
    settle,
    state_of,
    truth,
    word_of_code,
)
from greenlane_reckoned import as_number, equal, ordered, reckoned  # type: ignore[import-not-found]  # as above

_OF_DICTS = frozenset({"get", "items", "keys", "values", "setdefault", "update", "popitem"})
_OF_LISTS = frozenset({"append", "extend", "insert", "sort", "reverse", "remove", "index", "count"})
_OF_TEXTS = frozenset(name for name in dir(str) if not name.startswith("_")) - {"index", "count"}
_READING = frozenset({"get", "keys", "values", "items"})
_LETTERING = frozenset({"strip", "lstrip", "rstrip", "lower", "casefold", "upper"})
_CUTTING = frozenset({"split", "rsplit", "partition", "rpartition"})
_GONE = object()


class Lent(Base):  # type: ignore[misc]  # of a file inside
    """See above. What is not asked of it here, it does not have."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _attribute(self, name)

    @property  # type: ignore[misc]  # what it is, is asked here
    def __class__(self) -> Any:
        return class_of(self)

    def __bool__(self) -> bool:
        return bool(truth(self))

    def __len__(self) -> int:
        return len(_held(self))

    def __iter__(self) -> Iterator[Any]:
        yield from _held(self)

    def __reversed__(self) -> Iterator[Any]:
        yield from reversed(list(_held(self)))

    def __contains__(self, key: Any) -> bool:
        return _contains(self, key)

    def __getitem__(self, key: Any) -> Any:
        return _item(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        place = plain(key)
        _changed(self, place)[place] = value

    def __delitem__(self, key: Any) -> None:
        place = plain(key)
        _item(self, place)
        del _changed(self, place)[place]

    def __eq__(self, other: object) -> bool:
        return bool(equal(self, other))

    def __ne__(self, other: object) -> bool:
        return not equal(self, other)

    def __hash__(self) -> int:
        state = state_of(self)
        if state.kind in {"dict", "list"}:
            raise TypeError("unhashable")
        return id(state) if state.kind == "object" else hash(word_of_code(self))

    def __call__(self, *_given: Any, **_named: Any) -> Any:
        return _given_back(self)

    def __str__(self) -> str:
        return str(as_text(self))

    def __format__(self, how: str) -> str:
        return format(as_text(self), how)

    def __repr__(self) -> str:
        return repr(real(self))

    def __copy__(self) -> Lent:
        return self

    def __deepcopy__(self, _memo: Any) -> Lent:
        return self


# ------------------------------------------------------------------ what it holds


def _held(lent: Lent) -> Any:
    """The keys of a dict, the items of a list, the signs of a text, as many as there are from now on."""
    state = state_of(lent)
    if state.kind == "plain" or state.like is str:
        return plain(lent)
    if state.kind == "object":
        raise TypeError("not iterable")
    state.kind = state.kind or "list"
    if state.kind == "dict" and not state.closed:
        for key in lent._greenlane_answers.keys:
            if key not in state.items and key not in state.missing:
                state.items[key] = lent._greenlane_answers.lend()
                if isinstance(state.now, dict):
                    state.now.setdefault(key, state.items[key])
    if state.now is not None:
        return state.now
    if not state.closed:
        known = len(state.items)
        counts = (known, known + 1) if known else (1, 2) if state.filled else (1, 0, 2)
        for _ in range(counts[ask(lent, len(counts))] - known):
            key = lent._greenlane_answers.word() if state.kind == "dict" else len(state.items)
            state.items[key] = lent._greenlane_answers.lend()
        state.closed = True
    return list(state.items) if state.kind == "dict" else list(state.items.values())


def begin(lent: Lent, value: Any) -> None:
    """It is this at first: a dict that may hold more, a list of such, a plain value."""
    state = state_of(lent)
    if not isinstance(value, dict | list):
        settle(lent, value)
        return
    state.kind, state.closed = type(value).__name__, isinstance(value, list)
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        state.items[key] = lent._greenlane_answers.lend()
        begin(state.items[key], one)


def _changed(lent: Lent, key: Any = 0) -> Any:
    """What it holds, to be changed."""
    state = state_of(lent)
    state.kind = state.kind or ("list" if isinstance(key, int | slice) else "dict")
    if state.now is None:
        keys = list(state.items) if state.kind == "dict" and not state.closed else _held(lent)
        state.now = {one: state.items[one] for one in keys} if state.kind == "dict" else keys
    return state.now


def _item(lent: Lent, key: Any) -> Any:
    state = state_of(lent)
    if state.kind == "plain" or (state.like is str and not state.kind):
        return plain(lent)[plain(key)]
    if not state.kind:
        place = isinstance(plain(key), int | slice)
        state.kind = "list" if place else "dict"
    if state.kind == "dict":
        found = _under(lent, plain(key), _GONE)
        if found is _GONE:
            raise KeyError(plain(key))
        return found
    if state.kind != "list" or isinstance(key, slice):
        return _held(lent)[key]
    number = plain(key)
    if state.now is None and not state.closed and isinstance(number, int):
        while len(state.items) < (number + 1 if number >= 0 else -number):
            state.items[len(state.items)] = lent._greenlane_answers.lend()
    return (state.now if state.now is not None else list(state.items.values()))[number]


def _under(lent: Lent, key: Any, default: Any) -> Any:
    """What a dict holds under a key; whether it holds anything there is asked once. Where the code is made to go
    without it, it is missing first: so what is found holds little else than what is needed."""
    state, goes_without = state_of(lent), default is not _GONE
    if isinstance(state.now, dict) and key in state.now:
        return state.now[key]
    if key in state.items and state.now is None:
        return state.items[key]
    if state.closed and isinstance(key, str) and key not in state.items:
        lent._greenlane_answers.wanted[key] = None
    known = state.closed or key in state.missing or (state.now is not None and key in state.items)
    if known or not isinstance(key, str | int | float | bool | None) or ask(lent, 2) == (0 if goes_without else 1):
        state.missing.add(key)
        return default
    child = lent._greenlane_answers.lend()
    if not state_of(child).kind:
        _liken(state_of(child), default)
    state.items[key] = child
    if isinstance(state.now, dict):
        state.now[key] = child
    return child


def _liken(state: State, default: Any) -> None:
    """What stands under a key is mostly of the kind of what is taken where there is none."""
    if type(default) in {dict, list}:
        state.kind = type(default).__name__
    elif type(default) in {str, int, float, bool}:
        state.like = type(default)


def _contains(lent: Lent, key: Any) -> bool:
    state = state_of(lent)
    if state.kind == "plain" or state.now is not None or (state.kind == "list" and state.closed):
        return plain(key) in (state.value if state.kind == "plain" else _held(lent))
    if not state.kind and state.like is None:
        named = isinstance(plain(key), str)
        answer = ask(lent, 3 if named else 1)
        state.kind, state.like = (
            ("dict", None) if named and answer == 0 else ("", str) if answer == 1 else ("list", None)
        )
    if state.kind == "dict":
        return _under(lent, plain(key), _GONE) is not _GONE
    if state.like is str and not state.kind:
        found = plain(key) in sample(lent)
        if not found and ask(lent, 2) == 0:
            state.middle += plain(key)
            found = True
        return found
    return any(one == key for one in _held(lent))


# ------------------------------------------------------------------ what it has


def _attribute(lent: Lent, name: str) -> Any:
    state = state_of(lent)
    if state.kind == "plain":
        return getattr(state.value, name)
    if not state.kind:
        if state.like is str or (name in _OF_TEXTS and state.like is None):
            state.like = str
            return lambda *given: _of_text(lent, name, *given)
        if state.like is not None:
            return getattr(plain(lent), name)
        in_dicts = name in _OF_DICTS or name == "pop"
        state.kind = "dict" if in_dicts else "list" if name in _OF_LISTS else "object"
    if state.kind == "dict" and not hasattr(dict, name) and state.asked and state.now is None:
        _become_object(lent)
    if state.kind == "dict":
        found = _METHODS.get(name)
        if found is None:
            return getattr(_changed(lent, "") if hasattr(dict, name) else {}, name)
        state.asked[name] = None
        return lambda *given, **named: found(lent, *given, **named)
    if state.kind == "list":
        return getattr(_changed(lent), name)
    if name in _READING and name not in state.items:
        if state.entries is None:
            state.entries = Lent(lent._greenlane_answers)
            state_of(state.entries).kind = "dict"
        state.asked[name] = None
        return _attribute(state.entries, name)
    value = _under(lent, name, _GONE)
    if value is _GONE:
        raise AttributeError(name)
    return value


def _become_object(lent: Lent) -> None:
    """What was taken for a dict by its methods has an attribute as well, as the elements of a tree have."""
    state = state_of(lent)
    state.entries = Lent(lent._greenlane_answers)
    inside = state_of(state.entries)
    inside.kind, inside.items, inside.missing, inside.closed = "dict", state.items, state.missing, state.closed
    state.kind, state.items, state.missing, state.closed = "object", {}, set(), False


def _given_back(lent: Lent) -> Any:
    """What it gives where it is called: the same each time."""
    state = state_of(lent)
    if state.kind not in {"", "called"} or state.like is not None:
        raise TypeError("not callable")
    if not state.kind:
        state.kind, state.returned = "called", lent._greenlane_answers.lend()
    return state.returned


def _of_text(lent: Lent, name: str, *given: Any) -> Any:
    """A method of a text; what it begins with, ends with or is cut at may still be chosen."""
    state = state_of(lent)
    sign = plain(given[0][0] if isinstance(given[0], tuple) else given[0]) if given else None
    if not state.kind and name in _LETTERING and not given:
        return lent
    if not state.kind and isinstance(sign, str) and sign and not getattr(sample(lent), name)(*map(plain, given)):
        side = {"startswith": "begin", "endswith": "end"}.get(name)
        if side is not None and not getattr(state, side) and ask(lent, 2) == 0:
            setattr(state, side, sign)
            return True
    if not state.kind and isinstance(sign, str) and name in _CUTTING and ask(lent, 2) == 0:
        sample(lent)  # it has a word from now on
        state.middle = f"{state.middle or state.word}{sign}1"
    return getattr(plain(lent), name)(*map(plain, given))


def _pop(lent: Lent, key: Any = -1, *default: Any) -> Any:
    found = _under(lent, plain(key), default[0] if default else _GONE)
    if found is _GONE:
        raise KeyError(plain(key))
    _changed(lent, "").pop(plain(key), None)
    return found


def _setdefault(lent: Lent, key: Any, default: Any = None) -> Any:
    found = _under(lent, plain(key), _GONE)
    if found is _GONE:
        found = _changed(lent, "")[plain(key)] = default
    return found


_METHODS: Mapping[str, Callable[..., Any]] = {
    "get": lambda lent, key, default=None: _under(lent, plain(key), default),
    "pop": _pop,
    "setdefault": _setdefault,
    "keys": lambda lent: list(_held(lent)),
    "values": lambda lent: [_item(lent, key) for key in _held(lent)],
    "items": lambda lent: [(key, _item(lent, key)) for key in _held(lent)],
}


for _name in ("lt", "le", "gt", "ge"):
    setattr(Lent, f"__{_name}__", ordered(getattr(operator, _name)))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift"):
    _before, _after = reckoned(_name)
    setattr(Lent, f"__{_name}__", _before)
    setattr(Lent, f"__r{_name}__", _after)
for _name, _convert in (("index", operator.index), ("int", int), ("float", float), ("neg", operator.neg), ("abs", abs)):
    setattr(Lent, f"__{_name}__", as_number(_convert))
Answers.kind = Lent
