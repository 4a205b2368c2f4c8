"""What a test is given by its own file, written out as statements: fixtures that no other file can name, what `setUp`
puts on `self`, and constants of its class, or of those that it inherits from. Pure; for `scripts.py`.

    @pytest.fixture
    def signer():                       signer = Signer("key")
        return Signer("key")
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import TypeAlias, TypeGuard

import msgspec

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.exchanged import Renaming
from greenlane.testgen.opened import opening, put_inside, returning_after, with_blocks
from greenlane.testgen.parametrised import parametrised
from greenlane.testgen.slicing import bound_in

_SETUPS = ("setUp", "setup_method", "setup")
_CLASS_SETUPS = ("setUpClass", "setup_class")
_TEARDOWNS = ("tearDown", "teardown_method", "teardown")
_CLASS_TEARDOWNS = ("tearDownClass", "teardown_class")
_NONE: Mapping[str, ast.ClassDef] = MappingProxyType({})
_MAX_BODY = 8
_MAX_DEEP = 4
_SELF = "self"
_WITHOUT_EFFECT = frozenset({
    "self", "cls", "request", "capsys", "capsysbinary", "capfd", "capfdbinary", "caplog", "recwarn", "monkeypatch",
    "mocker", "tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory",
})  # fmt: skip
"""What a test is given that does nothing unless it is asked."""


WritingOut: TypeAlias = Callable[[FunctionNode, str], FunctionNode]
"""A set-up with what the methods of the class that it calls do, in place of these calls."""


class Inlined(msgspec.Struct, frozen=True):
    """A test as if it made itself what its file gives it: `setup` comes first; `arguments` are given from elsewhere,
    the `silent` ones of them for what they do, since the test does not name them."""

    setup: tuple[ast.stmt, ...]
    body: tuple[ast.stmt, ...]
    arguments: frozenset[str]
    silent: frozenset[str] = frozenset()


class Givers:
    """The fixtures and classes of one test file; `bases` are classes of other files that its own inherit from."""

    def __init__(
        self, parsed: ast.Module, bases: Mapping[str, ast.ClassDef] = _NONE, written_out: WritingOut | None = None
    ) -> None:
        self._expand_calls = written_out or (lambda node, _: node)
        own = {node.name: node for node in parsed.body if isinstance(node, ast.ClassDef)}
        self._classes = {**bases, **own}
        self.parametrised = parametrised(parsed.body)
        """By name, fixtures that are given in several ways."""
        in_ways = {name: one.fixture for name, one in self.parametrised.items()}
        self._fixtures = in_ways | _fixtures_of(parsed.body)
        self._top = {name for node in parsed.body for name in _bound_at_top(node)}
        self.constants_of = functools.cache(self._constants_of)

    def inline(
        self, test: FunctionNode, owner: str, rows: Set[str] = frozenset(), begun: Sequence[ast.stmt] = ()
    ) -> Inlined:
        """`owner` is the class that the test stands in (empty: none), `rows` are what its parametrisation gives; where
        it is given no `self`, `begun` is what makes that."""
        body, first = list(test.body), [*begun]
        arguments = {argument.arg for argument in test.args.args} - rows
        line = self.lineage_of(owner)
        if line and _SELF in arguments:
            first, body, more = self._without_self(line, body, arguments | rows)
            arguments |= more - rows
        own = {name: fixture for node in line for name, fixture in _fixtures_of(node.body).items()}
        setup: list[ast.stmt] = []
        taken = {name for node in (*first, *body) for name in _stored(node)} | arguments | rows | self._top
        left = self._expand(sorted(arguments), self._fixtures | own, setup, taken, _MAX_DEEP)
        before, inside = put_inside([*setup, *first], body)
        named = {name for node in (*setup, *first, *test.body) for name in _names_of(node)}
        asked = used_by([*(one.decorator_list for one in line), test.decorator_list])
        silent = (left - named - _WITHOUT_EFFECT | asked) - self._fixtures.keys() - own.keys() - self._top
        return Inlined(tuple(before), tuple(inside), frozenset(left), frozenset(silent))

    def lineage_of(self, owner: str) -> list[ast.ClassDef]:
        return lineage(self._classes, owner)

    def _without_self(
        self, line: Sequence[ast.ClassDef], body: Sequence[ast.stmt], taken: Set[str]
    ) -> tuple[list[ast.stmt], list[ast.stmt], frozenset[str]]:
        """What the constants and set-ups of a class and its bases give, the test's body with plain names for what is
        put on `self`, and the fixtures that the set-ups are given."""
        before = [*self._set_up(line, _CLASS_SETUPS), *self._set_up(line, _SETUPS)]
        after = [*_torn_down(line, _TEARDOWNS), *_torn_down(line, _CLASS_TEARDOWNS)]
        given: frozenset[str] = frozenset()
        for fixture in map(self._expanded_in(line), _autouse(line)):
            first, last, more = _as_set_up(fixture)
            before, after, given = [*before, *first], [*last, *after], given | more
        own = {n.attr for s in body for n in ast.walk(s) if isinstance(n, ast.Attribute) and _is_own(n)}
        constants = [*_constants(line), *_inner_classes(line, own - {*dir(builtins), *taken, *self._top})]
        names = {n.attr for node in (*before, *body) for n in ast.walk(node) if _is_put(n)}
        names |= {name for node in constants for name in bound_in(node)}
        asked = {name for node in body for name in _names_of(node)}  # a set-up may bind a global name
        if not own & names and not asked & {name for node in before for name in _stored(node)}:
            return [], list(body), frozenset()
        same = _named_alike(before) - {name for node in (*body, *after) for name in _names_of(node)}
        done = with_blocks([node for node in before if _handed_on(node) not in same], after)
        locals_ = {name for node in (*body, *done) for name in _names_of(node)}
        others = set(dir(builtins)) | taken | self._top | (locals_ - same)
        called = {name: name if name not in others else f"{name}_2" for name in names}
        names_of_ours = {name: other for name, other in called.items() if other not in others | (names - {name})}
        plain, renaming = _Plain(names_of_ours), Renaming(names_of_ours)
        first = [*(_seen_as(renaming, node) for node in constants), *(_seen_as(plain, node) for node in done)]
        return first, [_seen_as(plain, node) for node in body], given

    def _set_up(self, line: Sequence[ast.ClassDef], names: Sequence[str]) -> list[ast.stmt]:
        """The statements of a set-up, after those of the bases where it calls them."""
        done: list[ast.stmt] = []
        for owner in line:
            members = {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef)}
            setup = next((members[name] for name in names if name in members), None)
            if setup is None or not setup.args.args:
                continue
            done = [*(done if "super(" in ast.unparse(setup) else ()), *_body_as_self(self._expanded_in(line)(setup))]
        return [node for node in done if not ast.unparse(node).startswith("super(")]

    def _expanded_in(self, line: Sequence[ast.ClassDef]) -> Callable[[FunctionNode], FunctionNode]:
        return lambda node: self._expand_calls(node, line[-1].name)

    def _constants_of(self, owner: str) -> dict[str, ast.expr]:
        """What a class and those that it inherits from give names to, as its methods call them, and the tables that
        their set-ups put on `self`."""
        line = self.lineage_of(owner)
        named = {
            f"{_SELF}.{node.targets[0].id}": node.value
            for one in line
            for node in one.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        first = (*self._set_up(line, _CLASS_SETUPS), *self._set_up(line, _SETUPS))
        put = [(node.targets[0], node.value) for node in first if isinstance(node, ast.Assign)]
        return named | {ast.unparse(t): v for t, v in put if _is_put(t) and isinstance(v, ast.List | ast.Tuple)}

    def _expand(
        self,
        names: Iterable[str],
        fixtures: dict[str, ast.FunctionDef],
        setup: list[ast.stmt],
        taken: set[str],
        deep: int,
    ) -> set[str]:
        """Puts the statements of these fixtures, and of those that they need, into `setup`; gives the names left."""
        left: set[str] = set()
        made = {name for node in setup for name in _stored(node)}
        for name in names:
            statements = _statements(fixtures[name], name, taken) if name in fixtures and deep else None
            if statements is None:
                left |= {name} - made
                continue
            needed = [argument.arg for argument in fixtures[name].args.args if argument.arg not in {_SELF, *made}]
            left |= self._expand(needed, fixtures, setup, taken, deep - 1)
            setup += statements
            taken |= {bound for node in statements for bound in _stored(node)}
            made |= {bound for node in setup for bound in _stored(node)}
        return left


def used_by(decorators: Iterable[Sequence[ast.expr]]) -> set[str]:
    """The fixtures that `@pytest.mark.usefixtures("clean")` asks for."""
    calls = [one for row in decorators for one in row if isinstance(one, ast.Call)]
    given = [a for one in calls if ast.unparse(one.func).endswith("usefixtures") for a in one.args]
    return {a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)}


def _fixtures_of(body: Sequence[ast.stmt]) -> dict[str, ast.FunctionDef]:
    """Fixtures without parameters of their own, by the name under which a test takes them."""
    found = {}
    for node in body:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            given = {k.arg: k.value for k in decorator.keywords} if isinstance(decorator, ast.Call) else {}
            if ast.unparse(called).split(".")[-1] == "fixture" and not given.keys() & {"params", "autouse"}:
                name = given.get("name")
                assert isinstance(node, ast.FunctionDef)
                found[name.value if isinstance(name, ast.Constant) else node.name] = node
    return {name: node for name, node in found.items() if isinstance(name, str)}


def _statements(fixture: ast.FunctionDef, name: str, taken: Set[str]) -> list[ast.stmt] | None:
    """What the fixture does, ending in `name = ...`, and in a block where it cleans up after itself; None if it
    decides, or uses `self`."""
    body, after = _and_after([node for node in returning_after(fixture.body, name) if not _is_docstring(node)])
    last = body[-1] if body else None
    block = opening(fixture, name)
    given = last.value if isinstance(last, ast.Return | ast.Expr) else None
    if isinstance(last, ast.Expr):  # nothing comes after the `yield`
        given = given.value if isinstance(given, ast.Yield) else None
    if (
        (given is None and block is None)
        or len(body) > _MAX_BODY
        or any(n for node in body[:-1] for n in ast.walk(node) if _is_way(n))
    ):
        return None
    before = [copy.deepcopy(node) for node in body[:-1]]
    body += after
    bound = {stored for node in (*before, *([block] if block else [])) for stored in _stored(node)} - {name}
    loaded = {n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name)}
    extends = name in {argument.arg for argument in fixture.args.args}  # the fixture of that name from elsewhere
    if extends or bound & taken or loaded & {_SELF, "request", "cls"}:
        return None
    if block is not None:
        return [*before, block]
    made = [] if given is None or (isinstance(given, ast.Name) and given.id == name) else [_assigned(name, given)]
    return with_blocks([*before, *made], after)


def _and_after(body: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """A fixture's statements up to its `yield`, and those that come after the test: `try: yield ... finally: ...`."""
    block = body[-1] if body else None
    if isinstance(block, ast.Try) and block.finalbody and not block.handlers and _is_plain_yield(block.body[-1]):
        return [*body[:-1], *block.body], block.finalbody
    places = [place for place, node in enumerate(body) if _is_plain_yield(node)]
    return (body[: places[0] + 1], body[places[0] + 1 :]) if len(places) == 1 else (body, [])


