"""Scripts for a new operator of a class: those that use another operator on the like, with this one. Pure; for
`gathering.py`.

    speed * time                    speed *= time            (for `__imul__`)
                          ->        speed
    time += 2; time                 time *= 2; time
    Version("1") < Version("2")     Version("1") >= Version("2")
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.inputs import Script, imports_named
from greenlane.testgen.scripts import FoundScript

_BINARY: dict[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "truediv": ast.Div, "floordiv": ast.FloorDiv, "mod": ast.Mod,
    "pow": ast.Pow, "matmul": ast.MatMult, "and": ast.BitAnd, "or": ast.BitOr, "xor": ast.BitXor,
    "lshift": ast.LShift, "rshift": ast.RShift,
}  # fmt: skip
_COMPARING: dict[str, type[ast.cmpop]] = {
    "lt": ast.Lt, "le": ast.LtE, "gt": ast.Gt, "ge": ast.GtE, "eq": ast.Eq, "ne": ast.NotEq,
}  # fmt: skip
_UNARY: dict[str, type[ast.unaryop]] = {"neg": ast.USub, "pos": ast.UAdd, "invert": ast.Invert}
_CHANGED = "changed"


def swap_operators(found: FoundScript, entry: Function) -> Iterator[FoundScript]:
    """The script with each use of an operator made one of `entry`, which is looked at; nothing where that is none."""
    name = entry.name.removeprefix("__").removesuffix("__")
    if entry.owner is None or entry.name != f"__{name}__":
        return
    texts = [*found.script.setup, found.script.look]
    for place in reversed(range(len(texts))):
        try:
            tree = parse_source(texts[place])
        except UnreadableSourceError:
            continue
        changed = _changed_in_place(tree, name)
        if changed is not None:
            rows = [*texts[:place], changed, *texts[place + 1 :]]
            script = msgspec.structs.replace(found.script, setup=tuple(rows[:-1]), look=rows[-1])
            yield msgspec.structs.replace(found, script=script)
        for node in ast.walk(tree):
            for rows in _rows(node, name):
                script = _ending(found.script, texts[:place], rows)
                yield msgspec.structs.replace(found, script=script)
            other = _other(node, name)
            if other is not None and place == len(texts) - 1:
                look = ast.unparse(Exchanging(node, other).visit(tree))
                yield msgspec.structs.replace(found, script=msgspec.structs.replace(found.script, look=look))


def kin_operators(function: Function, functions: Sequence[Function]) -> list[Function]:
    """The other operators of the class: first what does the same in another way (`__mul__` for `__imul__`), then those
    that are written like it (`__iadd__`); none of what is no operator."""
    own = _parts_of(function.name)
    if own is None or function.owner is None:
        return []
    others = [(one, _parts_of(one.name)) for one in functions if one.owner == function.owner and one != function]
    known = [(one, parts) for one, parts in others if parts is not None]
    return [one for one, _ in sorted(known, key=lambda pair: (pair[1][1] != own[1], pair[1][0] != own[0]))]


def _parts_of(name: str) -> tuple[str, str] | None:
    """How a binary operator is written (`i` in place, `r` from the right, plainly), and which it is; None for what is
    none."""
    plain = name.removeprefix("__").removesuffix("__")
    if name != f"__{plain}__":
        return None
    if plain in _BINARY:
        return "", plain
    return (plain[:1], plain[1:]) if plain[:1] in {"i", "r"} and plain[1:] in _BINARY else None


def _changed_in_place(tree: ast.Module, name: str) -> str | None:
    """A statement that changes something in place by another operator, by this one; None for any other."""
    parts = _parts_of(f"__{name}__")
    node = tree.body[0] if len(tree.body) == 1 else None
    if parts is None or parts[0] != "i" or not isinstance(node, ast.AugAssign):
        return None
    if isinstance(node.op, _BINARY[parts[1]]) or _is_text(node.value):
        return None
    return ast.unparse(ast.AugAssign(target=node.target, op=_BINARY[parts[1]](), value=node.value))


def _ending(script: Script, before: Sequence[str], rows: Sequence[str]) -> Script:
    """The script up to a statement, with these in its place."""
    texts = [*before, *rows]
    imports = imports_named(script.imports, texts)
    return msgspec.structs.replace(script, imports=imports, setup=tuple(texts[:-1]), look=texts[-1])


def _rows(node: ast.AST, name: str) -> Iterator[list[str]]:
    """What sets a value, changes it in place, and looks at it."""
    operator = _BINARY.get(name.removeprefix("i")) if name.startswith("i") and name not in _BINARY else None
    if operator is None or not isinstance(node, ast.BinOp) or _is_text(node.left):
        return
    held = ast.unparse(node.left)
    named = node.left.id if isinstance(node.left, ast.Name) else _CHANGED
    target = ast.Name(id=named, ctx=ast.Store())
    change = ast.unparse(ast.AugAssign(target=target, op=operator(), value=node.right))
    yield [*([] if named == held else [f"{named} = {held}"]), change, named]


def _is_text(node: ast.expr) -> bool:
    """What gets its values by `%`."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _other(node: ast.AST, name: str) -> ast.expr | None:
    """The expression with this operator in place of its own; None where that is the same, or it has none."""
    pair = _operands(node)
    if pair is None or _is_text(pair[0]):
        return None
    left, right = pair
    made: ast.expr | None = None
    if name in _UNARY:
        made = ast.UnaryOp(op=_UNARY[name](), operand=left)
    elif name in _COMPARING:
        made = ast.Compare(left=left, ops=[_COMPARING[name]()], comparators=[right])
    elif name in _BINARY:
        made = ast.BinOp(left=left, op=_BINARY[name](), right=right)
    elif name.startswith("r") and name.removeprefix("r") in _BINARY:
        made = ast.BinOp(left=right, op=_BINARY[name.removeprefix("r")](), right=left)
    same = made is None or ast.dump(made) == ast.dump(node)
    return None if same else made


def _operands(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    if isinstance(node, ast.BinOp):
        return node.left, node.right
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return node.left, node.comparators[0]
    return None
