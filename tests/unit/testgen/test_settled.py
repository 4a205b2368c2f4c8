"""Calls that come out otherwise each time, with the very values that they were given."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Attribute, Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.settled import settled_cases

(AS_HEX,) = list_functions(ast.parse("def as_hex(data):\n    return data.hex()\n"), "shop.py", "shop")
BYTES = Attribute("random_bytes", Description("b'ab'"))


def case(script: Script | None, *fixtures: str) -> Case:
    arguments = () if script else ((None, "random_bytes"),)
    return Case(
        entry=AS_HEX, receiver=None, arguments=arguments, imports=frozenset(), fixtures=frozenset(fixtures),
        carved=True, script=script,
    )  # fmt: skip


def settled(one: Case, *given: Attribute) -> list[Case]:
    first = Observed(case=one, outcome=Outcome(case=0, kind="value", value=Description("'6162'")), lines={})
    outcome = Outcome(case=0, kind="value", value=Description("'6364'"), given=given)
    return settled_cases([first], [Observed(case=one, outcome=outcome, lines={})])


def test_a_fixture_that_gives_something_else_each_time_is_written_out() -> None:
    (made,) = settled(case(None, "random_bytes", "tmp_path"), BYTES)
    assert (made.arguments, made.fixtures) == (((None, "b'ab'"),), frozenset({"tmp_path"}))
    (made,) = settled(
        case(Script(imports=frozenset(), setup=("held = [random_bytes]",), look="held"), "random_bytes"), BYTES
    )
    assert made.script is not None
    assert (made.script.setup, made.fixtures) == (("random_bytes = b'ab'", "held = [random_bytes]"), frozenset())


def test_what_a_call_gave_to_a_name_is_written_out_with_its_imports() -> None:
    key = Attribute("key", Description("UUID(int=7)", imports=(("uuid", "UUID"),)))
    script = Script(imports=frozenset(), setup=("import uuid", "key = uuid.uuid4()", "n = 1"), look="as_hex(key.bytes)")
    (made,) = settled(case(script), key, Attribute("n", Description("1")))
    assert made.script is not None
    assert made.script.setup == ("import uuid", "key = UUID(int=7)", "n = 1")
    assert made.script.imports == {("uuid", "UUID")}


def test_where_nothing_is_known_of_what_was_given_there_is_no_other_case() -> None:
    assert settled(case(None, "client")) == []
    assert settled(case(Script(imports=frozenset(), setup=(), look="as_hex(b'')"))) == []
