"""What a hunt is after: goals and the conditions on the way to them, the words and numbers that the code names, and
texts to try. For `hunt.py`; reads test files, runs nothing.
"""

from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from greenlane.suite.lines import UnreadableSourceError, nodes_of, parse_expression, parse_source
from greenlane.testgen.callers import callers_of
from greenlane.testgen.code import Function, FunctionNode, enclosing
from greenlane.testgen.dispatched import own_words
from greenlane.testgen.documents import LONGEST, shortened
from greenlane.testgen.enums import values_of
from greenlane.testgen.explore import Given
from greenlane.testgen.guards import guards_of
from greenlane.testgen.kindred import kin_of
from greenlane.testgen.literals import MAX_TEXT, literals
from greenlane.testgen.patterns import is_pattern, pattern_of, samples
from greenlane.testgen.pythontexts import python_texts
from greenlane.testgen.source import Source
from greenlane.testgen.tables import beside as beside_in_tables
from greenlane.testgen.tables import handed_over
from greenlane.testgen.targets import Gap, Target, Targets, line_of
from greenlane.testgen.trial import encode_mutant
from greenlane.testgen.turns import in_turn

_WORDS, _TEXTS, _NUMBERS = 120, 400, 24
_ASKED = 3
_PATTERNS, _MATCHING, _LONGEST_WORD = 8, 40, 40
_OPENING = (":", "(", "[", "{")
"""Signs after which a line further in belongs to the one before."""
_FILES, _BYTES, _CUT = 40, 600_000, 12


def functions_around(source: Source, left: Targets) -> list[Function]:
    return functions_at(source, {line_of(target) for target in left})


def functions_at(source: Source, lines: Iterable[int]) -> list[Function]:
    """The functions that these lines stand in, in their order."""
    found = (enclosing(source.functions, line) for line in sorted(lines))
    return list(dict.fromkeys(function for function in found if function is not None))


def watched(source: Source) -> dict[str, Any]:
    """What every search in one process is told of the file: where it lies, and of lines inside of a statement its first
    one."""
    first = {str(line): first for line, first in source.gap.known.first.items() if line != first}
    return {"path": f"{Given.root}/{source.path}", "first": first}


def faults_of(source: Source, gap: Gap) -> dict[str, Any]:
    """The mutants of the file, and the numbers of those that are open in this gap."""
    open_ones = {mutant.key for mutant in gap.mutants}
    return {
        "mutants": [encode_mutant(number, mutant) for number, mutant in enumerate(source.gap.mutants)],
        "open": [number for number, mutant in enumerate(source.gap.mutants) if mutant.key in open_ones],
    }


def conditions_before(source: Source, left: Targets) -> set[int]:
    """The condition right before each open line, or on it."""
    found = set()
    for target in left:
        guards = guards_of(source.tree, line_of(target))
        found |= {guard.line for guard in guards[-1:]} if len(target) == 2 else {line_of(target)}
    return found


def quarry(source: Source, gap: Gap, left: Targets, texts: Sequence[str], beside: Sequence[Source]) -> dict[str, Any]:
    functions = functions_around(source, left)
    words, numbers = _words(source.whole, [(f.first, f.last) for f in functions])
    tables = {f: words_for(source.whole, f) for f in functions}
    named = [word for f in functions for word in (*tables[f], *own_words(f, source.functions))]
    ways = list(dict.fromkeys(function.name for function in functions))
    others = [_words(one.whole, _ranges_changed(one), one.gap.changed)[0] for one in (source, *beside)]
    words = list(dict.fromkeys([*named, *in_turn([words, _tags(source, functions), *others])]))[:_WORDS]
    found = list(in_turn(tables.values()))
    return {
        **watched(source),
        **faults_of(source, gap),
        "beside": {f"{Given.root}/{one.path}": sorted(one.gap.changed) for one in beside},
        "goals": [_goal(source, target, tables, found) for target in sorted(left, key=lambda t: (len(t), t))],
        "near": sorted(conditions_before(source, left)),
        "ways": [[(f.first, f.last) for f in source.functions if f.name == name] for name in ways],
        "words": words,
        "texts": [*python_texts(texts, _named_in(source), _asked_in(functions)), *texts],
        "numbers": numbers,
    }


