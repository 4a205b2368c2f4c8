"""What raises no more shows what it binds."""

from __future__ import annotations

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.uncut import uncut


@pytest.mark.parametrize(
    ("look", "shown"),
    [
        ("with open_till() as till:\n    inside = till.price(1)", "inside"),
        ("found = price(1)", "found"),
        ("price(1) == 2", None),
        ("price(a=1)", None),
        ("with open_till():\n    price(1)", None),
    ],
)
def test_a_statement_that_was_looked_at_for_its_error_is_gone_on_from(look: str, shown: str | None) -> None:
    (entry,) = list_functions(parse_source("def price(a):\n    return a\n"), "shop.py", "shop")
    script = Script(imports=frozenset(), setup=("a = 1",), look=look)
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )
    found = uncut(case).script
    assert found is not None
    assert (found.setup, found.look) == ((("a = 1", look), shown) if shown else (("a = 1",), look))
