"""Calls that ended in a crash for want of something, with what the error says was missing. Pure; for `search.py`.

Formatter(fmt={"a": 1}).format(record)       ->      Formatter(fmt={"a": 1, "INFO": "abc"}).format(record)
KeyError: 'INFO'
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.fixed import fixed_nodes
from greenlane.testgen.inputs import MAX_EXPRESSION, MAX_STATEMENT, Case
from greenlane.testgen.shapes import NAMESPACE
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_BASES, _MOST, _LONGEST = 16, 80, 60
_VALUES = ("'abc'", "1", "{}", "[]")
_NO_ATTRIBUTE = re.compile(rf"'(?:types\.)?{NAMESPACE}' object has no attribute '([A-Za-z]\w*)'")


def amended(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What crashed in a function with something open, or in what that calls, with the key or the attribute that the
    error names: what came furthest first."""
    functions = {enclosing(source.functions, line_of(target)) for target in left}
    lines = {line for f in functions if f is not None for line in range(f.first + 1, f.last + 1)}
    crashed = [(o, len(lines & o.lines.get(source.path, frozenset()))) for o in observed if _missing(o) is not None]
    crashed = [(one, near) for one, near in crashed if near]
    crashed.sort(key=lambda pair: (-pair[1], pair[0].case.steps, pair[0].case.length, pair[0].case.key))
    made = in_turn([_amended(one) for one, _ in crashed[:_BASES]])
    found = {case.key: case for case in made}
    return list(found.values())[:_MOST]


def _missing(observed: Observed) -> tuple[str, bool] | None:
    """What the error names, and whether it is the key of a dict; None where it names nothing, or was meant."""
    outcome = observed.outcome
    if outcome.kind != "raises" or outcome.deliberate or outcome.error is None or outcome.error[0] != "builtins":
        return None
    if outcome.error[1] == "AttributeError":
        named = _NO_ATTRIBUTE.match(outcome.message)
        return (named[1], False) if named else None
    try:
        key = ast.literal_eval(outcome.message) if outcome.error[1] == "KeyError" else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    told = isinstance(key, str | int) and not isinstance(key, bool) and len(outcome.message) <= _LONGEST
    return (repr(key), True) if told else None


def _amended(observed: Observed) -> Iterator[Case]:
    missing = _missing(observed)
    case, script = observed.case, observed.case.script
    texts = [*script.setup, script.look] if script else [case.receiver or "None", *(text for _, text in case.arguments)]
    for place in reversed(range(len(texts))):
        for other in _with_part(texts[place], *missing, statement=script is not None) if missing else ():
            rows = [*texts[:place], other, *texts[place + 1 :]]
            if script is not None and len(other) <= MAX_STATEMENT:
                made = msgspec.structs.replace(script, setup=tuple(rows[:-1]), look=rows[-1])
                yield msgspec.structs.replace(case, script=made, carved=False, steps=case.steps + 1)
            elif script is None and len(other) <= MAX_EXPRESSION:
                given = tuple((name, text) for (name, _), text in zip(case.arguments, rows[1:], strict=True))
                receiver = rows[0] if case.receiver else None
                yield msgspec.structs.replace(
                    case, receiver=receiver, arguments=given, carved=False, steps=case.steps + 1
                )


def _with_part(text: str, name: str, is_key: bool, *, statement: bool) -> Iterator[str]:
    """The expression, or statement, with the key in each dict of it, or the attribute in each plain object."""
    try:
        tree: ast.AST = parse_source(text) if statement else parse_expression(text)
    except (SyntaxError, UnreadableSourceError):
        return
    hidden = fixed_nodes(tree)
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if is_key and isinstance(node, ast.Dict) and name not in map(_text, node.keys):
            for value in dict.fromkeys([*map(ast.unparse, node.values[:1]), *_VALUES]):
                keys, values = [*node.keys, parse_expression(name).body], [*node.values, parse_expression(value).body]
                yield _replaced(tree, node, ast.Dict(keys=keys, values=values))
        elif not is_key and isinstance(node, ast.Call) and ast.unparse(node.func) == NAMESPACE:
            for value in _VALUES if name not in {keyword.arg for keyword in node.keywords} else ():
                part = ast.keyword(arg=name, value=parse_expression(value).body)
                yield _replaced(tree, node, ast.Call(func=node.func, args=[], keywords=[*node.keywords, part]))


def _text(key: ast.expr | None) -> str:
    return ast.unparse(key) if key is not None else ""


def _replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> str:
    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Replacing().visit(copy.deepcopy(tree, {id(old): old}))))