def words_for(tree: ast.Module, function: Function) -> list[str]:
    """The words by which a function is found in tables, and texts that a pattern there matches; and those that others
    hand it."""
    parts = [*beside_in_tables(tree, function), *handed_over(tree, function)]
    return _texts_of(tree, [n for part in parts for n in ast.walk(part)], parts)[0] if parts else []


def _ranges_changed(source: Source) -> list[tuple[int, int]]:
    return [(f.first, f.last) for f in functions_at(source, source.gap.changed)]


def _tags(source: Source, functions: Sequence[Function]) -> list[str]:
    """Texts by which classes are found that these functions, or what calls them, ask for."""
    around = [*functions, *(caller for function in functions for caller in callers_of(function, source.functions))]
    return [word for function in around for kind in function.kinds for word in source.tags.get(kind, ())]


def _asked_in(functions: Iterable[Function]) -> list[str]:
    """What these functions ask of values, classes among it."""
    return [name for function in functions for name in (*function.kinds, *sorted(function.asks))]


def _named_in(source: Source) -> list[str]:
    """Names, attributes and words that stand on the changed lines."""
    changed = source.gap.changed
    parts = [n for n in ast.walk(source.tree) if getattr(n, "lineno", 0) in changed]
    parts += [n for n in ast.walk(source.tree) if isinstance(n, FunctionNode) and n.body[0].lineno in changed]
    found: list[object] = []
    for part in parts:
        named = (getattr(part, field, None) for field in ("id", "attr", "name", "value"))
        found += [name for name in named if isinstance(name, str)]
    return [word for word in dict.fromkeys(found) if isinstance(word, str) and word.isidentifier()]


def _goal(
    source: Source, target: Target, tables: Mapping[Function, Sequence[str]], elsewhere: Sequence[str]
) -> dict[str, Any]:
    """What is open, the conditions on the way to it, and the texts that the nearest of them ask for, or by which the
    function is found in a table; where there are none of these, those by which others are found of the open ones."""
    line = line_of(target)
    guards = guards_of(source.tree, line)
    asked = [guard.test for guard in guards if guard.met][-_ASKED:]
    if len(target) == 3:
        tests = [node.test for node in nodes_of(source.tree) if isinstance(node, ast.If | ast.While | ast.IfExp)]
        asked += [ast.unparse(test) for test in tests if test.lineno == line]
    parsed = [ast.walk(parse_expression(test)) for test in asked if not test.startswith("except ")]
    constants = [n.value for nodes in parsed for n in nodes if isinstance(n, ast.Constant)]
    function = enclosing(source.functions, line)
    given = _given_to(source, asked, function, line)
    constants += [n.value for n in given if isinstance(n, ast.Constant) and len(str(n.value)) <= _LONGEST_WORD]
    plain = [word for word in constants if isinstance(word, str) and word]
    named = _texts_named(source, asked, given)
    words = [*(tables.get(function, ()) if function else ()), *plain, *named]
    return {
        "goal": line if len(target) == 2 else target[1:],
        "chain": [guard.line for guard in guards],
        "words": list(dict.fromkeys(words or elsewhere)),
        "kin": kin_of(source.tree, list(dict.fromkeys(plain))),
    }


def _texts_named(source: Source, tests: Sequence[str], given: Sequence[ast.AST]) -> list[str]:
    """Texts of constants that conditions before a line name, or that are named in what they were `given`."""
    parts = [n for test in tests if not test.startswith("except ") for n in ast.walk(parse_expression(test))]
    return _texts_of(source.whole, [n for n in (*parts, *given) if isinstance(n, ast.Name | ast.Attribute)], ())[0]


def _given_to(source: Source, tests: Sequence[str], function: Function | None, line: int) -> list[ast.AST]:
    """The parts of what the local names in these conditions were given before the line: of `HEADER.match(row)`, where
    `found` is asked for after `found = HEADER.match(row)`."""
    parts = [n for test in tests if not test.startswith("except ") for n in ast.walk(parse_expression(test))]
    local = {n.id for n in parts if isinstance(n, ast.Name)}
    first = function.first if function is not None else line
    given = {
        target.id: node.value
        for node in nodes_of(source.tree)
        if isinstance(node, ast.Assign) and first <= node.lineno < line
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in local
    }
    return [n for value in given.values() for n in ast.walk(value)]


