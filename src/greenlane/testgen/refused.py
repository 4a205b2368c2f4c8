"""A word that the standard library refuses, told by its error, and words that it takes. Pure; for `amended.py`.

set_level("a=b")                    Unknown level: 'B'                   set_level('a=INFO')
read("abc", 2)                      invalid literal for int() with base 10: 'abc'
parse(["a"])                        time data 'a' does not match format '%Y-%m'
first, second = row                 not enough values to unpack (expected 2, got 1)
"""

from __future__ import annotations

import ast
import datetime
import re
from collections.abc import Iterator

import msgspec

_TAKEN: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"Unknown level: '(.*)'", ("INFO",)),
    (r"invalid literal for int\(\) with base \d+: b?'(.*)'", ("1", "20")),
    (r"could not convert string to (?:float|complex): b?'(.*)'", ("1.5",)),
    (r"Invalid literal for Fraction: '(.*)'", ("1/2",)),
    (r"Invalid isoformat string: '(.*)'", ("2020-01-31", "2020-01-31T12:30:00", "12:30")),
    (r"'(.*)' does not appear to be an IPv4 or IPv6 address", ("192.0.2.1", "2001:db8::1")),
    (r"'(.*)' does not appear to be an IPv4 or IPv6 network", ("192.0.2.0/24", "2001:db8::/32")),
    (r"unsupported hash type (.*)", ("sha256",)),
    (r"unknown encoding: (.*)", ("utf-8",)),
    (r"['\"]?No time zone found with key (.*?)['\"]?", ("UTC",)),
    (r"No module named '(.*)'", ("json",)),
)
"""By how an error of the standard library quotes a word."""
_OF_TIME = re.compile(r"time data '(.*)' does not match format '(.*)'")
_UNPACKED = re.compile(r"(not enough|too many) values to unpack \(expected (?:at least )?(\d+)")
_WHEN = datetime.datetime(2020, 1, 31, 12, 30, tzinfo=datetime.UTC)
_LONGEST, _MOST_PARTS = 60, 8
_LETTERS = "abcdefgh"


class Refused(msgspec.Struct, frozen=True):
    """What was refused: a word, with such that are taken; or a row that has not `parts` places."""

    word: str = ""
    instead: tuple[str, ...] = ()
    parts: int = 0


def refused_of(message: str) -> Refused | None:
    """What an error says that was refused; None where it quotes nothing known."""
    if len(message) > 2 * _LONGEST:
        return None
    if (unpacked := _UNPACKED.match(message)) is not None:
        parts = int(unpacked[2])
        return Refused(parts=parts) if 1 < parts <= _MOST_PARTS else None
    if (timed := _OF_TIME.fullmatch(message)) is not None:
        return Refused(timed[1], (_WHEN.strftime(timed[2]),))
    for pattern, instead in _TAKEN:
        if (named := re.fullmatch(pattern, message)) is not None and len(named[1]) <= _LONGEST:
            return Refused(named[1], instead)
    return None


def taken_for(node: ast.AST, refused: Refused) -> Iterator[ast.expr]:
    """What would do in the place of this part of a tree, if it holds what was refused."""
    if refused.parts:
        if _places(node) not in {None, refused.parts}:
            yield from _rows(node, refused.parts)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text, word = node.value, refused.word
        at = text.lower().rfind(word.lower()) if word else 0
        if at >= 0 and (word or not text):
            yield from (ast.Constant(value=text[:at] + other + text[at + len(word) :]) for other in refused.instead)


def _places(node: ast.AST) -> int | None:
    if isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
        return len(node.elts)
    return len(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _rows(node: ast.AST, parts: int) -> Iterator[ast.expr]:
    """A row of so many parts, with the first of those that were there."""
    given = node.elts[:parts] if isinstance(node, ast.Tuple | ast.List) else []
    fresh = [ast.Constant(value=letter) for letter in _LETTERS[len(given) : parts]]
    yield ast.Tuple(elts=[*given, *fresh], ctx=ast.Load())
