"""What a test is given inside of a `with` block of its fixture or its set-up, as that block around the test. Pure; for
`inlined.py`.

    @pytest.fixture
    def till():                                with Till() as till:
        with Till() as till:         ->            (the test)
            yield till
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

_MARK = "greenlane_opened"
_SELF = "self"


def opening(fixture: ast.FunctionDef, name: str) -> ast.With | None:
    """The block at the end of a fixture that yields at its end, with what binds the fixture's name in place of the
    `yield`; None for any other."""
    last = fixture.body[-1] if fixture.body else None
    inner = last.body[-1] if isinstance(last, ast.With) else None
    given = inner.value if isinstance(inner, ast.Expr) else None
    yields = [n for n in ast.walk(fixture) if isinstance(n, ast.Yield | ast.YieldFrom)]
    if not isinstance(last, ast.With) or not isinstance(given, ast.Yield) or len(yields) != 1:
        return None
    same = isinstance(given.value, ast.Name) and given.value.id == name
    bound: list[ast.stmt] = []
    if given.value is not None and not same:
        bound = [ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=copy.deepcopy(given.value))]
    body = [*copy.deepcopy(last.body[:-1]), *bound]
    return opened(copy.deepcopy(last.items), body, last)


def opened(items: list[ast.withitem], body: list[ast.stmt], place: ast.stmt) -> ast.With:
    """A block that what comes after it belongs into."""
    made = ast.fix_missing_locations(ast.copy_location(ast.With(items=items, body=body), place))
    setattr(made, _MARK, True)
    return made


def with_blocks(done: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements of a set-up, with a block for `x.__enter__()` where its clean-up leaves it, and for what
    `self.enterContext` enters."""
    left = {text for node in done for text in [_left(node)] if text}
    found: list[ast.stmt] = []
    for node in done:
        call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
        func = call.func if isinstance(call, ast.Call) else None
        if _left(node) or not isinstance(call, ast.Call) or not isinstance(func, ast.Attribute):
            found += [] if _left(node) else [node]
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if ast.unparse(func) == f"{_SELF}.enterContext" and len(call.args) == 1:
            found.append(opened([ast.withitem(context_expr=call.args[0], optional_vars=target)], [], node))
        elif func.attr == "__enter__" and ast.unparse(func.value) in left:
            found.append(opened([ast.withitem(context_expr=func.value, optional_vars=target)], [], node))
        else:
            found.append(node)
    return found


def _left(node: ast.stmt) -> str:
    """What `self.addCleanup(x.__exit__, ...)` leaves in the end; empty for any other statement."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != f"{_SELF}.addCleanup" or not call.args:
        return ""
    done = call.args[0]
    return ast.unparse(done.value) if isinstance(done, ast.Attribute) and done.attr == "__exit__" else ""


def put_inside(setup: Sequence[ast.stmt], body: Sequence[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """What comes before the first such block, and that block with all that comes after it."""
    before, after = list(setup), list(body)
    for place in reversed(range(len(before))):
        node = before[place]
        if isinstance(node, ast.With) and getattr(node, _MARK, False):
            block = ast.With(items=node.items, body=[*node.body, *before[place + 1 :], *after])
            after = [ast.fix_missing_locations(ast.copy_location(block, node))]
            before = before[:place]
    return before, after
