"""Stand-ins for what an object is given later: an attribute that the code asks for, and of which it then asks for
methods, is set to one, and what that was given is looked at. Pure; for `search.py`.

    class Store:                                     store = Store()
        async def add(self, row):                    watcher = AsyncMock()
            self.rows.append(row)            ->      store.watcher = watcher
            if self.watcher:                         await store.add("a")
                await self.watcher.told(row)         watcher.told.await_args.args
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, nodes_of, parse_expression, parse_source
from greenlane.testgen.awaited import NEEDS as AWAITING_NEEDS
from greenlane.testgen.awaited import awaits, laid_open, put_together
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import guards_of
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Script
from greenlane.testgen.slicing import unawaited
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.staged import as_script, before_and_call_of
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn
from greenlane.testgen.uses import AWAITED, STAND_IN

_CALLS, _HOLDERS, _MEMBERS, _MOST = 8, 2, 3, 160
_HOME = "unittest.mock"
_TOLD_BY = frozenset({"getattr", "hasattr"})


class _StandIn(msgspec.Struct, frozen=True):
    """What is put in the place of an attribute, how it is made, and the look at what it was given."""

    attribute: str
    made: str
    look: str

    @property
    def kind(self) -> str:
        return self.made.partition("(")[0]


def with_stand_ins(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What came to a question for such an attribute before something open, with a stand-in for it; scripts and what is
    plainest first."""
    rows: dict[tuple[Function, _StandIn], list[Case]] = {}
    for line, function, node in open_functions(source, left):
        if not function.owner:
            continue
        for name, place in _asked(source.tree, line):
            near = [o.case for o in observed if place in o.lines.get(source.path, frozenset())]
            near.sort(key=lambda case: case.plainness)
            for stand_in in _stand_ins(node, name, line):
                if (function, stand_in) not in rows:
                    made = (m for case in near for one in _both_ways(case) for m in _with_stand_in(one, stand_in))
                    rows[function, stand_in] = list(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _both_ways(case: Case) -> tuple[Case, ...]:
    """Also without the calls that a test happened to make before it."""
    return (msgspec.structs.replace(case, history=()), case) if case.history else (case,)


# -------------------------------------------------------------- what is asked for


def _asked(tree: ast.Module, line: int) -> Iterator[tuple[str, int]]:
    """Public attributes that have to be there for a line to run, with the lines of the conditions that ask for them;
    also one that the line itself asks for."""
    tests = [(guard.test, guard.line) for guard in guards_of(tree, line) if not guard.test.startswith("except ")]
    tests += [(ast.unparse(n.test), line) for n in nodes_of(tree) if isinstance(n, ast.If) and n.test.lineno == line]
    seen: set[str] = set()
    for test, place in tests:
        for part in _truths(parse_expression(test).body):
            own = isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self"
            name = part.attr if isinstance(part, ast.Attribute) and own else ""
            if name and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, place


def _truths(test: ast.expr) -> Iterator[ast.expr]:
    """What a condition asks to be there: `a` and `b` of `a and b is not None`."""
    if isinstance(test, ast.BoolOp):
        yield from (part for value in test.values for part in _truths(value))
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _truths(test.operand)
    elif isinstance(test, ast.Compare) and ast.unparse(test.comparators[0]) == "None":
        yield test.left
    else:
        yield test


def _stand_ins(node: FunctionNode, attribute: str, line: int) -> list[_StandIn]:
    """Stand-ins for an attribute of which a function asks for methods: of each kind that it tells apart, with a look at
    those that are named nearest to the line."""
    members = sorted(_members(node, attribute), key=lambda one: (abs(one[1] - line), one))
    names = list(dict.fromkeys(name for name, _, _ in members))[:_MEMBERS]
    asked = {name for name, _, by_name in members if by_name}
    waits = isinstance(node, ast.AsyncFunctionDef)
    found = []
    for name in names:
        kinds = [(AWAITED, "await_args"), (STAND_IN, "call_args")] if waits else [(STAND_IN, "call_args")]
        found += [_StandIn(attribute, f"{kind}()", f".{name}.{given}.args") for kind, given in kinds]
    for name in names if asked else ():  # one that has this method alone
        found.append(_StandIn(attribute, f"{STAND_IN}(spec=[{name!r}])", f".{name}.called"))
    return found


def _members(node: FunctionNode, attribute: str) -> Iterator[tuple[str, int, bool]]:
    """Public names that are asked of an attribute, or of a variable that it is given to, with the line, and whether it
    is asked whether there is such a thing."""
    own = {f"self.{attribute}"}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign) and ast.unparse(part.value) in own:
            own |= {target.id for target in part.targets if isinstance(target, ast.Name)}
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load) and ast.unparse(part.value) in own:
            if not part.attr.startswith("_"):
                yield part.attr, part.lineno, False
        elif isinstance(part, ast.Call) and getattr(part.func, "id", "") in _TOLD_BY and len(part.args) > 1:
            name = part.args[1].value if isinstance(part.args[1], ast.Constant) else None
            if isinstance(name, str) and name.isidentifier() and ast.unparse(part.args[0]) in own:
                yield name, part.lineno, True


