"""What the stand-in of a fixture was asked is looked at after a call that was given a fixture."""

from __future__ import annotations

import ast

from greenlane.testgen.candidates import candidates_of
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Attribute, Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.overheard import overheard
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.targets import Gap

PATH = "shop.py"
CODE = "class Shop:\n    def stock(self):\n        return self.client.get(url='/stock')\n"
(STOCK,) = list_functions(ast.parse(CODE), PATH, "shop")


def looks_at(look: str, *fixtures: str) -> FoundScript:
    script = Script(imports=frozenset(), setup=("Shop(client).price(1)",), look=look)
    return FoundScript(test="t", script=script, fixtures=frozenset(fixtures))


def seen(receiver: str, *fixtures: str, value: str = "[]") -> Observed:
    case = Case(
        entry=STOCK,
        receiver=receiver,
        arguments=(),
        imports=frozenset({("shop", "Shop")}),
        fixtures=frozenset(fixtures),
        carved=False,
    )
    outcome = Outcome(case=0, kind="value", value=Description(text=value))
    return Observed(case=case, outcome=outcome, lines={PATH: frozenset({3})})


def test_a_call_with_a_fixture_is_looked_at_as_tests_look_at_another_fixture() -> None:
    asked = looks_at("asked.call_args.kwargs", "client", "asked")
    case, by_place = overheard([seen("Shop(client)", "client")], [asked, asked])
    assert case.script is not None
    assert by_place.script is not None
    assert by_place.script.look == "asked.call_args.args"
    assert (case.script.setup, case.script.look) == (("Shop(client).stock()",), "asked.call_args.kwargs")
    assert case.fixtures == {"client", "asked"}
    assert case.script.imports == {("shop", "Shop")}


def test_what_most_tests_look_at_comes_first() -> None:
    once, twice = looks_at("asked.get.call_args.args", "asked"), looks_at("asked.call_args.kwargs", "asked")
    made = overheard([seen("Shop(client)", "client")], [once, twice, twice])
    assert [case.script.look for case in made if case.script] == [
        "asked.call_args.kwargs", "asked.call_args.args", "asked.get.call_args.args", "asked.get.call_args.kwargs",
    ]  # fmt: skip


def test_what_is_no_fixture_or_uses_none_is_left_alone() -> None:
    assert overheard([seen("Shop(client)", "client")], [looks_at("asked.call_args.kwargs", "client")]) == []
    assert overheard([seen("Shop(client)", "client")], [looks_at("asked.rows", "asked")]) == []
    assert overheard([seen("Shop({})")], [looks_at("asked.call_args.kwargs", "asked")]) == []


def test_what_was_asked_for_first_gets_room_among_what_reads_better() -> None:
    last, _ = overheard([seen("Shop(client)", "client")], [looks_at("asked.call_args.kwargs", "asked")])
    outcome = Outcome(case=0, kind="opaque", attributes=(Attribute(name="url", value=Description(text="'/stock'")),))
    first = Observed(case=last, outcome=outcome, lines={PATH: frozenset({3})}, reached=frozenset({(PATH, 3)}))
    reached = first.reached
    plain = [seen(f"Shop({number})", value=str(number)) for number in range(400)]
    rest = [Observed(case=o.case, outcome=o.outcome, lines=o.lines, reached=reached) for o in plain]
    gap = Gap(path=PATH, lines=frozenset({3}), branches=frozenset())
    assert first in candidates_of([first, *rest], gap)
