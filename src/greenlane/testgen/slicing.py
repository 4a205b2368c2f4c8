"""Which statements of a test something in it needs, and which names they bind, need and change. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.patched import altered, is_patch, root_of
from greenlane.testgen.written import acts_on, given_in, given_to, moves, places_in, reads_disk

_TOUCHING = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.If, ast.With, ast.For, ast.Try, ast.AsyncWith, ast.AsyncFor,
)  # fmt: skip
"""Statements that may change an object that they use."""
_LISTENING = frozenset({"capsys", "capfd", "caplog", "capsysbinary", "capfdbinary"})
"""Fixtures that hold what any call before wrote."""
_ASKED_OF_STAND_INS = frozenset({
    "call_args", "call_args_list", "call_count", "called", "method_calls", "mock_calls", "await_args", "await_count",
    "calls", "request_history", "last_request", "latest_requests", "get_request", "get_requests",
})  # fmt: skip


def needed_by(setup: Sequence[ast.stmt], look: ast.expr, imported: Set[str], *, on_disk: bool = True) -> list[ast.stmt]:
    """The statements before a look that it depends on: those that bind a name it needs, and those that use an object
    it needs and may change it. Where it looks at a file, so do calls with any file (`on_disk`), and where something is
    given a file, what is done to that one before."""
    methods = dict(_methods_named(setup))
    needed = {*loaded_in(look), *_owners_called(look, methods)}
    kept: list[ast.stmt] = []
    restored, told, disk = set_back(setup), asks_stand_in(look), on_disk and reads_disk(look)
    inside = {name: roots for node in setup for name, roots in _touched_by_made(node)}
    places, moved = (places_in(setup), moves(setup)) if on_disk else (frozenset[str](), False)
    held = given_in(look, places)
    for node in reversed(setup):
        bound = set(bound_in(node))
        touches = isinstance(node, _TOUCHING)
        holders = (
            {root_of(n) for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Subscript)} if touches else set()
        )
        holders |= {root_of(one) for one in getattr(node, "decorator_list", ())}  # `@app.route("/")`: it is told there
        called = unawaited(node.value) if isinstance(node, ast.Expr) else None
        if isinstance(called, ast.Call):  # `fill(row)`: it is made for what it does
            holders |= set(given_to(called))
        if inside and touches and any(isinstance(n, ast.Call) for n in ast.walk(node)):
            holders |= {root for name in loaded_in(node) for root in inside.get(name, ())}
        holders |= _owners_called(node, methods) if touches else set()
        patches = is_patch(node) or restored & set(altered_in(node))
        calls = told and _makes_call(node)
        calls = calls or (disk and acts_on(node, places, moved=moved)) or acts_on(node, held)
        if bound & needed or (holders - imported) & needed or patches or calls:
            kept.insert(0, node)
            told, disk = told or asks_stand_in(node), disk or (on_disk and bool(bound) and reads_disk(node))
            if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
                needed -= bound  # what the name stood for before is of no use
            needed |= {*loaded_in(node), *_owners_called(node, methods)}
            held |= given_in(node, places)
    return kept


def _makes_call(node: ast.stmt) -> bool:
    """Whether it is a call, or a block with one."""
    if isinstance(node, ast.Expr | ast.Assign):
        return isinstance(unawaited(node.value), ast.Call)
    return isinstance(node, ast.With | ast.AsyncWith) and any(map(_makes_call, node.body))


def _methods_named(setup: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Names for parts of an object, methods perhaps, and the object: a call of `post` after `post = client.post` may
    change the client."""
    for node in setup:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
            yield from ((t.id, root_of(node.value)) for t in node.targets if isinstance(t, ast.Name))


def _owners_called(node: ast.AST, methods: Mapping[str, str]) -> set[str]:
    """The objects whose methods are called by a name of their own."""
    called = {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return {methods[name] for name in called & methods.keys()}


def _touched_by_made(node: ast.stmt) -> Iterator[tuple[str, set[str]]]:
    """A function or a class that a test makes, with the objects of the test that it uses and may change: `def hook():
    seen.append(1)`."""
    if isinstance(node, FunctionNode | ast.ClassDef):
        own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
        yield node.name, {root_of(n) for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Subscript)} - own


def without_unused(setup: Sequence[str], look: str) -> list[str]:
    """The statements without those that give a name to a literal or a plain stand-in, where nothing uses the name."""
    trees = [parse_source(text) for text in (*setup, look)]
    used: set[str] = set()
    kept: list[str] = []
    for place in reversed(range(len(trees))):
        body = trees[place].body
        node = body[0] if len(body) == 1 else None
        if place < len(setup) and isinstance(node, ast.Assign) and not used & {*bound_in(node)} and _does_nothing(node):
            continue
        used |= {
            n.id for n in ast.walk(trees[place]) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load | ast.Del)
        }
        kept += [setup[place]] if place < len(setup) else []
    return kept[::-1]


