"""Further arguments by their place, where a function takes any number of them: `sections(*args)`. Pure; for `vary.py`.

def sections(self, *args, nested=True, level=None):        page.sections()
    if args:                                          ->   page.sections(False)
        nested, level = args                               page.sections(False, 1)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function, Param
from greenlane.testgen.guesses import guess_options, guess_values
from greenlane.testgen.inputs import Case

_WAYS = 2


def with_rest(case: Case) -> Iterator[Case]:
    """The same call with one such argument, with more of them, or with none."""
    entry = case.entry
    plain = [argument for argument in case.arguments if argument[0] is None]
    named = case.arguments[len(plain) :]
    places, by_name = len(entry.places), {name for name, _ in named}
    if not entry.rest or len(plain) < places or any(name is None for name, _ in named):
        return
    if len(plain) > places:
        yield _with(case, (*plain[:places], *named))
        return
    for values in _ways(entry):
        free = [argument for argument in named if argument[0] not in {p.name for p in entry.rest[: len(values)]}]
        yield _with(case, (*plain, *((None, value) for value in values), *(free if by_name else ())))


def _with(case: Case, arguments: tuple[tuple[str | None, str], ...]) -> Case:
    return msgspec.structs.replace(case, arguments=arguments, carved=False, steps=case.steps + 1)


def rest_given(node: ast.Call, entry: Function) -> Iterator[ast.Call]:
    """The same for a call of the function in a statement that gives none."""
    if len(node.args) != len(entry.places) or any(isinstance(argument, ast.Starred) for argument in node.args):
        return
    for values in _ways(entry):
        taken = {param.name for param in entry.rest[: len(values)]}
        more = [parse_expression(value).body for value in values]
        keywords = [keyword for keyword in node.keywords if keyword.arg not in taken]
        yield ast.Call(func=node.func, args=[*node.args, *more], keywords=keywords)


def _ways(entry: Function) -> Iterator[tuple[str, ...]]:
    """Values for one place, for two, and so on; then others for each of them."""
    pools = [_values(param, entry) for param in entry.rest]
    for number in range(_WAYS if pools else 0):
        for count in range(1, len(pools) + 1):
            yield tuple(pool[(number + place) % len(pool)] for place, pool in enumerate(pools[:count]))


def _values(param: Param, entry: Function) -> list[str]:
    values = guess_options(param, entry) if param.default is not None else guess_values(param, entry)
    return values[: _WAYS + 1] or ["1"]
