"""Calls on an object that another of its methods made ready: what a condition before something open asks of `self` is
set by that method, and no test calls the two one after the other. Pure; for `search.py`.

    class Entry:
        def source(self, url=None):              entry = Entry()
            if url is not None:                  entry.source("abc")
                self._source = url       ->      entry.render()
        def render(self):
            if self._source: ...
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence, Set

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.choose import taste
from greenlane.testgen.code import Function, FunctionNode, Param, enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import guards_of
from greenlane.testgen.guesses import guess_options, guess_values, needs_of
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script, Step, bound_by
from greenlane.testgen.siblings import bases_of, family_of
from greenlane.testgen.source import Source
from greenlane.testgen.staged import before_and_call_of
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn
from greenlane.testgen.uses import nodes_by_line, own_attributes

_NEAR, _BASES, _WAYS, _GUESSES, _HOLDERS, _MOST = 2, 6, 3, 3, 3, 120
_TRIED = 60
"""Calls that are looked at for one that has room for another before it."""
_CHANGING = frozenset({"add", "append", "appendleft", "extend", "insert", "push", "setdefault", "update"})
_TAKING = frozenset({"clear", "discard", "pop", "popitem", "popleft", "remove"})


class Readying(msgspec.Struct, frozen=True):
    """A call of `name` that makes an object ready; `is_set`: what it is given is assigned to it."""

    name: str
    arguments: tuple[tuple[str | None, str], ...]
    imports: frozenset[Import] = frozenset()
    fixtures: frozenset[str] = frozenset()
    is_set: bool = False

    def on(self, holder: str) -> str:
        """The statement for an object of this name."""
        if self.is_set:
            return f"{holder}.{self.name} = {self.arguments[0][1]}"
        return f"{holder}.{self.name}({', '.join(f'{n}={text}' if n else text for n, text in self.arguments)})"


def readied(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What ran a condition before something open, with a call put in between that sets what it asks for: with what is
    known to get there, else with guesses; the plainest first."""
    rows: dict[tuple[str, str], list[Case]] = {}
    nodes = nodes_by_line(source.tree)
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        if function is None or function.owner is None or function.first not in nodes:
            continue
        family = family_of(source.tree, function.owner)
        members = [f for f in source.functions if f.owner in (*family, *bases_of(source.tree, function.owner))]
        for name, place in _asked(source.tree, nodes, members, function, line):
            near = [
                o for o in observed if place in o.lines.get(source.path, frozenset()) and _has_room(o.case, members)
            ]
            near = sorted(near, key=taste, reverse=True)[:_TRIED]
            for writer, lines in _writers(nodes, members, name, function):
                ways = list(_ways(observed, source.path, writer, lines, nodes[writer.first]))
                rooms = ([other for way in ways for other in _with_call(o.case, way, members)] for o in near)
                made = itertools.chain.from_iterable(itertools.islice(filter(None, rooms), _BASES))
                key = name, writer.qualified
                rows.setdefault(key, []).extend(one for one in made if len(rows.get(key, ())) < _MOST)
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


# ------------------------------------------------------------------ what is asked, and who sets it


def _asked(
    tree: ast.Module, nodes: dict[int, FunctionNode], members: Sequence[Function], function: Function, line: int
) -> Iterator[tuple[str, int]]:
    """What the conditions right before a line, or on it, ask of the object, with the lines of these: also by a local
    name for it, and by a property or a short method that reads it; and what is taken away on the line."""
    guards = [guard for guard in guards_of(tree, line) if not guard.test.startswith("except ")][-_NEAR:]
    tests: list[tuple[ast.AST, int]] = [(parse_expression(guard.test), guard.line) for guard in guards]
    node = nodes[function.first]
    tests += [(n.test, line) for n in ast.walk(node) if isinstance(n, ast.If | ast.While) and n.test.lineno == line]
    tests += [(held, line) for held in _taken_from(node, line)]
    seen: set[tuple[str, int]] = set()
    for test, place in tests:
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
        parts = [test, *(value for name in sorted(names) for value in _bound(node, name, place))]
        read = [name for part in parts for name in own_attributes(part)]
        inside = [f for f in members if f.name in read and f.first in nodes and f.first != function.first]
        read += [name for f in inside if f.last - f.first < 12 for name in own_attributes(nodes[f.first])]
        for name in dict.fromkeys(read):
            if (name, place) not in seen:
                seen.add((name, place))
                yield name, place


