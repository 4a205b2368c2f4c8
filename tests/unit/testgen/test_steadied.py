"""What is another one each time is held still for a call."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.source import Source
from greenlane.testgen.steadied import steadied
from greenlane.testgen.targets import Gap

TEXT = """
import datetime
import time
from datetime import date as day, datetime as moment
from uuid import uuid4


def stamped(text):
    return text, time.time()


def numbered(text):
    return f"{text} {uuid4()} {time.time()}"


def aged(born):
    return day.today().year - born


def shown():
    return moment.now(ZONE).isoformat()


def logged():
    return datetime.datetime.utcnow()


def plain(text):
    return text
"""
TREE = ast.parse(TEXT)
FUNCTIONS = {f.name: f for f in list_functions(TREE, "shop.py", "shop")}


def held(name: str, line: int, script: Script | None = None, *, unittest: bool = False) -> list[list[str]]:
    entry = FUNCTIONS[name]
    case = Case(
        entry=entry, receiver=None, arguments=((None, "'a'"),) if entry.params else (), imports=frozenset(),
        fixtures=frozenset(), carved=True, script=script,
    )  # fmt: skip
    source = Source(
        path="shop.py", module="shop", tree=TREE, gap=Gap(path="shop.py", lines=frozenset({line})), entries=(),
        functions=tuple(FUNCTIONS.values()), constructors={},
    )  # fmt: skip
    outcome = Outcome(case=0, kind="value", value=Description("None"))
    seen = Observed(case=case, outcome=outcome, lines={"shop.py": frozenset({line})})
    found = steadied([seen], source, frozenset({("shop.py", line)}), unittest=unittest)
    return [[*one.script.setup, one.script.look] for one in found if one.script]


def test_the_clock_stands_still_and_chance_gives_the_same() -> None:
    assert held("stamped", 9) == [["monkeypatch.setattr('time.time', lambda: 1580472000.25)", "stamped('a')"]]
    assert held("numbered", 13) == [
        ["monkeypatch.setattr('time.time', lambda: 1580472000.25)",
         "monkeypatch.setattr('shop.uuid4', lambda: UUID(int=1))", "numbered('a')"]
    ]  # fmt: skip


def test_today_is_a_day_of_the_past_under_the_name_that_the_file_knows_it_by() -> None:
    day = "monkeypatch.setattr('shop.day', MagicMock(wraps=date, **{'today.return_value': date(2020, 1, 31)}))"
    assert held("aged", 17) == [[day, "aged('a')"]]
    noon = "datetime(2020, 1, 31, 12, tzinfo=timezone.utc)"
    moment = f"monkeypatch.setattr('shop.moment', MagicMock(wraps=datetime, **{{'now.return_value': {noon}}}))"
    assert held("shown", 21) == [[moment, "shown()"]]
    noon = "datetime.datetime(2020, 1, 31, 12)"
    whole = f"MagicMock(wraps=datetime, **{{'datetime.utcnow.return_value': {noon}}})"
    assert held("logged", 25) == [[f"monkeypatch.setattr('shop.datetime', {whole})", "logged()"]]


def test_without_fixtures_it_is_a_block_and_what_a_test_put_in_place_itself_stays() -> None:
    assert held("stamped", 9, unittest=True) == [
        ["with patch('time.time', lambda: 1580472000.25):\n    inside = stamped('a')", "inside"]
    ]
    script = Script(imports=frozenset(), setup=("monkeypatch.setattr('time.time', lambda: 1)",), look="stamped('a')")
    assert not held("stamped", 9, script)


def test_nothing_is_done_to_what_asks_for_nothing_of_the_kind() -> None:
    assert not held("plain", 29)
