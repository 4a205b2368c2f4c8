"""What a test asserts, and how strictly: read from its text, for `weakened.py`. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

TestNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

EXACT, NARROW, LOOSE, EMPTY = 3, 2, 1, 0
"""How much an assertion demands: one value; a kind or range of values; hardly anything; nothing."""
_EXACT_CALLS = frozenset({
    "assertEqual", "assertEquals", "assertIs", "assertListEqual", "assertDictEqual", "assertSetEqual",
    "assertTupleEqual", "assertSequenceEqual", "assertMultiLineEqual", "assertCountEqual",
    "assert_called_once_with", "assert_called_with", "assert_has_calls", "assert_equal", "assert_array_equal",
    "assertRaisesRegex", "assertIsNone", "assertNumQueries",
})  # fmt: skip
_LOOSE_CALLS = frozenset({"assertTrue", "assertFalse", "assertIsNotNone", "assertNotEqual", "assertNotEquals"})
_TOLERANCES = frozenset(
    {"rel", "abs", "rel_tol", "abs_tol", "rtol", "atol", "delta", "places", "decimal", "significant"}
)
_DIGITS = frozenset({"places", "decimal", "significant"})
"""Of these a larger number is the stricter one."""
_ASSERTING = re.compile(r"^_?(assert|check|verify|expect|validate|ensure|compare|should)", re.IGNORECASE)


class Assertion(msgspec.Struct, frozen=True):
    """One assertion: its text, what it is about (the left side, or the first argument), how much it demands, the
    tolerance that it allows (larger: laxer), and its line."""

    text: str
    subject: str
    strength: int
    tolerance: float
    line: int


def list_assertions(test: TestNode) -> list[Assertion]:
    """All assertions of a test, in the order of their lines."""
    found = [a for node in ast.walk(test) if (a := _read(node)) is not None]
    return sorted(found, key=lambda a: a.line)


def tests_of(tree: ast.Module) -> dict[str, TestNode]:
    """Test functions by their qualified names; the last one wins, as it does when they run."""
    return dict(_tests_in(tree.body, ""))


def _tests_in(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, TestNode]]:
    for node in body:
        if isinstance(node, TestNode) and node.name.startswith("test"):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _tests_in(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _tests_in([*node.body, *node.orelse], prefix)


def _read(node: ast.AST) -> Assertion | None:
    if isinstance(node, ast.Assert):
        subject, strength = _demand(node.test)
        return Assertion(ast.unparse(node.test), subject, strength, _tolerance(node.test), node.lineno)
    if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
        return _expectation(node.context_expr)
    if isinstance(node, ast.Expr):
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        return _called(call) if isinstance(call, ast.Call) else None
    return None


def _demand(test: ast.expr) -> tuple[str, int]:
    if isinstance(test, ast.Constant):
        return ast.unparse(test), EMPTY
    if isinstance(test, ast.BoolOp):
        parts = [_demand(value) for value in test.values]
        if isinstance(test.op, ast.Or):  # any of them is enough
            return parts[0][0], min(LOOSE, *(strength for _, strength in parts))
        return parts[0][0], max(strength for _, strength in parts)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right, operator = ast.unparse(test.left), ast.unparse(test.comparators[0]), test.ops[0]
        if left == right:
            return left, EMPTY
        if isinstance(operator, ast.Eq | ast.Is):
            return left, EXACT
        if isinstance(operator, ast.NotEq | ast.IsNot):
            return left, LOOSE
        return (right if isinstance(operator, ast.In) and isinstance(test.left, ast.Constant) else left), NARROW
    if isinstance(test, ast.Compare):
        return ast.unparse(test.comparators[0]), NARROW
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return ast.unparse(test.operand), LOOSE
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "isinstance" and test.args:
        return ast.unparse(test.args[0]), LOOSE
    return ast.unparse(test), LOOSE


def _expectation(call: ast.Call) -> Assertion | None:
    """`with pytest.raises(...)`: an error of one kind is exact, any exception demands hardly anything."""
    name = _last(call.func)
    if name not in {"raises", "warns"} and not name.startswith(("assertRaises", "assertWarns")):
        return None
    expected = ast.unparse(call.args[0]) if call.args else ""
    broad = expected in {"Exception", "BaseException"}
    named = any(keyword.arg == "match" for keyword in call.keywords) or name.endswith("Regex")
    return Assertion(
        ast.unparse(call), name, LOOSE if broad and not named else EXACT if named else NARROW, 0, call.lineno
    )


def _called(call: ast.Call) -> Assertion | None:
    name = _last(call.func)
    if not _ASSERTING.match(name):
        return None
    subject = ast.unparse(call.args[0] if call.args else call.func)
    constant = bool(call.args) and all(isinstance(argument, ast.Constant) for argument in call.args)
    if isinstance(call.func, ast.Attribute) and name.startswith("assert_"):  # of a mock
        subject, strength = ast.unparse(call.func.value), EXACT if name in _EXACT_CALLS else NARROW
    elif isinstance(call.func, ast.Attribute) and name.startswith("assert"):
        strength = EMPTY if constant else EXACT if name in _EXACT_CALLS else LOOSE if name in _LOOSE_CALLS else NARROW
    else:
        strength = EXACT  # a helper of the project: what it demands is not seen here
    return Assertion(ast.unparse(call), subject, strength, _tolerance(call), call.lineno)


def _tolerance(node: ast.expr) -> float:
    """How much the assertion lets a number be off; 0 without a tolerance, the largest if there are several."""
    found = []
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        for keyword in call.keywords:
            if keyword.arg in _TOLERANCES and isinstance(keyword.value, ast.Constant):
                value = keyword.value.value
                if isinstance(value, int | float):
                    found.append(10.0 ** -min(value, 300) if keyword.arg in _DIGITS else float(value))
    return max(found, default=0.0)


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
