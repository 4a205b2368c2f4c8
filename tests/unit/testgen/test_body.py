"""How the rows of a test are written."""

from __future__ import annotations

from greenlane.testgen.body import Body
from greenlane.testgen.neighbours import Style


def test_rows_of_one_value_stand_without_brackets() -> None:
    body = Body(Style(folder="tests", form="function"), {})
    body.parameters = [("text", ["'a'", "'b'"])]
    assert body.parametrize() == "@pytest.mark.parametrize('text', ['a', 'b'])"
    body.parameters.append(("expected", ["1", "2"]))
    assert body.parametrize() == "@pytest.mark.parametrize(('text', 'expected'), [('a', 1), ('b', 2)])"
