"""What sets the scene of a test: stand-ins for what the code reaches outside of itself. Nothing that is looked at names
them, and yet the code meets the world without them. Pure; for `scripts.py`.

    monkeypatch.setattr(shop, "client", fake)        stays before each look that comes after it,
    rate = mocker.patch("shop.rate")                 as does what a stand-in is told to give
    rate.return_value = 3

    @patch("shop.rate")                              with patch("shop.rate") as rate:
    def test_price(rate):                     ->         (the test)
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence, Set
from typing import TypeAlias, TypeGuard

from greenlane.testgen.asserted import stand_in_looks
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.enclosed import answering, as_block, given_as
from greenlane.testgen.opened import is_patch_call, opened
from greenlane.testgen.patched import altered, keep_unseen, root_of
from greenlane.testgen.slicing import asks_stand_in, unawaited

_PATCHERS = frozenset({"monkeypatch", "mocker"})
_ONLY_LOOKED_AT = frozenset({
    "self", "cls", "request", "capsys", "capsysbinary", "capfd", "capfdbinary", "caplog", "recwarn", "tmp_path",
    "tmp_path_factory", "tmpdir", "tmpdir_factory",
})  # fmt: skip
"""Fixtures that change nothing for code that is not given them."""
_IDLE = "debug"
"""What a test says to a log for its reader's sake changes nothing."""
_TOLD = frozenset({"return_value", "side_effect"})
_TELLING = frozenset({"configure_mock", "attach_mock"})
_UNSAID = ("dict", "multiple")
"""Ways of `patch` that give a test nothing."""


Patches: TypeAlias = tuple[tuple[ast.expr, str | None], ...]
"""Calls of `patch`, and other blocks, the outermost first, each with the parameter for what it puts in place."""


def with_scenery(body: Sequence[ast.stmt], arguments: Set[str]) -> list[ast.stmt]:
    """A copy of statements in which those that set the scene are kept for what comes after them; `arguments` are the
    fixtures that the test names."""
    copied = copy.deepcopy(list(body))
    nodes = [n for node in copied for n in ast.walk(node) if isinstance(n, ast.stmt)]
    live = {name for node in nodes for name in _put_in_place(node)}
    fixtures = arguments - _ONLY_LOOKED_AT | {name for node in nodes for name in answering(node)}
    for node in nodes:
        if _sets_scene(node, live, fixtures):
            keep_unseen(node)
    return copied


def told_to_stand_ins(look: ast.expr, after: Sequence[ast.stmt]) -> list[ast.stmt]:
    """An asserted call as a statement, where the test then asks a stand-in how it was called."""
    asked = any(stand_in_looks(n.value) or asks_stand_in(n) for n in after if isinstance(n, ast.Expr | ast.Assign))
    asked = asked or any(asks_stand_in(n) for n in after if isinstance(n, ast.Assert))
    return [ast.copy_location(ast.Expr(value=look), look)] if asked and isinstance(look, ast.Call) else []


def makes_stand_in(look: str) -> bool:
    """Whether it makes a stand-in and no more, which shows nothing of the project."""
    return re.match(r"(\w+\.)*(NonCallable)?(Magic|Async)?Mock\(", look) is not None


def _put_in_place(node: ast.stmt) -> Iterator[str]:
    """Names of stand-ins that are in their places from this statement on."""
    if isinstance(node, ast.With | ast.AsyncWith):
        named = (item.optional_vars for item in node.items if is_patch_call(item.context_expr))
        yield from (one.id for one in named if isinstance(one, ast.Name))
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and root_of(node.value) in _PATCHERS:
        yield from (one.id for one in node.targets if isinstance(one, ast.Name) and is_patch_call(node.value))


def _sets_scene(node: ast.stmt, live: Set[str], fixtures: Set[str]) -> bool:
    value = unawaited(node.value) if isinstance(node, ast.Expr | ast.Assign) else None
    called = value.func if isinstance(value, ast.Call) else None
    if isinstance(called, ast.Name) and called.id in fixtures:
        return True  # a fixture that gives a function: what it is told to do is done
    if isinstance(node, ast.Assign):
        if root_of(node.value) in _PATCHERS and is_patch_call(node.value):
            return True
        parts = [part for part in altered(node) if isinstance(part, ast.Attribute | ast.Subscript)]
        told = {root_of(part) for part in parts if isinstance(part, ast.Attribute) and part.attr in _TOLD}
        return bool({root_of(part) for part in parts} & live or told & fixtures)
    if not isinstance(node, ast.Expr) or not isinstance(called, ast.Attribute):
        return False
    root = root_of(called)
    return (root in fixtures and called.attr != _IDLE) or (root in live and called.attr in _TELLING)


# ------------------------------------------------------------------ decorators


def without_patches(test: FunctionNode, around: Sequence[ast.expr]) -> tuple[FunctionNode, Patches]:
    """A test without its decorators that patch something, or answer in its place, and what they give it, and these,
    with those of its class (`around`). The test as it is where that can't be told."""
    own = [one for one in test.decorator_list if _is_patch(one) or as_block(one) is not None]
    marks = [*(one for one in around if _is_patch(one) or as_block(one) is not None), *own]
    calls = [one for one in marks if _is_patch(one)]
    params = [one.arg for one in test.args.args if one.arg not in {"self", "cls"}]
    giving = [call for call in reversed(calls) if _gives(call)]  # the innermost gives the first
    if not marks or len(giving) > len(params) or any(_is_unclear(call) for call in calls):
        return test, ()
    names: dict[int, str | None] = {id(call): name for call, name in zip(giving, params, strict=False)}
    left = params[len(giving) :]
    names |= {id(one): given_as(one, left) for one in marks if not _is_patch(one)}
    bare = copy.copy(test)
    bare.args = copy.copy(test.args)
    bare.args.args = [one for one in test.args.args if one.arg not in {*names.values()}]
    bare.decorator_list = [one for one in test.decorator_list if one not in own]
    return bare, tuple((as_block(one) or one, names.get(id(one))) for one in marks)


def under_patches(body: Sequence[ast.stmt], patches: Patches) -> list[ast.stmt]:
    """The statements inside of blocks that patch the same."""
    found = list(body)
    for call, name in reversed(patches):
        target = ast.Name(id=name, ctx=ast.Store()) if name and _is_used(name, found) else None
        found = [opened([ast.withitem(context_expr=copy.deepcopy(call), optional_vars=target)], found, found[0])]
    return found


def _is_used(name: str, body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for node in body for n in ast.walk(node))


def _is_patch(node: ast.expr) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and is_patch_call(node)


def _gives(call: ast.Call) -> bool:
    """Whether it gives the test what it put in place: not where that was said."""
    way = ast.unparse(call.func).split(".")[-1]
    places = 2 if way == "object" else 1
    return way not in _UNSAID and len(call.args) <= places and all(k.arg != "new" for k in call.keywords)


def _is_unclear(call: ast.Call) -> bool:
    starred = any(isinstance(one, ast.Starred) for one in call.args) or any(k.arg is None for k in call.keywords)
    return starred or (ast.unparse(call.func).endswith(".multiple") and "DEFAULT" in ast.unparse(call))
