"""What a function with `**options` takes by name."""

from __future__ import annotations

import ast
import textwrap

from greenlane.testgen.code import Function, list_functions


def functions(text: str) -> dict[str, Function]:
    return {f.qualified: f for f in list_functions(ast.parse(textwrap.dedent(text)), "shop.py", "shop")}


def test_keys_that_are_read_from_the_rest_are_options() -> None:
    price = functions("""
        def price(item, *, tax=0, **options):
            currency = options.get("currency", "EUR")
            if options.pop("rounded", False) or "tax" in options or "exact" in options:
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
