"""Tests that a library makes of one, a test for each row: `test_price_1_late` of the second row of `test_price`. Pure;
for `scripts.py`.

    @parameterized.expand([("early", 1), ("late", 2)])
    def test_price(self, name, hour):
        self.assertEqual(price(hour), 3)                ->      price(2)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.rows import Rows, values_of

_OWN = frozenset({"self", "cls"})


def unexpanded(name: str, tests: Mapping[str, FunctionNode]) -> tuple[str, int | None]:
    """The test that one of this name is made of, and the row; the name itself and None for any other."""
    if name in tests:
        return name, None
    for found in re.finditer(r"_(\d+)(?=_|$)", name):
        test = tests.get(name[: found.start()])
        if test is not None and _table_of(test) is not None:
            return name[: found.start()], int(found[1])
    return name, None


def expanded_rows(test: FunctionNode, place: int, named: Mapping[str, ast.expr]) -> Rows:
    """The row at this place, by the parameters of the test; none if it can't be read. `named` are values of names of
    its file."""
    table = _table_of(test)
    table = named.get(table.id) if isinstance(table, ast.Name) else table
    rows = table.elts if isinstance(table, ast.List | ast.Tuple) else []
    params = [one.arg for one in test.args.args if one.arg not in _OWN]
    if place >= len(rows):
        return []
    values = values_of(rows[place], 2 if isinstance(rows[place], ast.Tuple) else 1)
    enough = len(params) - len(test.args.defaults) <= len(values) <= len(params)
    return [dict(zip(params, values, strict=False))] if enough else []


def _table_of(test: FunctionNode) -> ast.expr | None:
    for one in test.decorator_list:
        if isinstance(one, ast.Call) and one.args and ast.unparse(one.func) == "parameterized.expand":
            return one.args[0]
    return None
