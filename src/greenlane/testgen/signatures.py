"""Functions with parameters of other kinds, for code that looks at how a function is called. Pure; for `vary.py`.

`lambda a, b: (a, b)` in a test, and code that asks for `co_kwonlyargcount`: `lambda a, *, b: (a, b)` and the like. The
names stay, so that calls which give them by name still fit.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Set

import msgspec

from greenlane.testgen.callables import callables_for
from greenlane.testgen.guesses import is_called
from greenlane.testgen.inputs import Case

_ASKING = frozenset(
    {"signature", "getfullargspec", "getargspec", "co_argcount", "co_varnames", "co_posonlyargcount", "co_flags",
     "co_kwonlyargcount", "__defaults__", "__kwdefaults__", "kwonlyargs", "kwonlydefaults", "varkw", "varargs",
     "POSITIONAL_ONLY", "KEYWORD_ONLY", "VAR_KEYWORD", "VAR_POSITIONAL", "POSITIONAL_OR_KEYWORD", "parameters"}
)  # fmt: skip
"""What code names that tells one kind of parameter from another."""
_REST, _REST_BY_NAME = "others", "named"


def asks_for_kinds(asked: Set[str]) -> bool:
    return bool(asked & _ASKING)


def other_functions(node: ast.Lambda | ast.FunctionDef) -> Iterator[ast.Lambda | ast.FunctionDef]:
    """The same function with its parameters of other kinds."""
    for arguments in _other_arguments(node.args):
        changed = copy.copy(node)
        changed.args = arguments
        yield changed


def _other_arguments(given: ast.arguments) -> Iterator[ast.arguments]:
    plain = [*given.posonlyargs, *given.args]
    first, last = plain[:1], plain[-1:]
    one = ast.Constant(value=1)
    simple = not (given.defaults or given.kwonlyargs or given.posonlyargs)
    if simple and len(plain) > 1:
        yield _with(given, args=plain[:-1], kwonlyargs=last, kw_defaults=[None])
        yield _with(given, posonlyargs=first, args=plain[1:])
        yield _with(given, args=plain[:-1], kwonlyargs=last, kw_defaults=[one])
        yield _with(given, args=first, defaults=[one], kwonlyargs=plain[1:], kw_defaults=[None] * len(plain[1:]))
        yield _with(given, posonlyargs=plain, args=[])
        yield _with(given, args=[], kwonlyargs=plain, kw_defaults=[one, *([None] * len(plain[1:]))])
    if simple and plain:
        yield _with(given, defaults=[one])
        yield _with(given, posonlyargs=plain, args=[], defaults=[one])
    names = {a.arg for a in (*plain, *given.kwonlyargs)}
    if given.kwarg is None and _REST_BY_NAME not in names:
        yield _with(given, kwarg=ast.arg(arg=_REST_BY_NAME))
    if given.vararg is None and _REST not in names:
        yield _with(given, vararg=ast.arg(arg=_REST))


def _with(given: ast.arguments, **changes: object) -> ast.arguments:
    changed = copy.copy(given)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def other_callables(case: Case) -> Iterator[Case]:
    """The same call with another function or class in place of one that is given by its name."""
    params = {param.name: param for param in case.entry.params}
    for number, (name, text) in enumerate(case.arguments):
        place = case.entry.places[number] if number < len(case.entry.places) else None
        param = place if name is None else params.get(name)
        if param is None or not text.replace(".", "").isidentifier() or text in case.fixtures or not is_called(param):
            continue
        for other in callables_for(case.entry.asks):
            arguments = (*case.arguments[:number], (name, other), *case.arguments[number + 1 :])
            yield msgspec.structs.replace(case, arguments=arguments, carved=False, steps=case.steps + 1)
