"""What an error says about a plain value that was of no use where it went: its kind, and values that would do. Pure;
for `amended.py`.

'int' object has no attribute 'tzinfo'       an `int`; a date
'str' object has no attribute 'payments'     a `str`; an object with that
'NoneType' object is not iterable            a `NoneType`; a list
can only concatenate str (not "int") to str  an `int`; a text
"""

from __future__ import annotations

import ast
import datetime
import io
import pathlib
import re

import msgspec

from greenlane.testgen.shapes import NAMESPACE

_NO_ATTRIBUTE = re.compile(r"'(\w+)' object has no attribute '([A-Za-z]\w*)'")
_TEXT, _LIST, _DICT = "'abc'", "['a', 'b']", "{'a': 1}"
_ASKED = (
    (re.compile(r"'(\w+)' object is not (?:iterable|an iterator)"), (_LIST, _DICT)),
    (re.compile(r"(?:cannot unpack non-iterable|argument of type) '?(\w+)'? (?:object|is not iterable)"), ("(1, 2)",)),
    (re.compile(r"object of type '(\w+)' has no len\(\)"), (_TEXT, _LIST)),
    (re.compile(r"'(\w+)' object is not subscriptable"), (_DICT, _LIST, _TEXT)),
    (re.compile(r"'(\w+)' object does not support item (?:assignment|deletion)"), (_DICT, _LIST)),
    (re.compile(r"can only concatenate str \(not \"(\w+)\"\) to str"), (_TEXT,)),
    (re.compile(r"(?:sequence item \d+: )?expected str instance, (\w+) found"), (_TEXT,)),
    (re.compile(r"expected string or bytes-like object, got '(\w+)'"), (_TEXT,)),
    (re.compile(r"(?:\w+\(\) |\w+ )?(?:argument (?:\d+ )?)?must be str(?:, bytes or \S+)?, not (\w+)"), (_TEXT,)),
    (re.compile(r"(?:can't concat|a bytes-like object is required, not) '?(\w+)'?"), ("b'abc'",)),
)  # fmt: skip
_HAVING: tuple[tuple[str, type], ...] = (
    (_TEXT, str), (_DICT, dict), (_LIST, list), ("b'abc'", bytes), ("{1, 2}", set),
    ("datetime(2020, 1, 31, tzinfo=timezone.utc)", datetime.datetime), ("timedelta(1)", datetime.timedelta),
    ("StringIO('abc')", io.StringIO), ("Path('a')", pathlib.Path), ("1.5", float),
)  # fmt: skip
"""Values that are there to be used where something is asked of them; a moment is the same in every time zone."""
_MOST = 2
_NODES: dict[str, type[ast.expr]] = {
    "list": ast.List, "dict": ast.Dict, "tuple": ast.Tuple, "set": ast.Set,
}  # fmt: skip
_CONSTANTS: dict[str, type] = {
    "int": int, "str": str, "float": float, "bool": bool, "bytes": bytes, "NoneType": type(None),
}  # fmt: skip


class Unfit(msgspec.Struct, frozen=True):
    """The name of the kind of what was given, and expressions that would do in its place."""

    kind: str
    instead: tuple[str, ...]


def unfit_of(error: str, message: str) -> Unfit | None:
    """What an AttributeError or a TypeError says of a plain value; None where it says nothing of one."""
    if error == "AttributeError":
        named = _NO_ATTRIBUTE.match(message)
        values = [text for text, kind in _HAVING if hasattr(kind, named[2])] if named else []
        plain = [f"{NAMESPACE}({named[2]}='abc')"] if named else []  # an object of nobody's
        return _unfit(named[1], tuple(values[:_MOST] or plain)) if named else None
    for pattern, fitting in _ASKED if error == "TypeError" else ():
        if (named := pattern.match(message)) is not None:
            return _unfit(named[1], fitting)
    return None


def _unfit(kind: str, instead: tuple[str, ...]) -> Unfit | None:
    return Unfit(kind, instead) if instead and (kind in _NODES or kind in _CONSTANTS) else None


def is_written(node: ast.AST, kind: str) -> bool:
    """Whether a literal of this kind is written there."""
    if kind in _CONSTANTS:
        return isinstance(node, ast.Constant) and type(node.value) is _CONSTANTS[kind]
    return isinstance(node, _NODES[kind]) and not isinstance(getattr(node, "ctx", None), ast.Store)
