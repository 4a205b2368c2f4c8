"""Regular expressions that take exponential time on some input, told from their structure, without running them.

Two forms are looked for (after Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular Expression
Matchers", 2016): an unbounded repetition whose body can be cut in more than one way because it repeats something
itself (`(a+)+`, `(x[xy]*)*`), and one whose alternatives overlap (`(a|[^b])*`). Called by `guards.py`.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from greenlane.analyzers.dataflow import Flow

_parser: Any = importlib.import_module("re._parser")  # the standard library's own; it has no typed form
Codes: TypeAlias = frozenset[int]
_ALL: Codes = frozenset(range(256))
_UNBOUNDED = 100
"""A repetition that may run this often is one that an attacker can make long."""
_MAX_LENGTH = 4000
_FUNCTIONS = frozenset({"compile", "match", "search", "fullmatch", "sub", "subn", "findall", "finditer", "split"})
_CATEGORIES: dict[str, Codes] = {
    "CATEGORY_DIGIT": frozenset(b"0123456789"),
    "CATEGORY_SPACE": frozenset(b" \t\n\r\f\v"),
    "CATEGORY_WORD": frozenset(c for c in range(256) if chr(c).isalnum() or c == 95),
}


def explosive(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """The regular expressions of a file that can explode: where they stand, and their text."""
    flow = Flow(tree)
    seen: set[str] = set()
    for node in _candidates(tree):
        text = _text(node, flow, 0)
        if text and text not in seen and ("*" in text or "+" in text or "," in text):
            seen.add(text)
            if can_explode(text):
                yield node, text


def can_explode(pattern: str) -> bool:
    """Whether the structure allows exponentially many ways to match. False for what is no regular expression."""
    if len(pattern) > _MAX_LENGTH:
        return False
    try:
        parsed = _parser.parse(pattern)
    except Exception:  # whatever the parser raises for a text that is no pattern
        return False
    return any(_is_ambiguous(body) for body in _repeated(parsed))


def _candidates(tree: ast.Module) -> Iterator[ast.expr]:
    """First arguments of the functions of `re`, and raw-looking texts in tables of rules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _FUNCTIONS or "regex" in name.lower():
                yield node.args[0]
        elif isinstance(node, ast.Tuple) and node.elts and isinstance(node.elts[0], ast.Constant):
            yield node.elts[0]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield node.value


def _text(node: ast.expr | None, flow: Flow, depth: int) -> str:
    """The text of a constant expression; what is not constant stands as one letter. Empty: it is no text."""
    if depth > 12:
        return ""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=bytes() as data):
            return data.decode("latin-1")
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, flow, depth + 1) + _text(right, flow, depth + 1)
        case ast.JoinedStr(values=values):
            return "".join(_text(v, flow, depth + 1) for v in values)
        case ast.FormattedValue(value=value):
            return _text(value, flow, depth + 1) or "x"
        case ast.Name():
            assigned = flow.assigned(node) or []
            return _text(assigned[0], flow, depth + 1) if len(assigned) == 1 else ""
        case ast.Call(func=ast.Attribute(value=value, attr="encode" | "format")):
            return _text(value, flow, depth + 1)
        case _:
            return ""


def _repeated(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The bodies of all unbounded repetitions, outer ones first."""
    for op, argument in items:
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, body = argument
            if most >= _UNBOUNDED:
                yield list(body)
            yield from _repeated(body)
        elif name == "SUBPATTERN":
            yield from _repeated(argument[-1])
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from _repeated(branch)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from _repeated(argument[1])


def _is_ambiguous(body: list[Any]) -> bool:
    """Whether several rounds of this body can match the same text in more than one way."""
    plain = _unwrapped(body)
    if len(plain) == 1 and str(plain[0][0]) == "BRANCH":
        return _overlaps([_unwrapped(b) for b in plain[0][1][1]])
    return _can_be_cut(plain)


def _can_be_cut(body: list[Any]) -> bool:
    """Whether the body holds an unbounded repetition, and everything else in it may be absent or be taken for it."""
    flat = [part for item in body for part in _optional_parts(item)]
    for index, (codes, _, unbounded) in enumerate(flat):
        others = [other for at, other in enumerate(flat) if at != index]
        if unbounded and codes and all(o_least == 0 or (o_codes & codes) for o_codes, o_least, _ in others):
            return True
    return False


def _optional_parts(item: Any) -> Iterator[tuple[Codes, int, bool]]:
    """(characters, least number, unbounded) of the parts of one item; of an optional group they are optional."""
    op, argument = item
    name = str(op)
    if name in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, body = argument
        inner = _unwrapped(list(body))
        if len(inner) == 1 and str(inner[0][0]) in ("LITERAL", "NOT_LITERAL", "IN", "ANY"):
            yield _codes(inner[0]), int(least), most >= _UNBOUNDED
        else:
            for part in inner:
                for codes, part_least, unbounded in _optional_parts(part):
                    yield codes, min(int(least), part_least), unbounded
    elif name == "SUBPATTERN":
        for part in argument[-1]:
            yield from _optional_parts(part)
    elif name == "AT":
        return
    else:
        yield _codes(item), 1, False


def _overlaps(branches: list[list[Any]]) -> bool:
    """Whether one alternative can be read as one or more of the others, character by character."""
    sets = [[_codes(item) for item in branch] for branch in branches]
    for index, wanted in enumerate(sets):
        if not wanted or not all(wanted):
            continue
        others = [s[0] for at, s in enumerate(sets) if at != index and len(s) == 1]
        if others and all(any(codes & other for other in others) for codes in wanted):
            return True
    return any(_can_be_cut(branch) for branch in branches)


def _unwrapped(items: Iterable[Any]) -> list[Any]:
    """The items, with a group that holds them all taken off."""
    found = list(items)
    while len(found) == 1 and str(found[0][0]) == "SUBPATTERN":
        found = list(found[0][1][-1])
    return found


def _codes(item: Any) -> Codes:
    """The characters (up to 255) that one item matches; empty for what is no single character."""
    op, argument = item
    match str(op):
        case "LITERAL":
            return frozenset({argument})
        case "NOT_LITERAL":
            return _ALL - {argument}
        case "ANY":
            return _ALL - {10}
        case "IN":
            return _class(argument)
        case "SUBPATTERN" if len(list(argument[-1])) == 1:
            return _codes(next(iter(argument[-1])))
        case _:
            return frozenset()


def _class(parts: Iterable[Any]) -> Codes:
    found: set[int] = set()
    negated = False
    for op, argument in parts:
        match str(op):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found.add(argument)
            case "RANGE":
                found.update(range(argument[0], min(argument[1], 255) + 1))
            case "CATEGORY":
                name = str(argument)
                plain = _CATEGORIES.get(name.replace("_NOT_", "_"), frozenset())
                found.update(_ALL - plain if "_NOT_" in name else plain)
    return _ALL - found if negated else frozenset(found)
