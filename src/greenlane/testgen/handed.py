"""Calls that were given a stand-in, with a look at what the code did with it. Pure; for `search.py`.

send(MagicMock(), "a")                       client = MagicMock()
                                     ->      send(client, "a")
                                             client.post.call_args.args

each([1, 2], lambda value: value)            told = MagicMock(side_effect=lambda value: value)
                                     ->      each([1, 2], told)
                                             told.call_args.args
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.awaited import NEEDS as AWAITING_NEEDS
from greenlane.testgen.awaited import put_together
from greenlane.testgen.callables import is_guess
from greenlane.testgen.choose import is_silent
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.reading import parse_text
from greenlane.testgen.replies import name_of_answer, names_of_answers
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.staged import before_and_call
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _MEMBERS, _MOST = 6, 3, 60
_INSIDE = r"(?:[^{}()]|\{[^{}()]*\}|\([^{}()]*\))*"
STANDS_IN = re.compile(rf"\b(?:Magic|Async)Mock\((?:\*\*\{{{_INSIDE}\}}|[^{{}}()*]*)\)")
"""A plain one, one with answers of its own (`answered.py`), one with something in it (`keys=['a']`)."""
_MOCK = ("unittest.mock", "MagicMock")
_BY_NAME = ".method_calls[0]"
"""Where the code calls a method whose name it was given: its name and what it was given."""


def handed(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What ran an open line with a stand-in for an argument, or for a part of its object, and a look at what methods of
    it were given there; what ran one with a function of the test's own, and a look at what that was given."""
    rows: dict[tuple[int, str], list[Case]] = {}
    gone_over = {o.case.key for o in observed if o.outcome.listed}
    for line, _, node in open_functions(source, left):
        made = (other for case in _with_functions(observed, source.path, line) for other in _told(case, node))
        rows[line, ""] = list(itertools.islice(made, _CALLS))
        near = given_one(observed, source.path, {line}, STANDS_IN)
        for look in _looks(node, line) if near else ():
            made = (other for case in near for other in _with_look(case, look, goes_over=case.key in gone_over))
            rows[line, look] = list(itertools.islice(made, _CALLS))  # not every call that ran one line ran the next
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def given_one(observed: Sequence[Observed], path: str, lines: Set[int], written: re.Pattern[str]) -> list[Case]:
    """The calls that ran one of these lines with a stand-in that is written so, the plainest first."""
    ran = [o.case for o in observed if not o.lines.get(path, frozenset()).isdisjoint(lines)]
    near = [case for case in ran if case.script is None and any(map(written.search, case.texts))]
    return sorted(near, key=lambda case: case.plainness)


def _looks(node: FunctionNode, line: int) -> list[str]:
    """Looks at what public methods of anything were given, those that are called nearest to the line first; of a
    parameter's parts with its name before: `ctx.client.post.call_args.args`."""
    known = {name: path for name, path in names_of_answers(node).items() if not path}
    awaited = {id(part.value) for part in ast.walk(node) if isinstance(part, ast.Await)}
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute)]
    calls.sort(key=lambda call: (abs(call.lineno - line), call.lineno, call.col_offset))
    found: dict[str, None] = {}
    for call in calls:
        given = "kwargs" if call.keywords and not call.args else "args"
        if member := _member(call, known):
            found[f"{member}.{'await_args' if id(call) in awaited else 'call_args'}.{given}"] = None
    there = [member for call in calls if call.lineno == line and (member := _member(call, known))]
    by_name = [_BY_NAME] if any(map(_is_by_name, ast.walk(node))) else []
    return [*list(found)[:_MEMBERS], *by_name, *(f"{member}.called" for member in there[:1])]


def _is_by_name(part: ast.AST) -> bool:
    """`getattr(session, verb)(url)`"""
    held = part.func if isinstance(part, ast.Call) else None
    return isinstance(held, ast.Call) and ast.unparse(held.func) == "getattr" and len(held.args) > 1