# -------------------------------------------------------------- scripts


def _with_stand_in(case: Case, stand_in: _StandIn) -> Iterator[Case]:
    """The case with a stand-in set on an object that it makes, once that is made, and looked at in the end."""
    script = _as_script(case)
    try:
        before, inner, done = laid_open(
            [n for text in script.setup for n in parse_source(text).body], _read(script.look)
        )
    except (UnreadableSourceError, ValueError):
        return
    name = stand_in.attribute if not re.search(rf"\b{stand_in.attribute}\b", script.text) else _other(stand_in)
    for place, holder in _holders(inner, done):
        given = parse_source(f"{name} = {stand_in.made}\n{holder}.{stand_in.attribute} = {name}").body
        inside: list[ast.stmt] = [*inner[: place + 1], *given, *inner[place + 1 :], done]
        look = parse_expression(f"{name}{stand_in.look}").body
        imports = script.imports | {(_HOME, stand_in.kind)}
        if awaits(inside) and script.marks is None:
            made, look = put_together(inside, look)
            inside, imports = [made], imports | {AWAITING_NEEDS}
        texts = tuple(ast.unparse(node) for node in (*before, *inside))
        if all(len(text) <= MAX_STATEMENT for text in texts):
            other = msgspec.structs.replace(script, imports=imports, setup=texts, look=ast.unparse(look))
            yield case.with_script(other)


def _other(stand_in: _StandIn) -> str:
    return f"fake_{stand_in.attribute}"


def _as_script(case: Case) -> Script:
    """A case as a script that gives its object a name, and awaits what a coroutine gives."""
    if case.script is not None or not case.receiver or not case.receiver.endswith(")"):
        return as_script(case)
    holder = (case.entry.owner or "receiver").strip("_").lower()
    setup, look = before_and_call_of(holder, case)
    waits = "await " if case.entry.asynchronous else ""
    return Script(imports=case.imports, setup=setup, look=f"{waits}{look}")


def _read(look: str) -> ast.stmt:
    (node,) = parse_source(look).body
    return node


def _holders(inner: Sequence[ast.stmt], done: ast.stmt) -> list[tuple[int, str]]:
    """The statements that give a name to a new object of which something is asked later, those that name its class
    first."""
    found: list[tuple[bool, int, str]] = []
    for place, node in enumerate(inner):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        value = unawaited(node.value) if isinstance(node, ast.Assign) else None
        if not isinstance(target, ast.Name) or not isinstance(value, ast.Call):
            continue
        after = (part for other in (*inner[place + 1 :], done) for part in ast.walk(other))
        if any(isinstance(n, ast.Attribute) and ast.unparse(n.value) == target.id for n in after):
            named = ast.unparse(value.func).split(".")[-1].lstrip("_")
            found.append((not named[:1].isupper(), place, target.id))
    return [(place, name) for _, place, name in sorted(found)[:_HOLDERS]]