def _does_nothing(node: ast.Assign) -> bool:
    value = node.value
    plain = isinstance(value, ast.Call) and not value.args and not value.keywords
    made = isinstance(value, ast.Call) and ast.unparse(value.func) in {"MagicMock", "AsyncMock", "object"}
    literal = not any(isinstance(n, ast.Call | ast.Name | ast.Attribute | ast.Subscript) for n in ast.walk(value))
    return all(isinstance(target, ast.Name) for target in node.targets) and (literal or (plain and made))


def asks_stand_in(node: ast.AST) -> bool:
    """Whether it looks at how a stand-in was called, or at what was written: any call before it may have done that."""
    asked = any(isinstance(n, ast.Attribute) and n.attr in _ASKED_OF_STAND_INS for n in ast.walk(node))
    return asked or any(isinstance(n, ast.Name) and n.id in _LISTENING for n in ast.walk(node))


def unawaited(value: ast.expr) -> ast.expr:
    return value.value if isinstance(value, ast.Await) else value


def direct(kept: list[ast.stmt], look: ast.expr) -> tuple[list[ast.stmt], ast.expr]:
    """`result = call()` and a look at `result` is a look at `call()`."""
    last = kept[-1] if kept else None
    if isinstance(look, ast.Name) and isinstance(last, ast.Assign) and len(last.targets) == 1:
        target = last.targets[0]
        if isinstance(target, ast.Name) and target.id == look.id:
            return kept[:-1], last.value
    return kept, look


def altered_in(node: ast.stmt) -> Iterator[str]:
    """Names of which an attribute or an item is set or removed."""
    yield from map(root_of, altered(node))


def set_back(kept: Sequence[ast.stmt]) -> set[str]:
    """Names that statements change and set back where a block of theirs ends."""
    return {name for node in kept if isinstance(node, ast.Try) for end in node.finalbody for name in altered_in(end)}


def bound_in(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, FunctionNode | ast.ClassDef):
        yield node.name
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, FunctionNode | ast.ClassDef):
            yield part.name
        elif isinstance(part, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name.split(".")[0]) for alias in part.names)
        elif isinstance(part, ast.ExceptHandler) and part.name:
            yield part.name


def loaded_in(node: ast.AST) -> list[str]:
    """Names that come from outside: parameters of functions inside, and what they bind, are their own."""
    own = {a.arg for n in ast.walk(node) if isinstance(n, ast.arguments) for a in _arguments(n)}
    own |= _own_names(node) if _is_inner(node) else set()
    own |= {n.name for n in ast.walk(node) if n is not node and isinstance(n, FunctionNode | ast.ClassDef)}
    own |= {
        (alias.asname or alias.name).split(".")[0]
        for n in (ast.walk(node) if _is_inner(node) else ())
        if isinstance(n, ast.Import | ast.ImportFrom)
        for alias in n.names
    }
    own |= {n.id for c in ast.walk(node) if isinstance(c, ast.comprehension) for n in ast.walk(c.target)
            if isinstance(n, ast.Name)}  # fmt: skip
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load | ast.Del)]
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        names.append(node.target.id)
    if isinstance(node, FunctionNode | ast.ClassDef):
        own.add(node.name)
    return [name for name in dict.fromkeys(names) if name not in own]


def _own_names(node: ast.AST) -> set[str]:
    """Names that a block binds before it uses them, and a function or a class anywhere."""
    if isinstance(node, FunctionNode | ast.ClassDef):
        return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    first: dict[str, bool] = {}
    for name in _as_run(node):
        first.setdefault(name.id, isinstance(name.ctx, ast.Store))
    return {name for name, stored in first.items() if stored}


def _as_run(node: ast.AST) -> Iterator[ast.Name]:
    """The names in a statement in the order in which they are used: what is given to a name comes before it."""
    if isinstance(node, ast.Name):
        yield node
    parts = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Assign | ast.For | ast.AsyncFor):
        value = node.value if isinstance(node, ast.Assign) else node.iter
        parts = [value, *(part for part in parts if part is not value)]
    for part in parts:
        yield from _as_run(part)


def _is_inner(node: ast.AST) -> bool:
    return isinstance(node, FunctionNode | ast.ClassDef | ast.For | ast.With | ast.Try | ast.AsyncFor | ast.AsyncWith)


def _arguments(node: ast.arguments) -> list[ast.arg]:
    extra = [a for a in (node.vararg, node.kwarg) if a is not None]
    return [*node.posonlyargs, *node.args, *node.kwonlyargs, *extra]
