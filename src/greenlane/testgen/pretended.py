"""What a function calls beside itself, and can't call here, gets a stand-in: helpers of the project that only another
platform has, or whose answer closes the way to an open line. For where nothing else led there. Pure; for `search.py`.

    def native(fd):                              with patch("shop.win.mode_of", return_value=4) as mode_of:
        try:                                         result = native(1)
            mode = win.mode_of(fd)       ->      result, mode_of.call_args.args
        except OSError:                          patch("shop.win.mode_of", side_effect=OSError("abc"))
            return False
        return bool(mode & win.NATIVE)
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.suite.lines import nodes_of, parse_expression
from greenlane.testgen.circumstances import StandIn, World, world_of
from greenlane.testgen.classes import absolute_module
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import guards_of
from greenlane.testgen.inputs import Case, is_error
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.staged import staged_cases
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _A_WORLD, _MOST, _THINGS = 3, 12, 96, 5
_GIVEN, _NOT_NONE = ("1", "None"), "object()"
_OUTSIDE = frozenset(
    {"os", "subprocess", "shutil", "socket", "urllib", "ssl", "getpass", "platform", "msvcrt", "winreg", "ctypes",
     "fcntl", "termios", "select", "webbrowser", "pwd", "grp"}
)  # fmt: skip
_ERROR = re.compile(r"except \(?(\w+)")


class _Thing(msgspec.Struct, frozen=True):
    """Something that the module has from elsewhere, or that stands beside the function, and where it is found."""

    text: str
    target: str
    called: bool


def pretended(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """Calls that ran the function of an open line, with stand-ins for what it asks on the way there, and with the flags
    that it asks for."""
    constants = _numbers(source)
    rows: dict[tuple[Function, World], list[Case]] = {}
    for line, function, node in open_functions(source, left):
        if function.asynchronous:
            continue
        inside = range(node.body[0].lineno, function.last + 1)
        near = [o.case for o in observed if not o.lines.get(source.path, frozenset()).isdisjoint(inside)]
        near = sorted((case for case in near if case.script is None), key=lambda case: case.plainness)[:_CALLS]
        flags = world_of(source.tree, function).places if near else ()
        for bare in _worlds(source, node, line, constants) if near else ():
            world = msgspec.structs.replace(bare, places=flags)
            if (function, world) not in rows:
                rows[function, world] = staged_cases(near, world, unittest=unittest)[:_A_WORLD]
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


# -------------------------------------------------------------- what has to be


def _worlds(source: Source, node: FunctionNode, line: int, constants: Mapping[str, str]) -> Iterator[World]:
    """What the conditions before a line ask for; then with all that is called before it as well."""
    things = _things(source, node)
    given = {name: thing for thing in things.values() for name in _names_given(node, thing, line)}
    needs: dict[_Thing, tuple[str, ...]] = {}
    raised: list[str] = []
    for guard in guards_of(source.tree, line):
        if (error := _ERROR.match(guard.test)) is not None:
            raised.append(error[1])
            continue
        if guard.test.startswith("except "):
            continue
        for thing, values in _needed(parse_expression(guard.test).body, guard.met, things, given, constants):
            needs.setdefault(thing, values)
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and n.lineno <= line]
    texts = [ast.unparse(n.func) for n in sorted(calls, key=lambda n: (n.lineno, n.col_offset))]
    named = [things[text] for text in texts if text in things]
    others = {thing: _GIVEN for thing in named if thing not in needs and not thing.text[:1].isupper() and thing.called}
    if raised:
        tried = [thing for thing in others if is_error(raised[0])]
        for thing in tried[:_THINGS]:
            yield _world(node, needs | {thing: (f"!{raised[0]}('abc')",)})
        return
    if needs:
        yield _world(node, needs)
    if others and (needs or len(others) > 1 or source.gap.lines):
        yield _world(node, {**needs, **dict(list(others.items())[:_THINGS])})


def _world(node: FunctionNode, needs: Mapping[_Thing, tuple[str, ...]]) -> World:
    taken = {n.arg for n in ast.walk(node.args) if isinstance(n, ast.arg)} | {node.name, "result"}
    stand_ins = []
    for thing, values in list(needs.items())[:_THINGS]:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", thing.text.split(".")[-1]).strip("_").lower()
        name = f"fake_{name}" if name in taken else name
        stand_ins.append(StandIn(target=thing.target, name=name, gives=values, absent=True, called=thing.called))
    return World(outside=tuple(stand_ins))


def _needed(
    test: ast.expr, met: bool, things: Mapping[str, _Thing], given: Mapping[str, _Thing], constants: Mapping[str, str]
) -> Iterator[tuple[_Thing, tuple[str, ...]]]:
    """What these things have to give, so that a condition is met, or not."""
    if isinstance(test, ast.BoolOp):
        every = isinstance(test.op, ast.And) == met  # else one of them is enough
        for value in test.values if every else test.values[:1]:
            yield from _needed(value, met, things, given, constants)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _needed(test.operand, not met, things, given, constants)
    else:
        compared = isinstance(test, ast.Compare) and len(test.ops) == 1
        for part in ast.walk(test):
            text = (
                ast.unparse(part.func) if isinstance(part, ast.Call) else ast.unparse(part) if _is_named(part) else ""
            )
            thing = things.get(text) or given.get(text)
            if thing is None or (thing.text == text and thing.called != isinstance(part, ast.Call)):
                continue
            if compared and isinstance(test, ast.Compare):
                yield thing, _for_comparison(test, met, constants)
            else:
                numbers = [
                    constants[ast.unparse(n)] for n in ast.walk(test) if _is_named(n) and ast.unparse(n) in constants
                ]
                yield (
                    thing,
                    tuple(dict.fromkeys([*(numbers[:1] if met else ()), *(("True", "1") if met else ("False", "0"))])),
                )
            return


def _is_named(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute)


def _for_comparison(test: ast.Compare, met: bool, constants: Mapping[str, str]) -> tuple[str, ...]:
    alike = isinstance(test.ops[0], ast.Is | ast.Eq | ast.LtE | ast.GtE | ast.In) == met
    sides = [test.left, *test.comparators]
    values = [repr(n.value) for side in sides for n in ast.walk(side) if isinstance(n, ast.Constant)]
    values += [constants[ast.unparse(side)] for side in sides if ast.unparse(side) in constants]
    if alike and values:
        return tuple(dict.fromkeys(values))[:2]
    return (_NOT_NONE,) if "None" in values else ("-1", "1", "'other'")


# -------------------------------------------------------------- what there is


def _things(source: Source, node: FunctionNode) -> dict[str, _Thing]:
    """By its text what the function names of its module's functions, and of the project's other modules."""
    package = source.module if source.path.endswith("__init__.py") else source.module.rpartition(".")[0]
    top = source.module.partition(".")[0]
    own = {n.name for n in flat(source.tree.body) if isinstance(n, FunctionNode)} - {node.name}
    modules: dict[str, str] = {}
    for imported in (n for n in nodes_of(source.tree) if isinstance(n, ast.ImportFrom)):
        home = absolute_module(imported, package)
        for alias in imported.names if home is not None else ():
            name = alias.asname or alias.name
            if (home or "").partition(".")[0] == top or imported.level:
                modules[name] = f"{home}.{alias.name}" if home else alias.name
            if name[:1].islower() and _may_be_elsewhere(home or ""):
                own.add(name)
    called = {ast.unparse(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
    found: dict[str, _Thing] = {}
    for part in ast.walk(node):
        text = ast.unparse(part) if _is_named(part) else ""
        if isinstance(part, ast.Name) and text in own and text in called:
            found.setdefault(text, _Thing(text, f"{source.module}.{text}", called=True))
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in modules:
            target = f"{modules[part.value.id]}.{part.attr}"
            if isinstance(part.ctx, ast.Load) and not part.attr.isupper():
                found.setdefault(text, _Thing(text, target, called=text in called))
    return found


def _may_be_elsewhere(module: str) -> bool:
    """Whether what it offers may act outside of the process, or not be there: of the standard library little does."""
    top = module.partition(".")[0]
    return top not in sys.stdlib_module_names or top in _OUTSIDE


def flat(body: Sequence[ast.stmt], *, handled: bool = True) -> Iterator[ast.stmt]:
    """The statements of a module, with those that stand under a condition or in a `try`; `handled`: or in what handles
    its errors."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            handlers = [n for h in getattr(node, "handlers", []) for n in h.body] if handled else []
            yield from flat([*node.body, *node.orelse, *handlers], handled=handled)


def _names_given(node: FunctionNode, thing: _Thing, line: int) -> Iterator[str]:
    """Local names for what a thing gives."""
    for part in ast.walk(node):
        given = part.value if isinstance(part, ast.Assign) and part.lineno <= line else None
        if isinstance(part, ast.Assign) and isinstance(given, ast.Call) and ast.unparse(given.func) == thing.text:
            yield from (target.id for target in part.targets if isinstance(target, ast.Name))


def _numbers(source: Source) -> dict[str, str]:
    """Constants that the module knows by name, as literals."""
    found: dict[str, str] = {}
    for node in source.whole.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            found |= {t.id: repr(node.value.value) for t in node.targets if isinstance(t, ast.Name)}
    return found
