"""Helpers of tests that assert something themselves, written out where a test calls them. Pure; for `scripts.py`.

    def check(text, expected=None):
        found = parse(text)                            found = parse("a b")
        assert len(found) == 1                         assert len(found) == 1
        assert found[0].text == (expected or text)     assert found[0].text == "a b"

    def test_names():
        check("a b")                       ->          what stands on the right

What a test looks at through such a helper would otherwise be nothing: it gives nothing back.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence, Set

import msgspec

from greenlane.testgen.asserted import as_block, asserted, asserts_itself, asserts_within, self_look
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.exchanged import Exchanging, Filling, Renaming, is_read, without_imports
from greenlane.testgen.folding import changed_in_place, fold, given_back, with_defaults
from greenlane.testgen.inputs import Import
from greenlane.testgen.resolved import Helper, Helpers
from greenlane.testgen.testmodules import ReadTests, TestModule, bound_at_top

_MAX_BODY, _MAX_SEEN_THROUGH = 14, 4
_MAX_SHORT = 16
_MAX_DEEP = 3
_SELF = "self"
_MARK = "greenlane_written_out"


def is_written_out(node: ast.stmt) -> bool:
    """Whether it comes from a helper."""
    return bool(getattr(node, _MARK, False))


def given_directly(kept: Sequence[ast.stmt], look: ast.expr) -> tuple[list[ast.stmt], ast.expr]:
    """What a helper was given, where it is read once, in its place: `parse("a b")` for `text = "a b"` and
    `parse(text)`."""
    left, rest = list[ast.stmt](), list(kept)
    while rest:
        node = rest.pop(0)
        name = node.targets[0] if isinstance(node, ast.Assign) and is_written_out(node) else None
        if isinstance(node, ast.Assign) and isinstance(name, ast.Name) and not _is_made(node.value):
            read = [n for s in (*left, *rest, look) for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == name.id]
            if len(read) == 1 and is_read(read[0]):
                filling = Filling({name.id: node.value}, {})
                rest = [_marked_like(filling.visit(copy.deepcopy(one)), one) for one in rest]
                look = filling.visit(copy.deepcopy(look))
                continue
        left.append(node)
    return left, look


class _Around(msgspec.Struct, frozen=True):
    """What stands around a statement: the class (empty: none), functions of the test, names that it stores."""

    owner: str
    inner: Mapping[str, ast.FunctionDef]
    stored: Set[str]
    texts: dict[str, ast.Constant] = msgspec.field(default_factory=dict)
    """What names of the test stand for just then, where that is a literal."""

    def note(self, node: ast.stmt) -> None:
        """What a statement binds."""
        for name in [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not is_read(n)]:
            self.texts.pop(name, None)
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
            self.texts[target.id] = node.value


class Checkers:
    """The asserting helpers that tests of one file call. `borrowed` are names that written-out helpers of other files
    need, with what they are imported as."""

    def __init__(self, own: TestModule, read: ReadTests) -> None:
        self._own, self._helpers = own, Helpers(own, read)
        self._functions = {n.name: n for n in own.parsed.body if isinstance(n, ast.FunctionDef)}
        self._classes = {n.name: n for n in own.parsed.body if isinstance(n, ast.ClassDef)}
        self.borrowed: dict[str, Import] = {}

    def written_out(self, test: FunctionNode, owner: str) -> FunctionNode:
        """The test with the statements of such helpers in place of its calls of them, where that means the same."""
        test = self._with_short_methods(test, owner)
        inner = {n.name: n for n in test.body if isinstance(n, ast.FunctionDef)}
        stored = {n.id for n in ast.walk(test) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        stored -= {n.id for f in inner.values() for n in ast.walk(f) if isinstance(n, ast.Name)}
        body = self._expanded(test.body, _Around(owner, inner, stored), _MAX_DEEP)
        return test if body == test.body else self._with_short_methods(_with_body(test, body), owner)

    def _expanded(self, body: Sequence[ast.stmt], around: _Around, deep: int) -> list[ast.stmt]:
        """Statements with what such helpers do, and the helpers that these call, in place of their calls."""
        found: list[ast.stmt] = []
        for node in map(as_block, body):
            done = self._done_by(node, around) if deep else None
            around.note(node)
            if done is not None:
                known, own = {**self._own.imports, **self.borrowed}, self._functions.keys() | self._classes.keys()
                done, more = without_imports(done, known, own)
                self.borrowed |= more
                bound = {n.id for s in done for n in ast.walk(s) if isinstance(n, ast.Name) and not is_read(n)}
                inside = msgspec.structs.replace(around, stored=around.stored | bound)
                found += self._expanded(done, inside, deep - 1)
            elif isinstance(node, ast.With):
                within = self._expanded(node.body, around, deep)
                found.append(node if within == node.body else _marked_like(_with_statements(node, within), node))
            else:
                found.append(node)
        return found

    def _done_by(self, node: ast.stmt, around: _Around) -> list[ast.stmt] | None:
        """What a statement does that calls a helper; None for any other."""
        node = self._helpers.with_all_given(node)
        call, look = node.value if isinstance(node, ast.Expr) else None, _look_of(node)
        helper = self._helpers.of(call, around.owner, around.inner) if isinstance(call, ast.Call) else None
        asked = self._helpers.of(look, around.owner, around.inner) if isinstance(look, ast.Call) else None
        if helper is not None and isinstance(call, ast.Call) and asserts_within(helper.node):
            return self._body_of(helper, call, around)[0]
        if asked is not None and isinstance(look, ast.Call):
            return self._seen_through(asked, look, node, around)
        called = node.value if isinstance(node, ast.Assign | ast.Expr) else None
        method = self._helpers.of(called, around.owner, around.inner) if isinstance(called, ast.Call) else None
        if method is not None and method.method and isinstance(called, ast.Call):  # a function comes along as it is
            return self._seen_through(method, called, node, around)
        return self._with_parts_done(node, around)

    def _with_parts_done(self, node: ast.stmt, around: _Around) -> list[ast.stmt] | None:
        """A statement with a part in it that a short method gives: `run(text, self.settings("a"))`."""
        plain = isinstance(node, ast.Assign | ast.Expr | ast.Assert)
        own = f"{_SELF}."
        for call in ast.walk(node) if plain else ():
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith(own):
                helper = self._helpers.of(call, around.owner, around.inner)
                if helper is not None and not asserts_within(helper.node):
                    return self._seen_through(helper, call, node, around)
        return None

    def _with_short_methods(self, test: FunctionNode, owner: str) -> FunctionNode:
        """The test with what methods of its class give that do nothing but give it: `self.dedent("a")`."""
        for _ in range(_MAX_SHORT if owner in self._classes else 0):
            pairs = ((call, self._given_by(call, owner)) for call in ast.walk(test) if isinstance(call, ast.Call))
            found = next(((call, given) for call, given in pairs if given is not None), None)
            if found is None:
                break
            test = Exchanging(*found).visit(test)
        return test

    def _given_by(self, call: ast.Call, owner: str) -> ast.expr | None:
        own = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == _SELF
        helper = self._helpers.of(call, owner, {}) if own else None
        body = [n for n in helper.node.body if not _is_docstring(n)] if helper is not None else []
        if helper is None or len(body) != 1 or not isinstance(body[0], ast.Return):
            return None
        done, given = self._body_of(helper, call, _Around(owner, {}, frozenset()))
        return ast.fix_missing_locations(ast.copy_location(given, call)) if done == [] and given is not None else None

    def _seen_through(self, helper: Helper, call: ast.Call, node: ast.stmt, around: _Around) -> list[ast.stmt] | None:
        """An assertion on what a short helper gives, as one on what that does; None for any other helper."""
        done, given = self._body_of(helper, call, around)
        if done is None or len(done) > _MAX_SEEN_THROUGH:
            return None
        if isinstance(node, ast.Expr) and node.value is call and (given is None or isinstance(given, ast.Name)):
            return done or None  # it is made for what it does
        if given is None:
            return None
        replaced: ast.stmt = Exchanging(call, given).visit(node)
        return [*done, ast.fix_missing_locations(replaced)]

    # ------------------------------------------------------------------ written out

    def _body_of(
        self, helper: Helper, call: ast.Call, around: _Around
    ) -> tuple[list[ast.stmt] | None, ast.expr | None]:
        """The helper's statements with what the call gives, and what it returns at their end; no statements where they
        could mean something else here."""
        given = _given(helper, call)
        if given is None or not self._may_borrow(helper, set(given)):
            return None, None
        stored = around.stored
        given = {name: around.texts.get(getattr(value, "id", ""), value) for name, value in given.items()}
        plain_body = [n for n in helper.node.body if not _is_docstring(n) and not _is_print(n)]
        body, given = _renamed(*with_defaults(plain_body, given), stored)
        rebound = {n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and not is_read(n)}
        body = [_found_side(n, given.keys() - rebound) for n in body]
        counts = [n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name)]
        changed = rebound | {name for name in changed_in_place(body) if isinstance(given.get(name), ast.Dict)}
        plain = {
            name: value
            for name, value in given.items()
            if name not in changed and (_is_short(value) or counts.count(name) < 2)
        }
        filling = Filling(plain, helper.constants if helper.method else {})
        done = fold([filling.visit(copy.deepcopy(node)) for node in body])
        done, returned = given_back(done, stored)
        used = {
            n.id for s in (*done, *([returned] if returned else [])) for n in ast.walk(s) if isinstance(n, ast.Name)
        }
        bound = (rebound | (given.keys() - plain.keys())) & used
        leaves = any(isinstance(n, ast.Return | ast.Yield | ast.Await | ast.Global) for s in done for n in ast.walk(s))
        if leaves or bound & stored or len(done) > _MAX_BODY:
            return None, None
        assigned = [_assigned(name, value) for name, value in given.items() if name in bound and name not in plain]
        made = [*assigned, *done]
        # one that asserts deep inside only is looked at by its calls: they are all there is
        looked_at = asserts_itself(helper.node.body) or not asserts_within(helper.node)
        for node in made:
            ast.fix_missing_locations(ast.copy_location(node, call))
            setattr(node, _MARK, looked_at or any(node is one for one in assigned))
        return made, returned

    def _may_borrow(self, helper: Helper, params: set[str]) -> bool:
        """Whether what a helper of another file names means here what it means there; takes note of it."""
        if helper.home is None:
            return True
        names = {n.id for n in ast.walk(helper.node) if isinstance(n, ast.Name)} - params
        there = {name: (helper.home.name, name) for name in bound_at_top(helper.home.parsed) if helper.home.name}
        needed = {name: pair for name, pair in {**there, **helper.home.imports}.items() if name in names}
        known = {**self._own.imports, **self.borrowed}
        own = self._functions.keys() | self._classes.keys()
        if any(known.get(name, pair) != pair or name in own for name, pair in needed.items()):
            return False
        self.borrowed |= needed
        return True


def _look_of(node: ast.stmt) -> ast.expr | None:
    """What an assertion looks at."""
    if isinstance(node, ast.Assert):
        return asserted(node.test)
    return self_look(node.value) if isinstance(node, ast.Expr) else None


def _is_short(value: ast.expr) -> bool:
    """A name, or a literal that holds nothing: it may be read in several places."""
    if isinstance(value, ast.Constant):
        return not isinstance(value.value, str | bytes) or not value.value
    return isinstance(value, ast.Name) or (isinstance(value, ast.Dict | ast.Tuple) and not list(_parts(value)))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _renamed(
    body: Sequence[ast.stmt], given: Mapping[str, ast.expr], stored: Set[str]
) -> tuple[list[ast.stmt], dict[str, ast.expr]]:
    """A helper's statements, and what it is given, without names that the test uses for something else."""
    names = {n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and not is_read(n)} | given.keys()
    others = {name: f"{name}_2" for name in names & stored}
    if not others or names & set(others.values()) or stored & set(others.values()):
        return list(body), dict(given)
    renamed = [Renaming(others).visit(copy.deepcopy(node)) for node in body]
    return renamed, {others.get(name, name): value for name, value in given.items()}


