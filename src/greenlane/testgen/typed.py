"""Values for a parameter from its annotation, by Hypothesis' strategies: what is nested, or of the standard library.

`Mapping[str, list[int]]` becomes a strategy of dicts of lists; the plain values in it are the ones given, so that the
constants of the code stand inside a container as well. Pure, and the same each time; a type that is not known here
(a type variable, a class that is not among the plain ones) gives nothing.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from greenlane.suite.lines import PARSING, parse_expression
from greenlane.testgen.turns import in_turn

Plain: TypeAlias = tuple[tuple[str, tuple[object, ...]], ...]
"""(name of a plain type, values of it, most telling first)."""

_EXAMPLES, _ITEMS, _LEAVES, _MAX_TEXT, _DEPTH = 40, 2, 4, 60, 3
_LISTS = frozenset({"list", "List", "Sequence", "Iterable", "Collection", "Container", "MutableSequence"})
_SETS = frozenset({"set", "Set", "AbstractSet", "MutableSet"})
_FROZEN = frozenset({"frozenset", "FrozenSet"})
_TUPLES = frozenset({"tuple", "Tuple"})
_WRAPPERS = frozenset({"Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly"})
_DICTS = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_OF_LIBRARY: Mapping[str, tuple[object, ...]] = MappingProxyType({
    "date": (date(2020, 1, 31), date(2020, 2, 29), date(1999, 12, 31)),
    "datetime": (datetime(2020, 1, 31), datetime(2020, 1, 31, tzinfo=UTC), datetime(1999, 12, 31, 23, 59, 59)),
    "time": (time(12, 30), time(0, 0), time(23, 59, 59)),
    "timedelta": (timedelta(days=1), timedelta(0), timedelta(seconds=90), timedelta(days=-1)),
    "Decimal": (Decimal("1.5"), Decimal(0), Decimal(-1), Decimal("1E+2"), Decimal("NaN")),
    "Fraction": (Fraction(1, 2), Fraction(0), Fraction(-3, 2)),
    "UUID": (UUID(int=0), UUID("12345678-1234-5678-1234-567812345678")),
    "complex": (1j, 0j, 1 + 2j),
})  # fmt: skip
"""What a person would write down of each."""


_ALIKE = 8
"""Characters by which a text may be longer than another and still be as plain."""


class Written(msgspec.Struct, frozen=True):
    """A value that is known by its expression alone: an object of a class of the project."""

    text: str


class _UnknownTypeError(Exception):
    """The annotation names a type that nothing is known of."""


@functools.lru_cache(maxsize=512)
def typed_values(annotation: str, plain: Plain, *, even_plain: bool = False) -> tuple[str, ...]:
    """Expressions of that type, the plainest first; none if it is not known, or, unless `even_plain`, one of the plain
    types or a list of one."""
    try:
        node = parse_expression(annotation.strip("'\"")).body
        if not even_plain and not any(_is_told(part) for part in ast.walk(node)):
            return ()
        values = _Values(dict(plain))
        parts = [values.leaves(part) for part in _parts(node)]
        if all(parts):
            return tuple(dict.fromkeys(in_turn([[*map(_written, leaves)] for leaves in parts])))
        texts = sorted(map(_written, _examples(values.strategy(node, 0))), key=lambda text: len(text) // _ALIKE)
    except (SyntaxError, ValueError, TypeError, _UnknownTypeError):  # TypeError: a set of lists
        return ()
    short = [text for text in dict.fromkeys(texts) if len(text) <= _MAX_TEXT]
    hollow = [text for text in short if re.search(r"\(\)|\[\]|\{\}|^None$|''", text)]
    return tuple(in_turn([[text for text in short if text not in hollow], hollow]))


def _is_told(node: ast.AST) -> bool:
    """Whether more is said than a plain type or a list of one."""
    if isinstance(node, ast.Subscript):
        return _name_of(node.value) not in _LISTS | {"Optional", "Union"} or isinstance(node.slice, ast.Subscript)
    return isinstance(node, ast.expr) and _name_of(node) in _OF_LIBRARY


def _name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _parts(node: ast.expr) -> list[ast.expr]:
    """The types of a union, else the type itself."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_parts(node.left), *_parts(node.right)]
    if isinstance(node, ast.Subscript) and (name := _name_of(node.value)) in {"Optional", "Union"}:
        none: list[ast.expr] = [ast.Constant(value=None)] if name == "Optional" else []
        return [*(part for inner in _inner(node) for part in _parts(inner)), *none]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):  # a forward reference
        return _parts(parse_expression(node.value).body)
    return [node]


