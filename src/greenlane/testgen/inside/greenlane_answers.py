"""Runs inside the sandbox: what is known of a lent value (`greenlane_lent.py`), and the answers that told it.

A run is given some answers (`Answers`), and then the first of each question. After it, `real` gives a plain value of
which all that was answered is true.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any

_MOST_ASKED, _MOST_DEEP, _MOST_A_LINE = 80, 40, 12
_KINDS: tuple[type, ...] = (str, dict, list, int, bool, float, type(None))
_EMPTY: Mapping[Any, Any] = {None: None, str: "", int: 0, float: 0.0, bool: False}
_HERE = __file__.rpartition("/")[0]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class TooManyQuestionsError(BaseException):
    """A loop that asks for ever: not an Exception, so that the code under test does not swallow it."""


class Answers:
    """Answers in the order of the questions: those that were chosen, then the first of each. `words` are texts of the
    code; `born` are plain values that lent ones are from the beginning, by their number; `keys` are held by every dict
    that is gone through."""

    def __init__(
        self,
        chosen: Sequence[int],
        words: Sequence[str] = (),
        born: Mapping[int, Any] | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        self.words, self.keys = list(words), keys
        self.given: list[tuple[int, int]] = []
        """Each answer with how many there were."""
        self.at: set[tuple[str, int, int, int]] = set()
        """Where which answer was given: file, line, how many questions this line had asked before, answer."""
        self._asked: dict[tuple[str, int], int] = {}
        self.wanted: dict[str, None] = {}
        """Keys that were looked up after a dict had been gone through without them."""
        self.made = 0
        self._chosen, self._born, self._fresh = chosen, born or {}, 0

    def one_of(self, count: int) -> int:
        place = len(self.given)
        if place >= _MOST_ASKED:
            raise TooManyQuestionsError
        answer = min(self._chosen[place], count - 1) if place < len(self._chosen) else 0
        self.given.append((answer, count))
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename.startswith(_HERE):
            frame = frame.f_back  # type: ignore[assignment]  # None at last
        if frame is not None:
            line = (frame.f_code.co_filename, frame.f_lineno)
            before = self._asked.get(line, 0)
            self._asked[line] = before + 1
            self.at.add((*line, min(before, _MOST_A_LINE), answer))
        return answer

    kind: type[Base]
    """What is lent (`greenlane_lent.py` says it)."""

    def lend(self) -> Any:
        lent = self.kind(self)
        number, self.made = self.made, self.made + 1
        if number in self._born:
            settle(lent, self._born[number])
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
        self.asked: dict[str, None] = {}
        """Methods of dicts that were asked of it; where it turns out to be an object that has them, `entries` is the
        dict that they are of."""
        self.entries: Base | None = None
        self.same: State | None = None
        self.returned: Any = None
        """What it gives, where it is called."""
        self.origin: tuple[Any, Any, Any] | None = None
        """The lent number that it comes of, how, and what that is where this is known."""
        self.filling: Any = 1
        """What it is, where it is true and nothing else is known."""


class Base:
    """A value that knows nothing but what was answered."""

    __slots__ = ("_greenlane_answers", "_greenlane_state")

    def __init__(self, answers: Answers) -> None:
        self._greenlane_answers = answers
        self._greenlane_state = State()


class Giving:
    """Gives the same however it is called: a stand-in, as `unittest.mock` has them."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, *_given: Any, **_named: Any) -> Any:
        return self.value


def is_lent(value: Any) -> bool:
    return issubclass(type(value), Base)


def real(value: Any, deep: int = 0) -> Any:
    """A plain value of which all that was answered is true."""
    if not is_lent(value):
        return value
    state = state_of(value)
    if deep > _MOST_DEEP:
        return None
    held = {key: real(one, deep + 1) for key, one in state.items.items()}
    match state.kind:
        case "dict":
            return held or ({"a": 1} if state.filled else {})
        case "list":
            return list(held.values()) or ([1] if state.filled else [])
        case "object":
            of_dict = {name: getattr(real(state.entries, deep + 1), name) for name in state.asked if state.entries}
            return types.SimpleNamespace(**held, **of_dict)
        case "called":
            return Giving(real(state.returned, deep + 1))
        case "plain":
            return state.value
    return sample(value)


def untouched(lent: Base) -> bool:
    """Whether nothing was asked of it."""
    state = state_of(lent)
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
    if isinstance(value, Giving):
        return f"MagicMock(return_value={written(value.value)})"
    if isinstance(value, types.BuiltinMethodType) and isinstance(value.__self__, dict):
        return f"{written(value.__self__)}.{value.__name__}"
    if value is None or type(value) in {str, int, float, bool, bytes}:
        return repr(value)
    raise ValueError(f"no text for a {type(value).__name__}")


def plain(value: Any) -> Any:
    """A lent value as what it is, which is settled now; any other as it is."""
    if not is_lent(value):
        return value
    state = state_of(value)
    return settle(value, sample(value)) if not state.kind else real(value)


def state_of(lent: Base) -> State:
    state = lent._greenlane_state
    while state.same is not None:
        state = state.same
    if state.origin is not None and not state.kind and state_of(state.origin[0]).kind == "plain":
        state.kind, state.value = "plain", state.origin[1](state_of(state.origin[0]).value)
    return state


def ask(lent: Base, count: int) -> int:
    return lent._greenlane_answers.one_of(count)


def settle(lent: Base, value: Any) -> Any:
    state = state_of(lent)
    state.kind, state.value = "plain", value
    if state.origin is not None and not state_of(state.origin[0]).kind:
        settle(state.origin[0], state.origin[2](value))
    return value


def sample(lent: Base) -> Any:
    """A value of the type that it is like, and none that it is not."""
    state = state_of(lent)
    if state.like in {int, float, bool}:
        options: Sequence[Any] = (True, False) if state.like is bool else [state.like(n) for n in (1, 2, 3, 4, 5)]
        return next((one for one in options if one not in state.unequal), options[0])
    state.word = state.word or lent._greenlane_answers.word()
    return f"{state.begin}{state.middle or state.word}{state.end}"


def as_text(lent: Base) -> Any:
    return real(lent) if state_of(lent).kind else plain(lent)


def word_of_code(lent: Base) -> Any:
    """What is looked up in something is mostly a word that the code names."""
    state = state_of(lent)
    if state.kind:
        return state.value
    words = lent._greenlane_answers.words if state.like in {None, str} else []
    number = ask(lent, len(words) + 1) if words else 0
    return settle(lent, words[number]) if number < len(words) else plain(lent)


def class_of(lent: Base) -> Any:
    state = state_of(lent)
    if not state.kind and state.like is None:
        kind = _KINDS[ask(lent, len(_KINDS))]
        if kind in {dict, list}:
            state.kind = kind.__name__
        elif kind is type(None):
            settle(lent, None)
        else:
            state.like = kind
    known = {"dict": dict, "list": list, "object": types.SimpleNamespace, "plain": type(state.value)}
    return known.get(state.kind, state.like)


def truth(lent: Base) -> bool:
    state = state_of(lent)
    if state.now is not None or state.kind in {"object", "plain", "called"}:
        return bool(state.now if state.now is not None else state.value if state.kind == "plain" else True)
    if state.items or state.filled or state.begin or state.middle or state.end:
        return True
    if state.closed:
        return False
    if ask(lent, 2) == 0:
        state.filled = True
        if state.origin is not None:
            settle(lent, state.filling)
        return True
    if state.kind:
        state.closed = True
    else:
        settle(lent, _EMPTY[state.like])
    return False
