"""Texts that a regular expression of the code matches: what a format looks like often stands in no comparison.
Pure, and the same each time.

The texts are written from the parsed expression, which is never run: `^(\\d{2}):(\\d{2})(Z|[+-]\\d{2})?$` gives
`12:12Z`, `12:12`, `12:12+12`, `99:99Z`, ... so that each of its ways is gone once, and numbers are in and out of the
bounds that a format of its kind mostly has.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import re
import re._constants as codes  # type: ignore[import-not-found]  # the parser of `re` has no other name
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

_SIGNS = re.compile(r"\\[dswDSWbB]|\(\?|\[\^|\[\w-\w|\)[*+?]|[^\s\w][*+]\)|\.\*")
_FLAGS = {"VERBOSE": "x", "X": "x", "IGNORECASE": "i", "I": "i", "DOTALL": "s", "S": "s", "MULTILINE": "m", "M": "m"}
_READERS = frozenset(
    {"compile", "re.compile", "re.match", "re.fullmatch", "re.search", "re.sub", "re.subn", "re.split", "re.findall",
     "re.finditer"}
)  # fmt: skip
_MOST, _LONGEST = 10, 80
_TOLD = 6
"""Samples that stand for a pattern among the constants of a function."""
_MAX_WAYS, _MAX_STEPS = 60, 1_000
_DEEP = 40
"""Texts within texts that a pattern is put together of."""
_PLAIN, _NINES = "12", "99"
_LETTERS = "ab"
_OTHERS = "ab1 -_.A\n"
_CATEGORIES = {
    "CATEGORY_SPACE": " ", "CATEGORY_NOT_SPACE": _LETTERS, "CATEGORY_WORD": _LETTERS, "CATEGORY_NOT_WORD": "-",
    "CATEGORY_NOT_DIGIT": _LETTERS,
}  # fmt: skip
_ITEMS = 4
"""Members of a set of signs that are tried."""

_Path: TypeAlias = tuple[int, ...]
_Way: TypeAlias = Mapping[_Path, int]
"""The choices that are not the first, by their place in the expression."""


class _TooLongError(Exception):
    """What it matches is no short text."""


def is_pattern(text: str) -> bool:
    """Whether it looks like a regular expression."""
    return bool(_SIGNS.search(text))


def pattern_of(call: ast.Call) -> str | bytes | None:
    """The regular expression that a function of `re` is given, with its flags inside of it."""
    if ast.unparse(call.func) not in _READERS or not call.args:
        return None
    value = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
    given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    names = [n.attr for one in given for n in ast.walk(one) if isinstance(n, ast.Attribute)]
    flags = "".join(sorted({_FLAGS[name] for name in names if name in _FLAGS}))
    if isinstance(value, bytes):
        return f"(?{flags})".encode() + value if flags else value
    return (f"(?{flags})" * bool(flags) + value) if isinstance(value, str) else None


def put_together(tree: ast.expr, texts: Mapping[str, str]) -> ast.expr:
    """The expression with patterns that are put together of other texts as one: `re.compile(f"{DAY} {HOUR}")`."""
    made: dict[int, str] = {}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args):
        text = None if isinstance(call.args[0], ast.Constant) else as_text(call.args[0], texts)
        if text is not None and ast.unparse(call.func) in _READERS:
            made[id(call)] = text
    if not made:
        return tree
    try:
        copied = copy.deepcopy(tree)
    except RecursionError:  # it is no table of patterns that a person wrote
        return tree
    for old, new in zip(ast.walk(tree), ast.walk(copied), strict=True):
        if id(old) in made and isinstance(new, ast.Call):
            new.args[0] = ast.copy_location(ast.Constant(value=made[id(old)]), new.args[0])
    return copied


def as_text(node: ast.expr, texts: Mapping[str, str], deep: int = _DEEP) -> str | None:
    """The text that an expression of texts, and of names that stand for one, is; None for any other."""
    parts: list[ast.expr]
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return texts.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    elif isinstance(node, ast.JoinedStr):
        parts = [one.value if isinstance(one, ast.FormattedValue) else one for one in node.values]
        if any(isinstance(one, ast.FormattedValue) and one.format_spec is not None for one in node.values):
            return None
    else:
        return None
    found = [as_text(part, texts, deep - 1) if deep else None for part in parts]
    return "".join(text for text in found if text is not None) if None not in found else None


def told_by_patterns(tree: ast.AST) -> dict[int, tuple[str | bytes, ...]]:
    """Of the patterns that it gives to `re`, texts that they match, by the `id` of the constant."""
    calls = [(node, pattern_of(node)) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {id(node.args[0]): _samples_of(pattern)[:_TOLD] for node, pattern in calls if pattern}


def _samples_of(pattern: str | bytes) -> tuple[str | bytes, ...]:
    """`samples`, of the kind of the pattern."""
    if isinstance(pattern, str):
        return samples(pattern)
    return tuple(text.encode() for text in samples(pattern.decode("latin-1")) if text.isascii())


@functools.lru_cache(maxsize=256)
def samples(pattern: str) -> tuple[str, ...]:
    """A few short texts that the pattern matches: with all that is optional, with none of it, each of its
    alternatives, with other numbers, and without or with another one of each single part; none where that is not
    possible. What looks ahead or behind is passed over."""
    try:
        parsed = parser.parse(pattern)
        found = list(_ways_through(parsed))
    except (re.error, ValueError, OverflowError, RecursionError, Warning):
        return ()
    return tuple(dict.fromkeys(text for text in found if text))[:_MOST]


def _ways_through(parsed: Any) -> Iterator[str]:
    full = _Writer({})
    first = full.try_to_write(parsed)
    yield first
    yield _Writer({}, bare=True).try_to_write(parsed)
    branches, parts = list[_Way](), list[_Way]()
    queue: list[tuple[_Way, _Writer]] = [({}, full)]
    while queue and len(branches) + len(parts) < _MAX_WAYS:
        way, writer = queue.pop(0)
        others = (
            ({**way, path: number}, is_branch)
            for path, (count, is_branch) in writer.choices.items()
            for number in range(1, count if not way or path > max(way) else 0)
        )
        for other, is_branch in itertools.islice(others, _MAX_WAYS):
            (branches if is_branch else parts).append(other)
            if is_branch:
                queue.append((other, beside := _Writer(other)))
                beside.try_to_write(parsed)
    yield from (_Writer(way).try_to_write(parsed) for way in branches)
    yield from (_Writer(way, digits=_NINES).try_to_write(parsed) for way in ({}, *branches))
    yield from (_Writer(way).try_to_write(parsed) for way in parts)


class _Writer:
    """Writes one text; `choices` then are the places where there was another way: how many, and whether these are
    alternatives."""

    def __init__(self, way: _Way, *, bare: bool = False, digits: str = _PLAIN) -> None:
        self._way, self._bare, self._digits = way, bare, digits
        self._groups: dict[int, str] = {}
        self._steps = 0
        self.choices: dict[_Path, tuple[int, bool]] = {}

    def try_to_write(self, parsed: Any) -> str:
        try:
            return self._write(parsed, (), 0)
        except _TooLongError:
            return ""

    def _choose(self, path: _Path, count: int, *, is_branch: bool = False) -> int:
        if count > 1:
            self.choices[path] = (count, is_branch)
        return min(self._way.get(path, 0), count - 1)

    def _write(self, parsed: Any, path: _Path, turn: int) -> str:
        """`turn`: how often what stands around it was written right before."""
        found = ""
        for number, (code, value) in enumerate(parsed):
            self._steps += 1
            found += self._written(str(code), value, (*path, number), turn)
            if len(found) > _LONGEST or self._steps > _MAX_STEPS:
                raise _TooLongError
        return found

    def _written(self, code: str, value: Any, path: _Path, turn: int) -> str:
        if code == "LITERAL":
            return chr(value)
        if code == "NOT_LITERAL":
            return next(sign for sign in _OTHERS[turn % 2 :] if sign != chr(value))
        if code == "ANY":
            return _LETTERS[turn % 2]
        if code == "IN":
            return self._of_set(value, path, turn)
        if code == "BRANCH":
            number = self._choose(path, len(value[1]), is_branch=True)
            return self._write(value[1][number], (*path, number), turn)
        if code == "SUBPATTERN":
            text = self._write(value[-1], path, turn)
            self._groups |= {value[0]: text} if value[0] is not None else {}
            return text
        if code.endswith("_REPEAT"):
            return self._repeated(value, path)
        if code == "ATOMIC_GROUP":
            return self._write(value, path, turn)
        if code == "GROUPREF":
            return self._groups.get(value, "")
        if code == "GROUPREF_EXISTS":
            there = value[1] if value[0] in self._groups else value[2]
            return self._write(there, path, turn) if there is not None else ""
        return ""  # an anchor, or what looks ahead

    def _repeated(self, value: Any, path: _Path) -> str:
        low, high, parsed = value
        usual = max(low, min(high, 2 if _is_sign(parsed) else 1))
        counts = [low] if self._bare else list(dict.fromkeys([usual, *([0] if low == 0 else [])]))
        count = counts[self._choose((*path, -1), len(counts))]
        if count > _LONGEST:
            raise _TooLongError
        self._steps += count
        return "".join(self._write(parsed, path, turn) for turn in range(count))

    def _of_set(self, items: Any, path: _Path, turn: int) -> str:
        if items and str(items[0][0]) == "NEGATE":
            return next((sign for sign in _OTHERS[turn % 2 :] if not _is_in(sign, items[1:])), "~")
        number = self._choose(path, min(len(items), _ITEMS))
        code, value = items[number]
        if code == codes.LITERAL:
            return chr(value)
        if code == codes.RANGE:
            low, high = value
            return self._digits[turn % 2] if (chr(low), chr(high)) == ("0", "9") else chr(min(low + turn % 2, high))
        signs = self._digits if str(value) == "CATEGORY_DIGIT" else _CATEGORIES.get(str(value), " ")
        return signs[turn % len(signs)]


def _is_sign(parsed: Any) -> bool:
    """Whether it is one sign of several, and not a space alone."""
    if len(parsed) != 1:
        return False
    code, value = parsed[0]
    if str(code) == "IN":
        return [str(one) for _, one in value] != ["CATEGORY_SPACE"]
    return str(code) in {"ANY", "NOT_LITERAL"}


def _is_in(sign: str, items: Sequence[Any]) -> bool:
    """Whether it is one of a set of signs."""
    kinds = {"DIGIT": sign.isdigit(), "SPACE": sign.isspace(), "WORD": sign.isalnum() or sign == "_"}
    for code, value in items:
        if code == codes.LITERAL and chr(value) == sign:
            return True
        if code == codes.RANGE and value[0] <= ord(sign) <= value[1]:
            return True
        if code == codes.CATEGORY:
            name = str(value).removeprefix("CATEGORY_")
            if kinds.get(name.removeprefix("NOT_"), False) != name.startswith("NOT_"):
                return True
    return False
