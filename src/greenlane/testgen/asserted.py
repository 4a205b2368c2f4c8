"""What a test asserts on, and what is left of it without its assertions. Pure; for `scripts.py`."""

from __future__ import annotations

import ast
import builtins
import copy
import re
import unittest
from collections.abc import Iterable, Iterator, Sequence, Set

from greenlane.suite.lines import parse_expression

_SELF_LOOKS = {name for name in dir(unittest.TestCase) if re.match("assert(?!_|Raises|Warns|Logs|NoLogs)", name)} | {
    "assertEquals", "assertItemsEqual",
}  # fmt: skip

_OWN = re.compile("assert|^(eq|ok|check|expect|verify|compare)(_|$)")
"""What a project calls an assertion of its own."""
_ALONE = re.compile("assert(?!.*(?i:raises|warns|logs|called|awaited))")

_RAISING = frozenset({"self.assertRaises", "self.failUnlessRaises", "pytest.raises", "raises"})


def done(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a test, with calls in place of assertions on them; without those that raise."""
    for node in body:
        look: ast.expr | None = None
        if isinstance(node, ast.Assert):
            look = asserted(node.test)
        elif isinstance(node, ast.Expr):
            look = self_look(node.value)
        if look is not None:
            called = [n for n in ast.walk(look) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
            yield from [ast.copy_location(ast.Expr(value=look), node)] if called and called[0] is look else []
        elif not isinstance(node, ast.Assert) and not asserts_alone(node) and "raises" not in ast.unparse(node).lower():
            cleaned = without_asserts(node)
            yield from [cleaned] if cleaned is not None else []


def asserted(test: ast.expr, expected: Set[str] = frozenset()) -> ast.expr:
    """What an assertion looks at. `expected` are names that stand for what is expected (`expected_names`)."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        named = isinstance(left, ast.Name) and isinstance(right, ast.Call | ast.Attribute)
        if isinstance(test.ops[0], ast.Eq | ast.Is | ast.NotEq | ast.IsNot):
            turned = (named or _is_fixed(left, expected)) and not _is_fixed(right, expected)
            return right if turned else left
        return test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return asserted(test.operand, expected)
    return test


def expected_names(statements: Iterable[ast.stmt]) -> frozenset[str]:
    """Names that these statements give a literal once, and do nothing else with if it could be changed: `fixed = "a"`.
    One that stands for nothing yet (`found = None`) waits for something."""
    given: dict[str, ast.expr] = {}
    used: dict[str, int] = {}
    stored: dict[str, int] = {}
    for node in statements:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            given[node.targets[0].id] = node.value
        for part in (one for one in ast.walk(node) if isinstance(one, ast.Name)):
            used[part.id] = used.get(part.id, 0) + 1
            stored[part.id] = stored.get(part.id, 0) + isinstance(part.ctx, ast.Store)
    return frozenset(
        name
        for name, value in given.items()
        if _is_fixed(value) and stored[name] == 1 and (used[name] == 1 or isinstance(value, ast.Constant))
        if not isinstance(value, ast.Constant) or (value.value is not None and not isinstance(value.value, bool))
    )


def printed(look: ast.expr) -> ast.expr:
    """What a test prints is what it looks at."""
    alone = isinstance(look, ast.Call) and ast.unparse(look.func) == "print" and len(look.args) == 1
    return look.args[0] if isinstance(look, ast.Call) and alone and isinstance(look.args[0], ast.Call) else look


def self_look(node: ast.expr, expected: Set[str] = frozenset()) -> ast.expr | None:
    """What `self.assertEqual(...)` and its like look at: the argument that holds a call, else the first that is more
    than literals and names for them (`expected`)."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    if ast.unparse(node.func.value) != "self" or node.func.attr not in _SELF_LOOKS or not node.args:
        return None
    return _looked_at(node.args, expected)


def own_look(node: ast.expr | None, expected: Set[str] = frozenset()) -> ast.expr | None:
    """What an assertion of the project's own, or of a library, looks at, `self.assertSame(read("a"), fixed)` or
    `assert_that(reader.rows, is_(empty()))`: None if that is neither a call nor a part of something, for any other
    expression, and for an assertion of the standard library."""
    if not isinstance(node, ast.Call) or not node.args or self_look(node) is not None:
        return None
    name = ast.unparse(node.func).rpartition(".")[2]
    given = node.args[:1] if _is_matching(name) else node.args
    given = [one for one in given if not isinstance(one, ast.Attribute | ast.Subscript) or _is_part(one)]
    made: list[ast.expr] = [one for one in given[:2] if _is_given_names(one)]
    given = made if len(made) == 1 else given  # `assert_equal(Text("a"), read(element))`
    look = _looked_at(given, expected) if given and _OWN.search(name) else None
    return look if isinstance(look, ast.Call | ast.Attribute | ast.Subscript) else None


def _is_given_names(node: ast.expr) -> bool:
    """Whether it is a call that is given what the test made: the other side of an assertion is what is expected."""
    given = (*node.args, *(keyword.value for keyword in node.keywords)) if isinstance(node, ast.Call) else ()
    return any(isinstance(one, ast.Name) for one in given)


def asserts_alone(node: ast.stmt) -> bool:
    """Whether a statement does nothing but hold what is there already against something, by a function that is called
    an assertion: what comes after it does not need it, and may find it in the way."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not call.args:
        return False
    name = ast.unparse(call.func).rpartition(".")[2]
    given = call.args[:1] if _is_matching(name) else call.args
    return _ALONE.match(name) is not None and not any(isinstance(n, ast.Call) for one in given for n in ast.walk(one))


def _is_matching(name: str) -> bool:
    """Whether a library calls an assertion so that holds its first argument against a matcher."""
    return name.replace("_", "").lower() == "assertthat"


def _is_part(node: ast.expr) -> bool:
    """`reader.rows` and `made("a")[0]`, but not `Colour.RED`, which is what is expected."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return not isinstance(node, ast.Name) or node.id.islower()


def _looked_at(arguments: Sequence[ast.expr], expected: Set[str]) -> ast.expr:
    two = [a for a in arguments[:2] if not _is_fixed(a)]
    given = [a for a in two if not _is_fixed(a, expected)] or two or arguments
    calls = [a for a in given if isinstance(a, ast.Call | ast.Attribute | ast.Subscript)]
    return (calls or given)[0]


def stand_in_looks(node: ast.expr) -> list[ast.expr]:
    """What `client.get.assert_called_with("a", id=1)` and its like look at: with what, or how often, it was called;
    nothing of any other call."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return []
    way = node.func.attr
    if not re.fullmatch(r"assert_(any|has|not)_(calls?|called)|assert_called(_once)?(_with)?", way):
        return []
    last = [f"call_args.{part}" for part, given in (("args", node.args), ("kwargs", node.keywords)) if given]
    shown = ["call_count"] if not way.endswith(("_with", "_call")) else last or ["call_args.args"]
    return [parse_expression(f"{ast.unparse(node.func.value)}.{part}").body for part in shown]


def as_block(node: ast.stmt) -> ast.stmt:
    """`self.assertRaises(ValueError, price, "a")`, or `pytest.raises` so given, as a block with the call in it, also
    where it is kept (`error = pytest.raises(...)`); any other statement as it is."""
    call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    kept = node.targets[0] if isinstance(node, ast.Assign) else None
    if not isinstance(call, ast.Call) or len(call.args) < 2 or ast.unparse(call.func) not in _RAISING:
        return node
    kind, func, *args = call.args
    callable_ = isinstance(func, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    if not callable_ or any(isinstance(a, ast.Starred) for a in args):
        return node
    raising = ast.Call(func=call.func, args=[kind], keywords=[])
    inner = ast.Expr(value=ast.Call(func=func, args=args, keywords=call.keywords))
    block = ast.With(items=[ast.withitem(context_expr=raising, optional_vars=kept)], body=[inner])
    return ast.fix_missing_locations(ast.copy_location(block, node))


def without_asserts(node: ast.stmt) -> ast.stmt | None:
    """A compound statement without the assertions in it; None if nothing is left."""

    class Cleaning(ast.NodeTransformer):
        def visit_Assert(self, node: ast.Assert) -> ast.AST:
            return ast.copy_location(ast.Pass(), node)

        def generic_visit(self, node: ast.AST) -> ast.AST:
            super().generic_visit(node)
            body = getattr(node, "body", None)
            if isinstance(body, list) and isinstance(node, ast.stmt):
                node.body = [one for one in body if not isinstance(one, ast.Pass)] or body[:1]  # type: ignore[attr-defined]  # it has one
            return node

    if not any(isinstance(part, ast.Assert) for part in ast.walk(node)):
        return node
    cleaned = ast.fix_missing_locations(Cleaning().visit(copy.deepcopy(node)))
    busy = [n for n in ast.walk(cleaned) if isinstance(n, ast.stmt) and not isinstance(n, ast.Pass)]
    return cleaned if len(busy) > 1 else None


def _is_fixed(node: ast.expr, expected: Set[str] = frozenset()) -> bool:
    """Whether it is made of literals, or names for them, alone: it is what is expected."""
    return all(hasattr(builtins, n.id) or n.id in expected for n in ast.walk(node) if isinstance(n, ast.Name))


def begun_anew(statements: Sequence[ast.stmt]) -> list[int]:
    """Where a name that was given what a call makes is given another of it: a test that has several parts."""
    made: set[str] = set()
    found = []
    for place, node in enumerate(statements):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call):
            key = f"{node.targets[0].id} = {ast.unparse(node.value.func)}"
            found += [place] if key in made else []
            made.add(key)
    return found


def asserts_itself(body: Sequence[ast.stmt]) -> bool:
    """Whether it asserts itself, and not only inside of a loop or the like."""
    for part in body:
        if isinstance(part, ast.Assert):
            return True
        if isinstance(part, ast.With) and "raises" in ast.unparse(part.items[0].context_expr).lower():
            return True
        func = part.value.func if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call) else None
        if isinstance(func, ast.Attribute) and func.attr.startswith("assert") and ast.unparse(func.value) == "self":
            return True
    return False


def asserts_within(node: ast.FunctionDef) -> bool:
    return asserts_itself([part for part in ast.walk(node) if isinstance(part, ast.stmt)])
