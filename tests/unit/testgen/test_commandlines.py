"""Programs that read what was typed: the words and options that their parser is told of, as lists for `sys.argv`."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.circumstances import world_of
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.commandlines import with_flags
from greenlane.testgen.inputs import Case
from greenlane.testgen.staged import staged_cases

PARSER = """
import argparse
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", "--version", action="version", version="1")
    parser.add_argument("url")
    group = parser.add_argument_group("more")
    group.add_argument("-s", "--scheme", default="https")
    group.add_argument("-f", "--filter", action="store_true")
    group.add_argument("--quiet", action="store_true")
    parser.add_argument("rest", nargs="*")
    args = parser.parse_args()
    print(args.url)
"""
COMMANDS = """
import argparse, sys
def parsed():
    parser = argparse.ArgumentParser()
    parser.add_argument("--debug", action="store_true")
    commands = parser.add_subparsers()
    one = commands.add_parser("show")
    one.add_argument("path", type=Path)
    one.add_argument("--lines", type=int, required=True)
    one = commands.add_parser("pair")
    one.add_argument("names", nargs=2, choices=["a", "b"])
    one.add_argument("--swap", action="store_true")
    return parser.parse_args(sys.argv[1:])
def main():
    return parsed().path
"""
BY_HAND = """
import sys
def main():
    if len(sys.argv) < 2 or sys.argv[1] == "--help":
        return 2
    return 0
"""


def functions_of(source: str) -> tuple[ast.Module, dict[str, Function]]:
    tree = ast.parse(source)
    return tree, {f.name: f for f in with_flags(list_functions(tree, "tool.py", "tool"), tree, range(10, 11))}


def typed(source: str) -> list[str]:
    tree, functions = functions_of(source)
    return list(dict(world_of(tree, functions["main"]).places).get("sys.argv", ()))


def test_what_is_needed_then_each_option_with_it_those_of_the_change_first() -> None:
    assert typed(PARSER) == [
        "['main', 'http://example.com/a?b=1']",
        "['main', '--quiet', 'http://example.com/a?b=1']",
        "['main', '--version', 'http://example.com/a?b=1']",
        "['main', '--scheme', 'abc', 'http://example.com/a?b=1']",
        "['main', '--filter', 'http://example.com/a?b=1']",
        "['main', '--quiet', '--filter', 'http://example.com/a?b=1']",
        "['main']",
    ]
    assert functions_of(PARSER)[1]["main"].needed == ("http://example.com/a?b=1",)


def test_each_command_of_a_program_is_given_with_what_it_needs() -> None:
    file = "str(tmp_path / 'a.txt')"
    assert typed(COMMANDS) == [
        f"['main', 'show', {file}, '--lines', '2']",
        "['main', 'pair', 'a', 'a']",
        f"['main', '--debug', 'show', {file}, '--lines', '2']",
        "['main', 'pair', '--swap', 'a', 'a']",
        "['main']",
    ]


def test_words_that_the_code_names_where_it_reads_them_itself() -> None:
    assert typed(BY_HAND)[:5] == [
        "['main']",
        "['main', 'abc']",
        "['main', str(tmp_path / 'a.txt')]",
        "['main', '--help']",
        "['main', '--help', 'abc']",
    ]


@pytest.mark.parametrize("call", ["parser.parse_args(args)", "other(args)"])
def test_what_is_handed_in_is_not_typed(call: str) -> None:
    assert typed(PARSER.replace("parser.parse_args()", call).replace("main()", "main(args)")) == []


def test_a_file_that_is_named_is_written_first_and_only_where_there_are_fixtures() -> None:
    tree, functions = functions_of(COMMANDS)
    entry = functions["main"]
    case = Case(entry=entry, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True)
    staged = staged_cases([case], world_of(tree, entry), unittest=False)
    first = next(one for one in staged if one.script is not None and "--lines" in one.script.text)
    assert first.script is not None
    assert first.script.text == (
        "(tmp_path / 'a.txt').write_text('a b\\nc\\n')\n"
        "monkeypatch.setattr('sys.argv', ['main', 'show', str(tmp_path / 'a.txt'), '--lines', '2'])\n"
        "main()"
    )
    assert first.fixtures == {"monkeypatch", "tmp_path"}
    texts = [one.script.text for one in staged_cases([case], world_of(tree, entry), unittest=True) if one.script]
    assert any("patch('sys.argv', ['main', 'pair', 'a', 'a'])" in text for text in texts)
    assert not any("tmp_path" in text for text in texts)