def _words(
    tree: ast.Module, ranges: Sequence[tuple[int, int]], changed: frozenset[int] = frozenset()
) -> tuple[list[str], list[int | float]]:
    """Texts and numbers that stand in these functions, and those of the constants of the module and of its classes that
    they name, or that stand on `changed` lines outside of functions; for a regular expression a few texts that it
    matches."""
    inside = [
        node
        for node in nodes_of(tree)
        if isinstance(node, ast.stmt) and any(first <= node.lineno <= last for first, last in ranges)
    ]
    idle = {id(s.value) for s in inside if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)}
    parts = [part for node in inside if not isinstance(node, ast.Raise) for part in ast.walk(node)]
    held = [n for value in _constants(tree).values() for n in ast.walk(value)] if changed else []
    named = [n for n in held if isinstance(n, ast.Constant) and not changed.isdisjoint(range(n.lineno, _end(n) + 1))]
    return _texts_of(tree, [part for part in parts if id(part) not in idle], named)


def _end(node: ast.expr) -> int:
    return node.end_lineno or node.lineno


def _constants(tree: ast.Module) -> Mapping[str, ast.expr]:
    """What the module and its classes bind to names."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    return {
        target.id: node.value
        for body in bodies
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _texts_of(
    tree: ast.Module, parts: Sequence[ast.AST], more: Sequence[ast.AST]
) -> tuple[list[str], list[int | float]]:
    """Texts and numbers among these parts, of the constants that they name, and of `more`."""
    named = {**_constants(tree), **values_of(tree)}
    names = [p.attr if isinstance(p, ast.Attribute) else p.id for p in parts if isinstance(p, ast.Attribute | ast.Name)]
    there = [*parts, *(n for name in dict.fromkeys(names) if name in named for n in ast.walk(named[name])), *more]
    compiled = {id(n.args[0]): pattern_of(n) for n in nodes_of(tree) if isinstance(n, ast.Call) and n.args}
    values = [compiled.get(id(p)) or p.value for p in there if isinstance(p, ast.Constant)]
    told = {text for text in compiled.values() if text}
    patterns = list(dict.fromkeys(v for v in values if isinstance(v, str) and (v in told or is_pattern(v))))
    plain = [v for v in dict.fromkeys(v for v in values if isinstance(v, str)) if 0 < len(v) <= _LONGEST_WORD]
    matching = [*in_turn(samples(pattern) for pattern in patterns[:_PATTERNS])][:_MATCHING]
    words = [*matching, *(word for word in plain if word not in patterns)]
    numbers = dict.fromkeys(v for v in values if isinstance(v, int | float) and not isinstance(v, bool))
    return words[:_WORDS], [n for n in numbers if math.isfinite(n)][:_NUMBERS]


def list_texts(tree: Path, tests: Iterable[str]) -> list[str]:
    """Texts that stand in these test files, one of each file in turn; what was indented with the test is so no more,
    and of a long document there are smaller ones."""
    rows, size = [], 0
    for path in list(dict.fromkeys(tests))[:_FILES]:
        file = tree / path
        try:
            if file.is_symlink() or not file.resolve().is_relative_to(tree.resolve()):
                continue
            size += file.stat().st_size
            if size > _BYTES:
                break
            parsed = parse_source(file.read_text(encoding="utf-8-sig"))
        except (UnreadableSourceError, UnicodeDecodeError, OSError):
            continue
        values = [value for _, value in literals(parsed, LONGEST) if isinstance(value, str)]
        cut = [text for value in values for text in shortened(value, MAX_TEXT)]
        plain = [text for value in values if len(value) <= MAX_TEXT and len(text := _dedented(value)) > 1]
        rows.append(list(dict.fromkeys([*cut[:_CUT], *plain])))
    most = max((len(row) for row in rows), default=0)
    turns = (row[n] for n in range(most) for row in rows if n < len(row))
    return list(dict.fromkeys(turns))[:_TEXTS]


def _dedented(text: str) -> str:
    first, sign, rest = text.partition("\n")
    if first.rstrip().endswith(_OPENING):
        return text.rstrip(" ")
    return (first.strip(" ") + sign + textwrap.dedent(rest)).lstrip("\n").rstrip(" ")
