"""Calls that ended in a crash for want of something, with what the error says was missing. Pure; for `search.py`.

Formatter(fmt={"a": 1}).format(record)       ->      Formatter(fmt={"a": 1, "INFO": "abc"}).format(record)
KeyError: 'INFO'

Where the standard library refused a word (`refused.py`), it gets one that it takes: `set_level("INFO")`.
Where a plain value was of no use (`unfit.py`), it gives way to one that is: `{"when": 1}` to `{"when": datetime(...)}`.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence, Set
from typing import Literal

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.crashed import after_crashes
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.fixed import fixed_nodes
from greenlane.testgen.guesses import imports_for
from greenlane.testgen.inputs import Case
from greenlane.testgen.refused import Refused, refused_of, taken_for
from greenlane.testgen.shapes import NAMESPACE
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn
from greenlane.testgen.unfit import is_written, unfit_of
from greenlane.testgen.uses import STAND_IN
from greenlane.testgen.vary import whole

_ALIKE, _MOST, _LONGEST = 4, 80, 60
_VALUES = ("'abc'", "1", "{}", "[]")
_NO_ATTRIBUTE = re.compile(r"'(?:types\.)?(\w+)' object has no attribute '([A-Za-z]\w*)'")
_UNFIT = re.compile(
    r"'(\w+)' object (?:is not callable|does not support the (?:asynchronous )?context manager protocol)"
)
_PLAIN = {"int": int, "str": str, "float": float, "bool": bool, "NoneType": type(None)}


class Missing(msgspec.Struct, frozen=True):
    """What an error names: a `key` of a dict, an `attribute` of a plain object, the `kind` of what should have been
    something else, or a `word` that was refused; `name` is its text."""

    what: Literal["key", "attribute", "kind", "word"]
    name: str
    instead: tuple[str, ...] = ()
    """Expressions that would do in the place of what is of that kind."""
    refused: Refused | None = None


def amended(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What crashed in a function with something open, or in what that calls, with the key or the attribute that the
    error names: what came furthest first, one crash as well as another."""
    functions = [function for _, function, _ in open_functions(source, left)]
    crashed = [one for one in observed if _missing(one) is not None]
    return after_crashes(crashed, source, functions, _amended, alike=_ALIKE, most=_MOST)


def _missing(observed: Observed) -> Missing | None:
    """None where an error names nothing, or was meant."""
    outcome = observed.outcome
    if outcome.kind != "raises" or outcome.deliberate or outcome.error is None:
        return None
    refused = refused_of(outcome.message)
    if refused is not None:
        return Missing("word", refused.word, refused=refused)
    if outcome.error[0] != "builtins":
        return None
    unfit = unfit_of(outcome.error[1], outcome.message)
    if unfit is not None:
        return Missing("kind", unfit.kind, unfit.instead)
    match outcome.error[1]:
        case "AttributeError":
            named = _NO_ATTRIBUTE.match(outcome.message)
            if named is not None:
                own = named[1] == NAMESPACE
                return Missing("attribute", named[2]) if own else Missing("kind", named[1])
        case "TypeError":
            named = _UNFIT.match(outcome.message)
            return Missing("kind", named[1]) if named is not None else None
        case "KeyError" if len(outcome.message) <= _LONGEST:
            key = _literal(outcome.message)
            return Missing("key", repr(key)) if isinstance(key, str | int) and not isinstance(key, bool) else None
    return None


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _amended(observed: Observed) -> Iterator[Case]:
    missing = _missing(observed)
    case, script, texts = observed.case, observed.case.script, observed.case.texts
    for place in reversed(range(len(texts))):
        for other in _with_part(texts[place], missing, statement=script is not None) if missing else ():
            imports = imports_for(other, script.text) if script else ()
            one = case.with_text(place, other, imports)
            if one is not None:
                yield one if script else whole(one)


def _with_part(text: str, missing: Missing, *, statement: bool) -> Iterator[str]:
    """The expression, or statement, with what was missing in each place that has room for it."""
    try:
        tree: ast.AST = parse_source(text) if statement else parse_expression(text)
    except (SyntaxError, UnreadableSourceError):
        return
    hidden = fixed_nodes(tree)
    yield from _with_taken(tree, missing, hidden)
    if missing.what == "kind" and isinstance(tree, ast.Expression) and _is_of_kind(tree.body, missing.name):
        yield f"{STAND_IN}()"
    for node in (n for n in ast.walk(tree) if id(n) not in hidden):
        if missing.what == "key" and isinstance(node, ast.Dict) and missing.name not in map(_text, node.keys):
            for value in dict.fromkeys([*map(ast.unparse, node.values[:1]), *_VALUES]):
                key = parse_expression(missing.name).body
                held = ast.Dict(keys=[*node.keys, key], values=[*node.values, parse_expression(value).body])
                yield _replaced(tree, node, held)
        elif missing.what == "attribute" and isinstance(node, ast.Call) and ast.unparse(node.func) == NAMESPACE:
            for value in _VALUES if missing.name not in {keyword.arg for keyword in node.keywords} else ():
                part = ast.keyword(arg=missing.name, value=parse_expression(value).body)
                yield _replaced(tree, node, ast.Call(func=node.func, args=[], keywords=[*node.keywords, part]))
        elif missing.what == "kind" and isinstance(node, ast.Call):
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                if _is_of_kind(given, missing.name):
                    yield _replaced(tree, given, parse_expression(f"{STAND_IN}()").body)


def _with_taken(tree: ast.AST, missing: Missing, hidden: Set[int]) -> Iterator[str]:
    """With what would do in the place of each literal of the kind, or of what was refused, what stands deepest first:
    what was made up last."""
    places = [n for n in ast.walk(tree) if id(n) not in hidden]
    places.reverse()
    if missing.instead:
        fitting = [parse_expression(text).body for text in missing.instead]
        yield from in_turn([_replaced(tree, n, v) for v in fitting] for n in places if is_written(n, missing.name))
    if missing.refused is not None:
        yield from in_turn([_replaced(tree, n, v) for v in taken_for(n, missing.refused)] for n in places)


def _is_of_kind(node: ast.AST, kind: str) -> bool:
    """Whether a value of this kind is written there; one of a class of the project may come out of a short function."""
    if kind in _PLAIN:
        return isinstance(node, ast.Constant) and type(node.value) is _PLAIN[kind]
    return isinstance(node, ast.Lambda) and not hasattr(builtins, kind)


def _text(key: ast.expr | None) -> str:
    return ast.unparse(key) if key is not None else ""


def _replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(Exchanging(old, new).visit(tree)))