def _member(call: ast.Call, known: Mapping[str, str]) -> str:
    """`.post` for a method of anything, `ctx.client.post` for one of a parameter's parts; empty for a private one."""
    path = name_of_answer(call.func, known)
    root = next((n.id for n in ast.walk(call.func) if isinstance(n, ast.Name)), "")
    if "." in path and "return_value" not in path:
        return f"{root}.{path}"
    name = call.func.attr if isinstance(call.func, ast.Attribute) else "_"
    return "" if name.startswith("_") else f".{name}"


def _with_functions(observed: Sequence[Observed], path: str, line: int) -> list[Case]:
    """The calls that ran this line, gave nothing back, and were given a function, the plainest first."""
    ran = [o for o in observed if line in o.lines.get(path, frozenset()) and is_silent(o)]
    near = [o.case for o in ran if o.case.script is None and not o.case.entry.asynchronous]
    return sorted((case for case in near if any(map(_is_function, case.texts))), key=lambda case: case.plainness)


def _is_function(text: str) -> bool:
    return text.startswith("lambda") or is_guess(text)


def _told(case: Case, node: FunctionNode) -> Iterator[Case]:
    """The call with a function that tells what it was given, where it was called at all."""
    called = {n.func.id: n for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    for number, (keyword, text) in enumerate(case.arguments):
        places = case.entry.places
        name = keyword or (places[number].name if number < len(places) else "")
        if name not in called or not _is_function(text):
            continue
        given = "kwargs" if called[name].keywords and not called[name].args else "args"
        arguments = (*case.arguments[:number], (keyword, name), *case.arguments[number + 1 :])
        before, call = before_and_call(msgspec.structs.replace(case, arguments=arguments))
        imports = {*case.imports, _MOCK, *({(case.entry.module, case.entry.called)} if case.receiver is None else ())}
        setup = (f"{name} = MagicMock(side_effect={text})", *before, call)
        script = Script(imports=frozenset(imports), setup=setup, look=f"{name}.call_args.{given}")
        yield case.with_script(script, case.fixtures)


def _with_look(case: Case, look: str, *, goes_over: bool) -> Iterator[Case]:
    """The call with its first stand-in under a name, and that looked at; what it yields is gone over first."""
    before, called = before_and_call(case)
    texts = [*before, f"list({called})" if goes_over and not case.entry.asynchronous else called]
    place = next((number for number, text in enumerate(texts) if STANDS_IN.search(text)), None)
    made = STANDS_IN.search(texts[place]) if place is not None else None
    if place is None or made is None:
        return
    name = _name_of(texts[place], made.start(), case)
    root, _, path = look.partition(".")
    if root and name not in {root, "given"}:
        return
    if re.search(rf"\b{name}\b\s*[.(]", " ".join(texts)):
        name = f"fake_{name}"
    texts[place] = f"{texts[place][: made.start()]}{name}{texts[place][made.end() :]}"
    setup = [f"{name} = {made[0]}", *texts]
    shown = f"tuple({name}{look})" if look == _BY_NAME else f"{name}.{path}"
    imports = {*case.imports}
    if case.receiver is None:
        imports.add((case.entry.module, case.entry.called))
    if case.entry.asynchronous:
        parsed = parse_text("\n".join([*setup[:-1], f"{setup[-1]}"]))
        if parsed is None or not isinstance(parsed.body[-1], ast.Expr):
            return
        parsed.body[-1].value = ast.Await(value=parsed.body[-1].value)
        coroutine, run = put_together(parsed.body, parse_expression(shown).body)
        setup, shown = [ast.unparse(coroutine)], ast.unparse(run)
        imports.add(AWAITING_NEEDS)
    yield case.with_script(Script(imports=frozenset(imports), setup=tuple(setup), look=shown), case.fixtures)


def _name_of(text: str, start: int, case: Case) -> str:
    """What the parameter is called that is given the stand-in; `given` where that can't be told."""
    before = text[:start]
    by_name = re.search(r"(\w+)=$", before)
    if by_name:
        return by_name[1]
    values = [value for _, value in case.arguments]
    number = next((n for n, value in enumerate(values) if STANDS_IN.fullmatch(value)), None)
    inside = case.receiver is not None and STANDS_IN.search(case.receiver)
    if number is None or inside or number >= len(case.entry.places):
        return "given"
    return case.entry.places[number].name
