"""Arguments of a call: an optional one left out, or given, or those that one condition names together; and one that
looks as the code asks for (`shapes.py`). Pure."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Sequence, Set

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function, Param
from greenlane.testgen.guesses import guess_options, values_of
from greenlane.testgen.inputs import Case, Pool
from greenlane.testgen.turns import in_turn

_FROM_POOL, _MAX_ASKED = 8, 6


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


def with_sample(case: Case) -> Iterator[Case]:
    """The same call with one argument that has the places, the keys or the items that the code asks for."""
    places, named = case.entry.places, {param.name: param for param in case.entry.params}
    for number, (name, text) in enumerate(case.arguments):
        param = named.get(name) if name is not None else places[number] if number < len(places) else None
        for value in param.samples if param is not None else ():
            if value != text:
                yield case.with_argument(number, value)


def sampled(node: ast.Call, params: Sequence[Param], entry: Function | None) -> Iterator[ast.Call]:
    """The same for a call in a statement; if it is one of this `entry`, also with an argument of a kind it asks for."""
    plain = [param for param in params if not param.keyword_only]
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return
    asked = _asked_for(entry) if entry is not None else []
    for number, (argument, param) in enumerate(itertools.zip_longest(node.args, plain[: len(node.args)])):
        for value in (*(param.samples if param is not None else ()), *asked):
            if value != ast.unparse(argument):
                args = [*node.args[:number], parse_expression(value).body, *node.args[number + 1 :]]
                yield ast.Call(func=node.func, args=args, keywords=node.keywords)


def from_pool(case: Case, pool: Pool) -> Iterator[Case]:
    """The same call with a value that a test gave to a parameter of the same name elsewhere."""
    for number, (name, text) in enumerate(case.arguments):
        param = case.entry.places[number].name if name is None and number < len(case.entry.places) else name
        for value in pool.get(param or "", ())[:_FROM_POOL]:
            if value.text != text:
                yield case.with_argument(number, value.text, value.imports)


def of_asked_kind(case: Case) -> Iterator[Case]:
    """The same call with a value of a kind that the code tells apart in place of an argument."""
    for number, (_, text) in enumerate(case.arguments):
        for value in _asked_for(case.entry):
            if value != text:
                yield case.with_argument(number, value)


def _asked_for(entry: Function) -> list[str]:
    return list(dict.fromkeys(value for kind in entry.kinds for value in values_of(kind)))[:_MAX_ASKED]


def objects_of_kinds(entry: Function) -> list[ast.expr]:
    """Of the values that the code tells apart those that no literal is: `BytesIO(b'abc')`."""
    made = [parse_expression(text).body for text in _asked_for(entry)]
    return [node for node in made if isinstance(node, ast.Call)]


def of_wrong_kind(case: Case) -> Iterator[Case]:
    """The same call with something in place of an argument that is neither a text nor a collection."""
    for number, (_, text) in enumerate(case.arguments):
        for other in ("None", "1"):
            if other != text:
                yield case.with_argument(number, other)
