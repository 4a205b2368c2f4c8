"""Runs inside the sandbox: what an error says, and whether it is one that the project raises on purpose."""

from __future__ import annotations

import ast
import functools
import importlib
import opcode
import os
import re
import traceback
from collections.abc import Iterator
from typing import Any
from unittest import mock

from greenlane_looks import is_dated, without_places  # type: ignore[import-not-found]  # it lies beside this file inside

_UNFIT = re.compile(
    "unsupported operand|bad operand|'.+' not supported between|can only concatenate|can't multiply|unhashable type"
    "|must be str, not|(list|tuple|string|byte|range object) ?(indices|index) must be"
)
"""What the language says of a value that an operator can't be used with."""
_SIDES = ("", "r", "i")
_DIVIDING = frozenset(f"__{side}{name}__" for name in ("truediv", "floordiv", "mod", "divmod") for side in _SIDES)
_COUNTING = ("add", "sub", "mul", "matmul", "pow", "lshift", "rshift", "and", "or", "xor")
_OTHERS = ("lt", "le", "gt", "ge", "neg", "pos", "abs", "invert", "contains", "hash", "getitem", "setitem", "delitem")
_OPERATORS = _DIVIDING | {f"__{side}{name}__" for name in _COUNTING for side in _SIDES} | {f"__{n}__" for n in _OTHERS}
_TEXTS = frozenset({"<script>", "<setup>", "<look>", "<step>"})
"""What the text of a test is called as it is run here."""
_STAND_IN_CALL = "_execute_mock_call"
_LOOKUPS = frozenset({"__getitem__", "__delitem__", "__missing__"})


def is_deliberate(error: BaseException, frames: Any, project: str) -> bool:
    """Whether a line of the project raised it, or caught it and let it go on, or a function of the test did so that the
    project called, or it is how the language says that an operator has no answer: `frames` are those of its
    traceback."""
    own = [frame for frame in frames if frame.filename.startswith(project + os.sep)]
    if own and own[-1] is frames[-1] and own[-1].lineno in _raising(own[-1].filename)[0]:
        return True
    if own and _is_raised_by_test(error):
        return True
    if own and all(_is_refusal(error, _special_names(frame)) for frame in own):
        return True
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return any(
        first <= (frame.lineno or 0) <= last and (not names or names & kinds)
        for frame in own
        for first, last, names in _raising(frame.filename)[1]
    )


def _is_raised_by_test(error: BaseException) -> bool:
    """Whether it comes from a `raise` of the test's own text, or from a stand-in that was told to raise it."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code if last is not None else None
    if last is None or code is None or opcode.opname[code.co_code[last.tb_lasti]] != "RAISE_VARARGS":
        return False
    return code.co_filename in _TEXTS or (code.co_name, code.co_filename) == (_STAND_IN_CALL, mock.__file__)


def _is_refusal(error: BaseException, names: frozenset[str]) -> bool:
    """Whether a special method of these names may end so: `box["b"]` with a KeyError, `box < 1` with a TypeError that
    speaks of the operands."""
    if isinstance(error, TypeError):
        return bool(names & _OPERATORS) and _UNFIT.match(words_of(error)) is not None
    if isinstance(error, ZeroDivisionError):
        return bool(names & _DIVIDING)
    return isinstance(error, KeyError | IndexError) and bool(names & _LOOKUPS)


def _special_names(frame: Any) -> frozenset[str]:
    """The special method that a frame is of; of a plain one those that its class makes of it: `__lt__ = is_before`."""
    if frame.name.startswith("__"):
        return frozenset({frame.name})
    return frozenset(
        special
        for name, special, first, last in _named_twice(frame.filename)
        if name == frame.name and first <= (frame.lineno or 0) <= last
    )


@functools.cache
def _named_twice(path: str) -> tuple[tuple[str, str, int, int], ...]:
    """Methods that also go by a special name: both names, and the lines of the class."""
    tree = _parsed(path)
    return tuple(
        (node.value.id, target.id, holder.lineno, holder.end_lineno or holder.lineno)
        for holder in (ast.walk(tree) if tree is not None else ())
        if isinstance(holder, ast.ClassDef)
        for node in holder.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.startswith("__")
    )


def words_of(error: BaseException) -> str:
    """What it says; nothing where it can't be asked: a project's own error may fail at that. Of a group, without the
    number of errors in it, which pytest takes off as well."""
    try:
        if isinstance(error, BaseExceptionGroup):
            return str(error.message)
        return str(error)
    except Exception:  # whatever its class raises
        return ""


def describe_error(error: BaseException, project: str) -> dict[str, Any]:
    """What a test may say of an error that a call raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(project + os.sep)]
    deliberate = is_deliberate(error, frames, project)
    message = without_places(words_of(error))
    kind = type(error)
    top = kind.__qualname__.split(".")[0]
    return {
        "kind": "raises",
        "error": [kind.__module__, kind.__qualname__],
        "importable": getattr(importlib.import_module(kind.__module__), top, None) is not None,
        "message": message[:200],
        "dated": is_dated(message),
        "deliberate": deliberate or isinstance(error, SystemExit),
        "at": [os.path.relpath(own[-1].filename, project), own[-1].lineno or 0] if own else None,
    }


@functools.cache
def _raising(path: str) -> tuple[set[int], list[tuple[int, int, set[str]]]]:
    """The lines of statements that raise; and, of what is tried and then raised again, the first line, the last one,
    and the names of the errors that are caught (none: all). Nothing of what is no Python, as a template."""
    tree = _parsed(path)
    if tree is None:
        return set(), []
    lines = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    tried = [
        (node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno, set(_names(handler.type)))
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        for handler in node.handlers
        if any(_raises_again(inner, handler.name) for inner in ast.walk(handler))
    ]
    return lines, tried


def _parsed(path: str) -> ast.Module | None:
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - a traceback's plain path
            return ast.parse(file.read())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _raises_again(node: ast.AST, name: str | None) -> bool:
    if not isinstance(node, ast.Raise):
        return False
    return node.exc is None or (isinstance(node.exc, ast.Name) and node.exc.id == name)


def _names(kind: ast.expr | None) -> Iterator[str]:
    for node in kind.elts if isinstance(kind, ast.Tuple) else [kind]:
        if node is not None:
            yield node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
