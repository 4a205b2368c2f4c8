"""`Grower`: existing tests that go on with further calls, until the sandbox finds some that lead to what is open.

Where a hunt fills in other values, and a crossing puts in other expressions, this puts whole calls after the statements
of a test: those that were changed, and those that other tests make, on whatever is alive there. It is for what shows
only after a history: a connection that is used again, a store that is full. What comes back are numbers; the scripts
are written from them here, and tried anew like any other proposal. Called by `Search`.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from greenlane.suite.lines import PARSING, UnreadableSourceError, parse_source
from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.code import Function, Param, enclosing, lines_inside
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.inprocess import search_inside
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script, bound_by
from greenlane.testgen.inside.greenlane_sequences import GIVEN, IT, composed, shown
from greenlane.testgen.quarry import conditions_before, faults_of, functions_around, watched
from greenlane.testgen.scene import Scene
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.siblings import family_of
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap, Targets, line_of
from greenlane.testgen.turns import in_turn
from greenlane.testgen.views import as_written

_PROGRAMS = 40
_ACTS, _ASKING, _ROWS, _LONGEST = 120, 8, 6, 160
_TRIES, _CALLS, _SECONDS = 4_000, 4_000_000, 5.0


_BY_ITEM = {"__setitem__": 2, "__delitem__": 1}


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A call that may be put after statements. In `text`, `IT` stands for its object, and `GIVEN` with a number for
    what is put into a place that is left open. `of`: classes (module, name) of the object; `origin`: where a test makes
    it (program, statement, object). `wanted`: a call that was changed, or leads to one."""

    text: str
    imports: frozenset[Import] = frozenset()
    of: tuple[Import, ...] = ()
    origin: tuple[int, int, str] | None = None
    wanted: bool = False


class Found(msgspec.Struct, frozen=True):
    """A sequence as the sandbox tells it (`greenlane_sequences.py`); `line` is what it is about."""

    program: int
    steps: list[Any]
    look: Any
    line: int


class Grower:
    def __init__(self, runner: SuiteRunner) -> None:
        self._runner = runner

    async def grow(
        self,
        scene: Scene,
        source: Source,
        gap: Gap,
        programs: Sequence[FoundScript],
        calls: Sequence[Case],
        left: Targets,
    ) -> list[Case]:
        """Scripts that may reach what is `left`, or notice what is open of the faults, from these `programs`; `calls`
        are such as tests make of the functions around it. The same each time but for its limit in seconds of processor
        time."""
        programs = [one for one in programs if one.script.marks is None][:_PROGRAMS]
        wanted = wanted_acts(source, left, calls)
        if not wanted or not any(_makes_something(program.script) for program in programs):
            return []
        acts = [*wanted, *asking_acts(source, left), *harvested(programs)][:_ACTS]
        asked, fixtures = asked_of(source, gap, left, acts), [one.fixtures for one in programs]
        found = await search_inside(
            self._runner, scene, "grow", asked, fixtures, lambda n: encoded(n, programs[n].script), Found
        )
        cases = [case for one in found if (case := made_case(one, programs, acts, source)) is not None]
        return list({case.key: case for case in cases}.values())


def made_case(found: Found, programs: Sequence[FoundScript], acts: Sequence[Act], source: Source) -> Case | None:
    """The script that these steps make; None for numbers that mean nothing."""
    entry = enclosing(source.functions, found.line)
    if not 0 <= found.program < len(programs) or entry is None:
        return None
    program = programs[found.program]
    statements, texts = list(program.script.setup), [act.text for act in acts]
    try:
        with PARSING:
            setup = [composed(step, statements, texts) for step in found.steps]
            look = shown(found.look, statements, texts)
        used = [
            acts[step[0]]
            for step in (*found.steps, found.look)
            if not isinstance(step, int | str) and type(step[0]) is int
        ]
        names = {n.id for text in (*setup, look) for n in ast.walk(parse_source(text)) if isinstance(n, ast.Name)}
    except (ValueError, IndexError, TypeError, SyntaxError, UnreadableSourceError):
        return None
    if any(len(text) > MAX_STATEMENT for text in (*setup, look)):
        return None
    setup = list(without_idle_names(setup, look))
    known = program.script.imports.union(*(act.imports for act in used))
    imports = frozenset(pair for pair in known if bound_by(pair) in names)
    return Case(
        entry=entry,
        receiver=None,
        arguments=(),
        imports=frozenset(),
        fixtures=frozenset(name for name in program.fixtures if name in names),
        carved=False,
        steps=1 + len(used),
        script=Script(imports=imports, setup=tuple(setup), look=look),
    )