def _inner(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


class _Values:
    """Strategies over these plain values."""

    def __init__(self, plain: Mapping[str, tuple[object, ...]]) -> None:
        self._plain = plain

    def leaves(self, node: ast.expr) -> tuple[object, ...]:
        """The values of a type that holds no other."""
        if isinstance(node, ast.Constant) and node.value is None:
            return (None,)
        name = _name_of(node)
        return (self._plain.get(name) or _OF_LIBRARY.get(name, ()))[:_LEAVES]

    def strategy(self, node: ast.expr, depth: int) -> st.SearchStrategy[object]:
        """Any of the types of a union that are known. Raises _UnknownTypeError."""
        known = []
        for part in _parts(node) if depth <= _DEPTH else ():
            try:
                known.append(self._one(part, depth))
            except _UnknownTypeError:
                continue
        if not known:
            raise _UnknownTypeError
        return st.one_of(known)

    def _one(self, node: ast.expr, depth: int) -> st.SearchStrategy[object]:
        """A container of which nothing is said holds numbers. Raises _UnknownTypeError."""
        if leaves := self.leaves(node):
            return st.sampled_from(leaves)
        inner = _inner(node) if isinstance(node, ast.Subscript) else []
        name = _name_of(node.value if isinstance(node, ast.Subscript) else node)
        if name == "Literal":
            return st.sampled_from([ast.literal_eval(part) for part in _plain_only(inner)])
        if name in _WRAPPERS and inner:
            return self.strategy(inner[0], depth + 1)
        if name in _TUPLES and inner and not _is_endless(inner):
            return st.tuples(*(self.strategy(part, depth + 1) for part in inner))
        if name in _DICTS:
            keys, held = inner if len(inner) == 2 else (ast.Name(id="str"), ast.Name(id="int"))
            return st.dictionaries(self.strategy(keys, depth + 1), self.strategy(held, depth + 1), max_size=_ITEMS)
        if name not in _LISTS | _SETS | _FROZEN | _TUPLES:
            raise _UnknownTypeError
        item = self.strategy(inner[0] if inner else ast.Name(id="int"), depth + 1)
        if name in _SETS:
            return st.sets(item, max_size=_ITEMS)
        if name in _FROZEN:
            return st.frozensets(item, max_size=_ITEMS)
        lists = st.lists(item, max_size=_ITEMS)
        return lists.map(tuple) if name in _TUPLES else lists


def _plain_only(parts: Sequence[ast.expr]) -> list[ast.expr]:
    """Those that are no members of an enumeration. Raises _UnknownTypeError if there are none."""
    plain = [part for part in parts if not isinstance(part, ast.Attribute)]
    if not plain:
        raise _UnknownTypeError
    return plain


def _is_endless(inner: Sequence[ast.expr]) -> bool:
    return len(inner) == 2 and isinstance(inner[1], ast.Constant) and inner[1].value is Ellipsis


def _examples(strategy: st.SearchStrategy[object]) -> list[object]:
    found: list[object] = []

    @settings(
        max_examples=_EXAMPLES, derandomize=True, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def see(value: object) -> None:
        found.append(value)

    with PARSING:  # Hypothesis reads the source of what it is given
        see()
    return found


def _written(value: object) -> str:
    """As an expression, without the modules' names (these are imported from); sets in an order that stays."""
    if isinstance(value, Written):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, set | frozenset):
        items = f"{{{', '.join(sorted(map(_written, value)))}}}" if value else ""
        return (items or "set()") if isinstance(value, set) else f"frozenset({items})"
    return repr(value).replace("datetime.", "")
