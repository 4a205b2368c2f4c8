"""What existing tests do, cut down to what one look needs: statements of a test, and an expression that it asserts on.

A value that can't be written down from outside (a class made in a test, a client, a chain of calls) stands there in
the project's own words. Varying such a script and pinning what it shows is test amplification as DSpot does it
(Danglot et al., "Automatic test improvement with DSpot", 2019). Reads files of the tree, runs nothing.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

import msgspec

from greenlane.testgen.asserted import asserted, begun_anew, done, printed, self_look, without_asserts
from greenlane.testgen.awaited import NEEDS as AWAITING_NEEDS
from greenlane.testgen.awaited import awaits, marks_of, marks_of_file, put_together
from greenlane.testgen.bases import outside_bases
from greenlane.testgen.checkers import Checkers, given_directly, is_written_out
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.fixed import is_brittle, sets_scene
from greenlane.testgen.helpers import short_helper, words_in
from greenlane.testgen.idle import without_idle
from greenlane.testgen.inlined import Givers, lineage
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.parametrised import with_params
from greenlane.testgen.patched import altered, both_ways, is_patch, root_of
from greenlane.testgen.rows import assignment, filled, filled_expression, rows_of
from greenlane.testgen.testmodules import ReadTests, TestModule, as_test_module, flat, read_imported, read_test_file
from greenlane.testgen.unrolled import unrolled
from greenlane.testgen.written import done_to_files, given_to

_MAX_FILES = 12
_MAX_STATEMENTS = 12
_MAX_HELPERS, _MAX_BEGINNINGS = 3, 2


INSIDE = "inside"
"""The name of what is looked at in a `with` block, after it."""
_TOUCHING = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.With, ast.For, ast.Try, ast.AsyncWith, ast.AsyncFor,
)  # fmt: skip
"""Statements that may change an object that they use."""


class FoundScript(msgspec.Struct, frozen=True, kw_only=True):
    """A script, the test that it is from, and the fixtures that it names."""

    test: str
    script: Script
    fixtures: frozenset[str] = frozenset()


def script_case(function: Function, one: FoundScript) -> Case:
    """A script as a case that is about this function."""
    return Case(
        entry=function,
        receiver=None,
        arguments=(),
        imports=frozenset(),
        fixtures=one.fixtures,
        carved=True,
        script=without_idle(one.script),
    )


def read_scripts(tree: Path, tests: Iterable[str]) -> list[FoundScript]:
    """The scripts of these tests (node ids without parameters), in their order, shortest look first in each."""
    found: dict[Script, FoundScript] = {}
    for one in _of_tests(tree, tests, TestFile.scripts):
        found.setdefault(one.script, one)
    return list(found.values())


def read_programs(tree: Path, tests: Iterable[str]) -> list[FoundScript]:
    """What these tests do, without what they assert, in their order."""
    found: dict[str, FoundScript] = {}
    for one in _of_tests(tree, tests, TestFile.programs):
        found.setdefault(one.script.text, one)
    return list(found.values())


def _of_tests(
    tree: Path, tests: Iterable[str], read: Callable[[TestFile, str], Iterator[FoundScript]]
) -> Iterator[FoundScript]:
    files: dict[str, TestFile | None] = {}
    for test in tests:
        path, _, name = test.partition("::")
        if path not in files:
            files[path] = read_tests(tree, path) if len(files) < _MAX_FILES else None
        file = files[path]
        for one in _writable(read(file, name)) if file is not None else ():
            yield msgspec.structs.replace(one, test=test)


def _writable(found: Iterator[FoundScript]) -> Iterator[FoundScript]:
    """Those up to the first one that `ast` can't write down again, as an f-string with a backslash inside."""
    with contextlib.suppress(ValueError):
        yield from found


def scripts_of(parsed: ast.Module, name: str) -> Iterator[FoundScript]:
    """The scripts of one test of a parsed file, which imports nothing that is relative to it."""
    yield from TestFile(as_test_module(parsed), lambda _: None).scripts(name)


