"""A text that stands in several places of a script, with one word less in all of them: what one call makes of it is
what another reads by it. Pure; for `search.py`.

    parse(show(day, "%d %m %z"), "%d %m %z")        ->        parse(show(day, "%d %m"), "%d %m")
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.turns import in_turn

_LONGEST, _WORDS, _MOST = 80, 8, 12
_CASES = 60


def together(cases: Iterable[Case], entries: Iterable[Function]) -> list[Case]:
    """The scripts that call one of these functions, each with a word less; the plainest first. They may have gone
    another way long before what is open."""
    entries = list(entries)
    rows: list[list[Case]] = []
    for case in sorted(cases, key=lambda case: case.plainness):
        script = case.script
        entry = next((one for one in entries if script is not None and f"{one.called}(" in script.text), None)
        if script is not None and entry is not None:
            made = msgspec.structs.replace(case, entry=entry, carved=False, steps=case.steps + 1)
            rows.append([msgspec.structs.replace(made, script=one) for one in scripts_with_less(script)])
    return list({case.made: case for case in in_turn(rows)}.values())[:_CASES]


def scripts_with_less(script: Script) -> Iterator[Script]:
    """The script with each word left out of each such text."""
    texts = (*script.setup, script.look)
    counts: dict[str, int] = {}
    for value in (value for text in texts for value in _texts_in(text)):
        counts[value] = counts.get(value, 0) + 1
    made = (less for value, count in counts.items() if count > 1 for less in _with_less(script, texts, value))
    for _, other in zip(range(_MOST), made, strict=False):
        yield other


def _texts_in(text: str) -> list[str]:
    try:
        nodes = list(ast.walk(parse_source(text)))
    except UnreadableSourceError:
        return []
    values = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [value for value in values if len(value) <= _LONGEST and 1 < len(value.split()) <= _WORDS]


def _with_less(script: Script, texts: Sequence[str], value: str) -> Iterator[Script]:
    words = re.findall(r"\S+\s*", value)
    for place in range(len(words)):
        less = "".join([*words[:place], *words[place + 1 :]]).strip()
        changed = [_exchanged(text, value, less) for text in texts]
        yield msgspec.structs.replace(script, setup=tuple(changed[:-1]), look=changed[-1])


def _exchanged(text: str, old: str, new: str) -> str:
    class Exchanging(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            return ast.copy_location(ast.Constant(new), node) if node.value == old else node

    return ast.unparse(Exchanging().visit(parse_source(text))) if old in _texts_in(text) else text
