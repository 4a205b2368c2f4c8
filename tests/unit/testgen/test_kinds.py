"""Kinds of change that real pull requests are made of: which calls are proposed for each, and how they are written."""

from __future__ import annotations

import ast
import textwrap

from greenlane.testgen.choose import choose_tests
from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.explore import Effect, Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Receiver, Script
from greenlane.testgen.madeup import made_receivers, made_up_calls
from greenlane.testgen.neighbours import Style
from greenlane.testgen.render import WrittenCase, render_file
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.swap import chain_calls, swap_calls
from greenlane.testgen.vary import vary

SOURCE = textwrap.dedent("""
    class Tier(enum.Enum):
        NONE = "none"
        GOLD = "gold"

    class Customer:
        def __init__(self, name, tier=Tier.NONE): ...

    class Basket:
        def __init__(self, size): ...
        def add(self, name, price):
            self.lines[name] = price
        def names(self):
            return sorted(self.lines)
        def close(self):
            self.closed = True
        def __add__(self, other):
            return NotImplemented
        def __eq__(self, other):
            return True
        def sorted_by(self, key) -> "Basket":
            return type(self)()
        def first(self, count):
            return 1

    def ship(customer: Customer, weight, *, tier: Tier = Tier.NONE):
        return weight

    def report(path, rows):
        return path

    def count(stream):
        return 1

    def mixed(first, second, third):
        return first

    def encode(value):
        if isinstance(value, bytes):
            return value
        return b""
""")
FUNCTIONS = list_functions(ast.parse(SOURCE), "shop/basket.py", "shop.basket")
CLASSES = list_constructors(ast.parse(SOURCE))


def function(name: str) -> Function:
    return next(f for f in FUNCTIONS if name in {f.name, f.qualified})


def proposed(name: str, *receivers: Receiver) -> list[Case]:
    return made_up_calls(function(name), 0, 8, receivers, CLASSES)


def texts(cases: list[Case]) -> list[tuple[str, ...]]:
    return [tuple(text for _, text in case.arguments) for case in cases]


def test_each_place_is_varied_before_any_two_are() -> None:
    rows = texts(proposed("mixed"))
    base = rows[0]
    apart = [sum(a != b for a, b in zip(base, row, strict=True)) for row in rows]
    assert apart[:10] == [0] + [1] * 9
    assert {n for row in rows[1:10] for n in range(3) if row[n] != base[n]} == {0, 1, 2}


def test_a_parameter_of_a_class_of_the_module_is_given_an_object_of_it() -> None:
    first = proposed("ship")[0]
    assert first.arguments[0] == (None, "Customer('abc')")
    assert ("shop.basket", "Customer") in first.imports


def test_an_option_of_an_enumeration_is_given_its_members() -> None:
    options = [case for case in vary(proposed("ship")[0], 200, CLASSES) if ("tier", "Tier.GOLD") in case.arguments]
    assert ("shop.basket", "Tier") in options[0].imports


def test_a_path_stands_in_the_folder_of_the_test_and_a_stream_is_imported() -> None:
    path, stream = proposed("report")[0], proposed("count")[0]
    assert path.arguments[0] == (None, "tmp_path / 'a.txt'")
    assert path.fixtures == {"tmp_path"}
    assert stream.arguments[0][1].startswith("StringIO(")
    assert ("io", "StringIO") in stream.imports


def test_the_type_that_a_branch_asks_for_is_given() -> None:
    assert ("b'abc'",) in texts(proposed("encode"))


def test_an_operator_is_given_an_object_of_its_own_class_first() -> None:
    made = made_receivers(function("__add__"), [], CLASSES)
    assert texts(proposed("__add__", *made))[0] == ("Basket(2)",)


def test_an_object_and_its_like_are_varied_together() -> None:
    made = Description("Basket(3, title='a')", imports=(("shop.basket", "Basket"),))
    case = proposed("__add__", Receiver(made))[0]
    pairs = [(other.receiver, other.arguments[0][1]) for other in vary(case, 200, CLASSES)]
    assert ("Basket(3)", "Basket(3)") in pairs


def test_an_object_is_made_by_its_class() -> None:
    case = proposed("Basket.__init__")[0]
    assert (case.receiver, case.entry.kind, case.entry.called) == (None, "init", "Basket")


def test_a_method_without_value_is_also_called_twice() -> None:
    receiver = Receiver(Description("Basket(2)", imports=(("shop.basket", "Basket"),)))
    case = proposed("close", receiver)[0]
    assert [s.name for other in vary(case, 40) for s in other.history] == ["close"]
    assert function("close").observers == ("names",), "what may show what it changed: it takes nothing"