def _taken_from(node: FunctionNode, line: int) -> Iterator[ast.expr]:
    """What something is removed from there: `self.rows.clear()`, `del self.rows[0]`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.lineno == line:
            yield from [part.func.value] if part.func.attr in _TAKING else []
        elif isinstance(part, ast.Delete) and part.lineno == line:
            yield from (target.value for target in part.targets if isinstance(target, ast.Subscript))


def _bound(node: FunctionNode, name: str, before: int) -> Iterator[ast.expr]:
    """What a local name stands for, up to a line."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            targets, value = part.targets, part.value
        elif isinstance(part, ast.AnnAssign | ast.NamedExpr) and part.value is not None:
            targets, value = [part.target], part.value
        elif isinstance(part, ast.For):
            targets, value = [part.target], part.iter
        else:
            continue
        if value.lineno <= before and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            yield value


def _writers(
    nodes: dict[int, FunctionNode], members: Sequence[Function], name: str, asking: Function
) -> Iterator[tuple[Function, frozenset[int]]]:
    """The methods that set an attribute, or add to it, once there is an object, with the lines where they do."""
    for function in members:
        plain = function.kind == "method" and not function.private and not function.asynchronous
        if not plain or function.first == asking.first or function.name.startswith("__"):
            continue
        node = nodes.get(function.first)
        lines = frozenset(_lines_setting(node, name)) if node is not None else frozenset[int]()
        through = [f for f in members if f.private and f.name in function.calls and f.first in nodes]
        lines |= {line for f in through for line in _lines_setting(nodes[f.first], name)}
        if lines:
            yield function, lines


def _lines_setting(node: FunctionNode, name: str) -> Iterator[int]:
    for part in ast.walk(node):
        targets: list[ast.expr] = part.targets if isinstance(part, ast.Assign) else []
        if isinstance(part, ast.AugAssign | ast.AnnAssign):
            targets = [part.target]
        for target in (t for one in targets for t in (one.elts if isinstance(one, ast.Tuple) else [one])):
            held = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(held, ast.Attribute) and ast.unparse(held) == f"self.{name}":
                yield part.lineno  # type: ignore[attr-defined]  # a statement
        changing = part.func if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) else None
        if changing is not None and changing.attr in _CHANGING and ast.unparse(changing.value) == f"self.{name}":
            yield changing.lineno


# ------------------------------------------------------------------ the call that sets it


def _ways(
    observed: Sequence[Observed], path: str, writer: Function, lines: Set[int], node: FunctionNode
) -> list[Readying]:
    """Calls of it that were seen to get there, one of each text; guesses where there are none."""
    if any(ast.unparse(one).endswith(".setter") for one in node.decorator_list):
        values = guess_values(writer.params[0], writer)[:_GUESSES] if writer.params else []
        return [_guessed(writer, ((None, value),), is_set=True) for value in values]
    there = [o for o in observed if lines & o.lines.get(path, frozenset())]
    there = [o for o in there if o.outcome.called < 0 and not o.outcome.decorated]  # what it gave was called as well
    found: dict[str, Readying] = {}
    for one in sorted(there, key=taste, reverse=True):
        way = _seen(one.case, writer)
        if way is not None and len(found) < _WAYS:
            found.setdefault(way.on("it"), way)
    return list(found.values()) or [*_guesses(writer)]


def _seen(case: Case, writer: Function) -> Readying | None:
    """How a case calls the method, if that says the same elsewhere."""
    if case.script is None:
        own = case.entry == writer and case.receiver is not None
        return Readying(writer.name, case.arguments, case.imports, case.fixtures) if own else None
    imports = {bound_by(pair): pair for pair in case.script.imports}
    for text in (case.script.look, *reversed(case.script.setup)):
        for call in _calls(text):
            if not isinstance(call.func, ast.Attribute) or call.func.attr != writer.name:
                continue
            parts = [*call.args, *(keyword.value for keyword in call.keywords)]
            names = {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}
            named = all(keyword.arg for keyword in call.keywords)
            if named and not any(isinstance(part, ast.Starred) for part in parts) and names <= imports.keys():
                given = [(None, ast.unparse(value)) for value in call.args]
                more = [(keyword.arg, ast.unparse(keyword.value)) for keyword in call.keywords]
                return Readying(writer.name, (*given, *more), frozenset(imports[name] for name in names))
    return None


