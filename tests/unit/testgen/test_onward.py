"""A variation of a call that shows nothing is looked at as the tests look after that call."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.onward import onward
from greenlane.testgen.scripts import FoundScript, script_case

PATH = "shop.py"
(STORE,) = list_functions(ast.parse("def store(rows):\n    return send(rows)\n"), PATH, "shop")
IMPORTS = frozenset({("shop", "Client"), ("shop", "text")})


def script(*lines: str) -> Script:
    return Script(IMPORTS, lines[:-1], lines[-1])


def seen(kind: str, *lines: str) -> Observed:
    case = script_case(STORE, FoundScript(test="t", script=script(*lines)))
    outcome = Outcome(case=0, kind=kind)  # type: ignore[arg-type]  # one of its kinds
    return Observed(case=case, outcome=outcome, lines={PATH: frozenset({2})})


def found(one: Observed, *tests: Script) -> list[tuple[tuple[str, ...], str]]:
    made: list[Case] = onward([one], PATH, frozenset({(PATH, 2)}), tests)
    return [(case.script.setup, case.script.look) for case in made if case.script]


VARIED = ("client = Client()", "client.send = Mock()", "client.store([{}])")


def test_a_call_that_shows_nothing_is_gone_on_from_as_in_the_tests() -> None:
    test = script("client = Client()", "client.send = Mock()", "client.store(['a'])", "client.send.call_args.args")
    other = script("client = Client()", "client.load(1)", "client.kind")
    assert found(seen("opaque", *VARIED), other, test) == [(VARIED, "client.send.call_args.args")]


def test_the_most_alike_comes_first_and_what_it_gives_keeps_its_name() -> None:
    far = script("client = Client()", "client.store([])", "client.kind")
    near = script("client = Client()", "client.send = Mock()", "sent = client.store(['a'])", "text(sent.kind)")
    assert found(seen("opaque", *VARIED), far, near) == [
        ((*VARIED[:2], "sent = client.store([{}])"), "text(sent.kind)"),
        (VARIED, "client.kind"),
    ]


def test_what_a_fixture_gives_has_its_name_in_both() -> None:
    test = script("client.store(['a'])", "len(client.rows)")
    assert found(seen("opaque", "client.store([{}])"), test) == [(("client.store([{}])",), "len(client.rows)")]


def test_what_shows_something_or_knows_no_such_name_is_not_gone_on_from() -> None:
    test = script("client = Client()", "client.store(['a'])", "client.kind")
    assert found(seen("raises", *VARIED), test) == []
    unknown = script("rows = []", "client = Client()", "client.store(rows)", "rows[0]")
    assert found(seen("opaque", *VARIED), unknown) == []
