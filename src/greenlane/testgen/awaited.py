"""Scripts of asynchronous tests. Pure; called by `scripts.py`.

Where a plugin runs the loop, scripts are marked as the test is, and await in that loop, with its fixtures. In a class
of unittest, what is awaited is put into a coroutine of its own, which the look then runs:

    async with Client() as client:          async def outcome():
        answer = await client.get(1)            async with Client() as client:
    assert answer.ok                                answer = await client.get(1)
                                                return answer.ok
                                            assert asyncio.run(outcome()) is True
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import FunctionNode

_NAME = "outcome"
_AWAITS = (ast.Await, ast.AsyncWith, ast.AsyncFor)
_LOOP_MARK = re.compile(r"pytest\.mark\.(asyncio|anyio)(\([\w =,.'\"]*\))?")
NEEDS = ("asyncio", "")


def marks_of_file(parsed: ast.Module) -> tuple[str, ...]:
    """Those of `pytestmark` that have a test run in an event loop."""
    assigned = [node for node in parsed.body if isinstance(node, ast.Assign)]
    return _loop_marks(node.value for node in assigned if ast.unparse(node.targets[0]) == "pytestmark")


def marks_of(test: FunctionNode, holder: ast.stmt | None, of_file: Sequence[str]) -> tuple[str, ...] | None:
    """The same of a test that a plugin runs in its loop, which may need none; None for any other test."""
    if not isinstance(test, ast.AsyncFunctionDef):
        return None
    around = holder if isinstance(holder, ast.ClassDef) else None
    if around is not None and any("TestCase" in ast.unparse(base) for base in around.bases):
        return None
    given = [*test.decorator_list, *(around.decorator_list if around is not None else [])]
    return tuple(dict.fromkeys((*_loop_marks(given), *of_file)))


def _loop_marks(given: Iterable[ast.expr]) -> tuple[str, ...]:
    flat = [part for node in given for part in (node.elts if isinstance(node, ast.List | ast.Tuple) else [node])]
    return tuple(text for text in map(ast.unparse, flat) if _LOOP_MARK.fullmatch(text))


def awaits(nodes: Sequence[ast.AST]) -> bool:
    """Whether something is awaited, other than in a function that is made there."""
    for node in nodes:
        if isinstance(node, _AWAITS) or (isinstance(node, ast.comprehension) and node.is_async):
            return True
        inner = () if isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef) else ast.iter_child_nodes(node)
        if awaits(list(inner)):
            return True
    return False


def put_together(kept: Sequence[ast.stmt], look: ast.expr) -> tuple[ast.stmt, ast.expr]:
    """A coroutine that does all this and gives what is looked at, and the look that runs it."""
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    body = [*kept, ast.Return(value=look)]
    made = ast.AsyncFunctionDef(name=_NAME, args=arguments, body=body, decorator_list=[], lineno=1)
    run = parse_expression(f"asyncio.run({_NAME}())").body
    return ast.fix_missing_locations(made), run


def laid_open(setup: Sequence[ast.stmt], look: ast.stmt) -> tuple[list[ast.stmt], list[ast.stmt], ast.stmt]:
    """(what stands before, the statements, the look), where these were put together those of the coroutine."""
    made = setup[-1] if setup else None
    inside = isinstance(made, ast.AsyncFunctionDef) and made.name == _NAME
    if not isinstance(made, ast.AsyncFunctionDef) or not inside or ast.unparse(look) != f"asyncio.run({_NAME}())":
        return [], [*setup], look
    last = made.body[-1]
    value = last.value if isinstance(last, ast.Return) and last.value is not None else ast.Constant(value=None)
    return [*setup[:-1]], made.body[:-1], ast.Expr(value=value)