def _calls(text: str) -> list[ast.Call]:
    try:
        return [node for node in ast.walk(parse_source(text)) if isinstance(node, ast.Call)]
    except UnreadableSourceError:
        return []


def _guesses(writer: Function) -> Iterator[Readying]:
    """With guesses for all that it takes, then for what it demands."""
    demanded = [param for param in writer.params if param.default is None]
    for params in [list(writer.params), demanded] if len(writer.params) > len(demanded) else [demanded]:
        pools = [_values(param, writer) for param in params]
        for number in range(min(_GUESSES, max(map(len, pools), default=1))):
            named = [param.name if param.keyword_only or param.default is not None else None for param in params]
            values = [pool[min(number, len(pool) - 1)] for pool in pools]
            yield _guessed(writer, tuple(zip(named, values, strict=True)))


def _values(param: Param, writer: Function) -> list[str]:
    values = guess_values(param, writer) if param.default is None else guess_options(param, writer)
    return values or [param.default or "None"]


def _guessed(writer: Function, arguments: tuple[tuple[str | None, str], ...], *, is_set: bool = False) -> Readying:
    needs = [needs_of(text, writer) for _, text in arguments]
    imports = frozenset(pair for imported, _ in needs for pair in imported)
    return Readying(writer.name, arguments, imports, frozenset(n for _, named in needs for n in named), is_set)


# ------------------------------------------------------------------ where it is put


def _has_room(case: Case, members: Sequence[Function]) -> bool:
    """Whether it makes the object itself, as far as that is seen at a glance."""
    if case.script is None:
        return bool(case.receiver) and case.entry in members
    return bool(case.script.setup) and any(f".{f.name}(" in case.script.text for f in members)


def _with_call(case: Case, way: Readying, members: Sequence[Function]) -> Iterator[Case]:
    """The case with that call right before what ran the condition; in a script, on each object of which it calls a
    method with the name of one of these."""
    fixtures = case.fixtures | way.fixtures
    if case.script is not None:
        imports = case.script.imports | way.imports
        for setup in _placed(case.script, way, {f.name for f in members}):
            script = msgspec.structs.replace(case.script, imports=imports, setup=setup)
            yield msgspec.structs.replace(case, script=script, fixtures=fixtures, carved=False, steps=case.steps + 1)
    elif case.receiver and case.entry in members and case.entry.kind in {"method", "property"} and not way.is_set:
        history = (*case.history, Step(way.name, way.arguments))
        imports = case.imports | way.imports
        yield msgspec.structs.replace(
            case, history=history, imports=imports, fixtures=fixtures, carved=False, steps=case.steps + 1
        )
    elif case.receiver and case.entry in members and (case.entry.returns_value or case.entry.kind == "property"):
        holder = case.entry.holder
        before, look = before_and_call_of(holder, case)
        setup = (*before, way.on(holder))
        yield case.with_script(Script(imports=case.imports | way.imports, setup=setup, look=look), fixtures)


def _placed(script: Script, way: Readying, methods: Set[str]) -> Iterator[tuple[str, ...]]:
    """The statements before the look with the call among them: after the last that uses the object, or makes it."""
    places: dict[str, int] = {}
    for number, text in enumerate((*script.setup, script.look)):
        for call in _calls(text):
            held = call.func.value if isinstance(call.func, ast.Attribute) else None
            if isinstance(held, ast.Name) and isinstance(call.func, ast.Attribute) and call.func.attr in methods:
                places[held.id] = number
    made = {name for text in script.setup for name in _assigned(text)}
    for holder, number in list(reversed(places.items()))[:_HOLDERS]:
        at = min(number + 1, len(script.setup)) if number < len(script.setup) else number
        statement = way.on(holder)
        if holder in made and len(statement) <= MAX_STATEMENT:
            yield (*script.setup[:at], statement, *script.setup[at:])


def _assigned(text: str) -> Iterator[str]:
    try:
        body = parse_source(text).body
    except UnreadableSourceError:
        return
    for node in body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name):
                yield target.id