def read_tests(tree: Path, path: str) -> TestFile | None:
    """None if it can't be read."""
    own = read_test_file(tree, path)
    known: dict[str, TestModule | None] = {}

    def read(name: str) -> TestModule | None:
        if name not in known:
            known[name] = read_imported(tree, path, name)
        return known[name]

    return TestFile(own, read) if own is not None else None


class TestFile:
    """One test file: what its names stand for, and its tests."""

    __test__ = False

    def __init__(self, own: TestModule, read: ReadTests) -> None:
        parsed = own.parsed
        bases = outside_bases(own, read)
        self._imports: dict[str, Import] = {**bases.imports, **own.imports}
        self._checkers = Checkers(own, read)
        self._helpers: dict[str, ast.stmt] = {}
        self._tests: dict[str, FunctionNode] = {}
        self._marks = marks_of_file(parsed)
        self._givers = Givers(parsed, bases.classes)
        classes = [node for node in ast.walk(parsed) if isinstance(node, ast.ClassDef)]
        inner = [member for node in classes for member in node.body if isinstance(member, ast.FunctionDef)]
        self._of_classes = {m.name for m in inner if any("fixture" in ast.unparse(d) for d in m.decorator_list)}
        named = bases.classes | {node.name: node for node in flat(parsed.body) if isinstance(node, ast.ClassDef)}
        for node in flat(parsed.body):
            if isinstance(node, FunctionNode | ast.ClassDef):
                self._helpers[node.name] = node
                held = [m for one in lineage(named, node.name) for m in one.body]
                members = held if isinstance(node, ast.ClassDef) else [node]
                prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
                self._tests |= {f"{prefix}{m.name}": m for m in members if isinstance(m, FunctionNode)}
            elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                self._helpers[node.targets[0].id] = node

    def scripts(self, name: str) -> Iterator[FoundScript]:
        test = self._tests.get(name)
        if test is None or any(isinstance(n, ast.Yield) for n in ast.walk(test)):
            return
        named = {key: node.value for key, node in self._helpers.items() if isinstance(node, ast.Assign)}
        owner = name.rpartition("::")[0]
        tables = self._givers.constants_of(owner) | named
        test = self._checkers.written_out(unrolled(test, tables), owner)
        self._imports |= self._checkers.borrowed
        holder = self._helpers.get(owner)
        marks = marks_of(test, holder, self._marks)
        around = holder.decorator_list if isinstance(holder, ast.ClassDef) else []
        raising = {key for key, value in named.items() if _expects_error(value)}
        rows = rows_of([*around, *test.decorator_list], named)
        inlined = self._givers.inline(test, owner, {key for row in rows for key in row})
        stored = {root_of(n) for n in ast.walk(test) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)}
        for given in with_params(rows, inlined.setup, self._givers.parametrised):
            bound = {key: value for key, value in given.items() if key in stored}  # it is changed: it needs its name
            row = {key: value for key, value in given.items() if key not in stored}
            setup: list[ast.stmt] = [*inlined.setup, *(assignment(key, value) for key, value in bound.items())]
            for look, before in _looks(inlined.body, setup, raising):
                brittle = is_brittle(look)
                for done_before, given_to_it in both_ways(before, inlined.arguments, self._imports.keys()):
                    script = self._cut(done_before, look, given_to_it, row, marks) if not brittle else None
                    if script is not None:
                        yield script

    def programs(self, name: str) -> Iterator[FoundScript]:
        """What a test does, without what it asserts: its first statements, and a look at all that they bind; where it
        begins anew with an object, what it does before that as well. None that needs something which only this file
        has, or awaits."""
        test = self._tests.get(name)
        rows = rows_of(test.decorator_list, {}) if isinstance(test, ast.FunctionDef) else []
        if test is None or not rows:
            return
        inlined = self._givers.inline(test, name.rpartition("::")[0], set(rows[0]))
        row = with_params(rows, inlined.setup, self._givers.parametrised)[0]
        statements = [*inlined.setup, *done(inlined.body)]
        for end in [len(statements), *begun_anew(statements)[:_MAX_BEGINNINGS]]:
            for count in range(min(end, _MAX_STATEMENTS), 0, -1):
                names = dict.fromkeys(name for node in statements[:count] for name in _bound(node))
                look = ast.Tuple(elts=[ast.Name(id=name, ctx=ast.Load()) for name in names], ctx=ast.Load())
                script = self._cut(statements[:count], look, inlined.arguments, row, None)
                if script is not None and names:
                    yield script
                    break

    def _cut(
        self,
        setup: list[ast.stmt],
        look: ast.expr,
        arguments: Set[str],
        row: Mapping[str, ast.expr],
        marks: tuple[str, ...] | None,
    ) -> FoundScript | None:
        """The statements that a look needs; None if it needs something that only this file has."""
        kept, look = _direct(*given_directly(_slice(setup, look, self._imports.keys()), look))
        kept, look = filled(kept, row), filled_expression(look, row)
        imports: set[Import] = set()
        fixtures: set[str] = set()
        helpers: dict[str, ast.stmt] = {}
        bound = {name for node in kept for name in _bound(node)}
        pending = [name for node in (*kept, look) for name in _loaded(node)]
        seen: set[str] = set()
        used = words_in(*kept, look)
        while pending:
            name = pending.pop()
            if name in seen or name in bound:
                continue
            seen.add(name)
            if name in arguments:
                fixtures.add(name)
            elif name in self._imports:
                imports.add(self._imports[name])
            elif name in self._helpers and (helper := short_helper(self._helpers[name], used)) is not None:
                helpers[name] = helper
                pending += _loaded(helper)
                used |= words_in(helper)
            elif not hasattr(builtins, name):
                return None
        local = fixtures & (self._helpers.keys() | self._of_classes)
        if {"self", "cls", "request"} & fixtures or local or len(helpers) > _MAX_HELPERS:
            return None
        local_imports = {n for node in kept if isinstance(node, ast.Import | ast.ImportFrom) for n in _bound(node)}
        if any(name in local_imports or name in self._imports for node in kept for name in map(root_of, altered(node))):
            return None  # what it changes outside of itself, the test sets back only after the look
        waits = awaits([*kept, look])
        if waits and marks is None:
            made, look = put_together(kept, look)
            kept = [made]
            imports.add(AWAITING_NEEDS)
        lines = [helpers[name] for name in self._helpers if name in helpers] + kept
        texts = tuple(ast.unparse(node) for node in lines)
        if len(texts) > _MAX_STATEMENTS or any(len(text) > MAX_STATEMENT for text in texts):
            return None
        script = Script(imports=frozenset(imports), setup=texts, look=ast.unparse(look))
        if waits or fixtures:  # which may be of the loop
            script = msgspec.structs.replace(script, marks=marks)
        return FoundScript(test="", script=script, fixtures=frozenset(fixtures))


