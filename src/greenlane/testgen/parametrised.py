"""Fixtures of a test file that are given in several ways, as fixtures that are given in one, with a name for what
differs. Pure; for `inlined.py` and `scripts.py`.

    @pytest.fixture(params=[Cart, Basket])
    def holder(request):                         holder = holder_param()      with holder_param = Cart, then Basket
        return request.param()
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.testgen.rows import MAX_ROWS, values_of

_REQUEST = "request"


class Parametrised(msgspec.Struct, frozen=True):
    """A fixture without parameters, the name that stands in it for its parameter, and what that may be."""

    fixture: ast.FunctionDef
    name: str
    values: tuple[ast.expr, ...]


def parametrised(body: Sequence[ast.stmt]) -> dict[str, Parametrised]:
    """By name, those whose parameters stand in a list, perhaps by a name, and that ask `request` for nothing else."""
    found = {}
    named = {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}
    for node in body:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            called = isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] == "fixture"
            given = {k.arg: k.value for k in decorator.keywords} if isinstance(decorator, ast.Call) and called else {}
            params = given.get("params")
            params = named.get(params.id) if isinstance(params, ast.Name) else params
            alone = given.keys() <= {"params", "scope", "ids"}
            if isinstance(node, ast.FunctionDef) and isinstance(params, ast.List | ast.Tuple) and alone:
                values = [value for item in params.elts for value in values_of(item, 1)]
                made = _without_request(node, f"{node.name}_param")
                if made is not None and values:
                    found[node.name] = Parametrised(made, f"{node.name}_param", tuple(values[:MAX_ROWS]))
    return found


def with_params(
    rows: Sequence[Mapping[str, ast.expr]], setup: Sequence[ast.stmt], fixtures: Mapping[str, Parametrised]
) -> list[dict[str, ast.expr]]:
    """The rows of a test, with what the parameters of the fixtures in its set-up may be, side by side."""
    read = {n.id for node in setup for n in ast.walk(node) if isinstance(n, ast.Name)}
    used = [one for one in fixtures.values() if one.name in read]
    count = max([len(rows), *(len(one.values) for one in used)]) if rows else 0
    return [
        dict(rows[n % len(rows)]) | {one.name: one.values[n % len(one.values)] for one in used} for n in range(count)
    ]


def _without_request(node: ast.FunctionDef, name: str) -> ast.FunctionDef | None:
    """The fixture with a name for `request.param`; None if it asks for more."""
    made = copy.deepcopy(node)
    made = _Naming(name).visit(made)
    made.args.args = [argument for argument in made.args.args if argument.arg != _REQUEST]
    return None if any(named == _REQUEST for named in _names(made)) else made


def _names(node: ast.AST) -> Iterator[str]:
    yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name))


class _Naming(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if ast.unparse(node) == f"{_REQUEST}.param":
            return ast.copy_location(ast.Name(id=self._name, ctx=ast.Load()), node)
        return self.generic_visit(node)
