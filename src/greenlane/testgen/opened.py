"""What a test is given inside of a `with` block of its fixture or its set-up, as that block around the test, and what
its clean-up does otherwise. Pure; for `inlined.py`.

    @pytest.fixture
    def till():                                with Till() as till:
        with Till() as till:         ->            (the test)
            yield till

    def setUp(self):                           till = Till()
        self.till = Till()           ->        try:
                                                   (the test)
    def tearDown(self):                        finally:
        self.till.close()                          till.close()
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import TypeGuard

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


def returning_after(body: Sequence[ast.stmt], name: str) -> list[ast.stmt]:
    """Statements that end in `return` in a block, with that after the block: `with patch(...): return Config(...)`."""
    last = body[-1] if body else None
    given = last.body[-1] if isinstance(last, ast.With) else None
    if not isinstance(last, ast.With) or not isinstance(given, ast.Return) or given.value is None:
        return list(body)
    block = copy.copy(last)
    block.body = [*last.body[:-1], ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=given.value)]
    after = ast.Return(value=ast.Name(id=name, ctx=ast.Load()))
    return [*body[:-1], *(ast.fix_missing_locations(ast.copy_location(node, last)) for node in (block, after))]


def opened(items: list[ast.withitem], body: list[ast.stmt], place: ast.stmt) -> ast.With:
    """A block that what comes after it belongs into."""
    made = ast.fix_missing_locations(ast.copy_location(ast.With(items=items, body=body), place))
    setattr(made, _MARK, True)
    return made


def with_blocks(done: Sequence[ast.stmt], after: Sequence[ast.stmt] = ()) -> list[ast.stmt]:
    """The statements of a set-up: with a block for what it enters by hand (`x.__enter__()`, `patcher.start()`) and its
    clean-up leaves, for what `self.enterContext` enters, and at the end one for what the clean-up does otherwise: what
    the set-up registers, and the statements `after` the test."""
    registered = [call for node in done for call in [_registered(node)] if call is not None]
    last = [node for node in after if not isinstance(node, ast.Assert) and not _is_forgetting(node)]
    ends = [*last, *(_stated(call) for call in reversed(registered))]
    left = {text for node in ends for text in [_left(node)] if text}
    patchers = {
        ast.unparse(target)
        for node in done
        if isinstance(node, ast.Assign) and is_patch_call(node.value)
        for target in node.targets
    }
    entered: set[str] = set()
    found: list[ast.stmt] = []
    for node in done:
        call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
        func = call.func if isinstance(call, ast.Call) else None
        if _registered(node) is not None:
            continue
        if not isinstance(call, ast.Call) or not isinstance(func, ast.Attribute):
            found.append(node)
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        held = ast.unparse(func.value)
        started = func.attr == "start" and (held in patchers or is_patch_call(func.value))
        if ast.unparse(func) == f"{_SELF}.enterContext" and len(call.args) == 1:
            found.append(opened([ast.withitem(context_expr=call.args[0], optional_vars=target)], [], node))
        elif (func.attr == "__enter__" and held in left) or (started and ({held, _EVERY} & left)):
            entered.add(held)
            found.append(opened([ast.withitem(context_expr=func.value, optional_vars=target)], [], node))
        else:
            found.append(node)
    gone = entered | ({_EVERY} if entered else set())
    others = [node for node in ends if _left(node) not in gone]
    return [*found, closing(others)] if others else found


def closing(after: Sequence[ast.stmt]) -> ast.Try:
    """A block that what comes after it belongs into, and at whose end these statements stand."""
    made = ast.Try(body=[], handlers=[], orelse=[], finalbody=[copy.deepcopy(node) for node in after])
    setattr(made, _MARK, True)
    return made


def is_around(node: ast.stmt) -> TypeGuard[ast.With | ast.Try]:
    """Whether it is a block that a fixture or a set-up put around the test."""
    return isinstance(node, ast.With | ast.Try) and bool(getattr(node, _MARK, False))


_EVERY = "every patcher"


def _is_forgetting(node: ast.stmt) -> bool:
    """`self.tree = None`, `del self.tree` and the like: nobody needs that of a name of the test's own."""
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Constant) and all(map(_is_own, node.targets))
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Delete) and all(map(_is_own, node.targets)))


def _is_own(target: ast.expr) -> bool:
    held = target.value if isinstance(target, ast.Attribute) else target
    return isinstance(held, ast.Name) and (held is target or held.id == _SELF)


def _registered(node: ast.stmt) -> ast.Call | None:
    """What `self.addCleanup(...)` or `request.addfinalizer(...)` has done in the end; None of any other statement."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not call.args:
        return None
    if ast.unparse(call.func) not in {f"{_SELF}.addCleanup", "request.addfinalizer"}:
        return None
    return ast.Call(func=call.args[0], args=call.args[1:], keywords=call.keywords)


def _stated(call: ast.Call) -> ast.stmt:
    return ast.fix_missing_locations(ast.copy_location(ast.Expr(value=call), call.func))


def _left(node: ast.stmt) -> str:
    """What `x.__exit__(...)` or `x.stop()` leaves in the end; empty for any other statement."""
    call = node.value if isinstance(node, ast.Expr) else None
    done = call.func if isinstance(call, ast.Call) else None
    if not isinstance(done, ast.Attribute):
        return ""
    if done.attr == "stopall" and is_patch_call(done.value):
        return _EVERY
    return ast.unparse(done.value) if done.attr in {"__exit__", "stop"} else ""


def is_patch_call(node: ast.expr) -> bool:
    """Whether it is `patch` of the standard library's stand-ins, or a call of it."""
    func = node.func if isinstance(node, ast.Call) else node
    return "patch" in ast.unparse(func).split("(")[0].split(".")


def put_inside(setup: Sequence[ast.stmt], body: Sequence[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """What comes before the first such block, and that block with all that comes after it."""
    before, after = list(setup), list(body)
    for place in reversed(range(len(before))):
        node = before[place]
        if is_around(node):
            block = copy.copy(node)  # with its mark
            block.body = [*node.body, *before[place + 1 :], *after] or [ast.Pass()]
            after = [ast.fix_missing_locations(block)]
            before = before[:place]
    return before, after
