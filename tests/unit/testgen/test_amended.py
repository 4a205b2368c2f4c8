"""What an error names as missing is given where there is room for it."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.amended import amended
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
def show(row, level):
    text = row[level]
    return text.upper()

def other():
    return 1
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
CALL = Case(
    entry=FUNCTIONS[0], receiver=None, arguments=((None, "{'a': 2}"), (None, "'INFO'")), imports=frozenset(),
    fixtures=frozenset(), carved=False,
)  # fmt: skip


def crashed(case: Case, kind: str, message: str, *, deliberate: bool = False) -> Observed:
    outcome = Outcome(case=0, kind="raises", error=("builtins", kind), message=message, deliberate=deliberate)
    return Observed(case=case, outcome=outcome, lines={"shop.py": frozenset({2, 3})})


def found(seen: Observed, line: int = 4) -> list[Case]:
    gap = Gap(path="shop.py", lines=frozenset({line}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    return amended([seen], source, frozenset({("shop.py", line)}))


def test_a_dict_gets_the_key_that_was_missing_first_with_a_value_like_its_others() -> None:
    given = [case.arguments[0][1] for case in found(crashed(CALL, "KeyError", "'INFO'"))]
    assert given == [f"{{'a': 2, 'INFO': {value}}}" for value in ("2", "'abc'", "1", "{}", "[]")]


def test_in_a_script_the_key_is_put_where_the_dict_stands() -> None:
    script = Script(imports=frozenset(), setup=("row = {}",), look="show(row, 3)")
    case = msgspec.structs.replace(CALL, script=script, arguments=())
    scripts = [one.script for one in found(crashed(case, "KeyError", "3")) if one.script]
    assert scripts[0].setup == ("row = {3: 'abc'}",)


def test_a_plain_object_gets_the_attribute_that_was_missing() -> None:
    case = CALL.with_argument(0, "SimpleNamespace(a=1)")
    message = "'types.SimpleNamespace' object has no attribute 'name'"
    assert found(crashed(case, "AttributeError", message))[0].arguments[0][1] == "SimpleNamespace(a=1, name='abc')"


def test_what_is_of_no_use_where_it_is_called_is_replaced_by_a_stand_in() -> None:
    (case,) = found(crashed(CALL.with_argument(1, "1"), "TypeError", "'int' object is not callable"))
    assert case.arguments[1][1] == "MagicMock()"
    assert case.imports == {("unittest.mock", "MagicMock")}
    script = Script(imports=frozenset(), setup=("show({}, level=lambda one: one)",), look="shown")
    seen = crashed(CALL.with_script(script), "AttributeError", "'Shop' object has no attribute 'wait'")
    assert [one.script.setup for one in found(seen) if one.script] == [("show({}, level=MagicMock())",)]


def test_an_error_that_is_meant_or_names_nothing_or_comes_from_elsewhere_asks_for_nothing() -> None:
    assert found(crashed(CALL, "KeyError", "'INFO'", deliberate=True)) == []
    assert found(crashed(CALL, "KeyError", "<Mock id='1'>")) == []
    assert found(crashed(CALL, "KeyError", "'INFO'"), line=7) == []


def values(kind: str, message: str, text: str = "{'when': 1}") -> list[str]:
    case = msgspec.structs.replace(CALL, arguments=((None, text), (None, "'a'")))
    return [one.arguments[0][1] for one in found(crashed(case, kind, message))]


def test_a_plain_value_of_no_use_gives_way_to_one_that_has_what_is_asked_of_it() -> None:
    given = values("AttributeError", "'int' object has no attribute 'tzinfo'")
    assert given[0] == "{'when': datetime(2020, 1, 31, tzinfo=timezone.utc)}"
    assert values("AttributeError", "'int' object has no attribute 'encode'")[0] == "{'when': 'abc'}"
    assert values("AttributeError", "'dict' object has no attribute 'append'")[0] == "['a', 'b']"


def test_a_plain_value_of_no_use_gives_way_to_one_of_the_kind_that_the_error_names() -> None:
    assert values("TypeError", "'int' object is not iterable")[0] == "{'when': ['a', 'b']}"
    assert values("TypeError", "sequence item 0: expected str instance, int found")[0] == "{'when': 'abc'}"
    assert values("TypeError", 'can only concatenate str (not "int") to str', "[[1], 2]")[:2] == [
        "[['abc'], 2]",
        "[[1], 'abc']",
    ]
    assert values("TypeError", "a 'Shop' object is not iterable") == []


def test_a_word_that_the_standard_library_refused_gives_way_to_one_that_it_takes() -> None:
    case = CALL.with_argument(0, "['a=b']")
    assert "['a=INFO']" in [c.arguments[0][1] for c in found(crashed(case, "ValueError", "Unknown level: 'B'"))]
    message = "time data 'INFO' does not match format '%Y-%m'"
    assert [c.arguments[1][1] for c in found(crashed(CALL, "ValueError", message))] == ["'2020-01'"]


def test_a_row_that_has_not_as_many_places_as_are_asked_for_gets_them() -> None:
    case = CALL.with_argument(0, "[('x',)]")
    message = "not enough values to unpack (expected 2, got 1)"
    assert "[('x', 'b')]" in [c.arguments[0][1] for c in found(crashed(case, "ValueError", message))]
