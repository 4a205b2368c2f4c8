"""Arguments of the kinds that code tells apart: those of the language, and errors among them."""

from __future__ import annotations

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.guesses import errors_of, guess_values, values_of
from greenlane.testgen.inputs import Case, Description, Script, is_harmless
from greenlane.testgen.options import of_asked_kind
from greenlane.testgen.uses import told_by_uses
from greenlane.testgen.vary import vary

SOURCE = """
def install(*found):
    for one in found:
        if isinstance(one, BaseException):
            return 1
        if isinstance(one, tuple):
            return 2

def told(error, other):
    if isinstance(other, KeyError):
        return error.__cause__
"""


def functions() -> list[Function]:
    tree = parse_source(SOURCE)
    return list(told_by_uses(list_functions(tree, "a.py", "a"), tree))


def case(entry: Function, *texts: str, script: Script | None = None) -> Case:
    given = tuple((None, text) for text in texts)
    return Case(
        entry=entry, receiver=None, arguments=given, imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip


def test_values_of_the_kinds_that_are_asked_for_take_the_place_of_an_argument() -> None:
    install, _ = functions()
    found = [one.arguments[0][1] for one in of_asked_kind(case(install, "int"))]
    assert found == ["ValueError('abc')", "ExceptionGroup('abc', [ValueError('abc')])", "(1, 2)"]
    script = Script(imports=frozenset({("a", "install")}), setup=("error = int",), look="install(error)")
    looks = [one.script.look for one in vary(case(install, script=script), 60) if one.script]
    assert "install(ExceptionGroup('abc', [ValueError('abc')]))" in looks


def test_an_error_is_given_where_one_is_asked_for_or_used_as_one() -> None:
    _, told = functions()
    assert [param.told for param in told.params] == ["Exception", "KeyError"]
    assert [guess_values(param, told)[0] for param in told.params] == ["ValueError('abc')", "KeyError('abc')"]


def test_no_error_is_made_that_ends_the_program_or_that_takes_more_than_a_text() -> None:
    assert [errors_of(kind) for kind in ("SystemExit", "KeyboardInterrupt", "UnicodeDecodeError", "int", "Own")] == [
        [], [], [], [], [],
    ]  # fmt: skip
    assert values_of("Own") == []
    assert all(is_harmless(Description(text)) for kind in ("Exception", "OSError") for text in errors_of(kind))
