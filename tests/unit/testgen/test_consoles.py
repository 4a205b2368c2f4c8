"""Functions that stand at a command line: what is typed, what is read and what is printed."""

from __future__ import annotations

import ast

from greenlane.testgen.circumstances import world_of
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.commandlines import with_flags
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.inputs import Case
from greenlane.testgen.staged import staged_cases
from greenlane.testgen.vary import vary

SOURCE = """
import argparse
import sys


def main(args=None):
    given = parser().parse_args(args)
    if given.stdin:
        shown()
    return 0


def shown():
    try:
        print(sys.stdin.read().upper())
    except OSError:
        sys.exit(1)


def parser():
    made = argparse.ArgumentParser()
    made.add_argument("-n", "--number", type=int)
    made.add_argument("names", nargs="*")
    made.add_argument("-s", "--stdin", action="store_true")
    return made


def quiet(args):
    return args
"""
TREE = ast.parse(SOURCE)
FUNCTIONS = {f.name: f for f in with_flags(list_functions(TREE, "tool.py", "tool"), TREE, {24})}


def case(function: Function, *arguments: str) -> Case:
    given = tuple((None, text) for text in arguments)
    return Case(entry=function, receiver=None, arguments=given, imports=frozenset(), fixtures=frozenset(), carved=True)


def test_flags_are_given_to_what_takes_a_command_line_those_of_the_change_first() -> None:
    main = FUNCTIONS["main"]
    assert main.flags == (("--stdin",), ("--number", "2"))
    assert FUNCTIONS["quiet"].flags == ()
    assert guess_values(main.params[0], main)[:2] == ["['--stdin']", "['--number', '2']"]
    varied = {one.arguments[0][1] for one in vary(case(main, "[str(path)]"), 40) if one.arguments}
    assert {"['--stdin']", "['--number', '2', str(path)]"} <= varied


def test_what_is_read_is_given_and_what_is_printed_is_looked_at() -> None:
    world = world_of(TREE, FUNCTIONS["main"])
    staged = staged_cases([case(FUNCTIONS["main"], "['--stdin']")], world, unittest=False)
    scripts = {one.script.text: one for one in staged if one.script is not None}
    read = next(text for text in scripts if "StringIO('a b" in text)
    assert read == (
        "monkeypatch.setattr('sys.stdin', StringIO('a b\\nc\\n'))\n"
        "result = main(['--stdin'])\n"
        "(result, capsys.readouterr().out)"
    )
    assert scripts[read].fixtures == {"monkeypatch", "capsys"}
    assert any("side_effect=OSError" in text for text in scripts)
    assert world_of(TREE, FUNCTIONS["quiet"]).is_empty
