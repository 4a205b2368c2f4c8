"""Optional arguments of a call: one left out, one given, or those that one condition names together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

import msgspec

from greenlane.testgen.code import Function, Param
from greenlane.testgen.guesses import guess_options
from greenlane.testgen.inputs import Case
from greenlane.testgen.turns import in_turn


def without_option(case: Case) -> Iterator[Case]:
    """The same call without one optional argument that it gave."""
    optional = {param.name for param in case.entry.params if param.default is not None}
    for number, (name, _) in enumerate(case.arguments):
        param = case.entry.places[number].name if name is None and number < len(case.entry.places) else name
        last = name is not None or number + 1 == len(case.arguments)
        if param in optional and last:
            fewer = case.arguments[:number] + case.arguments[number + 1 :]
            yield msgspec.structs.replace(case, arguments=fewer, carved=False, steps=case.steps + 1)


def with_option(case: Case) -> Iterator[Case]:
    """The same call with one optional argument given that it left out."""
    given = {name for name, _ in case.arguments}
    count = len([1 for name, _ in case.arguments if name is None])
    left = [param for param in case.entry.params if param not in case.entry.places[:count]]
    for name, value in options(left, given, case.entry):
        yield msgspec.structs.replace(
            case, arguments=(*case.arguments, (name, value)), carved=False, steps=case.steps + 1
        )


def options(params: Iterable[Param], given: Set[str | None], entry: Function) -> Iterator[tuple[str, str]]:
    """Values for optional parameters that were left out, the first of each before the second of any; those of which
    something is known come first."""
    left = [param for param in params if param.default is not None and param.name not in given]
    left.sort(key=lambda param: not (param.annotation or param.choices))
    rows = [[(param.name, value) for value in guess_options(param, entry)] for param in left]
    return in_turn(rows)


def with_options_together(case: Case) -> Iterator[Case]:
    """The same call with all those options that a condition names together: `if name and match` may mean that both are
    too many, and `if not (name or match)` that one is too few."""
    given = {name for name, _ in case.arguments} | {
        param.name for (name, _), param in zip(case.arguments, case.entry.places, strict=False) if name is None
    }
    params = {param.name: param for param in case.entry.params}
    for names in case.entry.together:
        guessed = {name: guess_options(params[name], case.entry) for name in names if name not in given}
        more = tuple((name, values[0]) for name, values in guessed.items() if values)
        if len(more) > 1:
            yield msgspec.structs.replace(case, arguments=(*case.arguments, *more), carved=False, steps=case.steps + 1)
