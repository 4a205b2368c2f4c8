"""Numbers that are written as texts, and texts of a length that the code asks for: variations of a value that no other
constant of the code leads to. Pure; for `vary.py`.

    encode(Decimal("1.5"))               ->      encode(Decimal("1E+2")), encode(Decimal("NaN"))
    if len(text) > 255: ...              ->      encode("a" * 256)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function
from greenlane.testgen.inside.greenlane_edits import name_of

_DECIMALS = ("1E+2", "NaN", "-1.5", "1E-10", "Infinity", "0", "1E+20", "1E-400")
_FRACTIONS = ("-3/2", "0", "1/3", "1000000007/3")
_NUMERALS = {"Decimal": _DECIMALS, "Fraction": _FRACTIONS}
_SHORTEST, _LONGEST, _LENGTHS = 8, 1_000, 2


def other_numerals(node: ast.Call) -> Iterator[ast.expr]:
    """The same kind of number from other texts: with an exponent, without an end, none at all."""
    if len(node.args) == 1 and isinstance(node.args[0], ast.Constant | ast.UnaryOp):
        for text in _NUMERALS.get(name_of(node), ()):
            yield ast.Call(func=node.func, args=[ast.Constant(value=text)], keywords=node.keywords)


def long_texts(entry: Function) -> Iterator[ast.expr]:
    """Texts that are one sign longer than a number that code which asks for a length names, and just as long."""
    numbers = dict.fromkeys(n for n in entry.constants if type(n) is int and _SHORTEST <= n <= _LONGEST)
    for number in list(numbers)[:_LENGTHS] if "len" in entry.calls else ():
        for length in (number + 1, number):
            yield parse_expression(f"'a' * {length}").body
