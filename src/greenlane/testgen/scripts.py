"""What existing tests do, cut down to what one look needs: statements of a test, and an expression that it asserts on.

A value that can't be written down from outside (a class made in a test, a client, a chain of calls) stands there in
the project's own words. Varying such a script and pinning what it shows is test amplification as DSpot does it
(Danglot et al., "Automatic test improvement with DSpot", 2019). Reads files of the tree, runs nothing.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.asserted import asserts_itself, begun_anew, done
from greenlane.testgen.awaited import NEEDS as AWAITING_NEEDS
from greenlane.testgen.awaited import awaits, marks_of, marks_of_file, put_together
from greenlane.testgen.bases import outside_bases
from greenlane.testgen.checkers import Checkers, given_directly
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.expanded import expanded_rows, unexpanded
from greenlane.testgen.fixed import is_brittle
from greenlane.testgen.folding import fold
from greenlane.testgen.helpers import derived, is_helper, short_helper, stands_here, words_in
from greenlane.testgen.holding import Held, held, plainly
from greenlane.testgen.idle import without_idle
from greenlane.testgen.inlined import Givers, Inlined, lineage, own_nodes
from greenlane.testgen.inputs import MAX_STATEMENT, CarvedRow, Case, Import, Script
from greenlane.testgen.parametrised import with_params
from greenlane.testgen.patched import both_ways, root_of
from greenlane.testgen.rows import Rows, assignment, filled, filled_expression, keeps_name, row_in, rows_of, rows_seen
from greenlane.testgen.scenery import Patches, makes_stand_in, under_patches, with_scenery, without_patches
from greenlane.testgen.shown import GOING_ON, expects_error, looks_of
from greenlane.testgen.slicing import altered_in, bound_in, direct, loaded_in, needed_by, set_back
from greenlane.testgen.testmodules import (
    ReadTests,
    TestModule,
    as_test_module,
    flat,
    module_of,
    read_imported,
    read_test_file,
)
from greenlane.testgen.unrolled import unrolled
from greenlane.testgen.written import reads_disk

_MAX_FILES = 12
_MAX_STATEMENTS = 12
_MAX_HELPERS, _MAX_BEGINNINGS = 3, 2
_FEW = 2
"""Where less than one look in so many can be written out, an object of the test's class is tried."""
_SELF = "self"


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


def read_scripts(
    tree: Path,
    tests: Iterable[str],
    folder: str | None = None,
    written_out: Set[str] = frozenset(),
    rows: Sequence[CarvedRow] = (),
) -> list[FoundScript]:
    """The scripts of these tests (by their node ids; of one with parameters its first rows, unless the id names one),
    in their order, shortest look first in each. Those of tests in the `folder` may name `__file__`: the tests to come
    stand there, too. Of helper classes that are too long to come along, those methods do that name what is to be
    `written_out`. `rows` are what tests were seen to be given, where the file does not say it."""
    found: dict[Script, FoundScript] = {}
    for one in _of_tests(tree, tests, folder, TestFile.scripts, written_out, rows):
        found.setdefault(one.script, one)
    return list(found.values())


def read_programs(tree: Path, tests: Iterable[str], folder: str | None = None) -> list[FoundScript]:
    """What these tests do, without what they assert, in their order."""
    found: dict[str, FoundScript] = {}
    for one in _of_tests(tree, tests, folder, TestFile.programs):
        found.setdefault(one.script.text, one)
    return list(found.values())


def _of_tests(
    tree: Path,
    tests: Iterable[str],
    folder: str | None,
    read: Callable[[TestFile, str], Iterator[FoundScript]],
    written_out: Set[str] = frozenset(),
    rows: Sequence[CarvedRow] = (),
) -> Iterator[FoundScript]:
    files: dict[str, TestFile | None] = {}
    for test in tests:
        path, _, name = test.partition("::")
        if path not in files:
            files[path] = read_tests(tree, path, folder, written_out, rows) if len(files) < _MAX_FILES else None
        file = files[path]
        for one in _writable(read(file, name)) if file is not None else ():
            yield msgspec.structs.replace(one, test=test)


