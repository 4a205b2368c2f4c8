"""Runs inside the sandbox: values that become what is asked of them. For `greenlane_lend.py`.

A lent value is nothing at first. Where code looks up a key in it, it is a dict, and what is under the key is lent as
well, or missing; where it is compared, it is equal or not. Which of these it is, is a question with a few answers: a
run is given some (`Answers`), and then the first of each question, so that another run can be given another one. After
it, `real` gives a plain value of which all this is true.
"""

from __future__ import annotations

import operator
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_MOST_ASKED, _MOST_DEEP = 80, 40
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_KINDS: tuple[type, ...] = (str, dict, list, int, bool, float, type(None))
_OF_DICTS = frozenset({"get", "items", "keys", "values", "setdefault", "update", "popitem"})
_OF_LISTS = frozenset({"append", "extend", "insert", "sort", "reverse", "remove", "index", "count"})
_OF_TEXTS = frozenset(name for name in dir(str) if not name.startswith("_")) - {"index", "count"}
_LETTERING = frozenset({"strip", "lstrip", "rstrip", "lower", "casefold", "upper"})
_CUTTING = frozenset({"split", "rsplit", "partition", "rpartition"})
_EMPTY: Mapping[Any, Any] = {None: None, str: "", int: 0, float: 0.0, bool: False}
_GONE = object()


class TooManyQuestionsError(BaseException):
    """A loop that asks for ever: not an Exception, so that the code under test does not swallow it."""


