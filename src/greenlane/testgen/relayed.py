"""Parameters of which nothing is asked but by the function that they are handed on to, as they are: what that one asks
of its own is asked of them. Pure; for `uses.py`.

    def validate(value, schema):                 class Shelf(namedtuple("Shelf", "name schema")):
        schema.check(value)                          def check(self, value):
                                                         validate(value, self.schema)
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import msgspec

from greenlane.testgen.code import Function, Param
from greenlane.testgen.shapes import is_one


def by_name(functions: Iterable[Function]) -> dict[str, Function]:
    """Those of which there is one of the name."""
    found: dict[str, list[Function]] = {}
    for function in functions:
        found.setdefault(function.name, []).append(function)
    return {name: alike[0] for name, alike in found.items() if len(alike) == 1}


def relayed(param: Param, names: Set[str], holder: ast.AST, known: Mapping[str, Function]) -> Param:
    """The parameter, called by these `names` in its function or class, with what is told of the first one that it is
    handed on to."""
    if param.annotation or param.told or param.samples or not names:
        return param
    there = (other for call in ast.walk(holder) if isinstance(call, ast.Call) for other in _takers(call, names, known))
    told = next((other for other in there if other.annotation or other.told or other.samples), None)
    if told is None:
        return param
    return msgspec.structs.replace(param, annotation=told.annotation, told=told.told, samples=told.samples)


def _takers(call: ast.Call, names: Set[str], known: Mapping[str, Function]) -> Iterator[Param]:
    """The parameters that take it in a call of one of these functions."""
    function = known.get(_called(call.func))
    if function is None:
        return
    places: Sequence[Param] = function.places
    yield from (param for param, given in zip(places, call.args, strict=False) if is_one(given, names))
    by_word = {keyword.arg for keyword in call.keywords if is_one(keyword.value, names)}
    yield from (param for param in function.params if param.name in by_word)


def _called(func: ast.expr) -> str:
    """The name of a function of the module, or of a method of the same object."""
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in {"self", "cls"}:
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""