def without_idle_names(setup: Sequence[str], look: str) -> Iterator[str]:
    """The statements, a call alone where its result got a name that nothing uses."""
    trees = [parse_source(text) for text in (*setup, look)]
    names = [{n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} for tree in trees]
    for place, text in enumerate(setup):
        node = trees[place].body[0]
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        named = isinstance(target, ast.Name) and isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        used = any(ast.unparse(target) in later for later in names[place + 1 :]) if target is not None else True
        yield ast.unparse(node.value) if named and not used and isinstance(node, ast.Assign) else text


def _makes_something(script: Script) -> bool:
    """Whether it leaves an object behind: what a call gave."""
    trees = [parse_source(text) for text in script.setup]
    return any(isinstance(n, ast.Assign) and isinstance(n.value, ast.Call) for tree in trees for n in tree.body)


# ------------------------------------------------------------------ the calls


def wanted_acts(source: Source, left: Targets, calls: Sequence[Case]) -> list[Act]:
    """Calls of the functions that hold what is left, and of the methods of their module that call them: with what tests
    give them, with guesses, and with what is alive."""
    around = functions_around(source, left)
    names = {f.name for f in around}
    callers = [f for f in source.functions if f.owner is not None and f.calls & names and f not in around]
    rows = []
    for function in (*around, *callers):
        if function.asynchronous or function.private or function.kind not in {"method", "property", "function"}:
            continue
        own = frozenset({(source.module, function.name)} if function.owner is None else ())
        family = _family(source, function.owner)
        given = [(_call(function, arguments), imports | own) for arguments, imports in _rows(function, calls)]
        rows.append([Act(text=text, imports=needs, of=family, wanted=True) for text, needs in given if text])
    found: dict[str, Act] = {}
    for act in in_turn(rows):
        found.setdefault(act.text, act)
    return list(found.values())


def asking_acts(source: Source, left: Targets) -> list[Act]:
    """Calls that only ask an object of these classes for something: they show what others changed."""
    owners = dict.fromkeys(f.owner for f in functions_around(source, left) if f.owner is not None)
    found: dict[str, Act] = {}
    for owner in owners:
        family = _family(source, owner)
        names = {name for _, name in family}
        for function in source.functions:
            plain = function.kind == "method" and not function.name.startswith("_") and not function.asynchronous
            if function.owner in names and plain and function.returns_value and not _required(function):
                text = f"{IT}.{function.name}()"
                found.setdefault(text, Act(text=text, of=family))
    return list(found.values())[:_ASKING]


def _family(source: Source, owner: str | None) -> tuple[Import, ...]:
    return tuple((source.module, name) for name in family_of(source.tree, owner))


def _required(function: Function) -> list[Param]:
    return [param for param in function.params if param.default is None]


def _rows(function: Function, calls: Sequence[Case]) -> Iterator[tuple[list[str], frozenset[Import]]]:
    required = _required(function)
    own = [case for case in calls if case.entry == function and not case.fixtures and case.script is None]
    for case in [*[case for case in own if case.carved][:_ROWS], *[case for case in own if not case.carved][:_ROWS]]:
        yield [f"{name}={text}" if name else text for name, text in case.arguments], case.imports
    if required:
        yield [f"{p.name}={GIVEN}{n}" if p.keyword_only else f"{GIVEN}{n}" for n, p in enumerate(required)], frozenset()
    pools = [guess_values(param, function)[:2] for param in required]
    for number in range(max(map(len, pools), default=1)):
        values = [pool[min(number, len(pool) - 1)] for pool in pools]
        if not own and all(_is_plain(value) for value in values):
            given = [f"{p.name}={v}" if p.keyword_only else v for p, v in zip(required, values, strict=True)]
            yield given, frozenset()


