"""Calls that a test makes for what they do, made once more in another way, where a condition before something open
counts what comes of them. Pure; for `nearby.py`.

    if len(group.routes) > 1: ...        router.add("/<path>", get)
                                         router.add("/<path>", get, methods=("POST",))
                                         router.finalize()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import conditions_near
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.named import list_named
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_NEAR, _CONDITIONS, _OPTIONS, _MOST = 4, 2, 6, 48
_COUNTS = frozenset({"len", "count", "sum"})

Options = Mapping[str, Sequence[tuple[str, str]]]


def repeated(observed: Sequence[Observed], source: Source, left: Targets, scripts: Sequence[Script]) -> list[Case]:
    """What ran such a condition, with each of its statements that is a call made twice: the second time with an option
    that one of these `scripts` gives to a call of that name; the plainest first."""
    lines = {
        number
        for line in {line_of(target) for target in left}
        for test, number in conditions_near(source.tree, line, _CONDITIONS)
        if _counts(test)
    }
    rows: list[list[Case]] = []
    given: tuple[Options, Mapping[str, frozenset[Import]]] | None = None
    for line in sorted(lines):
        near = [o.case for o in observed if line in o.lines.get(source.path, frozenset()) and o.case.script is not None]
        for case in sorted(near, key=lambda case: case.plainness)[:_NEAR]:
            given = given or _options_of(case, scripts)
            rows.append(list(_made_twice(case, *given)))
    found = {case.key: case for case in in_turn(rows)}
    return list(found.values())[:_MOST]


def _options_of(case: Case, scripts: Sequence[Script]) -> tuple[Options, Mapping[str, frozenset[Import]]]:
    named = list_named([msgspec.structs.replace(case, script=script) for script in scripts])
    return named.options, named.imports


def _counts(test: ast.AST) -> bool:
    """Whether something is counted and held against a number."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            sides = (node.left, node.comparators[0])
            counted = any(isinstance(side, ast.Call) and name_of(side) in _COUNTS for side in sides)
            if counted and any(isinstance(side, ast.Constant) and side.value for side in sides):
                return True
    return False


def _made_twice(case: Case, options: Options, imports: Mapping[str, frozenset[Import]]) -> Iterator[Case]:
    script = case.script
    calls = [(place, call) for place, text in enumerate(script.setup) if (call := _call(text))] if script else []
    streams = [_with_option(call, options) for _, call in calls]
    for row in zip(*streams, strict=False) if script else ():
        for (place, _), (text, value) in zip(calls, row, strict=True):
            if script is None or text is None or len(text) > MAX_STATEMENT:
                continue
            setup = (*script.setup[: place + 1], text, *script.setup[place + 1 :])
            needed = script.imports | imports.get(value, frozenset())
            yield case.with_script(msgspec.structs.replace(script, setup=setup, imports=needed))


def _call(text: str) -> ast.Call | None:
    """A statement that is a call of a method or a function, and of no stand-in for one."""
    try:
        body = parse_source(text).body
    except UnreadableSourceError:
        return None
    node = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    return node if isinstance(node, ast.Call) and not text.startswith("monkeypatch.") else None


def _with_option(call: ast.Call, options: Options) -> Iterator[tuple[str | None, str]]:
    """The call with each option that it lacks, or has with another value; so many for each call."""
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    told = [(name, value) for name, value in options.get(name_of(call), ()) if given.get(name) != value]
    for name, value in told[:_OPTIONS]:
        option = ast.keyword(arg=name, value=parse_expression(value).body)
        others = [keyword for keyword in call.keywords if keyword.arg != name]
        yield ast.unparse(ast.Call(func=call.func, args=call.args, keywords=[*others, option])), value
    for _ in range(_OPTIONS - len(told[:_OPTIONS])):
        yield None, ""
