"""Calls that were given a stand-in, which now answers as the conditions of the function ask: a plain one is true of all
that it is asked. Pure; for `search.py`.

    if not parser.has_option("tree"):         load(MagicMock())
        return []                      ->     load(MagicMock(**{"has_option.return_value": False}))

What the code does with an answer tells what it has to be (`replies.py`).
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.handed import STANDS_IN, given_one
from greenlane.testgen.inputs import Case
from greenlane.testgen.replies import Reply, name_of_answer, names_of_answers, replies
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
    """What a stand-in is made with to give other answers than a true one, and such that can be used as they are."""
    known = names_of_answers(node)
    tests = [n.test for n in ast.walk(node) if isinstance(n, ast.If | ast.While | ast.IfExp | ast.Assert)]
    told = list(dict.fromkeys(pair for test in tests for pair in _asked_in(test, known)))[:_ANSWERS]
    false = [pair for pair in told if pair[1] == "False"]
    used = replies(node)
    rows = [*used[:1], *([pair] for pair in told), *([false] if len(false) > 1 else []), *used[1:]]
    rows += [together for pair in told if used and (together := _beside(pair, used[0])) != [pair]]
    return [f"**{{{', '.join(f'{name!r}: {value}' for name, value in row)}}}" for row in rows]


def _beside(pair: Reply, others: Sequence[Reply]) -> list[Reply]:
    """An answer with those others that it is no part of."""
    apart = [one for one in others if not (f"{one[0]}.".startswith(f"{pair[0]}.") or pair[0].startswith(f"{one[0]}."))]
    return [*apart, pair]


def _asked_in(test: ast.expr, known: Mapping[str, str]) -> Iterator[Reply]:
    """What is asked of a parameter, by its name in a stand-in, and the answer that a plain one does not give."""
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _asked_in(value, known)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _asked_in(test.operand, known)
    elif isinstance(test, ast.Compare) and len(test.ops) == 1:
        for side, other in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
            if isinstance(other, ast.Constant) and (name := name_of_answer(side, known)):
                yield name, repr(other.value)
    elif name := name_of_answer(test, known):
        yield name, "False"


def _answering(case: Case, given: str) -> Iterator[Case]:
    """The call with its first plain stand-in made so."""
    texts = list(case.texts)
    place = next(number for number, text in enumerate(texts) if _PLAIN.search(text))
    texts[place] = _PLAIN.sub(lambda found: f"{found[1]}({given})", texts[place], count=1)
    other = case.with_texts(texts)
    if other is not None and STANDS_IN.search(texts[place]):
        yield other
