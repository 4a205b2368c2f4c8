"""What a parameter without annotation must hold, told by what its function or class does with it. Pure.

`for item in self.rules: if type(item) is dict: ...` asks for a list of dicts, whatever was said about `rules`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.testgen.code import FunctionNode, Param

_PLAIN = frozenset({"dict", "tuple", "list", "str", "int", "float", "bytes", "set", "type"})


def with_uses(params: Sequence[Param], holder: ast.ClassDef | FunctionNode) -> tuple[Param, ...]:
    """The parameters, those without annotation with one if the kinds of their items are asked for."""
    return tuple(
        msgspec.structs.replace(param, annotation=f"list[{' | '.join(kinds)}]")
        if not param.annotation and (kinds := _kinds_of_items(param.name, holder))
        else param
        for param in params
    )


def _kinds_of_items(name: str, holder: ast.ClassDef | FunctionNode) -> list[str]:
    known = {name} | {
        ast.unparse(node.targets[0])
        for node in ast.walk(holder)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and _is_from(node.value, name)
    }
    loops = [node for node in ast.walk(holder) if isinstance(node, ast.For) and ast.unparse(node.iter) in known]
    kinds = [kind for loop in loops if isinstance(loop.target, ast.Name) for kind in _kinds_asked(loop, loop.target.id)]
    return list(dict.fromkeys(kinds))


def _is_from(value: ast.expr, name: str) -> bool:
    """`rules`, or `rules or ()`."""
    first = value.values[0] if isinstance(value, ast.BoolOp) else value
    return isinstance(first, ast.Name) and first.id == name


def _kinds_asked(loop: ast.For, item: str) -> Iterator[str]:
    for node in ast.walk(loop):
        asked: ast.expr | None = None
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and len(node.args) == 2:
            asked = node.args[1] if ast.unparse(node.args[0]) == item else None
        elif isinstance(node, ast.Compare) and ast.unparse(node.left) == f"type({item})":
            asked = node.comparators[0]
        for part in ast.walk(asked) if asked is not None else ():
            if isinstance(part, ast.Name) and part.id in _PLAIN:
                yield part.id