def script_of(*setup: str, look: str) -> FoundScript:
    return FoundScript(test="t", script=Script(frozenset(), setup, look))


def test_a_fluent_method_is_put_before_the_calls_of_its_class() -> None:
    chained = [
        one.script.text for one in chain_calls(script_of(look="basket.first(2) == 1"), function("sorted_by"), FUNCTIONS)
    ]
    assert any(text.startswith("basket.sorted_by(") and text.endswith(").first(2) == 1") for text in chained), chained
    assert not function("first").fluent


def test_an_operator_takes_the_place_of_a_sibling_as_an_operator() -> None:
    swapped = [one.script.look for one in swap_calls(script_of(look="basket.first(2)"), function("__add__"), FUNCTIONS)]
    assert "basket + 2" in swapped


# ------------------------------------------------------------------ how it is written


def text_of(case: Case, **changes: object) -> str:
    outcome = Outcome(**({"case": 0, "kind": "value"} | changes))  # type: ignore[arg-type]  # fields by name
    reached = frozenset({("shop/basket.py", 5)})
    seen = Observed(case=case, outcome=outcome, lines={"shop/basket.py": frozenset({5})}, reached=reached)
    (chosen,) = choose_tests([seen], reached)
    return render_file([WrittenCase(name="test_it", purpose="It does.", chosen=chosen)], Style(folder="tests"))


def call(name: str, *arguments: str, receiver: str | None = None) -> Case:
    return Case(
        entry=function(name), receiver=receiver, arguments=tuple((None, text) for text in arguments),
        imports=frozenset({("shop.basket", "Basket")}) if receiver else frozenset(), fixtures=frozenset(), carved=True,
    )  # fmt: skip


def test_what_cant_be_written_down_is_looked_at_from_one_side() -> None:
    seen = {view: text_of(call("ship", "1", "2"), view=view, value=Description("'x'")) for view in ("repr", "type")}
    assert "    assert repr(ship(1, 2)) == 'x'\n" in seen["repr"].replace('"', "'")
    assert "    assert type(ship(1, 2)).__name__ == 'x'\n" in seen["type"].replace('"', "'")


def test_an_address_in_a_text_is_masked() -> None:
    text = text_of(call("ship", "1", "2"), view="masked", value=Description("'<x at ...>'"))
    assert "import re\n" in text
    assert 're.sub(r" at 0x[0-9a-fA-F]+", " at ...", ship(1, 2))' in text.replace("'", '"')


def test_a_context_manager_is_entered_and_an_error_on_the_way_is_expected_there() -> None:
    assert "    with ship(1, 2) as inside:\n        assert inside == 3\n" in text_of(
        call("ship", "1", "2"), entered=True, value=Description("3")
    )
    failing = {"kind": "raises", "error": ("builtins", "ValueError"), "importable": True, "deliberate": True}
    text = text_of(call("ship", "1", "2"), entered=True, message="no", **failing)
    assert "with pytest.raises(ValueError, match='no'), ship(1, 2):\n        pass\n" in text.replace('"', "'")


def test_a_decorator_is_given_a_function() -> None:
    text = text_of(call("ship", "1", "2"), decorated=True, called=1, value=Description("1"))
    assert "assert ship(1, 2)(lambda value: value)(1) == 1" in text


def test_an_object_is_written_as_a_call_of_its_class() -> None:
    text = text_of(call("Basket.__init__", "2"), view="list", value=Description("[]"))
    assert "from shop.basket import Basket\n" in text
    assert "assert list(Basket(2)) == []" in text


def test_an_operator_that_leaves_it_to_the_other_side_is_called_by_its_name() -> None:
    text = text_of(call("__add__", "3", receiver="Basket(2)"), value=Description("NotImplemented"))
    assert "assert Basket(2).__add__(3) is NotImplemented" in text


def test_a_comparison_is_set_in_brackets() -> None:
    text = text_of(call("__eq__", "3", receiver="Basket(2)"), value=Description("False"))
    assert "assert (Basket(2) == 3) is False" in text


def test_what_a_call_changed_is_looked_at_after_it() -> None:
    effect = Effect("receiver", "names", Description("['a']"), "call")
    text = text_of(call("add", "'a'", "1", receiver="Basket(2)"), value=Description("None"), changes=(effect,))
    lines = [line.strip().replace('"', "'") for line in text.splitlines()[-3:]]
    assert lines == ["basket = Basket(2)", "basket.add('a', 1)", "assert basket.names() == ['a']"]