def _is_plain(text: str) -> bool:
    return not any(isinstance(node, ast.Name) for node in ast.walk(parse_source(text)))


def _call(function: Function, arguments: Sequence[str]) -> str:
    """Nothing for a special method that nobody calls by its name."""
    if function.owner is None:
        return f"{function.name}({', '.join(arguments)})"
    if function.kind == "property":
        return f"{IT}.{function.name}"
    if function.name in _BY_ITEM and len(arguments) == _BY_ITEM[function.name]:
        return f"{IT}[{arguments[0]}] = {arguments[1]}" if arguments[1:] else f"del {IT}[{arguments[0]}]"
    special = function.name.startswith("__")
    plain = "" if special else f"{IT}.{function.name}({', '.join(arguments)})"
    return as_written(function, IT, list(arguments)) or plain


def harvested(programs: Sequence[FoundScript]) -> list[Act]:
    """What these programs do with an object, each thing once: calls of its methods, and items that they set or remove;
    only with what means the same anywhere."""
    found: dict[str, Act] = {}
    for number, program in enumerate(programs):
        known = {bound_by(pair): pair for pair in program.script.imports}
        for place, text in enumerate(program.script.setup):
            for holder, act in _done(text):
                free = {n.id for n in ast.walk(parse_source(act)) if isinstance(n, ast.Name)} - {IT}
                if len(act) > _LONGEST or not all(name in known or hasattr(builtins, name) for name in free):
                    continue
                imports = frozenset(known[name] for name in free if name in known)
                found.setdefault(act, Act(text=act, imports=imports, origin=(number, place, holder)))
    return list(found.values())


def _done(text: str) -> Iterator[tuple[str, str]]:
    """(the object, what is done with it) in a statement."""
    body = parse_source(text).body
    node = body[0] if len(body) == 1 else None
    it = ast.Name(id=IT, ctx=ast.Load())
    value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and _is_path(value.func.value):
        call = ast.Call(func=ast.Attribute(value=it, attr=value.func.attr), args=value.args, keywords=value.keywords)
        yield ast.unparse(value.func.value), ast.unparse(call)
    target = node.targets[0] if isinstance(node, ast.Assign | ast.Delete) else None
    if isinstance(target, ast.Subscript) and _is_path(target.value):
        item = ast.Subscript(value=it, slice=target.slice)
        done = (
            f"{ast.unparse(item)} = {ast.unparse(node.value)}"
            if isinstance(node, ast.Assign)
            else f"del {ast.unparse(item)}"
        )
        yield ast.unparse(target.value), done


def _is_path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name)


# ------------------------------------------------------------------ what is asked


def asked_of(source: Source, gap: Gap, left: Targets, acts: Sequence[Act]) -> dict[str, Any]:
    """As `inside/greenlane_grow.py` takes it."""
    goals = sorted(left & gap.covering, key=lambda target: (len(target), target))
    return {
        **watched(source),
        **faults_of(source, gap),
        "goals": [line_of(goal) if len(goal) == 2 else list(goal[1:]) for goal in goals],
        "near": sorted({*conditions_before(source, left), *lines_inside(functions_around(source, left))}),
        "acts": [{"text": a.text, "of": a.of, "from": a.origin, "wanted": a.wanted} for a in acts],
        "more": sorted({pair for act in acts for pair in act.imports}),
        "tries": _TRIES,
        "calls": _CALLS,
        "seconds": _SECONDS,
    }


def encoded(number: int, script: Script) -> dict[str, Any]:
    """A program as it is taken there."""
    return {"id": number, "imports": sorted(script.imports), "setup": script.setup}