def _looks(
    body: Sequence[ast.stmt], setup: list[ast.stmt], raising: Set[str] = frozenset()
) -> Iterator[tuple[ast.expr, list[ast.stmt]]]:
    """Expressions that a body asserts on, or calls, each with the statements before it; fills `setup`. `raising` are
    names that stand for an expected error."""
    for node in body:
        if isinstance(node, ast.Assert):
            shown = asserted(node.test)
            yield shown, setup
            setup += done_to_files(shown, setup)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        elif isinstance(node, ast.Expr) and self_look(node.value) is not None:
            look = self_look(node.value)
            if look is not None:
                yield look, setup
                setup += done_to_files(look, setup)
        elif isinstance(node, ast.With) and any(_expects_error(item.context_expr, raising) for item in node.items):
            others = [item for item in node.items if not _expects_error(item.context_expr, raising)]
            held = ast.copy_location(ast.With(items=others, body=node.body), node)
            yield from _looks([held] if others else node.body, list(setup), raising)
        else:
            if isinstance(node, ast.Try):  # and an assertion on the error, perhaps
                yield from _looks(node.body, list(setup), raising)
            if isinstance(node, ast.With | ast.AsyncWith):
                yield from ((ast.Name(id=INSIDE, ctx=ast.Load()), [*setup, inside]) for inside in _looks_inside(node))
            value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
            told = not is_written_out(node) and not sets_scene(node)
            if value is not None and isinstance(_unawaited(value), ast.Call) and told:
                yield printed(value), setup
            cleaned = without_asserts(node)
            if cleaned is not None:
                setup.append(cleaned)


