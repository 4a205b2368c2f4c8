"""What code asks of the values in a dict, and of which constants its callers know: dicts that are worth trying."""

from __future__ import annotations

import ast

from greenlane.testgen.code import Function, list_functions, with_words_of
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.inputs import Case
from greenlane.testgen.vary import vary

SOURCE = """
class Shop:
    _known = {"gift"}

    def order(self, options: dict):
        self._check(options)
        return options.get("total")

    def _check(self, options: dict):
        extras = options["extras"]
        if not isinstance(extras, list) or len(extras) == 0:
            raise ValueError("extras")
        for extra in extras:
            if not isinstance(extra, str):
                raise ValueError("kind")
            if extra not in self._known:
                raise ValueError("unknown")
            if extra not in options:
                raise ValueError("missing")
        if options.get("mode", "fast").lower() == "slow":
            return 1
"""
ORDER, CHECK = list_functions(ast.parse(SOURCE), "shop.py", "shop")


def varied(entry: Function, text: str) -> list[str]:
    case = Case(
        entry=entry,
        receiver="Shop()",
        arguments=((None, text),),
        imports=frozenset(),
        fixtures=frozenset(),
        carved=True,
    )
    return [c.arguments[0][1] for c in vary(case, 60) if c.arguments]


def test_what_is_done_with_a_value_says_what_to_put_there() -> None:
    held = dict(CHECK.held)
    assert held["extras"] == ("['gift']", "[]", "['a']", "[1]", "1")
    assert held["mode"] == ("'a'", "''", "1")
    assert "total" not in dict(ORDER.held), "nothing is asked of it"


def test_such_a_dict_is_guessed_and_varied() -> None:
    (options,) = CHECK.params
    assert "{'extras': ['gift']}" in guess_values(options, CHECK)[:4]
    others = varied(CHECK, "{'extras': ['gift']}")
    assert "{'extras': []}" in others
    with_key = [text for text in others if text.startswith("{'extras': ['gift'], 'gift': ")]
    assert with_key, "a text among the values may be asked for as a key"


def test_a_caller_tries_what_its_callee_asks_for() -> None:
    order = with_words_of(ORDER, [CHECK])
    assert dict(order.held) == dict(CHECK.held)
    assert "{'total': 1, 'extras': []}" in varied(order, "{'total': 1}")
    assert set(CHECK.constants) <= set(order.constants)


def test_an_entry_more_has_the_value_of_another_or_refers_to_it() -> None:
    (entry,) = list_functions(ast.parse("def tree(parents):\n    return parents\n"), "shop.py", "shop")
    case = Case(
        entry=entry, receiver=None, arguments=((None, "{'a': None}"),), imports=frozenset(), fixtures=frozenset(),
        carved=True,
    )  # fmt: skip
    given = [other.arguments[0][1] for other in vary(case, 40)]
    assert {"{'a': None, 'b': 'a'}", "{'a': None, 'b': None}", "{'a': None, 1: None}"} <= set(given)


def test_a_dict_with_all_the_keys_that_one_would_add_gets_none_of_them() -> None:
    (entry,) = list_functions(ast.parse("def tree(parents):\n    return parents\n"), "shop.py", "shop")
    case = Case(
        entry=entry, receiver=None, arguments=((None, "{'b': 1, 'c': 2, 'd': 3}"),), imports=frozenset(),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip
    given = [other.arguments[0][1] for other in vary(case, 40)]
    assert "{'c': 2, 'd': 3}" in given
    assert not any(text.count("'b'") > 1 for text in given)


NESTED = """
def read(row):
    cost = row["cost"]
    unit = cost.get("unit", "1")
    place = unit.split("http://shop/")
    parts = cost["parts"].split(",")
    return place, parts, float(cost["total"]), int(cost["made"]["year"])
"""


def test_a_dict_under_a_key_has_what_is_looked_up_in_it_and_numbers_are_read_from_texts() -> None:
    (read,) = list_functions(ast.parse(NESTED), "shop.py", "shop")
    held = dict(read.held)
    assert held["cost"][0] == "{'unit': 'http://shop/a', 'parts': 'a,b', 'total': '1.5', 'made': {'year': '1'}}"
    assert "{'unit': 'http://shop/a', 'parts': 'a,b', 'made': {'year': '1'}}" in held["cost"]
    assert any("'total': 1," in text for text in held["cost"])
    assert held["made"][0] == "{'year': '1'}"
    assert len(held["cost"]) <= 12
