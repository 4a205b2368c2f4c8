"""How something private was used is looked at by a stand-in for what its class has."""

from __future__ import annotations

from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.withheld import withheld
from tests.support.sources import source_at

TEXT = """
import requests
from shop import Till


class Client:
    def __init__(self, name):
        self._session = requests.Session()
        self._till = Till(name)
        self._name = str(name)

    def leave(self):
        self._session.close()

    def pay(self, amount):
        self._till.add(amount, note=self._name)

    def __exit__(self, *error):
        self.leave()

    def title(self):
        self._name.title()
"""


def made(line: int, script: Script | None, *, unittest: bool = False) -> list[str]:
    source = source_at(TEXT, line, "web.py")
    ((_, entry),) = source.entries
    case = Case(
        entry=entry, receiver="Client('a')", arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"web.py": frozenset({line})})
    found = withheld([seen], source, frozenset({("web.py", line)}), unittest=unittest)
    return [one.script.text for one in found if one.script is not None]


def test_the_class_of_what_is_private_gets_a_stand_in_and_is_asked_whether_it_was_called() -> None:
    assert made(13, None) == [
        "close = MagicMock()\nmonkeypatch.setattr('web.requests.Session.close', close)\n"
        "Client('a').leave()\nclose.called"
    ]
    script = Script(imports=frozenset(), setup=("add = Client('a')",), look="add.pay(1)")
    found = made(16, script)
    before = "fake_add = MagicMock()\nmonkeypatch.setattr('web.Till.add', fake_add)\nadd = Client('a')\nadd.pay(1)\n"
    assert found == [f"{before}fake_add.call_args.args", f"{before}fake_add.called"]


def test_without_fixtures_it_is_done_in_a_block_and_a_look_that_calls_nothing_is_left_out() -> None:
    script = Script(imports=frozenset(), setup=("client = Client('a')", "with client:\n    pass"), look="client.name")
    assert made(19, script, unittest=True) == [
        "with patch('web.requests.Session.close') as close:\n    client = Client('a')\n    with client:\n        pass\n"
        "close.called"
    ]


def test_what_is_no_object_of_an_imported_class_gets_none() -> None:
    assert made(22, None) == []
