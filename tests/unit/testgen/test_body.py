"""How the rows of a test are written, and what it expects an error to say."""

from __future__ import annotations

from greenlane.testgen.body import Body, pattern_of
from greenlane.testgen.neighbours import Style


def test_rows_of_one_value_stand_without_brackets() -> None:
    body = Body(Style(folder="tests", form="function"), {})
    body.parameters = [("text", ["'a'", "'b'"])]
    assert body.parametrize() == "@pytest.mark.parametrize('text', ['a', 'b'])"
    body.parameters.append(("expected", ["1", "2"]))
    assert body.parametrize() == "@pytest.mark.parametrize(('text', 'expected'), [('a', 1), ('b', 2)])"


def test_any_path_may_stand_where_the_message_of_an_error_has_an_ellipsis() -> None:
    assert pattern_of("In \u2026, entry in RECORD is invalid") == "'In .*, entry in RECORD is invalid'"
    assert pattern_of("There is no \u2026") == "'There is no'"
    assert pattern_of("\u2026") == ""
