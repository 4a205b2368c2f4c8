"""What a module remembers in plain names is set before a call, and looked at after it."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.inputs import Case
from greenlane.testgen.stateful import stateful_cases

TEXT = """
process = None
written = False
limit = 3

def begin(command):
    global process
    process = Popen(command)

def write(text):
    global written
    if text and process:
        process.send(text)
        written = True

def end():
    global process, written
    if written:
        out, error = process.communicate()
        print(out)
        process = None
        written = False

def reset():
    global limit
    limit = 4

def plain(text):
    return text
"""
TREE = ast.parse(TEXT)
FUNCTIONS = {f.name: f for f in list_functions(TREE, "shop/pipe.py", "shop.pipe")}


def scripts(name: str, *given: str, unittest: bool = False) -> list[tuple[tuple[str, ...], str, frozenset[str]]]:
    entry = FUNCTIONS[name]
    case = Case(
        entry=entry, receiver=None, arguments=tuple((None, text) for text in given), imports=frozenset(),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip
    cases = stateful_cases([case], TREE, entry, unittest=unittest)
    return [(one.script.setup, one.script.look, one.fixtures) for one in cases if one.script]


def test_a_name_that_is_asked_for_gets_a_stand_in_and_what_that_was_asked_is_looked_at() -> None:
    setup, look, fixtures = scripts("write", "'abc'")[0]
    assert setup == (
        "process = MagicMock()", "monkeypatch.setattr('shop.pipe.process', process)",
        "monkeypatch.setattr('shop.pipe.written', True)", "write('abc')", "written_after = pipe.written",
    )  # fmt: skip
    assert look == "([str(one) for one in process.method_calls], written_after)"
    assert fixtures == {"monkeypatch"}
    assert "monkeypatch.setattr('shop.pipe.written', False)" in scripts("write", "'abc'")[1][0]


def test_what_is_taken_apart_comes_in_parts_and_what_is_printed_is_looked_at() -> None:
    found = scripts("end")
    assert found[0][0][0] == "process = MagicMock(**{'communicate.return_value': ('a', 'b')})"
    assert "process = MagicMock(**{'communicate.return_value': ('', '')})" in {setup[0] for setup, _, _ in found}
    assert ("capsys.readouterr().out", {"monkeypatch", "capsys"}) in [(look, fixtures) for _, look, fixtures in found]


def test_what_is_set_to_a_constant_is_looked_at_after_the_call() -> None:
    setup, look, _ = scripts("reset")[-1]
    assert setup == ("monkeypatch.setattr('shop.pipe.limit', 3)", "reset()", "limit_after = pipe.limit")
    assert look == "limit_after"


def test_without_fixtures_the_call_stands_in_a_block() -> None:
    setup, _, fixtures = scripts("write", "'abc'", unittest=True)[0]
    assert setup[1] == (
        "with patch('shop.pipe.process', process), patch('shop.pipe.written', True):\n"
        "    write('abc')\n    written_after = pipe.written"
    )
    assert not fixtures


def test_what_asks_for_nothing_that_is_remembered_is_left_alone() -> None:
    assert scripts("plain", "'a'") == scripts("begin", "'a'") == []
