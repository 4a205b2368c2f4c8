"""What stays the same of a text that ends otherwise each time: a token, a number that counts up, a time. Pure; for
`search.py`.

    meta_tag()  gives  '<meta content="ImY5">', then '<meta content="IjA0">':  meta_tag()[:15] == '<meta content="'
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.staged import as_script

_LEAST = 4
_MOST = 8
_CUT = re.compile(r"(.+)\[:(\d+)\]", re.DOTALL)


def list_beginnings(first: Sequence[Observed], again: Sequence[Observed]) -> list[Case]:
    """Looks at the beginnings of the texts that calls gave otherwise when they were made again, a few in all."""
    second = {o.case.key: o for o in again}
    cases = []
    for one in first:
        other = second.get(one.case.key)
        begun = _common(_text_of(one), _text_of(other)) if other is not None else ""
        case = _cut(one.case, one.outcome.view, len(begun)) if begun else None
        cases += [case] if case is not None else []
    return cases[:_MOST]


def as_beginning(look: str, value: str) -> str | None:
    """`name().startswith("ab")` for `name()[:2]` and `"ab"`; None where it is no such look."""
    cut = _CUT.fullmatch(look)
    text = _literal(value)
    return f"{cut[1]}.startswith({value})" if cut and text is not None and len(text) == int(cut[2]) else None


def _text_of(observed: Observed) -> str:
    outcome = observed.outcome
    plain = outcome.kind == "value" and outcome.value is not None and outcome.view in {"", "str"}
    return (_literal(outcome.value.text) or "") if plain and outcome.value is not None else ""


def _literal(text: str) -> str | None:
    try:
        value = ast.literal_eval(parse_expression(text))
    except (ValueError, SyntaxError, TypeError, UnreadableSourceError):
        return None
    return value if isinstance(value, str) else None


def _common(one: str, other: str) -> str:
    """How two texts begin alike, without the last word of it, which may go on; empty where that says little."""
    if one == other:
        return ""
    begun = re.sub(r"\w+\Z", "", _alike(one, other))
    return begun if len(begun) >= _LEAST and re.search(r"\w", begun) else ""


def _alike(one: str, other: str) -> str:
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(letter for letter, _ in pairs)


def _cut(case: Case, view: str, length: int) -> Case | None:
    script = as_script(case)
    try:
        parse_expression(script.look)
    except (SyntaxError, UnreadableSourceError):
        return None
    look = f"{view}({script.look})" if view else script.look
    cut = msgspec.structs.replace(script, look=f"{look}[:{length}]")
    return case.with_script(cut)