def _expects_error(node: ast.expr, named: Set[str] = frozenset()) -> bool:
    """`pytest.raises(...)`, or a name for it."""
    return "raises" in ast.unparse(node).lower() or (isinstance(node, ast.Name) and node.id in named)


def _looks_inside(node: ast.With | ast.AsyncWith) -> Iterator[ast.stmt]:
    """The same block for each look in it, with no more than that needs, and the look given a name."""
    for look, before in _looks(node.body, []):
        stored = ast.Assign(targets=[ast.Name(id=INSIDE, ctx=ast.Store())], value=look)
        named = isinstance(look, ast.Name) and look.id == INSIDE  # by a block in this one
        body: list[ast.stmt] = [*_slice(before, look, frozenset()), *([] if named else [stored])]
        made = type(node)(items=node.items, body=body)
        yield ast.fix_missing_locations(ast.copy_location(made, node))


def _slice(setup: Sequence[ast.stmt], look: ast.expr, imported: Set[str]) -> list[ast.stmt]:
    """The statements before a look that it depends on: those that bind a name it needs, and those that use an object
    it needs and may change it."""
    needed = set(_loaded(look))
    kept: list[ast.stmt] = []
    for node in reversed(setup):
        bound = set(_bound(node))
        touches = isinstance(node, _TOUCHING)
        holders = (
            {root_of(n) for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Subscript)} if touches else set()
        )
        called = _unawaited(node.value) if isinstance(node, ast.Expr) else None
        if isinstance(called, ast.Call):  # `fill(row)`: it is made for what it does
            holders |= set(given_to(called))
        if bound & needed or (holders - imported) & needed or is_patch(node):
            kept.insert(0, node)
            if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
                needed -= bound  # what the name stood for before is of no use
            needed |= set(_loaded(node))
    return kept


def _unawaited(value: ast.expr) -> ast.expr:
    return value.value if isinstance(value, ast.Await) else value


def _direct(kept: list[ast.stmt], look: ast.expr) -> tuple[list[ast.stmt], ast.expr]:
    """`result = call()` and a look at `result` is a look at `call()`."""
    last = kept[-1] if kept else None
    if isinstance(look, ast.Name) and isinstance(last, ast.Assign) and len(last.targets) == 1:
        target = last.targets[0]
        if isinstance(target, ast.Name) and target.id == look.id:
            return kept[:-1], last.value
    return kept, look


def _bound(node: ast.stmt) -> Iterator[str]:
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


def _loaded(node: ast.AST) -> list[str]:
    """Names that come from outside: parameters of functions inside, and what they bind, are their own."""
    own = {a.arg for n in ast.walk(node) if isinstance(n, ast.arguments) for a in _arguments(n)}
    own |= {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and _is_inner(node)
    }
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


def _is_inner(node: ast.AST) -> bool:
    return isinstance(node, FunctionNode | ast.ClassDef | ast.For | ast.With | ast.Try | ast.AsyncFor | ast.AsyncWith)


def _arguments(node: ast.arguments) -> list[ast.arg]:
    extra = [a for a in (node.vararg, node.kwarg) if a is not None]
    return [*node.posonlyargs, *node.args, *node.kwonlyargs, *extra]