def _writable(found: Iterator[FoundScript]) -> Iterator[FoundScript]:
    """Up to the first one that `ast` can't write down again, as an f-string with a backslash inside."""
    with contextlib.suppress(ValueError):
        yield from (one for one in found if is_readable(one.script))


def is_readable(script: Script) -> bool:
    """Whether every statement, put together from a test, its helpers and its fixtures, can be read again."""
    try:
        return all(parse_source(text) for text in (*script.setup, script.look))
    except UnreadableSourceError:
        return False


def scripts_of(parsed: ast.Module, name: str) -> Iterator[FoundScript]:
    """The scripts of one test of a parsed file, which imports nothing that is relative to it."""
    yield from TestFile(as_test_module(parsed), lambda _: None).scripts(name)


def read_tests(
    tree: Path,
    path: str,
    folder: str | None = None,
    written_out: Set[str] = frozenset(),
    rows: Sequence[CarvedRow] = (),
) -> TestFile | None:
    """None if it can't be read."""
    own = read_test_file(tree, path)
    known: dict[str, TestModule | None] = {}

    def read(name: str) -> TestModule | None:
        if name not in known:
            known[name] = read_imported(tree, path, name)
        return known[name]

    beside = str(PurePosixPath(path).parent) == (folder or ".") and folder is not None
    made = TestFile(own, read, module_of(tree, path), beside=beside) if own is not None else None
    if made is not None:
        made.written_out, made.seen = written_out, [row for row in rows if row.test.startswith(f"{path}::")]
    return made