def _is_print(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func) == "print"


def _with_statements(node: ast.With, body: list[ast.stmt]) -> ast.stmt:
    return ast.copy_location(ast.With(items=node.items, body=body), node)


def _found_side(node: ast.stmt, params: Set[str]) -> ast.stmt:
    """`self.assertEqual(found, expected)` as an assertion on `found` alone, where the other is what was given."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) < 2 or self_look(call) is None:
        return node
    named = [{n.id for n in ast.walk(side) if isinstance(n, ast.Name)} for side in call.args[:2]]
    given = [bool(names) and names <= params for names in named]
    if given[0] == given[1]:
        return node
    return ast.copy_location(ast.Assert(test=call.args[given.index(False)], msg=None), node)


def _is_made(value: ast.expr) -> bool:
    """Whether it takes a call: that is made where it stands."""
    return any(isinstance(n, ast.Call | ast.Await) for n in ast.walk(value))


def _marked_like(node: ast.stmt, other: ast.stmt) -> ast.stmt:
    setattr(node, _MARK, is_written_out(other))
    return node


def _parts(value: ast.expr) -> Sequence[ast.AST]:
    return [n for n in ast.iter_child_nodes(value) if isinstance(n, ast.expr)]


def _given(helper: Helper, call: ast.Call) -> dict[str, ast.expr] | None:
    """By parameter what the call gives it, or its default; None where that can't be told."""
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return None
    arguments = helper.node.args
    params = [*arguments.posonlyargs, *arguments.args][1 if helper.method and not helper.node.decorator_list else 0 :]
    names = [param.arg for param in params]
    found: dict[str, ast.expr] = dict(zip(names, call.args, strict=False))
    more = call.args[len(names) :]
    keywords = {keyword.arg or "": keyword.value for keyword in call.keywords}
    known = {*names, *(param.arg for param in arguments.kwonlyargs)}
    if keywords.keys() & found.keys() or (more and arguments.vararg is None):
        return None
    others = {name: value for name, value in keywords.items() if name not in known}
    if others and arguments.kwarg is None:
        return None
    found |= {name: value for name, value in keywords.items() if name in known}
    defaults = dict(zip(names[::-1], arguments.defaults[::-1], strict=False))
    defaults |= {p.arg: d for p, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None}
    found = defaults | found
    if arguments.vararg is not None:
        found[arguments.vararg.arg] = ast.Tuple(elts=list(more), ctx=ast.Load())
    if arguments.kwarg is not None:
        keys: list[ast.expr | None] = [ast.Constant(value=name) for name in others]
        found[arguments.kwarg.arg] = ast.Dict(keys=keys, values=list(others.values()))
    return found if known <= found.keys() else None


def _assigned(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=copy.deepcopy(value))


def _with_body(test: FunctionNode, body: list[ast.stmt]) -> FunctionNode:
    made = copy.copy(test)
    made.body = body
    return made
