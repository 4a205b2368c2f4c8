"""Entries of a dict that code looks at one by one, as the conditions before something open ask for them."""

from __future__ import annotations

from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.itemwise import itemwise
from tests.support.sources import source_at

TEXT = """
LISTS = ("peers", "ends")


class Record:
    def __init__(self, fields):
        for key, value in fields.items():
            if isinstance(value, list):
                if key in LISTS and isinstance(value[0], dict) and isinstance(fields.get(f"{key}_type"), str):
                    value = [fields[f"{key}_type"], *value]
            elif key.startswith("x_") and value["size"] == 7:
                value = None
            setattr(self, key, value)


def load(**options):
    for name in options:
        if name == "mode" and options[name] in ("r", "w"):
            return "opened"
"""


def found(line: int, ran: int, script: Script | None = None, *arguments: tuple[str | None, str]) -> list[Case]:
    source = source_at(TEXT, line)
    ((_, entry),) = source.entries
    case = Case(
        entry=entry, receiver=None, arguments=arguments, imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({ran})})
    return itemwise([seen], source, frozenset({("shop.py", line)}))


def test_an_entry_is_given_with_what_the_code_asks_for_beside_it() -> None:
    texts = [case.arguments[0][1] for case in found(10, 7, None, (None, "{'id': 1}"))]
    assert texts == [
        "{'id': 1, 'peers': [{'a': 1}], 'peers_type': 'a'}", "{'id': 1, 'ends': [{'a': 1}], 'ends_type': 'a'}",
    ]  # fmt: skip


def test_a_key_begins_as_it_is_asked_to_and_holds_what_is_looked_up() -> None:
    script = Script(imports=frozenset(), setup=("fields = {'id': 1}",), look="Record(fields).id")
    (case,) = found(12, 7, script)
    assert case.script is not None
    assert case.script.setup == ("fields = {'id': 1, 'x_a': {'size': 7}}",)


def test_what_is_taken_by_name_is_given_by_name() -> None:
    assert [case.arguments for case in found(19, 17)] == [(("mode", "'r'"),)]
    (case,) = found(19, 17, Script(imports=frozenset(), setup=(), look="load(other=1)"))
    assert case.script is not None
    assert case.script.look == "load(other=1, mode='r')"


def test_what_ran_no_such_loop_is_left_alone() -> None:
    assert not found(10, 6, None, (None, "{'id': 1}"))