def lineage(classes: Mapping[str, ast.ClassDef], name: str) -> list[ast.ClassDef]:
    """A class with those of these classes that it inherits from, before it."""
    found: dict[str, ast.ClassDef] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in classes and name not in above:
            for base in classes[name].bases:
                add(ast.unparse(base).split(".")[-1], (*above, name))
            found.setdefault(name, classes[name])

    add(name, ())
    return list(found.values())


def _constants(line: Sequence[ast.ClassDef]) -> list[ast.Assign]:
    """What the bodies of a class and its bases give names to, each once, as the class has it."""
    found: dict[str, ast.Assign] = {}
    for node in (node for owner in line for node in owner.body):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name | ast.Tuple):
            name = ast.unparse(node.targets[0])
            found.pop(name, None)
            found[name] = node
    return list(found.values())


def _inner_classes(line: Sequence[ast.ClassDef], asked: Set[str]) -> list[ast.ClassDef]:
    """The classes in their bodies of these names, the last of each."""
    inner = [node for owner in line for node in owner.body if isinstance(node, ast.ClassDef) and node.name in asked]
    return list({node.name: node for node in inner}.values())


def _autouse(line: Sequence[ast.ClassDef]) -> list[ast.FunctionDef]:
    """The fixtures of a class and its bases that all of their tests are given, the last of each name."""
    found: dict[str, ast.FunctionDef] = {}
    for node in (node for owner in line for node in owner.body if isinstance(node, ast.FunctionDef)):
        marks = [ast.unparse(one) for one in node.decorator_list]
        if any("fixture(" in mark and "autouse=True" in mark and "params=" not in mark for mark in marks):
            found[node.name] = node
    return list(found.values())


