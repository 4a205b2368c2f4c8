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
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType

import msgspec

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.opened import opening, put_inside, with_blocks
from greenlane.testgen.parametrised import parametrised

_SETUPS = ("setUp", "setup_method", "setup")
_CLASS_SETUPS = ("setUpClass", "setup_class")
_TEARDOWNS = frozenset({"tearDown", "teardown_method", "teardown", "tearDownClass", "teardown_class"})
_NONE: Mapping[str, ast.ClassDef] = MappingProxyType({})
_MAX_BODY = 8
_MAX_DEEP = 4
_SELF = "self"


class Inlined(msgspec.Struct, frozen=True):
    """A test as if it made itself what its file gives it: `setup` comes first; `arguments` are given from elsewhere."""

    setup: tuple[ast.stmt, ...]
    body: tuple[ast.stmt, ...]
    arguments: frozenset[str]


class Givers:
    """The fixtures and classes of one test file; `bases` are classes of other files that its own inherit from."""

    def __init__(self, parsed: ast.Module, bases: Mapping[str, ast.ClassDef] = _NONE) -> None:
        own = {node.name: node for node in parsed.body if isinstance(node, ast.ClassDef)}
        self._classes = {**bases, **own}
        self.parametrised = parametrised(parsed.body)
        """By name, fixtures that are given in several ways."""
        in_ways = {name: one.fixture for name, one in self.parametrised.items()}
        self._fixtures = in_ways | _fixtures_of(parsed.body)
        self._top = {name for node in parsed.body for name in _bound_at_top(node)}

    def inline(self, test: FunctionNode, owner: str, rows: Set[str] = frozenset()) -> Inlined:
        """`owner` is the class that the test stands in (empty: none), `rows` are what its parametrisation gives."""
        body, first = list(test.body), list[ast.stmt]()
        arguments = {argument.arg for argument in test.args.args} - rows
        line = lineage(self._classes, owner)
        if line and _SELF in arguments:
            first, body = _without_self(line, body, self._top | arguments | rows)
        own = {name: fixture for node in line for name, fixture in _fixtures_of(node.body).items()}
        setup: list[ast.stmt] = []
        taken = {name for node in (*first, *body) for name in _stored(node)} | arguments | rows | self._top
        left = self._expand(sorted(arguments), self._fixtures | own, setup, taken, _MAX_DEEP)
        before, inside = put_inside([*setup, *first], body)
        return Inlined(tuple(before), tuple(inside), frozenset(left))

    def constants_of(self, owner: str) -> dict[str, ast.expr]:
        """What a class and those that it inherits from give names to, as its methods call them."""
        return {
            f"{_SELF}.{node.targets[0].id}": node.value
            for one in lineage(self._classes, owner)
            for node in one.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }

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
    """What the fixture does, ending in `name = ...`; None if it cleans up after itself, or decides, or uses `self`."""
    body = [node for node in fixture.body if not _is_docstring(node)]
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
    bound = {stored for node in (*before, *([block] if block else [])) for stored in _stored(node)} - {name}
    loaded = {n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name)}
    extends = name in {argument.arg for argument in fixture.args.args}  # the fixture of that name from elsewhere
    if extends or bound & taken or loaded & {_SELF, "request", "cls"}:
        return None
    if block is not None:
        return [*before, block]
    if given is None or (isinstance(given, ast.Name) and given.id == name):
        return before
    return [*before, _assigned(name, given)]


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


def _without_self(
    line: Sequence[ast.ClassDef], body: Sequence[ast.stmt], taken: Set[str]
) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """What the constants and set-ups of a class and its bases give, and the test's body, with plain names for what they
    put on `self`; nothing changed where that is not all that `self` is used for."""
    clean_ups = [n for owner in line for n in owner.body if isinstance(n, ast.FunctionDef) and n.name in _TEARDOWNS]
    if not all(_sets_back(node) for node in clean_ups):
        return [], list(body)
    constants: dict[str, ast.Assign] = {}
    for owner in line:
        for node in owner.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                constants.pop(node.targets[0].id, None)
                constants[node.targets[0].id] = node
    done = with_blocks([*_set_up(line, _CLASS_SETUPS), *_set_up(line, _SETUPS)])
    names = {n.attr for node in done for n in ast.walk(node) if isinstance(n, ast.Attribute) and _is_put(n)}
    names |= {name for node in constants.values() for name in _stored(node)}
    locals_ = {name for node in (*body, *done) for name in _names_of(node)}
    others = set(dir(builtins)) | taken | locals_
    called = {name: name if name not in others else f"{name}_2" for name in names}
    plain = _Plain({name: other for name, other in called.items() if other not in others | (names - {name})})
    first = [plain.visit(copy.deepcopy(node)) for node in (*constants.values(), *done)]
    if any(_uses_self(node) for node in first):
        return [], list(body)
    return first, [plain.visit(copy.deepcopy(node)) for node in body]


def _sets_back(clean_up: ast.FunctionDef) -> bool:
    """Whether it only gives back to attributes what they held: `os.environ = self.environ_before`."""
    return all(
        isinstance(node, ast.Assert | ast.Pass)
        or _is_docstring(node)
        or ast.unparse(node).startswith("super(")
        or (isinstance(node, ast.Assign) and all(isinstance(target, ast.Attribute) for target in node.targets))
        for node in clean_up.body
    )


def _set_up(line: Sequence[ast.ClassDef], names: Sequence[str]) -> list[ast.stmt]:
    """The statements of a set-up, after those of the bases where it calls them."""
    done: list[ast.stmt] = []
    for owner in line:
        members = {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef)}
        setup = next((members[name] for name in names if name in members), None)
        if setup is None or not setup.args.args:
            continue
        own = [_Renamed(setup.args.args[0].arg).visit(copy.deepcopy(n)) for n in setup.body if not _is_docstring(n)]
        own = [node for node in own if not isinstance(node, ast.Global)]
        done = [*(done if "super(" in ast.unparse(setup) else ()), *own]
    return [node for node in done if not ast.unparse(node).startswith("super(")]


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


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == _SELF


def _is_put(node: ast.Attribute) -> bool:
    return _is_own(node) and isinstance(node.ctx, ast.Store)


def _uses_self(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Name) and n.id == _SELF for n in ast.walk(node))


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