class TestFile:
    """One test file: what its names stand for, and its tests."""

    __test__ = False

    def __init__(self, own: TestModule, read: ReadTests, module: str = "", *, beside: bool = False) -> None:
        """`module` is what another file may import it as (empty: none may); `beside`: the tests to come stand there."""
        parsed, self._module, self._places = own.parsed, module, {"__file__"} if beside else set()
        self.written_out: Set[str] = frozenset()
        self.seen: Sequence[CarvedRow] = ()
        bases = outside_bases(own, read)
        self._imports: dict[str, Import] = {GOING_ON[1]: GOING_ON, **bases.imports, **own.imports}
        self._checkers = Checkers(own, read)
        self._helpers: dict[str, ast.stmt] = {}
        self._tests: dict[str, FunctionNode] = {}
        self._marks = marks_of_file(parsed)
        self._givers = Givers(parsed, bases.classes, self._checkers.written_out)
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

    def _rows_of(self, decorators: Sequence[ast.expr], named: Mapping[str, ast.expr], name: str, told: str) -> Rows:
        """What a test is given by its parameters: as its file says, else as it was seen."""
        rows = rows_of(decorators, named, told)
        if rows:
            return rows
        rows, imports = rows_seen(self.seen, name, told, self._imports)
        self._imports |= imports
        return rows

    def scripts(self, name: str) -> Iterator[FoundScript]:
        name, told = row_in(name)
        name, place = unexpanded(name, self._tests)
        test = self._tests.get(name)
        if test is None or any(isinstance(n, ast.Yield) for n in own_nodes(test)):
            return
        named = {key: node.value for key, node in self._helpers.items() if isinstance(node, ast.Assign)}
        owner = name.rpartition("::")[0]
        holder = self._helpers.get(owner)
        around = holder.decorator_list if isinstance(holder, ast.ClassDef) else []
        test, patches = without_patches(test, around)
        tables = self._givers.constants_of(owner) | named
        plain = unrolled(test, tables)
        test = self._checkers.written_out(plain, owner)
        self._imports |= self._checkers.borrowed
        marks = marks_of(test, holder, self._marks)
        raising = frozenset(key for key, value in named.items() if expects_error(value))
        marks_there = [*around, *test.decorator_list]
        rows = self._rows_of(marks_there, named, name, told) if place is None else expanded_rows(test, place, named)
        given = {key for row in rows for key in row}
        inlined = _under(patches, self._givers.inline(test, owner, given))
        found = list(self._scripts_of(test, inlined, rows, raising, marks))
        looks = sum(1 for _ in looks_of(inlined.body, [*inlined.setup], raising))
        telling = [one for one in found if not makes_stand_in(one.script.look)]
        kept = (
            None
            if len(telling) * _FEW > looks * len(rows)
            else self._held(plain if asserts_itself(plain.body) else test, owner)
        )
        if kept is not None:
            inlined = _under(patches, self._givers.inline(kept.test, owner, given, kept.first))
            found += self._scripts_of(kept.test, inlined, rows, raising, marks, kept.name)
        yield from found

    def _held(self, test: FunctionNode, owner: str) -> Held | None:
        """A test with an object of its class as `self`."""
        kept = held(test, self._givers.lineage_of(owner), self._module) if owner in self._helpers else None
        if kept is None or self._imports.setdefault(*kept.imports) != kept.imports[1]:
            return None
        return kept

    def _scripts_of(
        self,
        test: FunctionNode,
        inlined: Inlined,
        rows: Sequence[Mapping[str, ast.expr]],
        raising: Set[str],
        marks: tuple[str, ...] | None,
        named: str = _SELF,
    ) -> Iterator[FoundScript]:
        """`named`: what `self` is called."""
        stored = {root_of(n) for n in ast.walk(test) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)}
        count = len(inlined.setup)
        staged = with_scenery([*inlined.setup, *inlined.body], inlined.arguments)
        for given in with_params(rows, inlined.setup, self._givers.parametrised):
            own = {key for key, value in given.items() if key in stored or keeps_name(value)}  # each needs its name
            bound = [assignment(key, value) for key, value in given.items() if key in own]
            row = {key: value for key, value in given.items() if key not in own}
            on_stage = looks_of(staged[count:], [*staged[:count], *bound], raising)
            as_it_is = looks_of(inlined.body, [*inlined.setup, *bound], raising)
            for pair in zip(on_stage, as_it_is, strict=False):
                for look, before in pair:
                    pieces = self._cut_both_ways(look, before, inlined, row, marks, named)
                    yield from pieces
                    if pieces:  # else without what sets the scene
                        break

    def _cut_both_ways(
        self,
        look: ast.expr,
        before: list[ast.stmt],
        inlined: Inlined,
        row: Mapping[str, ast.expr],
        marks: tuple[str, ...] | None,
        named: str,
    ) -> list[FoundScript]:
        if is_brittle(look):
            return []
        found = []
        for done_before, given_to_it in both_ways(before, inlined.arguments, self._imports.keys()):
            taken = msgspec.structs.replace(inlined, arguments=frozenset(given_to_it))
            done = [plainly(node, named) for node in done_before]
            cut = functools.partial(self._cut, done, plainly(look, named), taken, row, marks)
            disk = reads_disk(look) or any(map(reads_disk, done))
            found.append(cut(on_disk=disk) or (cut(on_disk=False) if disk else None))
        return [script for script in found if script is not None]

    def programs(self, name: str) -> Iterator[FoundScript]:
        """What a test does, without what it asserts: its first statements, and a look at all that they bind; where it
        begins anew with an object, what it does before that as well. None that needs something which only this file
        has, or awaits."""
        name, told = row_in(name)
        test = self._tests.get(name)
        rows = rows_of(test.decorator_list, {}, told) if isinstance(test, ast.FunctionDef) else []
        if test is None or not rows:
            return
        inlined = self._givers.inline(test, name.rpartition("::")[0], set(rows[0]))
        row = with_params(rows, inlined.setup, self._givers.parametrised)[0]
        statements = [*inlined.setup, *done(inlined.body)]
        staged = with_scenery(statements, inlined.arguments)
        for end in [len(statements), *begun_anew(statements)[:_MAX_BEGINNINGS]]:
            for count in range(min(end, _MAX_STATEMENTS), 0, -1):
                names = dict.fromkeys(name for node in statements[:count] for name in bound_in(node))
                look = ast.Tuple(elts=[ast.Name(id=name, ctx=ast.Load()) for name in names], ctx=ast.Load())
                ways = (self._cut(one[:count], look, inlined, row, None) for one in (staged, statements))
                script = next((one for one in ways if one is not None), None)
                if script is not None and names:
                    yield script
                    break

    def _cut(
        self,
        setup: list[ast.stmt],
        look: ast.expr,
        given: Inlined,
        row: Mapping[str, ast.expr],
        marks: tuple[str, ...] | None,
        *,
        on_disk: bool = True,
    ) -> FoundScript | None:
        """The statements that a look needs (`on_disk`: and what is done to files); None where only this file has it."""
        kept, look = direct(*given_directly(needed_by(setup, look, self._imports.keys(), on_disk=on_disk), look))
        kept, look = fold(filled(kept, row)) if row else kept, filled_expression(look, row)
        needs = self._needs_of(kept, look, given.arguments)
        if needs is None:
            return None
        imports, fixtures, helpers = needs
        fixtures |= given.silent
        if fixtures & {"self", "cls", "request", *self._helpers, *self._of_classes}:
            return None
        local_imports = {n for node in kept if isinstance(node, ast.Import | ast.ImportFrom) for n in bound_in(node)}
        altered = {name for node in kept for name in altered_in(node)} - set_back(kept)
        if any(name in local_imports or name in self._imports for name in altered):
            return None  # what it changes outside of itself, the test sets back only after the look
        waits = awaits([*kept, look])
        if waits and marks is None:
            made, look = put_together(kept, look)
            kept = [made]
            imports.add(AWAITING_NEEDS)
        texts = tuple(map(ast.unparse, [*(helpers[name] for name in self._helpers if name in helpers), *kept]))
        if len(texts) > _MAX_STATEMENTS or any(len(text) > MAX_STATEMENT for text in texts):
            return None
        script = Script(imports=frozenset(imports), setup=texts, look=ast.unparse(look))
        if waits or fixtures:  # which may be of the loop
            script = msgspec.structs.replace(script, marks=marks)
        return FoundScript(test="", script=script, fixtures=frozenset(fixtures))

    def _needs_of(
        self, kept: Sequence[ast.stmt], look: ast.expr, arguments: Set[str]
    ) -> tuple[set[Import], set[str], dict[str, ast.stmt]] | None:
        """What statements and a look at the end need: imports, fixtures, helpers to copy; None where it is something
        that neither can be imported nor copied."""
        imports: set[Import] = set()
        fixtures: set[str] = set()
        helpers: dict[str, ast.stmt] = {}
        bound = {name for node in kept for name in bound_in(node)}
        pending = [name for node in (*kept, look) for name in loaded_in(node)]
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
            elif self._module and not self._places and stands_here(name, self._helpers):
                imports.add((self._module, name))
            elif name in self._helpers:
                helper = short_helper(self._helpers[name], used) if len(helpers) < _MAX_HELPERS else None
                if helper is not None and len(ast.unparse(helper)) <= MAX_STATEMENT:
                    helpers[name] = helper
                    pending += loaded_in(helper)
                    used |= words_in(helper)
                elif self._module and is_helper(self._helpers[name]):
                    own = derived(self._helpers[name], self._module, self.written_out) if self.written_out else None
                    imports.add((self._module, "" if own is not None else name))
                    if own is not None:
                        helpers[name] = own
                        bound.add(self._module.partition(".")[0])
                        pending += loaded_in(own)
                else:
                    return None
            elif not hasattr(builtins, name) and name not in self._places:
                return None
        return imports, fixtures, helpers


def _under(patches: Patches, inlined: Inlined) -> Inlined:
    """A test inside of what its decorators patch."""
    if not patches or not inlined.body:
        return inlined
    return msgspec.structs.replace(inlined, body=tuple(under_patches(inlined.body, patches)))
