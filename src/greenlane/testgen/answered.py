"""Calls that were given a stand-in, which now answers as the conditions of the function ask: a plain one is true of all
that it is asked. Pure; for `search.py`.

    if not parser.has_option("tree"):         load(MagicMock())
        return []                      ->     load(MagicMock(**{"has_option.return_value": False}))
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.handed import STANDS_IN, given_one
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _ANSWERS, _MOST = 3, 8, 60
_PLAIN = re.compile(r"(\b(?:Magic|Async)Mock)\(\)")


def answered(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What ran a function with something open, its stand-in with another answer: to one question each, then to all."""
    rows: dict[tuple[str, str], list[Case]] = {}
    for _, function, node in open_functions(source, left):
        inside = frozenset(range(function.first + 1, function.last + 1))
        near = given_one(observed, source.path, inside, _PLAIN)
        for given in _answers(node) if near else ():
            made = (other for case in near for other in _answering(case, given))
            rows.setdefault((function.qualified, given), list(itertools.islice(made, _CALLS)))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _answers(node: FunctionNode) -> list[str]:
    """What a stand-in is made with to give other answers than a true one."""
    params = {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    tests = [n.test for n in ast.walk(node) if isinstance(n, ast.If | ast.While | ast.IfExp | ast.Assert)]
    told = list(dict.fromkeys(pair for test in tests for pair in _asked_in(test, params)))[:_ANSWERS]
    false = [pair for pair in told if pair[1] == "False"]
    rows = [*([pair] for pair in told), *([false] if len(false) > 1 else [])]
    return [f"**{{{', '.join(f'{name!r}: {value}' for name, value in row)}}}" for row in rows]


def _asked_in(test: ast.expr, params: set[str]) -> Iterator[tuple[str, str]]:
    """What is asked of a parameter, by its name in a stand-in, and the answer that a plain one does not give."""
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _asked_in(value, params)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _asked_in(test.operand, params)
    elif isinstance(test, ast.Compare) and len(test.ops) == 1:
        for side, other in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
            if isinstance(other, ast.Constant) and (name := _named(side, params)):
                yield name, repr(other.value)
    elif name := _named(test, params):
        yield name, "False"


def _named(node: ast.expr, params: set[str]) -> str:
    """`has_option.return_value` for `parser.has_option("a")`, `strict` for `parser.strict`; empty for what is not asked
    of a parameter."""
    held = node.func if isinstance(node, ast.Call) else node
    if not isinstance(held, ast.Attribute) or not isinstance(held.value, ast.Name) or held.attr.startswith("_"):
        return ""
    if held.value.id not in params or held.value.id in {"self", "cls"}:
        return ""
    return f"{held.attr}.return_value" if isinstance(node, ast.Call) else held.attr


def _answering(case: Case, given: str) -> Iterator[Case]:
    """The call with its first plain stand-in made so."""
    texts = list(case.texts)
    place = next(number for number, text in enumerate(texts) if _PLAIN.search(text))
    texts[place] = _PLAIN.sub(lambda found: f"{found[1]}({given})", texts[place], count=1)
    other = case.with_texts(texts)
    if other is not None and STANDS_IN.search(texts[place]):
        yield other
