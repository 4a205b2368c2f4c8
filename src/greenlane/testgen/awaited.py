"""Scripts of asynchronous tests: what they await is put into a coroutine of its own, which the look then runs. Pure.

Called by `scripts.py`.

    async with Client() as client:          async def outcome():
        answer = await client.get(1)            async with Client() as client:
    assert answer.ok                                answer = await client.get(1)
                                                return answer.ok
                                            assert asyncio.run(outcome()) is True
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from greenlane.testgen.code import FunctionNode

_NAME = "outcome"
_AWAITS = (ast.Await, ast.AsyncWith, ast.AsyncFor)
NEEDS = ("asyncio", "")


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
    run = ast.parse(f"asyncio.run({_NAME}())", mode="eval").body
    return ast.fix_missing_locations(made), run
