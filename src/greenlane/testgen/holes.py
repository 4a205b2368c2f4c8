"""Calls of existing tests that gave something which can't be written down, a function made in the test mostly: a guess
stands in its place, the rest is as the test gave it. Pure. Called by `search.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from greenlane.testgen.code import Function, Param
from greenlane.testgen.guesses import described, guess_values, is_called, kinds_of, values_of
from greenlane.testgen.inputs import CarvedCall, Description, Receiver, seed_cases
from greenlane.testgen.uses import STAND_IN

_MAX_HOLES = 2
_ENOUGH = 3
"""Calls that are known as they were: with so many of them, none is guessed."""
_OBJECTS, _GUESSES = 3, 4
_PLAIN_KINDS = frozenset({"TextIO", "BinaryIO", "Pattern", "LogRecord", "type"})


def without_holes(
    calls: Iterable[CarvedCall], function: Function, entry: Function | None = None, guesses: int = _GUESSES
) -> list[CarvedCall]:
    """The calls of a function that have no holes; if those are few, also the others with guesses in their holes, the
    first guess of each before the second of any. `entry` is what the values are for in the end, where `function` only
    makes its receiver."""
    known = list(calls)
    whole = [call for call in known if not _holes(call)]
    others = [call for call in known if 0 < _holes(call) <= _MAX_HOLES] if len(whole) < _ENOUGH else []
    filled = (_filled(call, function, entry or function, n) for n in range(guesses) for call in others)
    return whole + list(dict.fromkeys(filled))


def constructed(calls: Iterable[CarvedCall], init: Function, entry: Function) -> list[Receiver]:
    """Objects of a class as tests made them, from the calls of its `__init__` alone: shortest first."""
    found = []
    for case in seed_cases(init, without_holes(calls, init, entry, 1), 0, _OBJECTS):
        given = ", ".join(f"{name}={text}" if name else text for name, text in case.arguments)
        imports = case.imports | {(init.module, init.called)}
        made = Description(f"{init.called}({given})", tuple(sorted(imports)), tuple(sorted(case.fixtures)))
        found.append(Receiver(made))
    return found


def _holes(call: CarvedCall) -> int:
    return sum(part is None for part in (*call.positional, *(value for _, value in call.keywords)))


def _filled(call: CarvedCall, function: Function, entry: Function, number: int) -> CarvedCall:
    """With the guess of this number in each hole, or the last one."""
    params = {param.name: param for param in function.params}
    places = [param.name for param in function.params if not param.keyword_only]
    names = [places[number] if number < len(places) else "" for number in range(len(call.positional))]

    def whole(name: str, value: Description | None) -> Description:
        if value is not None:
            return value
        param = params.get(name) or Param(name=name)
        stand_ins = [f"{STAND_IN}()"] if _is_object(param) else []
        guesses = [*stand_ins, *guess_values(param, entry)]
        return described(guesses[min(number, len(guesses) - 1)], entry)

    return msgspec.structs.replace(
        call,
        positional=tuple(whole(name, value) for name, value in zip(names, call.positional, strict=True)),
        keywords=tuple((name, whole(name, value)) for name, value in call.keywords),
    )


def _is_object(param: Param) -> bool:
    """Whether it is said to be of a class that is none of the language's: what a test gave was mostly a stand-in."""
    kinds = [kind for kind in kinds_of(param.annotation) if kind not in {"None", "object", "Callable"}]
    plain = any(values_of(kind) or kind in _PLAIN_KINDS for kind in kinds)
    return bool(kinds) and bool(param.annotation) and not plain and not is_called(param)
