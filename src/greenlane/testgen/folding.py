"""Statements with known values in them, made shorter by what these decide: `if None is None:`, `f(**{})`. Pure."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence, Set

_CHANGING = frozenset({"setdefault", "update", "pop", "popitem", "clear"})


def fold(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements that are left, conditions that are decided taken out; the others stay as they are."""
    found: list[ast.stmt] = []
    for node in body:
        folded = _Folding().visit(copy.deepcopy(node))
        found += folded if isinstance(folded, list) else [folded] if folded is not None else []
    return found


class _Folding(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        node.test = self.visit(node.test)
        truth = _truth(node.test)
        if truth is None:
            node.body = fold(node.body) or [ast.Pass()]
            node.orelse = fold(node.orelse)
            return node
        return fold(node.body if truth else node.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        truth = _truth(node.test)
        return node if truth is None else node.body if truth else node.orelse

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        truth = _truth(node.operand) if isinstance(node.op, ast.Not) else None
        return node if truth is None else ast.Constant(value=not truth)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """`None or text` is `text`."""
        self.generic_visit(node)
        wanted = isinstance(node.op, ast.Or)
        values = node.values
        while len(values) > 1 and _truth(values[0]) is (not wanted):
            values = values[1:]
        if len(values) == 1 or _truth(values[0]) is wanted:
            return values[0]
        node.values = values
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """`"a" is None`"""
        self.generic_visit(node)
        other = node.comparators[0]
        none = isinstance(other, ast.Constant) and other.value is None
        asked = len(node.ops) == 1 and isinstance(node.ops[0], ast.Is | ast.IsNot)
        if not asked or not none or not _is_known(node.left):
            return node
        is_none = isinstance(node.left, ast.Constant) and node.left.value is None
        return ast.Constant(value=is_none == isinstance(node.ops[0], ast.Is))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`{}.get("key")` is None, `{}.copy()` is `{}`, `f(*(1,), **{})` is `f(1)`."""
        self.generic_visit(node)
        node.args = [one for argument in node.args for one in _spread(argument)]
        spread: list[ast.keyword] = []
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg is None and isinstance(value, ast.Dict) and all(_is_word(key) for key in value.keys):
                pairs = zip(value.keys, value.values, strict=True)
                spread += [ast.keyword(arg=str(k.value), value=v) for k, v in pairs if isinstance(k, ast.Constant)]
            else:
                spread.append(keyword)
        node.keywords = spread
        func = node.func
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Dict) and func.attr == "copy":
            return func.value
        empty = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Dict) and not func.value.keys
        if empty and isinstance(func, ast.Attribute) and func.attr in {"get", "pop"} and not node.keywords:
            if len(node.args) == 2:
                return node.args[1]
            return ast.Constant(value=None) if len(node.args) == 1 and func.attr == "get" else node
        return node


def _is_word(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier()


def _is_known(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set | ast.JoinedStr | ast.Lambda)


def _truth(node: ast.expr) -> bool | None:
    """Whether it is true, where that can be read."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return bool(node.elts) if not any(isinstance(e, ast.Starred) for e in node.elts) else None
    if isinstance(node, ast.Dict):
        return bool(node.keys) if None not in node.keys else None
    return None


def _spread(argument: ast.expr) -> list[ast.expr]:
    """What a starred list or tuple gives, one by one."""
    held = argument.value if isinstance(argument, ast.Starred) else None
    if isinstance(held, ast.Tuple | ast.List):
        return held.elts
    return [] if held is not None and _truth(held) is False else [argument]


def with_defaults(
    body: Sequence[ast.stmt], given: Mapping[str, ast.expr]
) -> tuple[list[ast.stmt], dict[str, ast.expr]]:
    """A helper's statements where it is known whether what it is given is None, and what it is given with what
    `if options is None: options = {}` puts in."""
    left, known = list[ast.stmt](), dict(given)
    rebound: set[str] = set()
    for node in body:
        branch = _decided(node, {name: value for name, value in known.items() if name not in rebound})
        for one in [node] if branch is None else branch:
            target = one.targets[0] if isinstance(one, ast.Assign) and len(one.targets) == 1 else None
            plain = branch is not None and isinstance(target, ast.Name) and target.id in known.keys() - rebound
            if plain and isinstance(one, ast.Assign) and isinstance(target, ast.Name) and _is_closed(one.value):
                known[target.id] = one.value
            else:
                left.append(one)
                stored = (n for n in ast.walk(one) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
                rebound |= {name.id for name in stored}
    return left, known


def _decided(node: ast.stmt, known: Mapping[str, ast.expr]) -> list[ast.stmt] | None:
    """What is left of `if name is None: ...` where it is known; None of any other statement."""
    test = node.test if isinstance(node, ast.If) else None
    if not isinstance(node, ast.If) or not isinstance(test, ast.Compare) or not isinstance(test.left, ast.Name):
        return None
    value = known.get(test.left.id)
    asked = isinstance(test.ops[0], ast.Is | ast.IsNot) and ast.unparse(test.comparators[0]) == "None"
    if value is None or len(test.ops) != 1 or not asked:
        return None
    if not isinstance(value, ast.Constant | ast.List | ast.Dict | ast.Tuple | ast.Set):
        return None
    is_none = isinstance(value, ast.Constant) and value.value is None
    return node.body if is_none == isinstance(test.ops[0], ast.Is) else node.orelse


def _is_closed(value: ast.expr) -> bool:
    return not any(isinstance(n, ast.Name) for n in ast.walk(value))


def given_back(body: list[ast.stmt], stored: Set[str]) -> tuple[list[ast.stmt], ast.expr | None]:
    """A helper's statements without the `return` at their end, and what that gives; of one at the end of a `with`
    block a name for it, which is none of those that are `stored`."""
    last = body[-1] if body else None
    if isinstance(last, ast.Return):
        return body[:-1], last.value
    inner = last.body[-1] if isinstance(last, ast.With) else None
    if isinstance(last, ast.With) and isinstance(inner, ast.Return) and inner.value is not None:
        name = next(name for name in ("given", "given_2", "given_3") if name not in stored or name == "given_3")
        kept = ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=inner.value)
        block = ast.With(items=last.items, body=[*last.body[:-1], ast.copy_location(kept, inner)])
        return [*body[:-1], ast.copy_location(block, last)], ast.Name(id=name, ctx=ast.Load())
    return body, None


def changed_in_place(body: Sequence[ast.stmt]) -> set[str]:
    """Names of dicts that statements change: `options.setdefault("limit", 3)`."""
    nodes = [n for s in body for n in ast.walk(s)]
    called = [n.func for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    held = [func.value for func in called if func.attr in _CHANGING]
    held += [n.value for n in nodes if isinstance(n, ast.Subscript) and not isinstance(n.ctx, ast.Load)]
    return {one.id for one in held if isinstance(one, ast.Name)}
