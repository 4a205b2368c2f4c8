"""`Crosser`: statements of existing tests crossed with one another, until the sandbox finds some that lead to what is
open.

Where a hunt (`hunt.py`) fills other texts and numbers into a test, this puts other expressions in: one of another test,
a call around it, an option more. What comes back are numbers of edits; the scripts are made of them here, and tried
anew like any other proposal. Called by `Search`.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec

from greenlane.suite.lines import PARSING, nodes_of, parse_expression, parse_source
from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.code import Function, FunctionNode, Param, lines_inside
from greenlane.testgen.explore import Observed, encode_case
from greenlane.testgen.guards import guards_of
from greenlane.testgen.guesses import guess_values, imports_for
from greenlane.testgen.inprocess import search_inside
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, bound_by
from greenlane.testgen.inside.greenlane_edits import Edit, Stock, applied, name_of
from greenlane.testgen.named import Named, list_named, needs_of
from greenlane.testgen.options import options
from greenlane.testgen.quarry import functions_around, functions_at, watched
from greenlane.testgen.scene import Scene
from greenlane.testgen.shown import GOING_ON
from greenlane.testgen.slicing import loaded_in, without_unused
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap, Target, Targets, line_of
from greenlane.testgen.turns import in_turn

_PROGRAMS = 60
_FRAGMENTS, _OPTIONS, _VALUES = 120, 60, 40
_OPTIONS_EACH, _TELLING = 6, 16
_ENTRIES = 60
_TRIES, _CALLS, _SECONDS = 8_000, 5_000_000, 6.0
_USUAL = (0, 1, -1, 2, "", "a", None, True, False, 1.5)
_FRAGMENT_KINDS = (
    ast.Call, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Lambda, ast.Attribute, ast.Name, ast.Constant,
)  # fmt: skip
_EDITS = 4


class _Fragment(msgspec.Struct, frozen=True):
    text: str
    imports: frozenset[Import]


class _Found(msgspec.Struct, frozen=True):
    program: int
    edits: tuple[tuple[int, int, str, int, int], ...]


class Crosser:
    def __init__(self, runner: SuiteRunner) -> None:
        self._runner = runner

    async def cross(
        self,
        scene: Scene,
        source: Source,
        gap: Gap,
        observed: Sequence[Observed],
        scripts: Sequence[Case],
        left: Targets,
    ) -> list[Case]:
        """Scripts that may reach the lines and branches that are `left`, made from those `observed` and from `scripts`,
        nearest first. The same each time but for its limit in seconds of processor time."""
        programs = _programs(observed, scripts, source)
        if not programs:
            return []
        functions = functions_around(source, left)
        changed = functions_at(source, gap.changed)
        near = list({case.key: case for case in (*programs, *scripts)}.values())
        fragments = list_fragments(near, source, [*functions, *changed], texts_near(source, left))
        given = list_named(near)
        options_there = _options(near, source, functions, given)
        entries = given.entries[:_ENTRIES]
        values = _values(functions, [key for key, _, _ in entries])
        asked = {
            **watched(source),
            "goals": [_goal(source, target) for target in sorted(left, key=lambda t: (len(t), t))],
            "near": sorted(set(lines_inside(functions))),
            "fragments": [fragment.text for fragment in fragments],
            "options": options_there,
            "values": values,
            "entries": entries,
            "tries": _TRIES,
            "calls": _CALLS,
            "seconds": _SECONDS,
        }
        fixtures = [case.fixtures for case in programs]
        needed = {pair for fragment in fragments for pair in fragment.imports}
        needed |= {pair for _, _, value in options_there for pair in imports_for(value, "")}
        needed |= {pair for imports in given.imports.values() for pair in imports}
        found = await search_inside(
            self._runner, scene, "cross", asked, fixtures, lambda n: _encoded(n, programs[n], needed), _Found
        )
        with PARSING:
            stock = Stock([fragment.text for fragment in fragments], options_there, values, entries)
        brought = {n: given.imports.get(value, frozenset()) for n, (_, _, value) in enumerate(options_there)}
        held = {n: given.imports.get(value, frozenset()) for n, (_, value, _) in enumerate(entries)}
        needs = {"option": brought, "entry": held}
        cases = await asyncio.to_thread(_made, found, programs, fragments, stock, needs)
        return list({case.key: case for case in cases}.values())


def _made(
    found: Iterable[_Found],
    programs: Sequence[Case],
    fragments: Sequence[_Fragment],
    stock: Stock,
    needs: Mapping[str, Mapping[int, frozenset[Import]]],
) -> list[Case]:
    """The scripts that these edits make; none of numbers that mean nothing. `needs` are imports by kind of edit and
    number."""
    cases = []
    for one in found:
        if not 0 <= one.program < len(programs) or not 0 < len(one.edits) <= _EDITS:
            continue
        case = programs[one.program]
        script = case.script
        edits = [Edit(*edit) for edit in one.edits]
        with PARSING:
            texts = applied([*script.setup, script.look], edits, stock) if script is not None else None
        if script is None or texts is None or any(len(text) > MAX_STATEMENT for text in texts):
            continue
        used = [fragments[edit.number] for edit in edits if edit.kind in {"put", "item", "wrap", "call"}]
        imports = script.imports.union(*(fragment.imports for fragment in used))
        imports = imports.union(*(needs.get(edit.kind, {}).get(edit.number, ()) for edit in edits))
        imports |= imports_for("\n".join(texts), script.text)  # an option's value
        setup = tuple(without_unused(texts[:-1], texts[-1]))
        left = {name for text in (*setup, texts[-1]) for name in loaded_in(parse_source(text))}
        gone = {name for text in texts for name in loaded_in(parse_source(text))} - left
        imports = frozenset(pair for pair in imports if bound_by(pair) not in gone)
        made = msgspec.structs.replace(script, imports=imports, setup=setup, look=texts[-1])
        cases.append(msgspec.structs.replace(case, script=made, carved=False, steps=case.steps + len(edits)))
    return cases


# ------------------------------------------------------------------ what is asked


def _programs(observed: Sequence[Observed], scripts: Sequence[Case], source: Source) -> list[Case]:
    """Scripts to begin with: those that ran most of the file, then others of tests near it; of each look one first."""
    ran = [o for o in observed if o.case.script is not None and o.lines.get(source.path)]
    ran.sort(key=lambda o: (-len(o.reached), -len(o.lines[source.path]), o.case.length, o.case.key))
    cases = {case.key: case for case in (*(o.case for o in ran), *scripts) if _is_plain(case)}
    kinds: dict[str, list[Case]] = {}
    for case in cases.values():
        kinds.setdefault(_look_of(case), []).append(case)
    return list(in_turn(kinds.values()))[:_PROGRAMS]


def _is_plain(case: Case) -> bool:
    """Not a script that awaits: that takes a loop for each try."""
    return case.script is not None and case.script.marks is None


def _look_of(case: Case) -> str:
    tree = parse_source(case.script.look if case.script else "")
    return " ".join(sorted({name_of(node) for node in ast.walk(tree) if isinstance(node, ast.Call)}))


def _goal(source: Source, target: Target) -> dict[str, Any]:
    """What is open, and the conditions on the way to it."""
    chain = [guard.line for guard in guards_of(source.tree, line_of(target))]
    return {"goal": line_of(target) if len(target) == 2 else list(target[1:]), "chain": chain}


def texts_near(source: Source, left: Targets) -> frozenset[str]:
    """The texts of the innermost functions around what is open."""
    functions = [node for node in nodes_of(source.tree) if isinstance(node, FunctionNode)]
    inner = set[FunctionNode]()
    for line in {line_of(target) for target in left}:
        inner |= {*[node for node in functions if node.lineno <= line <= (node.end_lineno or line)][-1:]}
    values = (n.value for node in inner for n in ast.walk(node) if isinstance(n, ast.Constant))
    return frozenset(value for value in values if isinstance(value, str) and len(value) > 1)


def list_fragments(
    cases: Iterable[Case], source: Source, functions: Sequence[Function], texts: Set[str] = frozenset()
) -> list[_Fragment]:
    """Expressions of these scripts that mean the same anywhere, those first that name what the open functions ask for;
    after those with these `texts` in them; one of each kind before a second."""
    kept = {name for function in functions for name in function.kinds if not hasattr(builtins, name)}
    asked = {name for function in functions for name in (*function.calls, *function.asks)}
    kinds: dict[str, dict[str, _Fragment]] = {}
    for case in cases:
        for fragment in _fragments_of(case):
            kinds.setdefault(_kind_of(fragment.text), {}).setdefault(fragment.text, fragment)
    known = set(kinds)
    for function in functions:
        for fragment in _of_kinds(function, source):
            if _kind_of(fragment.text) not in known:
                kinds.setdefault(_kind_of(fragment.text), {}).setdefault(fragment.text, fragment)
    told = _telling((f for row in kinds.values() for f in row.values()), texts)
    rows = [sorted(row.values(), key=lambda f: (len(f.text), f.text)) for row in kinds.values()]
    rows.sort(key=lambda row: (_rank(row[0].text, kept, asked), len(row[0].text)))
    return list(dict.fromkeys([*told, *in_turn(rows)]))[:_FRAGMENTS]


def _telling(fragments: Iterable[_Fragment], texts: Set[str]) -> list[_Fragment]:
    """Those that hold some of these texts: of those with the same ones the shortest."""
    found: dict[frozenset[str], _Fragment] = {}
    for fragment in sorted(fragments, key=lambda f: (len(f.text), f.text)) if texts else ():
        values = (n.value for n in ast.walk(parse_expression(fragment.text)) if isinstance(n, ast.Constant))
        held = texts & {value for value in values if isinstance(value, str)}
        if held and not isinstance(parse_expression(fragment.text).body, ast.Constant):
            found.setdefault(frozenset(held), fragment)
    return list(found.values())[:_TELLING]


def _kind_of(text: str) -> str:
    node = parse_expression(text).body
    if isinstance(node, ast.Call):
        return name_of(node) or ast.unparse(node.func)
    return f"the name {text}" if isinstance(node, ast.Name | ast.Attribute) else type(node).__name__


def _rank(text: str, kept: Set[str], asked: Set[str]) -> int:
    names = _names(text)
    return 0 if names & kept else 1 if names & asked else 2


def _names(text: str) -> set[str]:
    tree = parse_expression(text)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return attributes | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _fragments_of(case: Case) -> Iterator[_Fragment]:
    script = case.script
    if script is None:
        return
    bound = {bound_by(pair): pair for pair in script.imports}
    for text in (*script.setup, script.look):
        for node in ast.walk(parse_source(text)):
            if not isinstance(node, _FRAGMENT_KINDS) or isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
                continue
            needs = needs_of(node, bound)
            if needs is not None and GOING_ON not in needs:  # it belongs to a script, not to the project
                yield _Fragment(ast.unparse(node), needs)


def _of_kinds(function: Function, source: Source) -> Iterator[_Fragment]:
    """Objects of the classes that a function asks for."""
    for kind in function.kinds:
        params = source.constructors.get(kind)
        if params is None or not kind.isidentifier():
            continue
        required = [param for param in params if param.default is None]
        values = [guess_values(param, function)[0] for param in required]
        given = [f"{p.name}={v}" if p.keyword_only else v for p, v in zip(required, values, strict=True)]
        imports = frozenset({(function.home_of(kind), kind)})
        yield _Fragment(f"{kind}({', '.join(given)})", imports)


def _options(
    cases: Iterable[Case], source: Source, functions: Sequence[Function], given: Named
) -> list[tuple[str, str, str]]:
    """Optional parts for whatever these scripts call, by the name that is called: as other tests give them, then for
    what is of the module a few guessed values each."""
    called = {
        name_of(node): None
        for case in cases
        if case.script is not None
        for text in (*case.script.setup, case.script.look)
        for node in ast.walk(parse_source(text))
        if isinstance(node, ast.Call)
    }
    known: Mapping[str, Sequence[Param]] = source.constructors
    rows = []
    for name in called if functions else ():
        each: dict[str, list[tuple[str, str, str]]] = {}
        for param, value in given.options.get(name, ()):
            each.setdefault(param, []).append((name, param, value))
        for param, value in options(known.get(name, ()), set(), functions[0]):
            each.setdefault(param, []).append((name, param, value))
        rows.append(list(in_turn(row[:_OPTIONS_EACH] for row in each.values())))
    return list(in_turn(rows))[:_OPTIONS]


def _values(functions: Sequence[Function], keys: Sequence[str]) -> list[Any]:
    """Constants of the open functions, then those that often stand at a boundary, and keys of dicts: what is there may
    be named elsewhere."""
    own = [c for f in functions for c in f.constants if isinstance(c, str | int | float)]
    return list({repr(value): value for value in (*own[: _VALUES // 2], *_USUAL, *keys, *own)}.values())[:_VALUES]


def _encoded(number: int, case: Case, needed: Set[Import]) -> dict[str, Any]:
    """A program, with what is `needed` for what is put in and it does not call otherwise."""
    script = case.script
    assert script is not None
    bound = {bound_by(pair) for pair in script.imports}
    for text in script.setup:
        bound |= {
            n.id for n in ast.walk(parse_source(text)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
    more = sorted(pair for pair in needed if bound_by(pair) not in bound)
    return encode_case(number, case) | {"more": more}
