"""Calls and scripts with a text in other letters, capital or small, where code makes them the same. Pure; for
`search.py`.

    if name.lower() == wanted.lower(): ...       archive.writestr("a/RECORD", "")
                                             ->      archive.writestr("A/RECORD", "")

Of a text that holds a word that the code names, the other letters first, then all of them.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence, Set

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_SAME = frozenset({"lower", "upper", "casefold", "swapcase", "islower", "isupper", "IGNORECASE"})
_CALLS, _MOST, _LONGEST = 24, 60, 80


def in_other_case(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What ran something of an open function that makes capital and small letters the same, with one text of it in
    other letters; texts with a word that the function names first, and the plainest calls."""
    rows: dict[str, list[Case]] = {}
    for _, function, node in open_functions(source, left):
        if function.qualified in rows or _SAME.isdisjoint(_names(node)):
            continue
        inside = range(function.first + 1, function.last + 1)
        near = [o.case for o in observed if not o.lines.get(source.path, frozenset()).isdisjoint(inside)]
        words = {text.lower() for _, text in _texts(node)}
        near.sort(key=lambda case: (not _names_any(case, words), case.plainness))
        made = in_turn(_changed(case, words) for case in near)
        rows[function.qualified] = list(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _names(node: ast.AST) -> Iterator[str]:
    return (part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute))


def _texts(tree: ast.AST) -> Iterator[tuple[ast.Constant, str]]:
    """Short texts with letters, but those that are a part of another one."""
    within = {part for whole in ast.walk(tree) if isinstance(whole, ast.JoinedStr) for part in ast.walk(whole)}
    for node in (part for part in ast.walk(tree) if isinstance(part, ast.Constant) and part not in within):
        text = node.value
        if isinstance(text, str) and len(text) <= _LONGEST and text.lower() != text.upper():
            yield node, text


def _names_any(case: Case, words: Set[str]) -> bool:
    whole = "\n".join(case.texts).lower()
    return any(word in whole for word in words)


def _changed(case: Case, words: Set[str]) -> Iterator[Case]:
    rows: list[tuple[bool, int, int, Case]] = []
    for place, text in enumerate(case.texts):
        try:
            tree = parse_source(text)
        except UnreadableSourceError:
            continue
        for node, shown in _texts(tree):
            named = sorted(word for word in words if word in shown.lower())
            for number, other in enumerate(dict.fromkeys(_other_letters(shown, named))):
                made = case.with_text(place, ast.unparse(Exchanging(node, ast.Constant(other)).visit(tree)))
                rows += [(not named, number, -place, made)] if made is not None else []
    yield from (case for *_, case in sorted(rows, key=lambda row: row[:3]))


def _other_letters(text: str, named: Sequence[str]) -> Iterator[str]:
    """The text in other letters: without a named word as far as that is a part of it, then as a whole."""
    for word in named:
        rest = re.split(f"({re.escape(word)})", text, flags=re.IGNORECASE)
        changed = "".join(part if n % 2 else _swapped(part) for n, part in enumerate(rest))
        yield from [changed] if changed != text else []
    yield _swapped(text)


def _swapped(text: str) -> str:
    return text.lower() if text.isupper() else text.upper()
