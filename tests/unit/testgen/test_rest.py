"""What a function with `**options` takes by name."""

from __future__ import annotations

import ast
import textwrap

import msgspec

from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.conditions import named_arguments
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.vary import vary


def functions(text: str) -> dict[str, Function]:
    return {f.qualified: f for f in list_functions(ast.parse(textwrap.dedent(text)), "shop.py", "shop")}


def test_keys_that_are_read_from_the_rest_are_options() -> None:
    price = functions("""
        def price(item, *, tax=0, **options):
            currency = options.get("currency", "EUR")
            if options.pop("rounded", False) or "tax" in options or "exact" in options or options.get("class"):
                return options["note"]
            return {"item": item}["item"]
    """)["price"]
    assert {p.name: (p.default, p.keyword_only) for p in price.params} == {
        "item": (None, False),
        "tax": ("0", True),
        "currency": ("'EUR'", True),
        "rounded": ("False", True),
        "exact": ("None", True),
        "note": ("None", True),
    }
    assert [p.name for p in price.places] == ["item"]


def test_of_a_rest_that_takes_any_name_there_is_one_option() -> None:
    known = functions("""
        def tag(name, **attributes):
            return [name, *attributes.items()]


        def passed(**options):
            return unknown(**options)
    """)
    assert [(p.name, p.default, p.keyword_only) for p in known["tag"].params[1:]] == [("other", "None", True)]
    assert known["passed"].params == ()


def test_options_of_what_the_rest_is_handed_on_to_are_options() -> None:
    known = functions("""
        def total(*items, **options):
            return rounded(sum(items), **options)


        def rounded(amount, digits=2):
            return round(amount, digits)


        class Basket:
            def total(self, **how):
                return self.sum(**how)

            def sum(self, currency=None):
                return currency
    """)
    handed = {name: [(p.name, p.default, p.keyword_only) for p in f.params] for name, f in known.items()}
    assert handed["total"] == [("digits", "2", True)]
    assert handed["Basket.total"] == [("currency", "None", True)]


PLACES = """
    def sections(text, *args, nested=True, level=None):
        if len(args) == 1:
            nested = args[0]
        else:
            nested, level = args
        return [text, nested, level]


    def forget(*kinds: type):
        for kind in kinds:
            return kind


    def passed(*args):
        return unknown(*args)
"""


def test_each_further_place_that_is_asked_for_is_a_parameter() -> None:
    known = functions(PLACES)
    assert [(p.name, p.default) for p in known["sections"].rest] == [("nested", "True"), ("level", "None")]
    assert [(p.name, p.annotation) for p in known["forget"].rest] == [("kinds", "type")] * 2
    assert known["passed"].rest == ()


def varied(entry: Function, **given: str) -> list[str]:
    arguments = ((None, "'a'"),) if entry.name == "sections" else ()
    named = tuple(given.items())
    case = Case(
        entry=entry, receiver=None, arguments=(*arguments, *named), imports=frozenset(), fixtures=frozenset(),
        carved=True,
    )  # fmt: skip
    return [", ".join(f"{n}={text}" if n else text for n, text in one.arguments) for one in vary(case, 60)]


def test_they_are_given_one_after_the_other_and_taken_away_again() -> None:
    known = functions(PLACES)
    found = varied(known["sections"])
    assert "'a', False" in found
    assert any(text.startswith("'a', False, ") for text in found)
    assert "'a', False" in varied(known["sections"], nested="True"), "no option twice"
    assert {"int", "int, str"} <= {*varied(known["forget"])}


def test_they_are_called_what_the_code_calls_them() -> None:
    known = functions(PLACES)
    case = Case(
        entry=known["sections"], receiver=None, arguments=((None, "'a'"), (None, "False"), (None, "2")),
        imports=frozenset(), fixtures=frozenset(), carved=True,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={})
    assert [name for name, _ in named_arguments(seen)] == ["text", "nested", "level"]
    other = msgspec.structs.replace(case, entry=known["forget"], arguments=((None, "int"), (None, "str")))
    told = named_arguments(msgspec.structs.replace(seen, case=other))
    assert [name for name, _ in told] == ["argument 1", "argument 2"], "two of one name"


def test_in_a_statement_they_are_given_as_well() -> None:
    entry = functions(PLACES)["sections"]
    script = Script(imports=frozenset(), setup=(), look="sections(page)")
    case = Case(
        entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True, script=script
    )  # fmt: skip
    assert "sections(page, False)" in [one.script.look for one in vary(case, 40) if one.script]


def test_what_there_is_one_of_is_given_where_the_code_asks_for_it() -> None:
    entry = functions("""
        def weight(value, other=1):
            if value is Ellipsis or other is NotImplemented:
                return 0
            return 1
    """)["weight"]
    case = Case(
        entry=entry, receiver=None, arguments=((None, "['a']"),), imports=frozenset(), fixtures=frozenset(), carved=True
    )
    given = {text for one in vary(case, 60) for _, text in one.arguments}
    assert {"...", "[...]", "NotImplemented", "[NotImplemented]"} <= given
