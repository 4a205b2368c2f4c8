"""Scripts that give something plain where they made an object of it, for code that tells the two apart. Pure; for
`search.py`.

    def __init__(self, grammar):
        if isinstance(grammar, str): ...         Grammar(Sequence("WORD", "NUMBER")).parse(tokens)
                                             ->      Grammar("WORD").parse(tokens)
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _MOST, _INSIDE = 24, 72, 2
_PLAIN: dict[str, tuple[type, str]] = {
    "str": (str, "'abc'"), "bytes": (bytes, "b'abc'"), "int": (int, "1"), "float": (float, "1.5"),
    "bool": (bool, "True"), "list": (list, "[]"), "tuple": (tuple, "()"), "dict": (dict, "{}"), "set": (set, "set()"),
}  # fmt: skip
"""By its name, a plain class, and an object of it."""


def peeled(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """Scripts that ran something of an open function which asks whether a parameter is of a plain class, with such an
    object there: one that stands in what they give, and any."""
    rows: dict[str, list[Case]] = {}
    for _, function, node in open_functions(source, left):
        asked = list(_asked(node)) if function.qualified not in rows else []
        inside = range(function.first + 1, function.last + 1)
        near = [o.case for o in observed if asked and not o.lines.get(source.path, frozenset()).isdisjoint(inside)]
        near = sorted((case for case in near if case.script is not None), key=lambda case: case.plainness)
        made = in_turn(_with_plain(case, function, name, kind) for name, kind in asked for case in near)
        rows.setdefault(function.qualified, list(itertools.islice(made, _CALLS)))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _asked(node: FunctionNode) -> Iterator[tuple[str, str]]:
    """(parameter, plain class) for each that it asks for with `isinstance`."""
    taken = {arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
        if getattr(call.func, "id", "") == "isinstance" and len(call.args) == 2:
            name = getattr(call.args[0], "id", "")
            kinds = call.args[1].elts if isinstance(call.args[1], ast.Tuple) else [call.args[1]]
            yield from ((name, ast.unparse(kind)) for kind in kinds if name in taken and ast.unparse(kind) in _PLAIN)


def _with_plain(case: Case, function: Function, parameter: str, kind: str) -> Iterator[Case]:
    """The case with what a call of the function is given there made something plain; the last call first."""
    called = function.owner if function.name == "__init__" else function.name
    number = next((n for n, param in enumerate(function.params) if param.name == parameter), None)
    for place, text in reversed([*enumerate(case.texts)]):
        try:
            tree = parse_source(text)
        except UnreadableSourceError:
            continue
        for call in (part for part in ast.walk(tree) if isinstance(part, ast.Call)):
            given = _given(call, parameter, number) if ast.unparse(call.func).rpartition(".")[2] == called else None
            if not isinstance(given, ast.Call):
                continue
            for shown in _inside(given, kind):
                changed = Exchanging(given, parse_expression(shown).body).visit(tree)
                other = case.with_text(place, ast.unparse(changed))
                yield from [other] if other is not None else []


def _given(call: ast.Call, parameter: str, number: int | None) -> ast.expr | None:
    named = next((keyword.value for keyword in call.keywords if keyword.arg == parameter), None)
    if named is not None or number is None or any(isinstance(arg, ast.Starred) for arg in call.args):
        return named
    return call.args[number] if number < len(call.args) else None


def _inside(node: ast.Call, kind: str) -> list[str]:
    """What stands in an expression and is of a plain class; then any such object."""
    wanted, any_other = _PLAIN[kind]
    found = [ast.unparse(part) for part in ast.walk(node) if isinstance(part, ast.expr) and _is_of(part, wanted)]
    return [*list(dict.fromkeys(found))[:_INSIDE], any_other]


def _is_of(node: ast.expr, wanted: type) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is wanted
    displays = {list: ast.List, tuple: ast.Tuple, dict: ast.Dict, set: ast.Set}
    return wanted in displays and isinstance(node, displays[wanted])
