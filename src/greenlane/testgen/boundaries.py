"""Values at the ends of what their kind holds, and texts as long as a limit of the code allows. Pure; for `vary.py`.

Faults live at boundaries (Myers, "The Art of Software Testing", 1979): of numbers the code's own and their neighbours
are tried anyway; a `Decimal` has no end as well, and an exponent that leaves its digits far behind.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import parse_expression
from greenlane.testgen.constants import Constant
from greenlane.testgen.inside.greenlane_edits import name_of

_AT_THE_ENDS = {
    "Decimal": ("'-1.5'", "'0'", "'1E+2'", "'NaN'", "'Infinity'", "'9999999999.9'", "'1E-300'"),
    "Fraction": ("0", "-1, 3", "7"),
    "timedelta": ("0", "days=-1", "microseconds=1", "days=400, seconds=1"),
    "datetime": ("2024, 2, 29", "2020, 1, 31, 23, 59, 59, 1", "1969, 12, 31"),
    "date": ("2024, 2, 29", "1969, 12, 31"),
    "time": ("0", "23, 59, 59, 1"),
    "range": ("0", "5, 0, -1"),
}  # fmt: skip
"""What a value of a kind of the standard library is made from."""
_LENGTHS = range(4, 4097)
_LONGEST_BEGINNING, _BEGINNINGS = 40, 2
_LETTERS = "aé"
"""Of one byte, and of more."""


def at_the_ends(node: ast.Call) -> Iterator[ast.Call]:
    """The same kind of value, made from what stands at the ends of its range; nothing of other kinds."""
    for given in _AT_THE_ENDS.get(name_of(node), ()):
        made = parse_expression(f"made({given})").body
        if isinstance(made, ast.Call):
            yield ast.Call(func=node.func, args=made.args, keywords=made.keywords)


def as_long_as_asked(constants: Sequence[Constant], value: object = "") -> Iterator[ast.expr]:
    """Values of this kind that are a bit longer than a number of the code, written short: `'a' * 257`; then such that
    begin as what the code knows: `b'PK' + b'a' * 257`. What has a length and can be cut may be bytes as well as a
    list."""
    lengths = [n for n in constants if isinstance(n, int) and not isinstance(n, bool) and n in _LENGTHS]
    kind = type(value) if isinstance(value, str | bytes) else bytes
    fillings = [repr(letter) for letter in _LETTERS] if kind is str else [repr(_LETTERS[0].encode())]
    for filling in fillings if isinstance(value, str | bytes) else ["[1]"]:
        yield from (parse_expression(f"{filling} * {length + 1}").body for length in lengths)
    known = [c for c in constants if type(c) is kind and 1 < len(str(c)) <= _LONGEST_BEGINNING]
    for beginning in known[:_BEGINNINGS]:
        yield from (parse_expression(f"{beginning!r} + {fillings[0]} * {length + 1}").body for length in lengths)