def _as_set_up(fixture: FunctionNode) -> tuple[list[ast.stmt], list[ast.stmt], frozenset[str]]:
    """What such a fixture does before and after a test, and what it is given; nothing of one that decides."""
    body = [node for node in fixture.body if not _is_docstring(node)]
    ends = [place for place, node in enumerate(body) if any(map(_is_way, own_nodes(node)))]
    if not ends:
        ends = [len(body)]
    place = ends[0]
    plain = place == len(body) or isinstance(body[place], ast.Return) or _is_plain_yield(body[place])
    if len(ends) > 1 or not plain:
        return [], [], frozenset()
    given = {argument.arg for argument in fixture.args.args} - {_SELF, "request"}
    return body[:place], body[place + 1 :], frozenset(given)


def _is_plain_yield(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A statement's nodes without those of functions in it."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FunctionNode | ast.Lambda):
            yield from own_nodes(child)


def _body_as_self(node: FunctionNode) -> list[ast.stmt]:
    first = node.args.args[0].arg
    own = [_Renamed(first).visit(copy.deepcopy(n)) for n in node.body if not _is_docstring(n)]
    return [node for node in own if not isinstance(node, ast.Global)]


def _torn_down(line: Sequence[ast.ClassDef], names: Sequence[str]) -> list[ast.stmt]:
    """The statements of a clean-up, before those of the bases where it calls them."""
    done: list[ast.stmt] = []
    for owner in reversed(line):
        members = {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef)}
        found = next((members[name] for name in names if name in members), None)
        if found is not None and found.args.args:
            done += [node for node in _body_as_self(found) if not ast.unparse(node).startswith("super(")]
            if "super(" not in ast.unparse(found):
                break
    return done


