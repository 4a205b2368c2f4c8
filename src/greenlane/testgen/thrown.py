"""Errors that a test's own functions and stand-ins raise, exchanged for those that the code tells apart. Pure; for
`search.py`.

    def fails():                                     def fails():
        raise ValueError                     ->          raise StopIteration('abc')
    run([fails, wrapper])                            run([fails, wrapper])

where the code says `except RuntimeError` and asks `isinstance(error, StopIteration)`. What gives something raises
instead, too: `def read(): return 1`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import guards_of
from greenlane.testgen.inputs import Case, Import, bound_by, is_error
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_ERRORS, _CALLS, _SHORT, _MOST = 4, 16, 4, 120
_ANY = frozenset({"Exception", "BaseException"})
"""What any error meets."""
_SAID = "'abc'"


class _Error(msgspec.Struct, frozen=True):
    """A class of errors, as the code names it, and what its name is imported from (None: it is the language's own)."""

    name: str
    home: Import | None = None

    @property
    def made(self) -> str:
        return f"{self.name}({_SAID})"


_Ways: TypeAlias = Callable[[Case, _Error], Iterator[Case]]


def thrown(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """Scripts that ran something of an open function, with another error where they raise one: of those that the
    function tells apart nearest to what is open, the plainest scripts first."""
    rows: dict[tuple[str, _Error], list[Case]] = {}
    for line, function, node in open_functions(source, left):
        inside = range(node.body[0].lineno, function.last + 1)
        ran = [o.case for o in observed if not o.lines.get(source.path, frozenset()).isdisjoint(inside)]
        near = sorted((case for case in ran if case.script is not None), key=lambda case: case.plainness)
        for error in list(dict.fromkeys(_errors(source, node, line)))[:_ERRORS]:
            if (function.qualified, error) not in rows:
                made = in_turn([_of_all(near, error, ways) for ways in (_raising, _failing)])
                rows[function.qualified, error] = list(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


# ------------------------------------------------------------------ what is told apart


def _errors(source: Source, node: FunctionNode, line: int) -> Iterator[_Error]:
    """The errors that a function names in its conditions and handlers, those on the way to a line first."""
    guards = guards_of(source.tree, line)
    tests = [parse_expression(guard.test.removeprefix("except ")) for guard in reversed(guards)]
    asked = (n.test for n in ast.walk(node) if isinstance(n, ast.If | ast.IfExp))
    handled = (n.type for n in ast.walk(node) if isinstance(n, ast.ExceptHandler) and n.type is not None)
    tops = {name for one in source.tree.body for name in _bound(one)}
    for test in (*tests, *asked, *handled):
        for part in ast.walk(test):
            name = ast.unparse(part) if isinstance(part, ast.Name | ast.Attribute) else ""
            if is_error(name) and name not in _ANY:
                yield _Error(name)
            elif name.endswith(("Error", "Exception")) and (root := name.partition(".")[0]) in tops:
                yield _Error(name, (source.module, root))


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)


# ------------------------------------------------------------------ where it is raised


def _of_all(near: Sequence[Case], error: _Error, ways: _Ways) -> Iterator[Case]:
    for case in near:
        yield from ways(case, error)


def _raising(case: Case, error: _Error) -> Iterator[Case]:
    """The script with this error in place of each that it names after `raise`, or as what a stand-in does."""
    for number, tree in _trees(case):
        for node in ast.walk(tree):
            raised = node.exc if isinstance(node, ast.Raise) else _side_effect(node)
            if raised is not None and ast.unparse(raised).partition("(")[0] != error.name:
                yield from _with(case, number, tree, raised, parse_expression(error.made).body, error)


def _failing(case: Case, error: _Error) -> Iterator[Case]:
    """The script with a short function of it that ends in this error, not in what it gives."""
    for number, tree in _trees(case):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and len(node.body) < _SHORT and isinstance(node.body[-1], ast.Return):
                yield from _with(case, number, tree, node.body[-1], _raise(error), error)


def _side_effect(node: ast.AST) -> ast.expr | None:
    """The error that a stand-in is told to raise."""
    told = node.value if isinstance(node, ast.keyword) and node.arg == "side_effect" else None
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith(".side_effect"):
        told = node.value
    name = ast.unparse(told).partition("(")[0] if told is not None else ""
    return told if name.endswith(("Error", "Exception")) else None


def _raise(error: _Error) -> ast.stmt:
    return parse_source(f"raise {error.made}").body[0]


def _trees(case: Case) -> Iterator[tuple[int, ast.Module]]:
    for number, text in enumerate(case.texts):
        try:
            yield number, parse_source(text)
        except UnreadableSourceError:
            continue


def _with(case: Case, number: int, tree: ast.Module, old: ast.AST, new: ast.AST, error: _Error) -> Iterator[Case]:
    changed = ast.unparse(Exchanging(old, new).visit(tree))
    texts = [*case.texts[:number], changed, *case.texts[number + 1 :]]
    known = {bound_by(pair) for pair in case.script.imports} if case.script is not None else set()
    needed = [error.home] if error.home is not None and error.home[1] not in known else []
    other = case.with_texts(texts, needed)
    yield from [other] if other is not None else []
