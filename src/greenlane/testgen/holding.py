"""An object of the test's own class in place of `self`, where methods of that class are too long, or too entangled, to
be written out. Pure; for `scripts.py`.

    class TestTill(Base):                          case = test_till.TestTill()
        def setUp(self): ...                       case.setUp()
        def tearDown(self): ...           ->       try:
        def test_sold(self):                           case.fill(3)
            self.fill(3)                               (a look at `case.till.sold`)
            assert self.till.sold == 3             finally:
                                                       case.tearDown()
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from typing import TypeGuard, TypeVar

import msgspec

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.exchanged import Renaming
from greenlane.testgen.inputs import Import
from greenlane.testgen.opened import closing

AnyNode = TypeVar("AnyNode", bound=ast.AST)
_SELF = "self"
_NAMES = ("case", "own_case")
_BEFORE = ("setUpClass", "setup_class", "setUp", "setup_method")
_AFTER = ("tearDown", "teardown_method", "doCleanups", "tearDownClass", "teardown_class", "doClassCleanups")
_CLEANING = {"addCleanup": "doCleanups", "enterContext": "doCleanups", "addClassCleanup": "doClassCleanups",
             "enterClassContext": "doClassCleanups"}  # fmt: skip
_OF_TEST = frozenset({"_testMethodName", "id"})
"""What an object of a `TestCase` says of the test that it is made for."""
_TEST_CASE = "TestCase"
_PLAIN_BASES = frozenset({"object", _TEST_CASE})


class Held(msgspec.Struct, frozen=True):
    """A test that is given no `self`, what binds that first, what it is to be called in the end, and what is imported,
    with the name that this binds."""

    test: FunctionNode
    first: tuple[ast.stmt, ...]
    name: str
    imports: tuple[str, Import]


def held(test: FunctionNode, line: Sequence[ast.ClassDef], module: str) -> Held | None:
    """A method of a class, as if it were a function that makes an object of the class; `line` is that class after those
    that it inherits from, `module` what its file is imported as. None where pytest gives something to its tests, where
    it awaits, and where its base is unknown."""
    package, _, file = module.rpartition(".")
    known = {one.name for one in line}
    bases = {ast.unparse(base).split(".")[-1] for one in line for base in one.bases}
    used = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
    name = next((one for one in _NAMES if one not in used), "")
    own = test.args.args[0].arg if test.args.args else ""
    if not line or not name or not file or file in used or own != _SELF or bases - known - _PLAIN_BASES:
        return None
    if isinstance(test, ast.AsyncFunctionDef) or any(map(_is_given_something, _members(line))):
        return None
    members = {member.name: member for member in _members(line)}
    words = {n.attr for member in members.values() for n in ast.walk(member) if isinstance(n, ast.Attribute)}
    ends = {_CLEANING[word] for word in words & _CLEANING.keys()} | members.keys()
    after = [_called(end, members.get(end)) for end in _AFTER if end in ends]
    own_words = {n.attr for member in members.values() for n in ast.walk(member) if _is_own(n)}
    told = repr(test.name) if own_words & _OF_TEST and _TEST_CASE in bases else ""
    first = [_stated(f"{_SELF} = {file}.{line[-1].name}({told})")]
    first += [_called(begin, members[begin]) for begin in _BEFORE if begin in members]
    first += [closing(after)] if after else []
    bare = copy.copy(test)
    bare.args = copy.copy(test.args)
    bare.args.args = test.args.args[1:]
    return Held(bare, tuple(first), name, (file, (package, file) if package else (file, "")))


def plainly(node: AnyNode, name: str) -> AnyNode:
    """A copy with this name in place of `self`."""
    seen: AnyNode = Renaming({_SELF: name}).visit(copy.deepcopy(node))
    return seen


def _members(line: Sequence[ast.ClassDef]) -> Iterator[FunctionNode]:
    yield from (member for one in line for member in one.body if isinstance(member, FunctionNode))


def _is_own(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == _SELF


def _is_given_something(member: FunctionNode) -> bool:
    """Whether it is a fixture that all tests of the class are given, or a set-up that awaits."""
    marks = [ast.unparse(one) for one in member.decorator_list]
    around = member.name in {*_BEFORE, *_AFTER} and isinstance(member, ast.AsyncFunctionDef)
    return around or any("fixture" in mark and "autouse=True" in mark for mark in marks)


def _called(method: str, member: FunctionNode | None) -> ast.stmt:
    """`setup_method(self, method)` is told of no method."""
    more = len(member.args.args) - len(member.args.defaults) - 1 if member is not None else 0
    return _stated(f"{_SELF}.{method}({', '.join(['None'] * max(more, 0))})")


def _stated(text: str) -> ast.stmt:
    return parse_source(text).body[0]