class _Renamed(ast.NodeTransformer):
    """`cls` as `self`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(id=_SELF, ctx=node.ctx), node) if node.id == self._name else node


class _Plain(ast.NodeTransformer):
    """`self.name` as `name`, or as what it is called where the test calls something else so."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if _is_own(node) and node.attr in self._names:
            return ast.copy_location(ast.Name(id=self._names[node.attr], ctx=node.ctx), node)
        return self.generic_visit(node)


def _seen_as(transformer: ast.NodeTransformer, node: ast.stmt) -> ast.stmt:
    seen: ast.stmt = transformer.visit(copy.deepcopy(node))
    return seen


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == _SELF


def _is_put(node: ast.AST | None) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and _is_own(node) and isinstance(node.ctx, ast.Store)


def _handed_on(node: ast.stmt) -> str:
    """The name in `self.tree = tree`; empty for any other statement."""
    target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Name) or not _is_put(target):
        return ""
    return node.value.id if isinstance(target, ast.Attribute) and target.attr == node.value.id else ""


def _named_alike(before: Sequence[ast.stmt]) -> set[str]:
    """Names that a set-up makes something under and then puts it on `self` under the same: one name is enough."""
    places = {name: number for number, node in enumerate(before) if (name := _handed_on(node))}
    stored = {name: {number for number, node in enumerate(before) if name in _stored(node)} for name in places}
    return {name for name, number in places.items() if stored[name] and max(stored[name]) < number}


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_way(node: ast.AST) -> bool:
    return isinstance(node, ast.Return | ast.Yield | ast.YieldFrom | ast.Await)


def _stored(node: ast.AST) -> Iterator[str]:
    yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _names_of(node: ast.AST) -> Iterator[str]:
    yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def _bound_at_top(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        yield from _stored(node)


def _assigned(name: str, value: ast.expr) -> ast.stmt:
    assigned = ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=copy.deepcopy(value))
    return ast.fix_missing_locations(assigned)