class Answers:
    """Answers in the order of the questions: those that were chosen, then the first of each. `words` are texts of the
    code; `born` are plain values that lent ones are from the beginning, by their number."""

    def __init__(self, chosen: Sequence[int], words: Sequence[str] = (), born: Mapping[int, Any] | None = None) -> None:
        self.words = list(words)
        self.given: list[tuple[int, int]] = []
        """Each answer with how many there were."""
        self.at: set[tuple[str, int, int, int]] = set()
        """Where which answer was given: file, line, how many there were, answer."""
        self.made = 0
        self._chosen, self._born, self._fresh = chosen, born or {}, 0

    def one_of(self, count: int) -> int:
        place = len(self.given)
        if place >= _MOST_ASKED:
            raise TooManyQuestionsError
        answer = min(self._chosen[place], count - 1) if place < len(self._chosen) else 0
        self.given.append((answer, count))
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back  # type: ignore[assignment]  # None at last
        if frame is not None:
            self.at.add((frame.f_code.co_filename, frame.f_lineno, count, answer))
        return answer

    def lend(self) -> Lent:
        lent = Lent(self)
        number, self.made = self.made, self.made + 1
        if number in self._born:
            _settle(lent, self._born[number])
        return lent

    def word(self) -> str:
        """Another one each time, so that what nothing holds against one another is not the same."""
        number, self._fresh = self._fresh, self._fresh + 1
        return _LETTERS[number % len(_LETTERS)] * (number // len(_LETTERS) + 1)


class State:
    """What is known of a lent value. `like`: its type, where nothing else is known; `items`: what it holds at first,
    `now`: what it holds after it was changed."""

    def __init__(self) -> None:
        self.kind = ""
        self.like: Any = None
        self.value: Any = None
        self.items: dict[Any, Any] = {}
        self.now: dict[Any, Any] | list[Any] | None = None
        self.missing: set[Any] = set()
        self.closed = self.filled = False
        self.unequal: list[Any] = []
        self.begin = self.middle = self.end = self.word = ""
        self.same: State | None = None


class Lent:
    """See above. What is not asked of it here, it does not have."""

    __slots__ = ("_greenlane_answers", "_greenlane_state")

    def __init__(self, answers: Answers) -> None:
        self._greenlane_answers = answers
        self._greenlane_state = State()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _attribute(self, name)

    @property  # type: ignore[misc]  # what it is, is asked here
    def __class__(self) -> Any:
        return _class_of(self)

    def __bool__(self) -> bool:
        return _truth(self)

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
        return _equal(self, other)

    def __ne__(self, other: object) -> bool:
        return not _equal(self, other)

    def __hash__(self) -> int:
        state = _state(self)
        if state.kind in {"dict", "list"}:
            raise TypeError("unhashable")
        return id(state) if state.kind == "object" else hash(_word_of_code(self))

    def __str__(self) -> str:
        return str(_as_text(self))

    def __format__(self, how: str) -> str:
        return format(_as_text(self), how)

    def __repr__(self) -> str:
        return repr(real(self))

    def __copy__(self) -> Lent:
        return self

    def __deepcopy__(self, _memo: Any) -> Lent:
        return self


# ------------------------------------------------------------------ what it turns out to be


def real(value: Any, deep: int = 0) -> Any:
    """A plain value of which all that was answered is true."""
    if type(value) is not Lent:
        return value
    state = _state(value)
    if deep > _MOST_DEEP:
        return None
    held = {key: real(one, deep + 1) for key, one in state.items.items()}
    match state.kind:
        case "dict":
            return held or ({"a": 1} if state.filled else {})
        case "list":
            return list(held.values()) or ([1] if state.filled else [])
        case "object":
            return types.SimpleNamespace(**held)
        case "plain":
            return state.value
    return _sample(value)


def untouched(lent: Lent) -> bool:
    """Whether nothing was asked of it."""
    state = _state(lent)
    return not (state.kind or state.like or state.unequal)


def written(value: Any) -> str:
    """As an expression. Raises ValueError where there is none."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)}: {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(one) for one in value) + "]"
    if isinstance(value, types.SimpleNamespace):
        if not all(name.isidentifier() for name in vars(value)):
            raise ValueError("no attribute has such a name")
        return f"SimpleNamespace({', '.join(f'{name}={written(one)}' for name, one in vars(value).items())})"
    if value is None or type(value) in {str, int, float, bool, bytes}:
        return repr(value)
    raise ValueError(f"no text for a {type(value).__name__}")


def plain(value: Any) -> Any:
    """A lent value as what it is, which is settled now; any other as it is."""
    if type(value) is not Lent:
        return value
    state = _state(value)
    return _settle(value, _sample(value)) if not state.kind else real(value)


def _state(lent: Lent) -> State:
    state = lent._greenlane_state
    while state.same is not None:
        state = state.same
    return state


def _ask(lent: Lent, count: int) -> int:
    return lent._greenlane_answers.one_of(count)


def _settle(lent: Lent, value: Any) -> Any:
    state = _state(lent)
    state.kind, state.value = "plain", value
    return value


def _sample(lent: Lent) -> Any:
    """A value of the type that it is like, and none that it is not."""
    state = _state(lent)
    if state.like in {int, float, bool}:
        options: Sequence[Any] = (True, False) if state.like is bool else [state.like(n) for n in (1, 2, 3, 4, 5)]
        return next((one for one in options if one not in state.unequal), options[0])
    state.word = state.word or lent._greenlane_answers.word()
    return f"{state.begin}{state.middle or state.word}{state.end}"


def _as_text(lent: Lent) -> Any:
    return real(lent) if _state(lent).kind else plain(lent)


def _word_of_code(lent: Lent) -> Any:
    """What is looked up in something is mostly a word that the code names."""
    state = _state(lent)
    if state.kind:
        return state.value
    words = lent._greenlane_answers.words if state.like in {None, str} else []
    number = _ask(lent, len(words) + 1) if words else 0
    return _settle(lent, words[number]) if number < len(words) else plain(lent)


def _class_of(lent: Lent) -> Any:
    state = _state(lent)
    if not state.kind and state.like is None:
        kind = _KINDS[_ask(lent, len(_KINDS))]
        if kind in {dict, list}:
            state.kind = kind.__name__
        elif kind is type(None):
            _settle(lent, None)
        else:
            state.like = kind
    known = {"dict": dict, "list": list, "object": types.SimpleNamespace, "plain": type(state.value)}
    return known.get(state.kind, state.like)


def _truth(lent: Lent) -> bool:
    state = _state(lent)
    if state.now is not None or state.kind in {"object", "plain"}:
        return bool(state.now if state.now is not None else state.value if state.kind == "plain" else True)
    if state.items or state.filled or state.begin or state.middle or state.end:
        return True
    if state.closed:
        return False
    if _ask(lent, 2) == 0:
        state.filled = True
        return True
    if state.kind:
        state.closed = True
    else:
        _settle(lent, _EMPTY[state.like])
    return False


# ------------------------------------------------------------------ what it holds


def _held(lent: Lent) -> Any:
    """The keys of a dict, the items of a list, the signs of a text, as many as there are from now on."""
    state = _state(lent)
    if state.kind == "plain" or state.like is str:
        return plain(lent)
    if state.kind == "object":
        raise TypeError("not iterable")
    state.kind = state.kind or "list"
    if state.now is not None:
        return state.now
    if not state.closed:
        known = len(state.items)
        counts = (known, known + 1) if known else (1, 2) if state.filled else (1, 0, 2)
        for _ in range(counts[_ask(lent, len(counts))] - known):
            key = lent._greenlane_answers.word() if state.kind == "dict" else len(state.items)
            state.items[key] = lent._greenlane_answers.lend()
        state.closed = True
    return list(state.items) if state.kind == "dict" else list(state.items.values())


def _changed(lent: Lent, key: Any = 0) -> Any:
    """What it holds, to be changed."""
    state = _state(lent)
    state.kind = state.kind or ("list" if isinstance(key, int | slice) else "dict")
    if state.now is None:
        keys = list(state.items) if state.kind == "dict" and not state.closed else _held(lent)
        state.now = {one: state.items[one] for one in keys} if state.kind == "dict" else keys
    return state.now


def _item(lent: Lent, key: Any) -> Any:
    state = _state(lent)
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
    """What a dict holds under a key; whether it holds anything there is asked once."""
    state = _state(lent)
    if isinstance(state.now, dict) and key in state.now:
        return state.now[key]
    if key in state.items and state.now is None:
        return state.items[key]
    known = state.closed or key in state.missing or (state.now is not None and key in state.items)
    if known or not isinstance(key, str | int | float | bool | None) or _ask(lent, 2) == 1:
        state.missing.add(key)
        return default
    child = lent._greenlane_answers.lend()
    if not _state(child).kind:
        _liken(_state(child), default)
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
    state = _state(lent)
    if state.kind == "plain" or state.now is not None or (state.kind == "list" and state.closed):
        return plain(key) in (state.value if state.kind == "plain" else _held(lent))
    if not state.kind and state.like is None:
        named = isinstance(plain(key), str)
        answer = _ask(lent, 3 if named else 1)
        state.kind, state.like = (
            ("dict", None) if named and answer == 0 else ("", str) if answer == 1 else ("list", None)
        )
    if state.kind == "dict":
        return _under(lent, plain(key), _GONE) is not _GONE
    if state.like is str and not state.kind:
        found = plain(key) in _sample(lent)
        if not found and _ask(lent, 2) == 0:
            state.middle += plain(key)
            found = True
        return found
    return any(one == key for one in _held(lent))


# ------------------------------------------------------------------ what it has


def _attribute(lent: Lent, name: str) -> Any:
    state = _state(lent)
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
    if state.kind == "dict":
        found = _METHODS.get(name)
        if found is None:
            return getattr(_changed(lent, "") if hasattr(dict, name) else {}, name)
        return lambda *given, **named: found(lent, *given, **named)
    if state.kind == "list":
        return getattr(_changed(lent), name)
    value = _under(lent, name, _GONE)
    if value is _GONE:
        raise AttributeError(name)
    return value


def _of_text(lent: Lent, name: str, *given: Any) -> Any:
    """A method of a text; what it begins with, ends with or is cut at may still be chosen."""
    state = _state(lent)
    sign = plain(given[0][0] if isinstance(given[0], tuple) else given[0]) if given else None
    if not state.kind and name in _LETTERING and not given:
        return lent
    if not state.kind and isinstance(sign, str) and sign and not getattr(_sample(lent), name)(*map(plain, given)):
        side = {"startswith": "begin", "endswith": "end"}.get(name)
        if side is not None and not getattr(state, side) and _ask(lent, 2) == 0:
            setattr(state, side, sign)
            return True
    if not state.kind and isinstance(sign, str) and name in _CUTTING and _ask(lent, 2) == 0:
        _sample(lent)  # it has a word from now on
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

# ------------------------------------------------------------------ what it is held against


def _equal(lent: Lent, other: Any) -> bool:
    mine = _state(lent)
    if type(other) is Lent:
        yours = _state(other)
        if mine is yours:
            return True
        if mine.kind and yours.kind:
            return bool(real(lent) == real(other))
        if not mine.kind and not yours.kind:
            if _ask(lent, 2) == 1:
                return False
            yours.like = mine.like or yours.like
            mine.same = yours
            return True
        return _equal(other, real(lent)) if mine.kind else _equal(lent, real(other))
    if mine.kind:
        return bool(real(lent) == other)
    fits = mine.like is None or isinstance(other, mine.like) or {mine.like, type(other)} <= {int, float, bool}
    if not fits or type(other) not in {str, int, float, bool} or other in mine.unequal:
        return False
    if isinstance(other, str) and not (
        other.startswith(mine.begin) and mine.middle in other and other.endswith(mine.end)
    ):
        return False
    if _ask(lent, 2) == 0:
        _settle(lent, other)
        return True
    mine.unequal.append(other)
    mine.like = mine.like or type(other)
    return False


def _known(value: Any, beside: Any) -> Any:
    """What is reckoned with: beside a number a number, at the other's boundary first; beside a text one."""
    if type(value) is not Lent or _state(value).kind:
        return plain(value)
    if isinstance(beside, int | float) or type(beside) is Lent:
        near = beside if isinstance(beside, int | float) else 1
        options = (near, near + 1, near - 1)
        return _settle(value, options[_ask(value, len(options))])
    if isinstance(beside, list):
        return _held(value)
    return plain(value)


def _ordered(operate: Callable[[Any, Any], Any]) -> Callable[[Lent, Any], Any]:
    def compare(lent: Lent, other: Any) -> Any:
        mine = _known(lent, other)
        return operate(mine, _known(other, mine))

    return compare


def _swapped(operate: Callable[[Any, Any], Any]) -> Callable[[Lent, Any], Any]:
    return lambda lent, other: operate(_known(other, lent), _known(lent, other))


def _as_number(convert: Callable[[Any], Any]) -> Callable[[Lent], Any]:
    return lambda lent: convert(_known(lent, 1))


for _name in ("lt", "le", "gt", "ge"):
    setattr(Lent, f"__{_name}__", _ordered(getattr(operator, _name)))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift"):
    _operate = getattr(operator, f"{_name}_" if _name in {"and", "or"} else _name)
    setattr(Lent, f"__{_name}__", _ordered(_operate))
    setattr(Lent, f"__r{_name}__", _swapped(_operate))
for _name, _convert in (("index", operator.index), ("int", int), ("float", float), ("neg", operator.neg), ("abs", abs)):
    setattr(Lent, f"__{_name}__", _as_number(_convert))
